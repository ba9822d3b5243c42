"""What couriers go by, as those see it who judge how fast a vehicle can be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.positions import TravelMode
from services.runtime.positions import VehicleKey


class CourierModes(Protocol):
    """Who knows it: deliveries."""

    async def read(self, connection: AsyncConnection) -> Mapping[VehicleKey, TravelMode]:
        """What the couriers of all houses go by, by the vehicle where each of them is."""
        ...


class NoCouriers:
    """Nobody knows of any."""

    async def read(
        self,
        connection: AsyncConnection,  # noqa: ARG002 - the port's shape
    ) -> Mapping[VehicleKey, TravelMode]:
        """See `CourierModes.read`."""
        return {}
