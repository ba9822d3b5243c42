"""How many can be made of everything, reckoned anew when the house's book is another."""

from __future__ import annotations

from typing import Final

from sqlalchemy import select

from schemas.identifiers import derived_id
from services.inventory.books import book_of
from services.inventory.inside import CountPortions
from services.inventory.moves import read_ahead
from services.inventory.noticing import portions_left
from services.inventory.tables import RECIPES, STOCK_LEVELS
from services.runtime import house_rules
from services.runtime.context import Context
from services.runtime.facts import PortionsLeft
from services.runtime.house_rules import HOUSE_RULES
from services.runtime.router import Router
from services.runtime.timers import RulesTimer

router: Final = Router()
PAGE: Final = 100
"""Recipes that are counted at once: no order waits for longer than that takes."""


@router.on(CountPortions)
async def count_portions(request: CountPortions, context: Context) -> None:
    """Tell how many can be made of these, as the book and the shelves are now."""
    tenant, draft = context.tenant, context.draft
    book = await book_of(draft, tenant)
    if book is None:
        return
    if not request.recipes:
        await context.tell(PortionsLeft({}, known=book.takes.keys()))
        return
    names = [each for each in request.recipes if each in book.takes]
    items = {item for name in names for item in book.takes[name]}
    await read_ahead(draft, tenant, items)
    rows = {item: await draft.get(STOCK_LEVELS, tenant, item) for item in sorted(items)}
    rules = await house_rules.stock_rules(draft, tenant)
    await context.tell(portions_left(book, names, rows, rules.countdown))


class PortionsWatch(RulesTimer):
    """Has all portions counted where a house has another book, or other rules."""

    usual_s = 0.5
    later = "portions are counted by the new book"
    having = HOUSE_RULES.c.stock_book

    async def follow(self, tenant: str, version: int) -> int:
        """Count them all for one house; returns 1, the house."""
        mine = select(RECIPES.c.recipe).where(RECIPES.c.tenant == tenant)
        async with self._database.read() as connection:
            names = list(await connection.scalars(mine.order_by(RECIPES.c.recipe)))
        for start in range(0, len(names), PAGE):
            await self._count(tenant, version, tuple(names[start : start + PAGE]))
        await self._count(tenant, version, ())
        return 1

    async def _count(self, tenant: str, version: int, recipes: tuple[str, ...]) -> None:
        now = self._clock()
        first = recipes[0] if recipes else ""
        id_ = derived_id(now, "count portions", tenant, str(version), first, now.isoformat())
        await self._ask(tenant, CountPortions(version=version, recipes=recipes), id_)
