"""When the kitchen will have an order, as one area tells another from its rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection


class ReadyTime(NamedTuple):
    """When the last of an order will be ready, as its open tickets say.

    Attributes:
        p50_at: as likely sooner as later; None where a ticket is held, or says nothing.
        p90_at: by then, nine times of ten.
    """

    p50_at: datetime | None
    p90_at: datetime | None


OrderKey = tuple[str, UUID]
"""Whose order, and which."""

ReadyTimes = Callable[
    [AsyncConnection, Collection[OrderKey]], Awaitable[Mapping[OrderKey, ReadyTime]]
]
"""Of orders, of any houses, that have open tickets; others are absent."""
