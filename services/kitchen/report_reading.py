"""Reading what a kitchen has done in a span of time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.kitchen import Ticket
from services.kitchen.report import KitchenDone, report
from services.kitchen.store import STATIONS, TICKETS, to_ticket
from services.runtime import house_rules

PAGE = 1_000


def day_of(day: date, zone: tzinfo) -> tuple[datetime, datetime]:
    """From when to when a day runs in the house's own time; in UTC, the end not in it."""
    begin, end = (datetime.combine(each, time(), zone) for each in (day, day + timedelta(days=1)))
    return begin.astimezone(UTC), end.astimezone(UTC)


async def done_between(
    connection: AsyncConnection,
    tenant: str,
    since: datetime,
    until: datetime,
    zone: tzinfo,
    *,
    station: str | None = None,
) -> KitchenDone:
    """What was done in a span; the end is not in it.

    Args:
        connection: reads.
        tenant: whose kitchen.
        since: the beginning, aware.
        until: the end, aware.
        zone: the house's own time, for the hours.
        station: that one alone; None is all.
    """
    book = (await house_rules.read(connection, tenant)).kitchen
    query = select(STATIONS.c.station).where(STATIONS.c.tenant == tenant)
    stations = [station] if station else list(await connection.scalars(query))
    tickets = [
        ticket
        for each in sorted(stations)
        async for ticket in ended(connection, tenant, each, since, until)
    ]
    return report(tickets, book, zone)


async def ended(
    connection: AsyncConnection, tenant: str, station: str, since: datetime, until: datetime
) -> AsyncIterator[Ticket]:
    """The tickets of one station that ended in a span, the oldest end first."""
    mine = (TICKETS.c.tenant == tenant, TICKETS.c.station == station)
    query = (
        select(TICKETS)
        .where(*mine, TICKETS.c.ended_at >= since, TICKETS.c.ended_at < until)
        .order_by(TICKETS.c.ended_at)
    )
    result = await connection.stream(query.execution_options(yield_per=PAGE))
    async for row in result.mappings():
        yield to_ticket(dict(row))
