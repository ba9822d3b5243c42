"""The doors that couriers have to go to, as those see them who watch vehicles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class OpenStop:
    """A guest's door that a vehicle has to go to.

    Attributes:
        tenant: whose.
        vehicle: the courier's tracker.
        order_id: whose food it is.
        stop: which of the courier's stops it is, counted from one.
        lat: of the door, in degrees.
        lon: the same.
        in_the_bag: the food is with the courier, on its way to this door.
    """

    tenant: str
    vehicle: str
    order_id: UUID
    stop: int
    lat: float
    lon: float
    in_the_bag: bool


class OpenStops(Protocol):
    """Who knows them: deliveries."""

    async def read(self, connection: AsyncConnection) -> Sequence[OpenStop]:
        """All that couriers of all houses have to go to; in no order."""
        ...
