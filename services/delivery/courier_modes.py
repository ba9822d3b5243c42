"""What couriers go by, from their rows."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.positions import TravelMode
from services.delivery.tables import COURIERS
from services.runtime.positions import VehicleKey


class StoredModes:
    """`services.runtime.courier_modes.CourierModes`, from the rows."""

    async def read(self, connection: AsyncConnection) -> Mapping[VehicleKey, TravelMode]:
        """What the couriers of all houses go by, by the vehicle where each of them is."""
        column = COURIERS.c
        query = select(column.tenant, column.device, column.mode).where(column.device.is_not(None))
        known = {each.value: each for each in TravelMode}
        return {
            (row.tenant, row.device): known[row.mode]
            for row in await connection.execute(query)
            if row.mode in known  # another release may know others
        }
