"""The doors that couriers have to go to, from the rows of open deliveries."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.deliveries import ON_ITS_WAY
from services.delivery.tables import DELIVERIES
from services.runtime.open_stops import OpenStop


class StoredStops:
    """`services.runtime.open_stops.OpenStops`, from the rows."""

    async def read(self, connection: AsyncConnection) -> Sequence[OpenStop]:
        """All that couriers of all houses have to go to; in no order."""
        column = DELIVERIES.c
        query = select(
            column.tenant,
            column.device,
            column.order_id,
            column.stop,
            column.lat,
            column.lon,
            column.status,
        ).where(column.ended_at.is_(None), column.device.is_not(None), column.stop.is_not(None))
        return [
            OpenStop(
                row.tenant,
                row.device,
                row.order_id,
                row.stop,
                row.lat,
                row.lon,
                row.status in ON_ITS_WAY,
            )
            for row in await connection.execute(query)
        ]
