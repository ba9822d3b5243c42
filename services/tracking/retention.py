"""How long positions are kept, and how many of the old ones: what each house's rules say.

On PostgreSQL a day that nobody keeps any more goes as a whole partition. What else goes, is
deleted vehicle by vehicle, positions day by day too, so that no transaction is long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import (
    BigInteger,
    Column,
    Table,
    and_,
    case,
    delete,
    func,
    or_,
    select,
    text,
    type_coerce,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.elements import ColumnElement

from schemas.delivery_rules import DeliveryRules
from schemas.fences import CrossingKind
from services.runtime.database import Database, is_away
from services.runtime.house_rules import HOUSE_RULES, delivery_of
from services.runtime.lenient import read_or
from services.runtime.moment import Clock
from services.runtime.rounds import for_ever
from services.runtime.tables import TENANTS
from services.tracking.crossing_past import IS_OF_A_DOOR
from services.tracking.partitions import day_of
from services.tracking.tables import CROSSINGS, FIXES
from services.tracking.verdicts import USED

log = structlog.get_logger(__name__)

EVERY_S: Final = 3_600.0
_DAY: Final = timedelta(days=1)
_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LOCK_WAIT: Final = text("set local lock_timeout = '2s'")
_KEEPS_ALL: Final = DeliveryRules(keep_fixes_days=3_650, thin_after_days=3_650)
_PIECE: Final = timedelta(hours=6)
"""What is thinned at once: SQLite has one writer, and others wait for it."""
_BREATH_S: Final = 0.01
"""Between two deletions others may write."""

Progress = Callable[[int], None]


@dataclass(slots=True)
class Pruned:
    """What went.

    Attributes:
        days: whole days of all houses.
        expired: positions that were too old, or of a house that is gone; those of whole days are
            not counted.
        thinned: old positions that stood too near to another one.
        crossings: crossings of fences that were too old.
    """

    days: int = 0
    expired: int = 0
    thinned: int = 0
    crossings: int = 0


class Pruner:
    """Prunes the positions of all houses, a little at a time.

    Args:
        database: where they are.
        clock: tells what is old.
        every_s: seconds between two looks; what was thinned is not looked at again.
    """

    def __init__(self, database: Database, clock: Clock, *, every_s: float = EVERY_S) -> None:
        self._database: Final = database
        self._clock: Final = clock
        self._every_s: Final = every_s
        self._thinned: dict[str, datetime] = {}
        """Up to when the positions of each house were thinned by this process."""

    async def run(self) -> None:
        """Prune, for ever; first when there has been time to begin."""

        async def prune() -> None:
            pruned = await self.prune()
            if pruned != Pruned():
                log.info("positions were pruned", **asdict(pruned))

        await asyncio.sleep(self._every_s / 10)
        await for_ever(prune, self._every_s, "old positions are pruned")

    async def vehicles(self, tenant: str | None = None) -> int:
        """How many vehicles there are positions of: so many steps `prune` takes."""
        return sum([len(await self._vehicles(each)) for each in await self._houses(tenant)])

    async def prune(
        self, tenant: str | None = None, progress: Progress | None = None, *, dry: bool = False
    ) -> Pruned:
        """Let go of what nobody wants to keep.

        Args:
            tenant: of that house alone; None is all.
            progress: is told how many vehicles are done.
            dry: only count what would go.
        """
        now = self._clock()
        houses = await self._houses(tenant)
        pruned, whole = Pruned(), set[date]()
        if tenant is None and houses:
            longest = max(each.keep_fixes_days for each in houses.values())
            whole = await self._drop_days((now - timedelta(days=longest)).date(), dry=dry)
            pruned.days = len(whole)
        done = 0
        for house, book in houses.items():
            expires, thins = now - book.keep_fixes_days * _DAY, now - book.thin_after_days * _DAY
            for vehicle in await self._vehicles(house):
                mine = and_(FIXES.c.tenant == house, FIXES.c.vehicle == vehicle)
                pruned.expired += await self._expire(mine, expires, whole, dry=dry)
                # What is too old is gone by now, or would be.
                begin = max(self._thinned.get(house, _FIRST), expires)
                pruned.thinned += await self._thin(mine, book.thin_to_s, begin, thins, dry=dry)
                done += 1
                if progress is not None:
                    progress(done)
            for vehicle in await self._names(CROSSINGS.c.vehicle, CROSSINGS.c.tenant == house):
                its = and_(CROSSINGS.c.tenant == house, CROSSINGS.c.vehicle == vehicle)
                pruned.crossings += await self._forget_crossings(its, expires, dry=dry)
            if not dry:
                self._thinned[house] = _begin_of(thins) - _DAY
        if tenant is None:
            pruned.expired += await self._forget_houses(houses, now + _DAY, whole, dry=dry)
        return pruned

    async def _houses(self, tenant: str | None) -> dict[str, DeliveryRules]:
        """What each house wants; one that has said nothing wants what is usual.

        Of one whose rules cannot be read all is kept: nobody knows better.
        """
        column = TENANTS.c.tenant
        query = select(column, HOUSE_RULES.c.delivery).order_by(column)
        query = query.join_from(TENANTS, HOUSE_RULES, isouter=True)
        if tenant is not None:
            query = query.where(column == tenant)
        async with self._database.read() as connection:
            rows = await connection.execute(query)
            return {
                row.tenant: read_or(
                    _KEEPS_ALL, delivery_of, row.delivery, tenant=row.tenant, what="delivery rules"
                )
                for row in rows
            }

    async def _vehicles(self, tenant: str) -> list[str]:
        """All of which there are positions."""
        return await self._names(FIXES.c.vehicle, FIXES.c.tenant == tenant)

    async def _names(self, column: Column[str], *where: ColumnElement[bool]) -> list[str]:
        """All names in a column, each found by an index: few among many rows."""
        found: list[str] = []
        least = select(func.min(column)).where(*where)
        async with self._database.read() as connection:
            name = await connection.scalar(least)
            while name is not None:
                found.append(name)
                name = await connection.scalar(least.where(column > name))
        return found

    async def _forget_houses(
        self, there: Collection[str], before: datetime, whole: Collection[date], *, dry: bool
    ) -> int:
        """Forget the positions of houses that are gone, which came while they went."""
        gone = 0
        for tenant in set(await self._names(FIXES.c.tenant)) - set(there):
            # One of that name may be there by now.
            is_gone = ~select(TENANTS.c.tenant).where(TENANTS.c.tenant == FIXES.c.tenant).exists()
            for vehicle in await self._vehicles(tenant):
                its = and_(FIXES.c.tenant == tenant, FIXES.c.vehicle == vehicle, is_gone)
                gone += await self._expire(its, before, whole, dry=dry)
        return gone

    async def _drop_days(self, before: date, *, dry: bool) -> set[date]:
        """Drop whole days (UTC) that nobody keeps, on PostgreSQL; returns which."""
        if self._database.is_sqlite:
            return set()
        children = text(
            "select child.relname from pg_inherits"
            " join pg_class child on child.oid = inhrelid"
            " where inhparent = 'fixes'::regclass order by 1"
        )
        async with self._database.read() as connection:
            names = [row[0] for row in await connection.execute(children)]
        dropped: set[date] = set()
        for name in names:
            day = day_of(name)
            if day is None or day >= before:
                continue
            if dry:
                dropped.add(day)
                continue
            try:
                async with self._database.write() as connection:
                    await connection.execute(_LOCK_WAIT)
                    await connection.execute(text(f"drop table {name}"))
            except DBAPIError as error:
                if is_away(error):
                    raise
                log.warning("a day is in use; it goes later", day=str(day))
                continue
            dropped.add(day)
        return dropped

    async def _expire(
        self, mine: ColumnElement[bool], before: datetime, whole: Collection[date], *, dry: bool
    ) -> int:
        gone = 0
        for begin, end in await self._spans(mine, _FIRST, before, _DAY):
            if begin.date() not in whole:
                span = and_(mine, FIXES.c.at >= begin, FIXES.c.at < end)
                gone += await self._delete(FIXES, span, dry=dry)
        return gone

    async def _thin(
        self, mine: ColumnElement[bool], to_s: int, begin: datetime, before: datetime, *, dry: bool
    ) -> int:
        gone = 0
        for since, until in await self._spans(mine, begin, _begin_of(before), _PIECE):
            span = and_(mine, FIXES.c.at >= max(since, begin), FIXES.c.at < until)
            nth = func.row_number().over(
                partition_by=self._bucket(to_s),
                # The first that was used; where none was, the first that was told.
                order_by=(FIXES.c.verdict.not_in([each.value for each in USED]), FIXES.c.at),
            )
            ranked = select(FIXES.c.at, nth.label("nth")).where(span).subquery()
            # Said by the few that stay the piece is gone through once; by the many that go each of
            # them is looked up by itself, and PostgreSQL takes six times as long.
            stays = select(ranked.c.at).where(ranked.c.nth == 1)
            gone += await self._delete(FIXES, and_(span, FIXES.c.at.not_in(stays)), dry=dry)
        return gone

    def _bucket(self, to_s: int) -> ColumnElement[Any]:
        if self._database.is_sqlite:
            # Microseconds there: a whole number over a whole number is one.
            return type_coerce(FIXES.c.at, BigInteger).op("/")(to_s * 1_000_000)
        return func.date_bin(timedelta(seconds=to_s), FIXES.c.at, _FIRST)

    async def _spans(
        self, mine: ColumnElement[bool], begin: datetime, end: datetime, piece: timedelta
    ) -> list[tuple[datetime, datetime]]:
        """The time from the day of the first position on (UTC), in pieces."""
        first = select(func.min(FIXES.c.at)).where(mine, FIXES.c.at >= begin, FIXES.c.at < end)
        async with self._database.read() as connection:
            since = await connection.scalar(first)
        return [] if since is None else list(_pieces(_begin_of(since), end, piece))

    async def _delete(self, table: Table, which: ColumnElement[bool], *, dry: bool) -> int:
        if dry:
            query = select(func.count()).select_from(table).where(which)
            async with self._database.read() as connection:
                return await connection.scalar(query) or 0
        async with self._database.write() as connection:
            gone = (await connection.execute(delete(table).where(which))).rowcount
        await asyncio.sleep(_BREATH_S)
        return int(gone)

    async def _forget_crossings(
        self, its: ColumnElement[bool], before: datetime, *, dry: bool
    ) -> int:
        """Forget those of one vehicle that say nothing of today any more."""
        column = CROSSINGS.c
        # How it came or went last at each fence says whether it is within, and what was told since
        # is not told again; but nobody stays within the door of an order for months.
        came_or_went = case((column.what != CrossingKind.DWELL.value, column.at))
        since = func.max(came_or_went).over(partition_by=column.fence).label("since")
        its_own = select(column.crossing_id, column.at, since).where(its, ~IS_OF_A_DOOR).subquery()
        last = select(its_own.c.crossing_id).where(its_own.c.at >= its_own.c.since)
        of_no_use = or_(IS_OF_A_DOOR, column.crossing_id.not_in(last))
        old = and_(its, column.followed.is_(True), column.at < before, of_no_use)
        return await self._delete(CROSSINGS, old, dry=dry)


def _begin_of(moment: datetime) -> datetime:
    return datetime.combine(moment.astimezone(UTC).date(), time.min, UTC)


def _pieces(
    begin: datetime, end: datetime, piece: timedelta
) -> Iterator[tuple[datetime, datetime]]:
    while begin < end:
        yield begin, min(begin + piece, end)
        begin += piece
