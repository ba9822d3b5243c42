"""Learning how quick each station is, from the tickets it has bumped.

What is learnt stays in memory and is derived from the rows: at the start from the last tickets
of every station, then from those that were bumped since. Stations whose sequence has not moved
are not looked at. Nothing waits for it, and nothing is lost with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import ColumnClause, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.kitchen import LineMark, TicketStatus
from schemas.kitchen_rules import KitchenRules, StationRules
from services.kitchen import pace
from services.kitchen.quantiles import KEPT, Experience, Took, kind_of
from services.kitchen.store import STATIONS, TICKETS
from services.runtime import house_rules
from services.runtime.database import Database
from services.runtime.rounds import for_ever

log = structlog.get_logger(__name__)

_LOOK_EVERY_S: Final = 5.0
_BUMPED: Final[ColumnClause[str]] = literal_column(f"'{TicketStatus.BUMPED}'")
"""Written out: only so can a plan that was made beforehand use the index of bumped tickets."""
_LONGEST: Final = timedelta(hours=6)
"""A ticket that stood there for longer was forgotten, not cooked."""

Station = tuple[str, str]
"""Tenant and station."""

_NEWCOMER: Final = Experience()
"""Nothing is known of it, and nothing is ever learnt here."""


class LearntPace:
    """See `services.runtime.ports.PacePort`."""

    def __init__(self) -> None:
        self._stations: Final[dict[Station, Experience]] = {}

    def speed(self, tenant: str, station: str, item: str) -> float:
        """See `PacePort.speed`."""
        return self.of(tenant, station).speed(item)

    def factors(
        self, tenant: str, station: str, at: datetime, waits_s: float
    ) -> tuple[float, float]:
        """See `PacePort.factors`."""
        return self.of(tenant, station).factors(kind_of(at.hour, waits_s))

    def of(self, tenant: str, station: str) -> Experience:
        """What is known of a station."""
        return self._stations.get((tenant, station), _NEWCOMER)

    def learn(self, tenant: str, station: str, took: Took) -> None:
        """Take in how one more ticket of a station went."""
        self._stations.setdefault((tenant, station), Experience()).learn(took)

    def forget(self, tenant: str, station: str) -> None:
        """Know nothing of a station any more."""
        self._stations.pop((tenant, station), None)


class Learner:
    """Reads what was bumped, for as long as this process serves.

    Args:
        database: where tickets are.
        learnt: is told of them.
        look_every_s: seconds between two looks.
    """

    def __init__(
        self, database: Database, learnt: LearntPace, *, look_every_s: float = _LOOK_EVERY_S
    ) -> None:
        self._database: Final = database
        self._learnt: Final = learnt
        self._look_every_s: Final = look_every_s
        self._seen: Final[dict[Station, int]] = {}
        self._until: Final[dict[Station, datetime]] = {}

    async def run(self) -> None:
        """Learn, for ever."""
        await for_ever(self.look, self._look_every_s, "the kitchen's pace is learnt")

    async def look(self) -> int:
        """Learn from what was bumped since the last look; returns from how many tickets."""
        learnt = 0
        for (tenant, station), sequence in await self._moved():
            async with self._database.read() as connection:
                book = (await house_rules.read(connection, tenant)).kitchen
                rows = await self._bumped(connection, tenant, station)
            if rows:
                self._until[tenant, station] = rows[-1]["ended_at"]
            for row in rows:
                took = how_it_went(row, book, station)
                if took is not None:
                    self._learnt.learn(tenant, station, took)
                    learnt += 1
            self._seen[tenant, station] = sequence
            await asyncio.sleep(0)  # orders go before
        return learnt

    async def _moved(self) -> list[tuple[Station, int]]:
        """The stations at which something happened since the last look."""
        query = select(STATIONS.c.tenant, STATIONS.c.station, STATIONS.c.sequence)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        self._forget_others({(t, s): now for t, s, now in rows})
        return [((t, s), now) for t, s, now in rows if self._seen.get((t, s)) != now]

    def _forget_others(self, there: Mapping[Station, int]) -> None:
        """Forget stations whose house was removed, though another has come in its place."""
        # A sequence only grows: one that is lower is another station's.
        for station in [s for s, seen in self._seen.items() if there.get(s, -1) < seen]:
            del self._seen[station]
            self._until.pop(station, None)
            self._learnt.forget(*station)

    async def _bumped(
        self, connection: AsyncConnection, tenant: str, station: str
    ) -> list[Mapping[str, Any]]:
        """What was bumped since the last look, the oldest first."""
        ended = TICKETS.c.ended_at
        names = ("lines", "sent_at", "started_at", "ended_at", "recalls", "details")
        query = (
            select(*(TICKETS.c[name] for name in names))
            .where(TICKETS.c.tenant == tenant, TICKETS.c.station == station)
            .where(TICKETS.c.status == _BUMPED)
            .order_by(ended.desc())
            .limit(KEPT)
        )
        until = self._until.get((tenant, station))
        if until is not None:
            query = query.where(ended > until)
        rows = (await connection.execute(query)).mappings().all()
        return [dict(row) for row in reversed(rows)]


def how_it_went(row: Mapping[str, Any], book: KitchenRules, station: str) -> Took | None:
    """Tell of a bumped ticket how long it took; None where that tells nothing. Pure.

    What was recalled was bumped too early, and what was never reckoned has nothing to be
    compared with.

    Args:
        row: of the ticket.
        book: the kitchen's rules.
        station: where it was made.
    """
    details = row["details"] or {}
    sent_at, ended_at = row["sent_at"], row["ended_at"]
    reckoned_s = details.get("reckoned_s", 0)
    if row["recalls"] or sent_at is None or not reckoned_s or ended_at - sent_at > _LONGEST:
        return None
    rules = book.station(station)
    promised = details.get("ready_p90_at")
    return Took(
        ratio=(ended_at - sent_at).total_seconds() / reckoned_s,
        kind=kind_of(sent_at.hour, details.get("ahead_s", 0) / rules.hands),
        kept=None if promised is None else ended_at <= datetime.fromisoformat(promised),
        speeds=tuple(_speeds(row, rules)),
    )


def _speeds(row: Mapping[str, Any], rules: StationRules) -> Iterator[tuple[str, float]]:
    """How quick each item was; only where somebody said when he began."""
    if row["started_at"] is None:
        return
    lines: Sequence[Mapping[str, Any]] = [
        line for line in row["lines"] if line.get("mark") != LineMark.CANCELLED
    ]
    units = [(line.get("prep_s") or rules.prep_s, line["quantity"]) for line in lines]
    usual_s = pace.reckon(units, rules.hands).makes_s
    made_s = (row["ended_at"] - row["started_at"]).total_seconds()
    if usual_s > 0 and made_s > 0:
        for item in {line["item"] for line in lines}:
            yield item, made_s / usual_s
