"""How many can be made of everything, reckoned anew when the house's book is another."""

from __future__ import annotations

from typing import Final

import structlog
from sqlalchemy import select

from schemas.identifiers import derived_id
from schemas.replies import Outcome
from services.inventory.books import book_of
from services.inventory.inside import CountPortions
from services.inventory.moves import read_ahead
from services.inventory.noticing import portions_left
from services.inventory.tables import RECIPES, STOCK_LEVELS
from services.runtime import house_rules
from services.runtime.context import Context
from services.runtime.database import Database
from services.runtime.facts import PortionsLeft
from services.runtime.house_rules import HOUSE_RULES
from services.runtime.intake import Intake, NotServing
from services.runtime.moment import Clock
from services.runtime.rounds import for_ever
from services.runtime.router import Router

router: Final = Router()
log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 0.5
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


class PortionsWatch:
    """Has all portions counted where a house has another book, or other rules.

    Args:
        database: where the houses' rules are.
        intake: where it is done.
        clock: the time.
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
        self._counted: dict[str, int] = {}
        """With which version of a house's rules all was counted last."""

    async def run(self) -> None:
        """Look, for ever."""
        await for_ever(self.look, self._look_every_s, "portions are counted by the new book")

    async def look(self) -> int:
        """Have counted what is by another book; returns for how many houses.

        A new process counts once for every house that keeps stock: it does not know what was
        counted before, and counting twice changes nothing.

        Raises:
            NotServing: this process does not serve; later, or elsewhere.
        """
        mine = select(HOUSE_RULES.c.tenant, HOUSE_RULES.c.version)
        async with self._database.read() as connection:
            found = await connection.execute(mine.where(HOUSE_RULES.c.stock_book.is_not(None)))
            now = {row.tenant: row.version for row in found}
        self._counted = {t: version for t, version in self._counted.items() if t in now}
        changed = {t: version for t, version in now.items() if self._counted.get(t) != version}
        for tenant, version in changed.items():
            await self._count(tenant, version)
            # Only now: what was not answered is asked for at the next look.
            self._counted[tenant] = version
        return len(changed)

    async def _count(self, tenant: str, version: int) -> None:
        mine = select(RECIPES.c.recipe).where(RECIPES.c.tenant == tenant)
        async with self._database.read() as connection:
            names = list(await connection.scalars(mine.order_by(RECIPES.c.recipe)))
        for start in range(0, len(names), PAGE):
            await self._ask(tenant, version, tuple(names[start : start + PAGE]))
        await self._ask(tenant, version, ())

    async def _ask(self, tenant: str, version: int, recipes: tuple[str, ...]) -> None:
        now = self._clock()
        first = recipes[0] if recipes else ""
        id_ = derived_id(now, "count portions", tenant, str(version), first, now.isoformat())
        request = CountPortions(version=version, recipes=recipes)
        try:
            answer = await self._intake.ask_of_ourselves(tenant, request, id_)
        except NotServing:
            raise
        except Exception as error:
            # A fault of ours is in the log already: other houses must not suffer of it.
            raise NotServing("not now") from error
        if answer.outcome is Outcome.REJECTED:
            log.warning("portions were not counted", tenant=tenant, why=answer.message)
