"""What brings things back, and takes them off, because time passes: nobody asks for it.

What is due is found in the rows and in the hours that stand on the menu, so nothing is lost with
a process. An order is decided by the clock and not by these: they tell the screens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Row, Select, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.house_rules import OrderRules
from schemas.identifiers import derived_id, new_id
from schemas.menu import ServedHours
from services.menu.inside import EndSellOut, ShowItems
from services.menu.store import MENU_AVAILABILITY, MENU_ITEMS, MENUS, to_item
from services.runtime import served_hours as hours
from services.runtime.house_rules import HOUSE_RULES
from services.runtime.tables import OUTBOX
from services.runtime.timers import DueTimer, Timer, one_by_one
from services.runtime.wall_clock import zone_of


class SellOutTimer(DueTimer):
    """Ends what was taken off until a time."""

    usual_s = 0.5
    later = "what was sold out comes back"

    def due(self, now: datetime) -> Select[Any]:
        """What is over."""
        row = MENU_AVAILABILITY.c
        # The version too: the same time may be named again after the clock was put back.
        return select(row.tenant, row.back_at, row.item, row.version).where(row.back_at <= now)

    def request(self, row: Row[Any]) -> EndSellOut:
        """Bring it back."""
        return EndSellOut(name=row.item, back_at=row.back_at)


@dataclass(slots=True)
class _House:
    """What is known of a house's menu, and up to when it was told.

    Attributes:
        version: of its menu and its rules.
        seen: the time-ordered id that was newest when this version was first seen.
        told: whether all has been told since.
        served: the hours of what is not served always, by item.
        zone: the house's clock.
        at: up to when it was told.
        next_at: when something of it turns next; None is never.
    """

    version: tuple[int, int]
    seen: UUID
    told: bool = False
    served: Mapping[str, tuple[ServedHours, ...]] = field(default_factory=dict)
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    at: datetime | None = None
    next_at: datetime | None = None


class MenuWatch(Timer):
    """Has items told again when their hours begin or end, and when the menu is another.

    Who imports a menu tells of it as it stood at that moment; while that is on its way, the last
    portion may be sold. So what stands in another way than it is written is told once more,
    after that has gone out.
    """

    usual_s = 2.0
    later = "items are served at their hours"

    def _begin(self) -> None:
        self._houses: dict[str, _House] = {}

    async def look(self) -> int:
        """Tell what turned; returns how many houses were told of anything.

        Raises:
            NotServing: this process does not serve; later, or elsewhere.
        """
        await self._notice_changes()
        return await one_by_one(list(self._houses), self._look_at)

    async def _look_at(self, tenant: str) -> bool:
        house, now = self._houses[tenant], self._clock()
        if not house.told:
            return await self._tell_all(tenant, house, now)
        if house.next_at is not None and house.next_at <= now:
            return await self._tell_turned(tenant, house, now)
        return False

    async def _notice_changes(self) -> None:
        query = select(MENUS.c.tenant, MENUS.c.version, HOUSE_RULES.c.version).join(
            HOUSE_RULES, HOUSE_RULES.c.tenant == MENUS.c.tenant
        )
        async with self._database.read() as connection:
            now = {row[0]: (row[1], row[2]) for row in await connection.execute(query)}
        for tenant in self._houses.keys() - now.keys():
            del self._houses[tenant]
        for tenant, version in now.items():
            known = self._houses.get(tenant)
            if known is None or known.version != version:
                self._houses[tenant] = _House(version, new_id())

    async def _tell_all(self, tenant: str, house: _House, now: datetime) -> bool:
        """Tell all that stands otherwise than written, once what was said of it has gone out."""
        async with self._database.read() as connection:
            waits = (OUTBOX.c.tenant == tenant) & (OUTBOX.c.parcel_id < house.seen)
            if await connection.scalar(select(exists().where(waits))):
                return False
            house.served = await _served(connection, tenant)
            mine = MENU_AVAILABILITY.c.tenant == tenant
            scarce = await connection.scalar(select(exists().where(mine)))
            house.zone = zone_of((await _order_rules(connection, tenant)).time_zone)
        if scarce or house.served:
            id_ = derived_id(now, "show items", tenant, *map(str, house.version), now.isoformat())
            await self._ask(tenant, ShowItems(), id_)
        house.told = True
        self._plan(house, now)
        return bool(scarce or house.served)

    async def _tell_turned(self, tenant: str, house: _House, now: datetime) -> bool:
        before = house.at or now
        turned = tuple(
            name
            for name, served in sorted(house.served.items())
            if hours.is_served(served, before, house.zone)
            != hours.is_served(served, now, house.zone)
        )
        if turned:
            id_ = derived_id(now, "turn items", tenant, now.isoformat())
            await self._ask(tenant, ShowItems(items=turned), id_)
        # Only now: what was not answered is asked for at the next look.
        self._plan(house, now)
        return bool(turned)

    @staticmethod
    def _plan(house: _House, now: datetime) -> None:
        turns = (hours.turns_at(each, now, house.zone) for each in house.served.values())
        house.at = now
        house.next_at = min((each for each in turns if each is not None), default=None)


async def _served(connection: AsyncConnection, tenant: str) -> dict[str, tuple[ServedHours, ...]]:
    query = select(MENU_ITEMS).where(MENU_ITEMS.c.tenant == tenant)
    rows = (await connection.execute(query.where(MENU_ITEMS.c.hours.is_not(None)))).mappings()
    return {row["item"]: to_item(dict(row)).hours for row in rows}


async def _order_rules(connection: AsyncConnection, tenant: str) -> OrderRules:
    query = select(HOUSE_RULES.c.orders).where(HOUSE_RULES.c.tenant == tenant)
    document = await connection.scalar(query)
    return OrderRules() if document is None else OrderRules.model_validate(document)
