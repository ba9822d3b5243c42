"""A house's whole book: what stands and what files say, checked and reckoned. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import Final

from schemas.inventory import MOST, THOUSANDTHS, BaseUnit, StockItem
from schemas.suppliers import Supplier
from services.inventory.quantities import measure
from services.inventory.recipes import Book, Recipe
from services.inventory.units import Measure, UnitMismatch, exactly, thousandths
from services.inventory.written import OURS, Made, Written

_ANYTHING: Final = Measure(BaseUnit.GRAM, Decimal(1), Decimal(1))
"""How things are counted that could not be read: nothing more is complained of them."""


@dataclass(frozen=True, slots=True)
class WholeBook:
    """Items, recipes and suppliers of one house.

    Attributes:
        items: by name.
        recipes: by the name under which each is kept.
        suppliers: by name.
        retired: items that are on no list any more, and stay for what was moved of them.
    """

    items: Mapping[str, StockItem]
    recipes: Mapping[str, Made]
    suppliers: Mapping[str, Supplier]
    retired: frozenset[str] = frozenset()

    def cooked(self) -> Book:
        """Its recipes: all but what is sold as it is, or only left out."""
        return self._book({})

    def _book(self, more: Mapping[str, Measure]) -> Book:
        recipes = {
            name: made.recipe
            for name, made in self.recipes.items()
            if not made.sold and not (made.leaves_out and not made.recipe.parts)
            if name not in more
        }
        return Book(recipes, {**{n: measure(each) for n, each in self.items.items()}, **more})

    def with_files(self, written: Written, moved: Collection[str], *, replace: bool) -> WholeBook:
        """This book with what files say over it.

        Args:
            written: what they say.
            moved: the items of which anything ever moved.
            replace: whether what they do not say is gone. An item that was moved stays, without
                thresholds and packs: the ledger tells of it.
        """
        kept = {n: each for n, each in self.items.items() if n in moved} if replace else self.items
        retired = frozenset(kept) - frozenset(written.items) if replace else self.retired
        items = {**kept, **written.items}
        for name in retired & items.keys():
            items[name] = _retired(items[name])
        recipes = {} if replace else dict(self.recipes)
        for name in written.items:
            # What was sold as it is, and is so no longer.
            if name in recipes and recipes[name].sold:
                del recipes[name]
        recipes |= written.recipes
        suppliers = written.suppliers if replace else {**self.suppliers, **written.suppliers}
        return WholeBook(items, recipes, suppliers, retired)

    def wrong(self, written: Written) -> Iterator[str]:
        """All that keeps the book from being used, with file and line where it is of a file."""
        loose = dict.fromkeys(written.broken - self.items.keys(), _ANYTHING)
        for problem in self._book(loose).problems():
            made = self.recipes[problem.recipe]
            what = made.modifier or made.name
            yield f"{made.place(problem.part)}: {what}: {problem.text}"
        for name, made in self.recipes.items():
            for each in made.leaves_out:
                if each not in self.items.keys() | self.recipes.keys() | written.broken:
                    said = f"it leaves out {each}, which is neither an item nor a recipe"
                    yield f"{made.where}: {made.modifier or name}: {said}"
        for name, item in self.items.items():
            for pack in item.packs:
                named = f"supplier {pack.supplier}" in written.places
                if pack.supplier not in self.suppliers and not named:
                    where = written.places.get(f"item {name}", OURS)
                    yield f"{where}: {name}: there is no supplier {pack.supplier:.64}"

    def takes(self) -> dict[str, Mapping[str, int]]:
        """What one of each that can be ordered takes; the book must have nothing `wrong`.

        A part that is counted in grams or millilitres is on no menu, and takes nothing by itself.

        Raises:
            UnitMismatch: one takes more than there can be.
        """
        book = self.cooked()
        found: dict[str, Mapping[str, int]] = {}
        for name, made in self.recipes.items():
            if made.sold:
                (part,) = made.recipe.parts
                amount = thousandths(part.amount, part.unit, measure(self.items[name]))
                found[name] = {name: amount}
            elif made.recipe.parts and counted_in_pieces(made.recipe):
                found[name] = book.takes(name)
            else:
                found[name] = {}
            most = max(found[name].values(), default=0)
            if most > MOST:
                raise UnitMismatch(f"{made.where}: {name} takes more than a restaurant has")
        return found

    def spares(self) -> dict[str, Mapping[str, Mapping[str, int]]]:
        """What each modifier that leaves out parts saves, by dish and item, in thousandths.

        It never saves more than the part brought in; the book must have nothing `wrong`.
        """
        book = self.cooked()
        left_out = {
            each: book.holding(each)
            for made in self.recipes.values()
            for each in made.leaves_out
            if each not in self.items
        }
        found: dict[str, Mapping[str, Mapping[str, int]]] = {}
        for name, made in self.recipes.items():
            saved: dict[str, dict[str, Fraction]] = {}
            for each in made.leaves_out:
                for dish, much in left_out.get(each, {}).items():
                    of_dish = saved.setdefault(dish, {})
                    for item, amount in book.of_one(each).items():
                        of_dish[item] = of_dish.get(item, Fraction(0)) + amount * much / THOUSANDTHS
            if saved:
                found[name] = {
                    dish: _saved(book.of_one(dish), amounts)
                    for dish, amounts in saved.items()
                    if counted_in_pieces(self.recipes[dish].recipe)
                }
        return found


def _saved(takes: Mapping[str, Fraction], less: Mapping[str, Fraction]) -> dict[str, int]:
    """By how much a dish takes less, of what it takes rounded up."""
    return {
        item: ceil(takes[item]) - ceil(max(Fraction(0), takes[item] - amount))
        for item, amount in less.items()
    }


def counted_in_pieces(recipe: Recipe) -> bool:
    """Tell whether what it yields is counted in pieces, as what is on a menu must be."""
    try:
        exactly(Decimal(1), recipe.unit, Measure(BaseUnit.EACH))
    except UnitMismatch:
        return False
    return True


def _retired(item: StockItem) -> StockItem:
    nothing = dict.fromkeys(("par", "low", "low_clear", "critical", "critical_clear"))
    return item.model_copy(update={**nothing, "packs": ()})
