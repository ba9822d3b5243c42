"""Guests' links, as those need them who let screens in: a port between two areas."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class LinkOpens:
    """What a good link opens.

    Attributes:
        tenant: whose.
        order_id: the order that it shows.
        until: when it ends.
    """

    tenant: str
    order_id: UUID
    until: datetime


class LinkDoor(Protocol):
    """Guests' links, as those need them who let screens in."""

    async def opened_by(
        self, connection: AsyncConnection, token: str, now: datetime
    ) -> LinkOpens | None:
        """What a token opens, as a stranger wrote it; None where there is nothing to show."""

    async def screens(self, connection: AsyncConnection, opens: LinkOpens) -> int:
        """How many screens show this order."""

    async def show(self, connection: AsyncConnection, opens: LinkOpens, device: str) -> None:
        """Have a device that was just let in show this order."""
