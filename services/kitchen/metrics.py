"""What each station has done today: worked out every few seconds, kept, and shown retained.

A dashboard that connects finds the figures there. They are kept as rows too, since what
stands retained must follow from the database; they may lag behind it by one look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import Column, Table, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.kitchen import LineMark, Ticket, TicketStatus
from schemas.kitchen_pace import StationMetrics
from services.kitchen import store
from services.kitchen.report import hear_s, is_late, prep_s, spread, voided_lines
from services.kitchen.report_reading import day_of, ended
from services.kitchen.store import StationNow
from services.runtime import house_rules
from services.runtime.context import Outgoing, outgoing
from services.runtime.database import Database, is_away
from services.runtime.moment import Clock
from services.runtime.outbox import enclose
from services.runtime.relay import Relay
from services.runtime.router import Router
from services.runtime.tables import DOCUMENT, METADATA, SLUG, TENANTS
from services.runtime.wall_clock import zone_of

log = structlog.get_logger(__name__)

EVERY_S: Final = 10.0
LAST: Final = timedelta(hours=1)
_AGAIN: Final = timedelta(seconds=30)
"""So far back each look reads again: what was decided earlier may have been kept later."""

METRICS: Final = Table(
    "station_metrics",
    METADATA,
    Column("tenant", SLUG, primary_key=True),
    Column("station", SLUG, primary_key=True),
    Column("figures", DOCUMENT, nullable=False),
)

router: Final = Router()


@dataclass(frozen=True, slots=True)
class _Ended:
    """What the figures need of a ticket that ended."""

    at: datetime
    bumped: bool
    lines: int
    hear: float | None
    prep: float | None
    late: bool
    recalls: int
    voids: int

    @classmethod
    def of(cls, ticket: Ticket, at: datetime) -> _Ended:
        bumped = ticket.status is TicketStatus.BUMPED
        return cls(
            at=at,
            bumped=bumped,
            lines=sum(line.mark is not LineMark.CANCELLED for line in ticket.lines),
            hear=hear_s(ticket) if bumped else None,
            prep=prep_s(ticket) if bumped else None,
            late=bumped and is_late(ticket),
            recalls=ticket.recalls,
            voids=voided_lines(ticket),
        )


@dataclass(slots=True)
class _Today:
    day: str
    since: datetime
    read_until: datetime
    sequence: int = -1
    tickets: dict[UUID, _Ended] = field(default_factory=dict)
    """By id: what is recalled and bumped again counts once."""


class MetricsBook:
    """Works the figures out while this process serves.

    Args:
        database: where the tickets are.
        relay: publishes.
        clock: the time.
        every_s: how often.
    """

    def __init__(
        self, database: Database, relay: Relay, clock: Clock, *, every_s: float = EVERY_S
    ) -> None:
        self._database: Final = database
        self._relay: Final = relay
        self._clock: Final = clock
        self._every_s: Final = every_s
        self._today: dict[tuple[str, str], _Today] = {}
        self._told: dict[tuple[str, str], StationMetrics] = {}
        self._lives: dict[str, datetime] = {}
        self._unsure = False  # True while figures may be kept though we were never told

    async def run(self) -> None:
        """Work them out, for ever."""
        while True:
            try:
                await self.look()
            except Exception as error:
                if not is_away(error):
                    raise
                self._unsure = True
                log.warning("database away; metrics come later", why=str(error)[:200])
            await asyncio.sleep(self._every_s)

    async def look(self) -> int:
        """Keep and publish what has changed; returns of how many stations."""
        now = self._clock()
        fresh: dict[tuple[str, str], StationMetrics] = {}
        async with self._database.read() as connection:
            await self._forget_who_left(connection)
            zones: dict[str, ZoneInfo] = {}
            for tenant, station in await store.heads(connection):
                if tenant not in zones:
                    rules = (await house_rules.read(connection, tenant)).orders
                    zones[tenant] = zone_of(rules.time_zone)
                today = await self._follow(connection, tenant, station, zones[tenant], now)
                figures = _figures(station, today, now)
                told = self._told.get((tenant, station.station))
                if told is None or told.model_copy(update={"at": figures.at}) != figures:
                    fresh[tenant, station.station] = figures
        if fresh:
            await self._keep(fresh, now)
        return len(fresh)

    async def _forget_who_left(self, connection: AsyncConnection) -> None:
        """What was made in a house that was removed is nothing to one that was added since."""
        rows = await connection.execute(select(TENANTS.c.tenant, TENANTS.c.created_at))
        lives: dict[str, datetime] = {row.tenant: row.created_at for row in rows}
        over = {each for each, since in self._lives.items() if lives.get(each) != since}
        for station in [each for each in self._today if each[0] in over]:
            del self._today[station]
            self._told.pop(station, None)
        self._lives = lives

    async def _follow(
        self,
        connection: AsyncConnection,
        tenant: str,
        station: StationNow,
        zone: ZoneInfo,
        now: datetime,
    ) -> _Today:
        """Read what ended since the last look."""
        day = now.astimezone(zone).date()
        key = (tenant, station.station)
        today = self._today.get(key)
        if today is None or today.day != day.isoformat():
            since, _ = day_of(day, zone)
            today = self._today[key] = _Today(day.isoformat(), since, since)
        if today.sequence == station.sequence:
            return today
        since = max(today.since, today.read_until - _AGAIN)
        async for ticket in ended(connection, tenant, station.station, since, now + LAST):
            if ticket.ended_at is not None:
                today.tickets[ticket.ticket_id] = _Ended.of(ticket, ticket.ended_at)
        for ticket_id in await store.recalled(connection, tenant, station.station):
            today.tickets.pop(ticket_id, None)  # it is being made again
        today.sequence, today.read_until = station.sequence, now
        return today

    async def _keep(self, fresh: dict[tuple[str, str], StationMetrics], now: datetime) -> None:
        rows = [
            {"tenant": tenant, "station": station, "figures": each.model_dump(mode="json")}
            for (tenant, station), each in fresh.items()
        ]
        messages = [outgoing(each, tenant=key[0], now=now) for key, each in fresh.items()]
        async with self._database.write() as connection:
            for row in rows:
                await connection.execute(
                    delete(METRICS).where(
                        METRICS.c.tenant == row["tenant"], METRICS.c.station == row["station"]
                    )
                )
            await connection.execute(METRICS.insert(), rows)
            parcels = await enclose(connection, messages)
        self._told |= fresh
        if self._unsure:
            # An earlier attempt may stand in the table: it goes out first, or not at all.
            await self._relay.collect(everything=True)
            self._unsure = False
        else:
            self._relay.offer(parcels)


@router.state
async def metrics_states(connection: AsyncConnection, tenant: str, now: datetime) -> list[Outgoing]:
    """What stands retained on the broker: the last figures of every station."""
    query = select(METRICS.c.figures).where(METRICS.c.tenant == tenant)
    rows: Iterable[Any] = await connection.scalars(query.order_by(METRICS.c.station))
    return [
        outgoing(StationMetrics.model_validate(figures), tenant=tenant, now=now) for figures in rows
    ]


def _figures(station: StationNow, today: _Today, now: datetime) -> StationMetrics:
    ended_ = list(today.tickets.values())
    bumped = [each for each in ended_ if each.bumped]
    lately = [each for each in bumped if each.at > now - LAST]
    hear = spread([each.hear for each in bumped if each.hear is not None])
    prep = spread([each.prep for each in bumped if each.prep is not None])
    late = sum(each.late for each in bumped)
    return StationMetrics(
        station=station.station,
        day=today.day,
        at=now,
        tickets=len(bumped),
        lines=sum(each.lines for each in bumped),
        tickets_last_hour=len(lately),
        lines_last_hour=sum(each.lines for each in lately),
        open=station.open,
        work_s=station.work_s,
        hear_p50_s=hear.p50_s,
        hear_p90_s=hear.p90_s,
        prep_p50_s=prep.p50_s,
        prep_p90_s=prep.p90_s,
        late=late,
        late_share=round(late / len(bumped), 4) if bumped else 0.0,
        recalls=sum(each.recalls for each in ended_),
        voids=sum(each.voids for each in ended_),
    )
