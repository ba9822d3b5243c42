"""Low and critical, reckoned anew when the house's book is another: its thresholds may be too."""

from __future__ import annotations

from typing import Final

from sqlalchemy import select

from schemas.inventory import StockMark
from services.inventory.books import book_of, to_item
from services.inventory.inside import MarkAnew
from services.inventory.marks import mark_after
from services.inventory.moves import level_of, read_ahead
from services.inventory.noticing import STANDING, alerts_of, set_right
from services.inventory.tables import STOCK_ITEMS, STOCK_LEVELS
from services.runtime import alerts
from services.runtime.alerts import ALERTS
from services.runtime.context import Context
from services.runtime.house_rules import HOUSE_RULES
from services.runtime.router import Router
from services.runtime.timers import RulesTimer

router: Final = Router()
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
                await alerts.clear(context, alerts.name_of(kind.value, name))
            continue
        before = StockMark(row["mark"])
        mark = mark_after(before, level_of(row).available, item)
        # What nobody has counted has no mark of its own yet.
        if row["counted"] and mark is not before:
            changed = {"version": row["version"] + 1, "changed_at": context.now}
            row = {**row, "mark": mark.value, **changed}
            context.draft.put(STOCK_LEVELS, row)
        await set_right(context, item, row)


class MarkWatch(RulesTimer):
    """Has items marked anew where a house has another book."""

    usual_s = 2.0
    later = "items are marked anew"
    having = version = HOUSE_RULES.c.stock_book

    async def follow(self, tenant: str, version: int) -> int:  # noqa: ARG002 - any is looked at so
        """Ask for what differs in one house; returns of how many items."""
        differ = sorted(await self._differing(tenant))
        for start in range(0, len(differ), PAGE):
            # It does nothing where they are marked so already: to ask twice does no harm.
            await self._ask(tenant, MarkAnew(items=tuple(differ[start : start + PAGE])))
        return len(differ)

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
            names = {alerts.name_of(kind.value, item.item) for kind in stand}
            if mark.value != row["mark"] or names != standing.get(item.item, set()):
                found.add(item.item)
        return found
