"""Putting a book of items, recipes and suppliers into a house: all of it, or none."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.inventory import store
from services.inventory.book_changes import Changed, changes
from services.inventory.book_files import Unreadable
from services.inventory.books import to_item
from services.inventory.purchase_rows import read_suppliers
from services.inventory.store import KeptRecipe
from services.inventory.tables import RECIPES, STOCK_ITEMS, STOCK_LEVELS
from services.inventory.units import UnitMismatch
from services.inventory.whole_book import WholeBook, counted_in_pieces
from services.inventory.written import Made, Written
from services.runtime.house_rules import HOUSE_RULES

_NOBODY_MOVES: Final = text(f'LOCK TABLE "{STOCK_LEVELS.name}" IN SHARE MODE')


@dataclass(frozen=True, slots=True)
class Standing:
    """What a house has.

    Attributes:
        book: as it stands.
        takes: what is kept as taken by one of each recipe.
        spares: what is kept as saved by each modifier that leaves out a part.
        moved: the items of which anything ever moved, and what the books have of each at
            each place.
    """

    book: WholeBook
    takes: Mapping[str, Mapping[str, int]]
    spares: Mapping[str, Mapping[str, Mapping[str, int]]]
    moved: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Judged:
    """What putting files into a house's book comes to.

    Attributes:
        before: what the house has.
        after: the whole book as it would be; of no use where something is wrong.
        wrong: all that is, one line each, with file and line; empty where they can be put.
        takes: what one of each recipe would take.
        spares: what each modifier that leaves out a part would save.
    """

    before: Standing
    after: WholeBook
    wrong: tuple[str, ...]
    takes: Mapping[str, Mapping[str, int]]
    spares: Mapping[str, Mapping[str, Mapping[str, int]]]

    @property
    def changes(self) -> list[Changed]:
        """What would be another than before."""
        return changes(self.before.book, self.after)


async def judge(
    connection: AsyncConnection,
    tenant: str,
    written: Written,
    *,
    dishes: Collection[str] = (),
    replace: bool = False,
) -> Judged:
    """Look at what putting files into a house's book comes to, and put nothing.

    Args:
        connection: to read with.
        tenant: whose; it must exist.
        written: from `book_reading.read_book`.
        dishes: what is on the menu: it must come out of its recipe in pieces.
        replace: whether what the files do not say is gone.
    """
    before = await standing(connection, tenant)
    after = before.book.with_files(written, before.moved, replace=replace)
    wrong = [*written.complaints, *after.wrong(written)]
    wrong += [
        f"{written.places[f'item {name}']}: {name} is counted in {was}, and was moved: "
        f"it cannot be counted in {now} now; give the new one another name"
        for name, (was, now) in _units_changed(before.book, written).items()
        if name in before.moved
    ]
    wrong += _carried(before, written)
    wrong += [
        f"{made.where}: {name} is on the menu: say how many come out (yields: 8), not how much"
        for name, made in after.recipes.items()
        if name in dishes and not counted_in_pieces(made.recipe)
    ]
    if not wrong and not (written.items or written.recipes or written.suppliers):
        wrong = ["there is nothing in it: no item, no recipe, no supplier"]
    takes: Mapping[str, Mapping[str, int]] = {}
    if not wrong:
        try:
            takes = after.takes()
        except UnitMismatch as error:
            wrong = [str(error)]
    spares = {} if wrong else after.spares()
    return Judged(before, after, tuple(dict.fromkeys(wrong)), takes, spares)


async def import_book(
    connection: AsyncConnection,
    tenant: str,
    written: Written,
    *,
    dishes: Collection[str] = (),
    replace: bool = False,
) -> Judged:
    """Put what files say into a house's book.

    Every decision that is made from now on rests on it. What is a part of something else is
    reckoned anew there too, whether or not that stands in the files.

    Args:
        connection: in a transaction that writes.
        tenant: whose; it must exist.
        written: see `judge`.
        dishes: see `judge`.
        replace: see `judge`.

    Raises:
        Unreadable: with all that is wrong; nothing was done.
    """
    # One import at a time: the second sees what the first has put.
    mine = select(HOUSE_RULES.c.version).where(HOUSE_RULES.c.tenant == tenant)
    await connection.execute(mine.with_for_update())
    judged = await judge(connection, tenant, written, dishes=dishes, replace=replace)
    if _units_changed(judged.before.book, written) and connection.dialect.name == "postgresql":
        # An order is being decided that moves the first of one of them: wait for it.
        await connection.execute(_NOBODY_MOVES)
        judged = await judge(connection, tenant, written, dishes=dishes, replace=replace)
    if judged.wrong:
        raise Unreadable(judged.wrong)
    await _write(connection, tenant, judged)
    return judged


async def standing(connection: AsyncConnection, tenant: str) -> Standing:
    """Read a house's whole book."""
    items = {
        row["item"]: to_item(dict(row))
        for row in (
            await connection.execute(select(STOCK_ITEMS).where(STOCK_ITEMS.c.tenant == tenant))
        ).mappings()
    }
    recipes: dict[str, Made] = {}
    takes: dict[str, Mapping[str, int]] = {}
    spares: dict[str, Mapping[str, Mapping[str, int]]] = {}
    for row in await connection.execute(select(RECIPES).where(RECIPES.c.tenant == tenant)):
        recipes[row.recipe] = Made.kept(row.recipe, row.document)
        takes[row.recipe] = row.takes
        spares[row.recipe] = row.spares or {}
    suppliers = await read_suppliers(connection, tenant)
    levels = select(STOCK_LEVELS.c.item, STOCK_LEVELS.c.places)
    rows = await connection.execute(levels.where(STOCK_LEVELS.c.tenant == tenant))
    moved = {row.item: row.places for row in rows}
    return Standing(WholeBook(items, recipes, suppliers), takes, spares, moved)


