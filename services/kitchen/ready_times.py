"""When the last of an order will be ready: what its open tickets say together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.kitchen import ON_THE_LINE, Ticket, TicketStatus
from services.kitchen.store import TICKETS
from services.runtime.among import among
from services.runtime.ready_times import OrderKey, ReadyTime

_AT_ONCE: Final = 10_000
"""A statement takes only so many values."""
_OPEN: Final = (*(each.value for each in ON_THE_LINE), TicketStatus.HELD.value)


async def ready_times(
    connection: AsyncConnection, orders: Collection[OrderKey]
) -> Mapping[OrderKey, ReadyTime]:
    """See `services.runtime.ready_times.ReadyTimes`."""
    of, ordered = TICKETS.c, list(orders)
    found: dict[OrderKey, ReadyTime] = {}
    for start in range(0, len(ordered), _AT_ONCE):
        share = ordered[start : start + _AT_ONCE]
        # Ids are nobody else's; that one is of another house is seen below, if it ever is.
        chosen = among(of.order_id, [order_id for _, order_id in share], connection.dialect.name)
        query = select(of.tenant, of.order_id, of.details).where(chosen, of.status.in_(_OPEN))
        asked = set(share)
        for tenant, order_id, details in await connection.execute(query):
            key = (tenant, order_id)
            if key not in asked or (details or {}).get("plates"):
                continue  # the expo waits for the others
            one = ReadyTime(_time(details, "ready_p50_at"), _time(details, "ready_p90_at"))
            found[key] = one if key not in found else _later(found[key], one)
    return found


def ready_with(tickets: Iterable[Ticket]) -> tuple[datetime, datetime] | None:
    """When the last of these tickets is reckoned to be ready: p50 and p90; None where none says."""
    told = [
        (each.ready_p50_at, each.ready_p90_at or each.ready_p50_at)
        for each in tickets
        if each.ready_p50_at is not None
    ]
    if not told:
        return None
    return max(p50 for p50, _ in told), max(p90 for _, p90 in told)


def _time(details: Mapping[str, Any] | None, name: str) -> datetime | None:
    text = (details or {}).get(name)
    return None if text is None else datetime.fromisoformat(text)


def _later(one: ReadyTime, other: ReadyTime) -> ReadyTime:
    """What both wait for; where one says nothing, nothing is known of both."""
    return ReadyTime(
        None if one.p50_at is None or other.p50_at is None else max(one.p50_at, other.p50_at),
        None if one.p90_at is None or other.p90_at is None else max(one.p90_at, other.p90_at),
    )
