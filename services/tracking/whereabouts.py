"""Where vehicles are, for whoever asks for one."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime.among import among_pairs
from services.runtime.positions import VehicleKey
from services.runtime.whereabouts import Whereabouts
from services.tracking.tables import VEHICLES


class StoredWhereabouts:
    """See `services.runtime.whereabouts.WhereaboutsBook`."""

    async def of(
        self, connection: AsyncConnection, vehicles: Collection[VehicleKey]
    ) -> Mapping[VehicleKey, Whereabouts]:
        """See `WhereaboutsBook.of`."""
        column, dialect = VEHICLES.c, connection.dialect.name
        query = select(column.tenant, column.vehicle, column.lat, column.lon, column.at).where(
            among_pairs(column.tenant, column.vehicle, vehicles, dialect),
            column.at.is_not(None),
            column.lat.is_not(None),
            column.lon.is_not(None),
        )
        return {
            (row.tenant, row.vehicle): Whereabouts(row.lat, row.lon, row.at)
            for row in await connection.execute(query)
        }
