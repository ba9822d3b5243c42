"""Keeping the usage: what moved of each item in each hour, a moment behind the ledger.

One process decides, batch after batch, and an entry of the ledger gets its number when it is
decided: so entries are kept in the order of their numbers, and the number of the last one that
was added up is all that has to be remembered. It is moved on in the transaction that adds, so
that nothing counts twice, whatever dies. What another process decided whose clock went behind is
found once an hour, when the last hours are reckoned anew from the ledger; the usage is never
anything else than a sum of it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from services.inventory.tables import STOCK_MOVEMENTS, STOCK_USAGE, USAGE_MARKS
from services.inventory.usage import ONE_OF, Hourly, Usage, add_up, hour_of, usage_of
from services.runtime.among import among
from services.runtime.database import Database
from services.runtime.house_rules import HOUSE_RULES
from services.runtime.moment import Clock
from services.runtime.rounds import for_ever

LOOK_EVERY_S: Final = 10.0
PAGE: Final = 500
"""Entries that are added at once: no order waits for more than that."""
REST: Final = 4.0
"""So many times as long as adding took, orders have the database to themselves."""
ANEW: Final = timedelta(hours=3)
"""So much before the present hour is reckoned anew when an hour ends."""

HOURS: Final = "hours"
_READ: Final = 2_000
_BEFORE_ALL: Final = UUID(int=0)
_LEDGER: Final = STOCK_MOVEMENTS.c
_MARKS: Final = USAGE_MARKS.c
_USED: Final = STOCK_USAGE.c
_KINDS: Final = [kind.value for kind in ONE_OF]
_MONTH: Final = timedelta(days=31)


class UsageBook:
    """Adds up what moved, for as long as this process serves.

    Args:
        database: where the ledger is.
        clock: tells when an hour has ended.
        look_every_s: seconds between two looks.
    """

    def __init__(
        self, database: Database, clock: Clock, *, look_every_s: float = LOOK_EVERY_S
    ) -> None:
        self._database: Final = database
        self._clock: Final = clock
        self._look_every_s: Final = look_every_s
        self._anew_at: datetime | None = None

    async def run(self) -> None:
        """Add up, for ever."""
        await for_ever(self.look, self._look_every_s, "usage is added up")

    async def look(self) -> int:
        """Add up what moved since the last look; returns how many entries."""
        await self._begin_houses()
        added = 0
        began = time.monotonic()
        while page := await self._page():
            for tenant, rows in page.items():
                async with self._database.write() as connection:
                    if await _move_mark(connection, tenant, rows[0]["mark"], rows[-1]):
                        await _add(connection, tenant, add_up(rows))
                        added += len(rows)
            if sum(map(len, page.values())) < PAGE:
                break
            await asyncio.sleep(REST * (time.monotonic() - began))
            began = time.monotonic()
        await self._reckon_anew()
        return added

    async def _begin_houses(self) -> None:
        """Give every house that keeps stock its mark."""
        rules = HOUSE_RULES.c
        query = (
            select(rules.tenant)
            .outerjoin(USAGE_MARKS, (_MARKS.tenant == rules.tenant) & (_MARKS.mark == HOURS))
            .where(rules.stock_book.is_not(None), _MARKS.tenant.is_(None))
        )
        async with self._database.read() as connection:
            new = list(await connection.scalars(query))
        for tenant in new:
            async with self._database.write() as connection:
                await _first_mark(connection, tenant)

    async def _page(self) -> dict[str, list[Mapping[str, Any]]]:
        """The next entries of the ledger, by house."""
        query = (
            select(_LEDGER.tenant, _LEDGER.movement_id, _LEDGER.kind, _LEDGER.at, _LEDGER.amounts)
            .add_columns(_MARKS.movement_id.label("mark"))
            .join_from(USAGE_MARKS, STOCK_MOVEMENTS, _LEDGER.tenant == _MARKS.tenant)
            .where(_MARKS.mark == HOURS, _LEDGER.movement_id > _MARKS.movement_id)
            .where(_LEDGER.kind.in_(_KINDS))
            .order_by(_LEDGER.tenant, _LEDGER.movement_id)
            .limit(PAGE)
        )
        found: dict[str, list[Mapping[str, Any]]] = {}
        async with self._database.read() as connection:
            for row in (await connection.execute(query)).mappings():
                found.setdefault(row["tenant"], []).append(dict(row))
        return found

    async def _reckon_anew(self) -> None:
        """Reckon the last hours anew, once in each hour."""
        hour = hour_of(self._clock())
        if self._anew_at == hour:
            return
        async with self._database.read() as connection:
            query = select(_MARKS.tenant).where(_MARKS.mark == HOURS)
            tenants = list(await connection.scalars(query))
        for tenant in tenants:
            async with self._database.write() as connection:
                await reckon(connection, tenant, hour - ANEW)
        self._anew_at = hour


async def recount(connection: AsyncConnection, tenant: str) -> int:
    """Reckon all of a house's usage anew, month by month; returns how much of it was wrong."""
    firsts = [
        await connection.scalar(select(func.min(column)).where(table == tenant))
        for table, column in ((_LEDGER.tenant, _LEDGER.at), (_USED.tenant, _USED.hour))
    ]
    lasts = [
        await connection.scalar(select(func.max(column)).where(table == tenant))
        for table, column in ((_LEDGER.tenant, _LEDGER.at), (_USED.tenant, _USED.hour))
    ]
    since = min((hour_of(each) for each in firsts if each is not None), default=None)
    last = max((each for each in lasts if each is not None), default=None)
    wrong = 0
    while since is not None and last is not None and since <= last:
        wrong += await reckon(connection, tenant, since, since + _MONTH)
        since += _MONTH
    return wrong


