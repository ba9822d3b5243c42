"""How much there is, retained on the broker: told a moment after it changed, not each time.

An order moves twenty items, and a busy evening thousands of times. So the levels are no part of
what an order sends; whatever changed since the last look is told once, as it stands then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Select, and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.inventory import BaseUnit, StockState
from services.inventory.moves import level_told
from services.inventory.tables import STOCK_ITEMS, STOCK_LEVELS
from services.runtime.among import among
from services.runtime.context import Outgoing, clearing, outgoing
from services.runtime.database import Database
from services.runtime.house_rules import HOUSE_RULES
from services.runtime.moment import Clock
from services.runtime.relay import Relay
from services.runtime.rounds import for_ever
from services.runtime.router import Router
from services.runtime.work import Row

router: Final = Router()

EVERY_S: Final = 3.0
_LOOKS: Final = 10
"""So many looks back each look reads again: what was decided earlier may be kept later."""
_AT_FIRST: Final = timedelta(minutes=1)


class LevelTeller:
    """Tells the levels while a connection to the broker is served.

    Args:
        database: where the levels are.
        relay: publishes.
        clock: the time.
        every_s: how often; an item is told at most once in that time.
    """

    def __init__(
        self, database: Database, relay: Relay, clock: Clock, *, every_s: float = EVERY_S
    ) -> None:
        self._database: Final = database
        self._relay: Final = relay
        self._clock: Final = clock
        self._every_s: Final = every_s
        self._looks: deque[datetime] = deque()
        self._begin()

    def _begin(self) -> None:
        self._looks = deque([self._clock() - _AT_FIRST], maxlen=_LOOKS)
        self._told: dict[tuple[str, str], int] = {}
        self._books: dict[str, int] = {}
        self._standing: dict[str, set[str]] = {}

    async def run(self) -> None:
        """Tell them, for ever; what stood on the broker before was put right already."""
        self._begin()
        await for_ever(self.look, self._every_s, "the levels of the stock")

    async def look(self) -> list[Outgoing]:
        """Tell what has changed since the last look; returns what was told."""
        now = self._clock()
        since = self._looks[0]
        async with self._database.read() as connection:
            books = await _books(connection)
            dialect = connection.dialect.name
            of_them = among(STOCK_LEVELS.c.tenant, sorted(books), dialect)
            changed = _levels().where(of_them, STOCK_LEVELS.c.changed_at >= since)
            rows = await _read(connection, changed)
            messages: list[Outgoing] = []
            for tenant, version in books.items():
                if self._books.get(tenant) != version:
                    come, cleared = await self._new_book(connection, tenant)
                    rows += come
                    messages += cleared
        seen: dict[tuple[str, str], int] = {}
        for row in rows:
            key = (row["tenant"], row["item"])
            if key not in seen and self._told.get(key) != row["version"]:
                messages.append(_state(row, now))
                self._standing.setdefault(row["tenant"], set()).add(row["item"])
            seen[key] = row["version"]
        self._relay.say(messages)
        self._told, self._books = seen, books
        self._standing = {each: self._standing.get(each, set()) for each in books}
        self._looks.append(now)
        return messages

    async def _new_book(
        self, connection: AsyncConnection, tenant: str
    ) -> tuple[list[Row], list[Outgoing]]:
        """What stands for a house whose items may be others than before, and what no more."""
        mine = _levels().where(STOCK_LEVELS.c.tenant == tenant)
        names = set(await connection.scalars(mine.with_only_columns(STOCK_LEVELS.c.item)))
        before = self._standing.get(tenant) if tenant in self._books else None
        self._standing[tenant] = names
        if before is None:
            return [], []
        cleared = [
            clearing(StockState, tenant=tenant, item=item) for item in sorted(before - names)
        ]
        come = mine.where(_of(names - before, connection.dialect.name))
        return await _read(connection, come), cleared


def _of(items: Collection[str], dialect: str) -> Any:
    return among(STOCK_LEVELS.c.item, sorted(items), dialect)


@router.state
async def level_states(connection: AsyncConnection, tenant: str, now: datetime) -> list[Outgoing]:
    """What stands retained on the broker: each item of the book that ever moved."""
    mine = _levels().where(STOCK_LEVELS.c.tenant == tenant)
    return [_state(row, now) for row in await _read(connection, mine)]


def _levels() -> Select[Any]:
    same = and_(
        STOCK_LEVELS.c.tenant == STOCK_ITEMS.c.tenant, STOCK_LEVELS.c.item == STOCK_ITEMS.c.item
    )
    return select(STOCK_LEVELS, STOCK_ITEMS.c.unit).select_from(
        STOCK_LEVELS.join(STOCK_ITEMS, same)
    )


async def _read(connection: AsyncConnection, query: Select[Any]) -> list[Row]:
    ordered = query.order_by(STOCK_LEVELS.c.tenant, STOCK_LEVELS.c.item)
    rows: Iterable[Any] = (await connection.execute(ordered)).mappings()
    return [dict(row) for row in rows]


async def _books(connection: AsyncConnection) -> dict[str, int]:
    """The houses that keep stock, with the versions of their books."""
    query = select(HOUSE_RULES.c.tenant, HOUSE_RULES.c.stock_book)
    rows = await connection.execute(query.where(HOUSE_RULES.c.stock_book.is_not(None)))
    return {tenant: version for tenant, version in rows}  # noqa: C416 - rows are no pairs to mypy


def _state(row: Row, now: datetime) -> Outgoing:
    level = level_told(row, BaseUnit(row["unit"]))
    return outgoing(StockState(item=level.item, level=level), tenant=row["tenant"], now=now)
