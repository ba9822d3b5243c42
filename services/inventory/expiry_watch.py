"""Sees lots grow old: what of them should be told, and is not, or is told and is over.

A house's lots are all looked at when its day begins, and when its rules have changed; in
between, only those of items that have moved.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import select

from schemas.house_rules import OrderRules
from schemas.identifiers import new_id
from schemas.replies import Outcome
from schemas.stock_rules import StockRules
from services.inventory.expiring import names_of
from services.inventory.expiry_store import changed_items, old_lots, standing_alerts
from services.inventory.inside import ReviewLots
from services.runtime.database import Database
from services.runtime.house_rules import HOUSE_RULES
from services.runtime.intake import Intake
from services.runtime.moment import Clock
from services.runtime.rounds import for_ever
from services.runtime.wall_clock import zone_of

log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 5.0
PAGE: Final = 100
"""So many items are asked for at once."""
_OVERLAP: Final = timedelta(seconds=30)
"""What is decided at one time may be kept so much later."""


@dataclass(slots=True)
class _House:
    version: int
    zone: ZoneInfo
    warning: timedelta
    day: date | None = None
    """The day for which all lots were looked at."""
    seen_at: datetime | None = None


class ExpiryWatch:
    """Asks for the alerts of lots to be brought to how these stand.

    Args:
        database: where lots, levels and alerts are.
        intake: where it is done.
        clock: tells what day it is.
        look_every_s: seconds between two looks.
    """

    def __init__(
        self,
        database: Database,
        intake: Intake,
        clock: Clock,
        *,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._database: Final = database
        self._intake: Final = intake
        self._clock: Final = clock
        self._look_every_s: Final = look_every_s
        self._houses: dict[str, _House] = {}

    async def run(self) -> None:
        """Look, for ever."""
        self._houses.clear()  # another process may have served in the meantime
        await for_ever(self.look, self._look_every_s, "old lots are looked at")

    async def look(self) -> int:
        """Have told what has changed; returns of how many items.

        Raises:
            NotServing: this process does not serve; later, or elsewhere.
        """
        await self._read_rules()
        asked = 0
        for tenant, house in list(self._houses.items()):
            asked += await self._look_at(tenant, house)
        return asked

    async def _read_rules(self) -> None:
        book = HOUSE_RULES.c
        seen = select(book.tenant, book.version).where(book.stock_book.is_not(None))
        async with self._database.read() as connection:
            now = {row.tenant: row.version for row in await connection.execute(seen)}
            for tenant in self._houses.keys() - now.keys():
                del self._houses[tenant]
            for tenant, version in now.items():
                known = self._houses.get(tenant)
                if known is not None and known.version == version:
                    continue
                query = select(book.orders, book.stock).where(book.tenant == tenant)
                row = (await connection.execute(query)).one_or_none()
                if row is None:
                    continue
                orders = OrderRules() if row[0] is None else OrderRules.model_validate(row[0])
                stock = StockRules() if row[1] is None else StockRules.model_validate(row[1])
                warning = timedelta(days=stock.expiry_warning_days)
                self._houses[tenant] = _House(version, zone_of(orders.time_zone), warning)

    async def _look_at(self, tenant: str, house: _House) -> int:
        now = self._clock()
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
        differ = {(standing | wanted)[name] for name in standing.keys() ^ wanted.keys()}
        page: list[str] = []
        for item in sorted(differ):
            page.append(item)
            if len(page) == PAGE:
                await self._ask(tenant, page)
                page = []
        if page:
            await self._ask(tenant, page)
        # Only now: what was not answered is looked at again.
        house.day, house.seen_at = today, now
        return len(differ)

    async def _ask(self, tenant: str, items: list[str]) -> None:
        # What it does rests on how the lots stand then: to ask twice does no harm.
        request = ReviewLots(items=tuple(items))
        answer = await self._intake.ask_of_ourselves(tenant, request, new_id())
        if answer.outcome is Outcome.REJECTED:
            log.warning("old lots were not told", tenant=tenant, why=answer.message)
