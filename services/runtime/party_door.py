"""The parties, as those need them who let guests' phones in: a port between two areas."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class OpenDoorTo:
    """A party that guests may join.

    Attributes:
        party_id: which.
        latest: when it has ended in any case.
    """

    party_id: UUID
    latest: datetime


class PartyDoor(Protocol):
    """The parties, as those need them who let guests' phones in."""

    async def opened_by(
        self, connection: AsyncConnection, tenant: str, code: str, now: datetime
    ) -> OpenDoorTo | None:
        """The party that a code opens, as a stranger typed it; None where it opens nothing."""

    async def over(
        self, connection: AsyncConnection, parties: Collection[tuple[str, UUID]]
    ) -> set[tuple[str, UUID]]:
        """Which of these parties, each ``(tenant, party_id)``, have ended."""
