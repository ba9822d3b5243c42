"""Looks ahead for every item of every house, and asks for what should be told of it.

How a house uses its stock is reckoned anew once a day, beside everything else; how long it lasts,
whenever it has moved, and for all of it once an hour.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.alerts import AlertKind
from schemas.house_rules import OrderRules
from schemas.suppliers import Supplier
from services.inventory.expiry_store import changed_items
from services.inventory.forecast import HISTORY, Profile, profiles
from services.inventory.foreseeing import outlook
from services.inventory.inside import StockOutSeen
from services.inventory.profiles import first_used, read_used
from services.inventory.purchase_rows import on_its_way, read_suppliers
from services.inventory.reading import Kept, levels
from services.inventory.suggesting import OnItsWay, supplier_of
from services.inventory.tables import RECIPES, STOCK_LEVELS
from services.runtime.alerts import ALERTS
from services.runtime.house_rules import HOUSE_RULES
from services.runtime.tables import TENANTS
from services.runtime.timers import Timer, one_by_one
from services.runtime.wall_clock import zone_of

PAGE: Final = 200
"""So many items are looked at together."""
LEAST_HISTORY: Final = timedelta(days=3)
"""Of a house that is younger nobody can say how it uses its stock."""
_OVERLAP: Final = timedelta(seconds=30)
_ALL_AFTER: Final = timedelta(hours=1)


@dataclass(slots=True)
class _House:
    book: int
    """The version of its items and recipes."""
    zone: ZoneInfo
    currency: str
    profiles: dict[str, Profile] = field(default_factory=dict)
    profiled_on: date | None = None
    seen_at: datetime | None = None
    all_seen_at: datetime | None = None


class StockOutWatch(Timer):
    """Asks for alerts of what runs out before it can be there again."""

    usual_s = 30.0
    later = "what runs out is looked for"

    def _begin(self) -> None:
        self._houses: dict[str, _House] = {}

    async def run(self) -> None:
        """Look, for ever."""
        self._begin()  # another process may have served in the meantime
        await super().run()

    async def look(self) -> int:
        """Ask for what should be told otherwise; returns of how many items.

        Raises:
            NotServing: this process does not serve; later, or elsewhere.
        """
        await self._read_houses()
        return await one_by_one(list(self._houses), self._look_at)

    async def _read_houses(self) -> None:
        book = HOUSE_RULES.c
        query = (
            select(book.tenant, book.orders, book.stock_book, TENANTS.c.currency)
            .join(TENANTS, TENANTS.c.tenant == book.tenant)
            .where(book.stock_book.is_not(None))
        )
        async with self._database.read() as connection:
            rows = {row.tenant: row for row in await connection.execute(query)}
        for tenant in self._houses.keys() - rows.keys():
            del self._houses[tenant]
        for tenant, row in rows.items():
            name = OrderRules().time_zone if row.orders is None else row.orders["time_zone"]
            zone = zone_of(name)
            known = self._houses.get(tenant)
            if known is None or (known.book, known.zone) != (row.stock_book, zone):
                self._houses[tenant] = _House(row.stock_book, zone, row.currency)

    async def _look_at(self, tenant: str) -> int:
        house, now = self._houses[tenant], self._clock()
        today = now.astimezone(house.zone).date()
        if house.profiled_on != today:
            house.profiles = await self._profiles(tenant, house.zone, now)
            house.profiled_on, house.all_seen_at = today, None
        everything = house.all_seen_at is None or now - house.all_seen_at >= _ALL_AFTER
        if everything or house.seen_at is None:
            items = set(house.profiles)
        else:
            async with self._database.read() as connection:
                items = await changed_items(connection, tenant, house.seen_at - _OVERLAP)
        async with self._database.read() as connection:
            # What is told may be over without a move: it was ordered, or is on the book no more.
            items |= await _told(connection, tenant)
        asked = 0
        found = iter(sorted(items))
        while page := list(islice(found, PAGE)):
            asked += await self._look_at_items(tenant, house, page, now)
        # Only now: what was not answered is looked at again.
        house.seen_at = now
        if everything:
            house.all_seen_at = now
        return asked

    async def _look_at_items(
        self, tenant: str, house: _House, items: Collection[str], now: datetime
    ) -> int:
        async with self._database.read() as connection:
            told = await _told(connection, tenant)
            coming = await on_its_way(connection, tenant, house.currency)
            suppliers = await read_suppliers(connection, tenant)
            kept = {
                each.item.item: each for each in await levels(connection, tenant, now, items=items)
            }

        def looked_ahead() -> list[StockOutSeen]:
            return _asks(
                house,
                items,
                now,
                kept=kept,
                told=told,
                coming=coming,
                suppliers=suppliers,
            )

        # Hour by hour to a delivery in weeks, item by item: orders must not wait for it.
        asks = await asyncio.to_thread(looked_ahead)
        for ask in asks:
            # It does nothing where it is told so already: to ask twice does no harm.
            await self._ask(tenant, ask)
        return len(asks)

    async def _profiles(self, tenant: str, zone: ZoneInfo, now: datetime) -> dict[str, Profile]:
        """How the house uses what it has counted; none where it is too young to tell.

        What is in no recipe any more is not used, however much it was before.
        """
        found: dict[str, Profile] = {}
        async with self._database.read() as connection:
            begun = await first_used(connection, tenant)
            query = select(STOCK_LEVELS.c.item).where(
                STOCK_LEVELS.c.tenant == tenant, STOCK_LEVELS.c.counted
            )
            made = select(RECIPES.c.takes).where(RECIPES.c.tenant == tenant)
            taken = {item for takes in await connection.scalars(made) for item in takes}
            items = iter(sorted(taken.intersection(await connection.scalars(query))))
        if begun is None or now - begun < LEAST_HISTORY:
            return found
        while page := list(islice(items, PAGE)):
            async with self._database.read() as connection:
                used = await read_used(connection, tenant, now - HISTORY, now, items=page)
            # A year of hours takes a while to reckon: orders must not wait for it.
            some = await asyncio.to_thread(profiles, used, begun, now, zone)
            found |= {item: profile for item, profile in some.items() if profile.weekly > 0}
        return found


async def _told(connection: AsyncConnection, tenant: str) -> set[str]:
    """The items of which it is told that they run out."""
    query = select(ALERTS.c.about).where(
        ALERTS.c.tenant == tenant,
        ALERTS.c.cleared_at.is_(None),
        ALERTS.c.kind == AlertKind.STOCK_OUT.value,
    )
    return set(await connection.scalars(query))


def _asks(
    house: _House,
    items: Collection[str],
    now: datetime,
    *,
    kept: Mapping[str, Kept],
    told: Collection[str],
    coming: Mapping[str, Sequence[OnItsWay]],
    suppliers: Mapping[str, Supplier],
) -> list[StockOutSeen]:
    """What should be told otherwise than it is."""
    asks: list[StockOutSeen] = []
    for name in items:
        profile = house.profiles.get(name)
        stands = name in told
        if name not in kept or profile is None or not kept[name].level.counted:
            if stands:
                gone = StockOutSeen(item=name, left=0, runs_out_at=None, until=now, ordered=False)
                asks.append(gone)
            continue
        item, level = kept[name]
        amount = level.on_hand - level.damaged
        seen = outlook(
            amount,
            profile,
            coming=coming.get(name, ()),
            supplier=supplier_of(item.packs[0] if item.packs else None, suppliers),
            now=now,
            zone=house.zone,
            stands=stands,
        )
        if (seen.runs_out_at is not None) != stands:
            ask = StockOutSeen(
                item=name,
                left=amount,
                runs_out_at=seen.runs_out_at,
                until=seen.until,
                ordered=seen.ordered,
            )
            asks.append(ask)
    return asks
