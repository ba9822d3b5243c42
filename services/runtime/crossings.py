"""Who came and went at fences, as one area tells another: a port between positions and deliveries.

A crossing is a row, kept with the fix that showed it. It stays to be followed until the worker
was asked for all that comes of it, under ids that belong to the crossing: whatever dies
meanwhile, that happens once. All of it is asked for before the crossing is noted as followed:
the steps of deliveries, and that a fence of the house's own was crossed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fences import CrossingKind

HOUSE: Final = "house"
"""The fence around the restaurant itself."""
NEAR: Final = "near:"
"""Before an order's id: the fence around its door within which a courier is near."""
STOP: Final = "stop:"
"""Before an order's id: the fence around its door within which a courier has arrived."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """A vehicle came, went, or stayed.

    Attributes:
        tenant: whose vehicle.
        crossing_id: of this very crossing.
        fence: its name; see `HOUSE`, `NEAR`, `STOP`.
        vehicle: who.
        what: came, went or stayed.
        at: when, by the fix that showed it.
    """

    tenant: str
    crossing_id: UUID
    fence: str
    vehicle: str
    what: CrossingKind
    at: datetime

    @property
    def is_of_a_drawn_fence(self) -> bool:
        """Whether the house has drawn that fence, rather than we for what it brings."""
        return self.fence != HOUSE and not self.fence.startswith((NEAR, STOP))


Follow = Callable[[Crossing], Awaitable[None]]
"""Asks the worker for what comes of a crossing, where anything does; again does no harm.

Raises:
    NotServing: not all of it was done; the crossing is to be followed again.
"""


class CrossingBook(Protocol):
    """The crossings, as those need them who follow."""

    async def unfollowed(
        self, connection: AsyncConnection, most: int, *, but: Collection[tuple[str, str]] = ()
    ) -> Sequence[Crossing]:
        """Those that nobody has followed yet, the first kept first; at most so many.

        Args:
            connection: where they are.
            most: how many.
            but: not those of these vehicles, each ``(tenant, vehicle)``.
        """

    async def follow(
        self, connection: AsyncConnection, crossings: Collection[tuple[str, UUID]]
    ) -> None:
        """Note that these, each ``(tenant, crossing_id)``, were followed."""

    async def within(
        self, connection: AsyncConnection, vehicles: Collection[tuple[str, str]], fence: str
    ) -> dict[tuple[str, str], Crossing]:
        """Which of these vehicles, each ``(tenant, vehicle)``, are within a fence, since when."""