def _units_changed(book: WholeBook, written: Written) -> dict[str, tuple[str, str]]:
    found = {}
    for name, item in written.items.items():
        was = book.items.get(name)
        if was is not None and was.unit is not item.unit:
            found[name] = (was.unit.value, item.unit.value)
    return found


def _carried(before: Standing, written: Written) -> list[str]:
    """What would be looked for at another place than where the books have it."""
    return [
        f"{written.places[f'item {name}']}: the books have {name} at {was.place}: carry it there "
        f"first (heard stock transfer {name} … --from {was.place} --to {item.place})"
        for name, item in written.items.items()
        if (was := before.book.items.get(name)) is not None
        and was.place != item.place
        and before.moved.get(name, {}).get(was.place)
    ]


async def _write(connection: AsyncConnection, tenant: str, judged: Judged) -> None:
    before, after, takes = judged.before, judged.after, judged.takes
    old = before.book
    items = [each for name, each in after.items.items() if old.items.get(name) != each]
    recipes = []
    for name, made in after.recipes.items():
        spares = judged.spares.get(name, {})
        same = before.takes.get(name) == takes[name] and before.spares.get(name) == spares
        if old.recipes.get(name) != made or not same:
            items_out = [each for each in made.leaves_out if each in after.items]
            recipes.append(KeptRecipe(name, made.document(), takes[name], items_out, spares))
    suppliers = [each for name, each in after.suppliers.items() if old.suppliers.get(name) != each]
    gone = (_gone(old.items, after.items), _gone(old.recipes, after.recipes))
    gone_suppliers = _gone(old.suppliers, after.suppliers)
    if suppliers or gone_suppliers:
        await store.put_suppliers(connection, tenant, suppliers, gone=gone_suppliers)
    if items or recipes or any(gone):
        await store.put(
            connection, tenant, items, recipes, gone_items=gone[0], gone_recipes=gone[1]
        )


def _gone(before: Mapping[str, object], after: Mapping[str, object]) -> Sequence[str]:
    return sorted(before.keys() - after.keys())
