"""Sees lots grow old: what of them should be told, and is not, or is told and is over.

A house's lots are all looked at when its day begins, and when its rules have changed; in
between, only those of items that have moved.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import select

from schemas.house_rules import OrderRules
from schemas.stock_rules import StockRules
from services.inventory.expiring import names_of
from services.inventory.expiry_store import changed_items, old_lots, standing_alerts
from services.inventory.inside import ReviewLots
from services.runtime.house_rules import HOUSE_RULES
from services.runtime.house_versions import HouseVersions
from services.runtime.timers import Timer, one_by_one
from services.runtime.wall_clock import zone_of

PAGE: Final = 100
"""So many items are asked for at once."""
_OVERLAP: Final = timedelta(seconds=30)
"""What is decided at one time may be kept so much later."""


@dataclass(slots=True)
class _House:
    zone: ZoneInfo
    warning: timedelta
    day: date | None = None
    """The day for which all lots were looked at."""
    seen_at: datetime | None = None


class ExpiryWatch(Timer):
    """Asks for the alerts of lots to be brought to how these stand."""

    usual_s = 5.0
    later = "old lots are looked at"

    def _begin(self) -> None:
        self._versions = HouseVersions(HOUSE_RULES.c.stock_book)
        self._houses: dict[str, _House] = {}

    async def run(self) -> None:
        """Look, for ever."""
        self._begin()  # another process may have served in the meantime
        await super().run()

    async def look(self) -> int:
        """Have told what has changed; returns of how many items.

        Raises:
            NotServing: this process does not serve; later, or elsewhere.
        """
        await self._read_rules()
        return await one_by_one(list(self._houses), self._look_at)

    async def _read_rules(self) -> None:
        book = HOUSE_RULES.c
        async with self._database.read() as connection:
            changes = await self._versions.changes(connection)
            for tenant in changes.gone:
                self._houses.pop(tenant, None)
            for tenant, version in changes.versions.items():
                query = select(book.orders, book.stock).where(book.tenant == tenant)
                row = (await connection.execute(query)).one_or_none()
                if row is None:
                    continue
                orders = OrderRules() if row[0] is None else OrderRules.model_validate(row[0])
                stock = StockRules() if row[1] is None else StockRules.model_validate(row[1])
                warning = timedelta(days=stock.expiry_warning_days)
                self._houses[tenant] = _House(zone_of(orders.time_zone), warning)
                self._versions.saw(tenant, version)

    async def _look_at(self, tenant: str) -> int:
        house, now = self._houses[tenant], self._clock()
        today = now.astimezone(house.zone).date()
        items: set[str] | None = None
        async with self._database.read() as connection:
            if house.day == today and house.seen_at is not None:
                since = house.seen_at - _OVERLAP
                items = await changed_items(connection, tenant, since)
            old = await old_lots(connection, tenant, today + house.warning, items)
            standing = {
                each.alert: each.about for each in await standing_alerts(connection, tenant, items)
            }
        wanted = {name: lot.item for name, lot in names_of(old, today).items()}
        differ = sorted({(standing | wanted)[name] for name in standing.keys() ^ wanted.keys()})
        for start in range(0, len(differ), PAGE):
            # What it does rests on how the lots stand then: to ask twice does no harm.
            await self._ask(tenant, ReviewLots(items=tuple(differ[start : start + PAGE])))
        # Only now: what was not answered is looked at again.
        house.day, house.seen_at = today, now
        return len(differ)