async def reckon(
    connection: AsyncConnection, tenant: str, since: datetime, until: datetime | None = None
) -> int:
    """Reckon a house's usage anew from its ledger; returns how many hours of items were wrong.

    Args:
        connection: writes.
        tenant: whose usage.
        since: from the beginning of which hour on.
        until: to the beginning of which hour; None is to the end.
    """
    await _first_mark(connection, tenant)
    mine = (_MARKS.tenant == tenant, _MARKS.mark == HOURS)
    # Locked, so that nothing is added up in between.
    mark = await connection.scalar(select(_MARKS.movement_id).where(*mine).with_for_update())
    query = select(_LEDGER.kind, _LEDGER.at, _LEDGER.amounts).where(
        _LEDGER.tenant == tenant, _LEDGER.at >= since, _LEDGER.movement_id <= mark
    )
    kept = select(STOCK_USAGE).where(_USED.tenant == tenant, _USED.hour >= since)
    if until is not None:
        query, kept = query.where(_LEDGER.at < until), kept.where(_USED.hour < until)
    stream = await connection.stream(query.execution_options(yield_per=_READ))
    right: Hourly = {}
    async for rows in stream.mappings().partitions():
        for key, more in add_up(dict(row) for row in rows).items():
            right[key] = right.get(key, Usage()).plus(more)
    rows_ = (await connection.execute(kept)).mappings()
    stands = {(row["item"], row["hour"]): usage_of(dict(row)) for row in rows_}
    none = Usage()
    wrong = {
        key for key in right.keys() | stands.keys() if right.get(key, none) != stands.get(key, none)
    }
    await _remove(connection, tenant, wrong & stands.keys())
    await _add(connection, tenant, {key: right[key] for key in wrong & right.keys()})
    return len(wrong)


async def _first_mark(connection: AsyncConnection, tenant: str) -> None:
    row = {"tenant": tenant, "mark": HOURS, "movement_id": _BEFORE_ALL}
    await connection.execute(_insert(connection)(USAGE_MARKS).values(row).on_conflict_do_nothing())


async def _move_mark(
    connection: AsyncConnection, tenant: str, before: UUID, last: Mapping[str, Any]
) -> bool:
    """Move the mark on; False where another was quicker, or the house is gone."""
    mine = USAGE_MARKS.update().where(_MARKS.tenant == tenant, _MARKS.mark == HOURS)
    moved = mine.where(_MARKS.movement_id == before).values(movement_id=last["movement_id"])
    return (await connection.execute(moved)).rowcount == 1


async def _add(connection: AsyncConnection, tenant: str, hours: Hourly) -> None:
    rows = [
        {"tenant": tenant, "item": item, "hour": hour, **usage._asdict()}
        for (item, hour), usage in sorted(hours.items())
        if usage
    ]
    if not rows:
        return
    insert = _insert(connection)(STOCK_USAGE)
    added = {name: STOCK_USAGE.c[name] + insert.excluded[name] for name in Usage._fields}
    upsert = insert.on_conflict_do_update(index_elements=["tenant", "item", "hour"], set_=added)
    await connection.execute(upsert, rows)


async def _remove(
    connection: AsyncConnection, tenant: str, wrong: set[tuple[str, datetime]]
) -> None:
    by_hour: dict[datetime, list[str]] = {}
    for item, hour in wrong:
        by_hour.setdefault(hour, []).append(item)
    for hour, items in sorted(by_hour.items()):
        chosen = among(_USED.item, items, connection.dialect.name)
        mine = (_USED.tenant == tenant, _USED.hour == hour.astimezone(UTC))
        await connection.execute(delete(STOCK_USAGE).where(*mine, chosen))


def _insert(connection: AsyncConnection) -> Any:
    """How this database inserts what may be there already."""
    return sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
