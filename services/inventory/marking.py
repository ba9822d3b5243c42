"""Low and critical, reckoned anew when the house's book is another: its thresholds may be too."""

from __future__ import annotations

from itertools import islice
from typing import Final

import structlog
from sqlalchemy import select

from schemas.identifiers import new_id
from schemas.inventory import StockMark
from schemas.replies import Outcome
from services.inventory.books import book_of, to_item
from services.inventory.inside import MarkAnew
from services.inventory.marks import mark_after
from services.inventory.moves import level_of, read_ahead
from services.inventory.noticing import STANDING, alert_name, alerts_of, set_right
from services.inventory.tables import STOCK_ITEMS, STOCK_LEVELS
from services.runtime import alerts
from services.runtime.alerts import ALERTS
from services.runtime.context import Context
from services.runtime.database import Database
from services.runtime.house_rules import HOUSE_RULES
from services.runtime.intake import Intake
from services.runtime.rounds import for_ever
from services.runtime.router import Router

router: Final = Router()
log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 2.0
PAGE: Final = 100


@router.on(MarkAnew)
async def mark_anew(request: MarkAnew, context: Context) -> None:
    """Bring the marks of some items, and their alerts, to the book as it is now."""
    book = await book_of(context.draft, context.tenant)
    if book is None:
        return
    await read_ahead(context.draft, context.tenant, request.items)
    for name in request.items:
        item = book.items.get(name)
        row = await context.draft.get(STOCK_LEVELS, context.tenant, name)
        if item is None or row is None:
            for kind in STANDING:
                await alerts.clear(context, alert_name(kind.value, name))
            continue
        before = StockMark(row["mark"])
        mark = mark_after(before, level_of(row).available, item)
        # What nobody has counted has no mark of its own yet.
        if row["counted"] and mark is not before:
            changed = {"version": row["version"] + 1, "changed_at": context.now}
            row = {**row, "mark": mark.value, **changed}
            context.draft.put(STOCK_LEVELS, row)
        await set_right(context, item, row)


class MarkWatch:
    """Has items marked anew where a house has another book.

    Args:
        database: where books, levels and alerts are.
        intake: where it is done.
        look_every_s: seconds between two looks.
    """

    def __init__(
        self, database: Database, intake: Intake, *, look_every_s: float = LOOK_EVERY_S
    ) -> None:
        self._database: Final = database
        self._intake: Final = intake
        self._look_every_s: Final = look_every_s
        self._seen: dict[str, int] = {}

    async def run(self) -> None:
        """Look, for ever."""
        await for_ever(self.look, self._look_every_s, "items are marked anew")

    async def look(self) -> int:
        """Ask for what differs in houses whose book is another; returns of how many items.

        Raises:
            NotServing: this process does not serve; later, or elsewhere.
        """
        book = HOUSE_RULES.c
        seen = select(book.tenant, book.stock_book).where(book.stock_book.is_not(None))
        async with self._database.read() as connection:
            now = {row.tenant: row.stock_book for row in await connection.execute(seen)}
        asked = 0
        for tenant, version in now.items():
            if self._seen.get(tenant) == version:
                continue
            differ = iter(sorted(await self._differing(tenant)))
            while page := tuple(islice(differ, PAGE)):
                answer = await self._intake.ask_of_ourselves(tenant, MarkAnew(items=page), new_id())
                if answer.outcome is Outcome.REJECTED:
                    log.warning("items were not marked", tenant=tenant, why=answer.message)
                asked += len(page)
            # Only now: what was not answered is looked at again.
            self._seen[tenant] = version
        self._seen = {tenant: version for tenant, version in self._seen.items() if tenant in now}
        return asked

    async def _differing(self, tenant: str) -> set[str]:
        """The items whose marks or alerts are not what the book says."""
        mine = select(STOCK_LEVELS).where(STOCK_LEVELS.c.tenant == tenant, STOCK_LEVELS.c.counted)
        told = select(ALERTS.c.about, ALERTS.c.alert).where(
            ALERTS.c.tenant == tenant,
            ALERTS.c.cleared_at.is_(None),
            ALERTS.c.kind.in_([each.value for each in STANDING]),
        )
        book = select(STOCK_ITEMS).where(STOCK_ITEMS.c.tenant == tenant)
        async with self._database.read() as connection:
            rows = [dict(row) for row in (await connection.execute(mine)).mappings()]
            items = {
                row["item"]: to_item(dict(row))
                for row in (await connection.execute(book)).mappings()
            }
            standing: dict[str, set[str]] = {}
            for about, alert in await connection.execute(told):
                standing.setdefault(about, set()).add(alert)
        found = {name for name in standing if name not in items}
        for row in rows:
            item = items.get(row["item"])
            if item is None:
                continue
            mark = mark_after(StockMark(row["mark"]), level_of(row).available, item)
            stand = alerts_of(item, {**row, "mark": mark.value})
            names = {alert_name(kind.value, item.item) for kind in stand}
            if mark.value != row["mark"] or names != standing.get(item.item, set()):
                found.add(item.item)
        return found
