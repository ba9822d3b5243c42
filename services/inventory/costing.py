"""What things cost to make: by what is paid for what goes in. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Final

from schemas.inventory import THOUSANDTHS, StockItem
from services.inventory.units import exactly
from services.inventory.whole_book import WholeBook, counted_in_pieces


class CostBasis(StrEnum):
    """What an ingredient costs."""

    DELIVERIES = "deliveries"
    """As it was delivered last; what no delivery tells, as the first of its packs costs."""
    PACKS = "packs"
    """As the first of its packs costs."""


@dataclass(frozen=True, slots=True)
class ItemCost:
    """What an item costs.

    Attributes:
        minor: of a thousandth of its base unit, in the currency's minor unit, exactly.
        told_by: what says so: ``a pack of metro``, ``delivery 4711``.
    """

    minor: Fraction
    told_by: str


@dataclass(frozen=True, slots=True)
class UsedItem:
    """One item that goes into a thing, however deep.

    Attributes:
        item: which.
        amount: in thousandths of its base unit, exactly.
        minor: what so much of it costs; None where nothing tells.
        told_by: what tells.
    """

    item: str
    amount: Fraction
    minor: Fraction | None
    told_by: str = ""


@dataclass(frozen=True, slots=True)
class MadeCost:
    """What a thing costs to make.

    Attributes:
        name: under which its recipe is kept.
        used: what goes into one, the dearest first.
    """

    name: str
    used: tuple[UsedItem, ...]

    @property
    def minor(self) -> Fraction:
        """Of all whose cost is known, in the currency's minor unit."""
        return sum((each.minor for each in self.used if each.minor is not None), Fraction(0))

    @property
    def unknown(self) -> tuple[str, ...]:
        """The items whose cost nothing tells."""
        return tuple(each.item for each in self.used if each.minor is None)


def pack_costs(items: Mapping[str, StockItem]) -> dict[str, ItemCost]:
    """What items cost by the first of their packs."""
    return {
        name: ItemCost(Fraction(pack.price_minor, pack.holds), f"a pack of {pack.supplier}")
        for name, item in items.items()
        for pack in item.packs[:1]
    }


class Costing:
    """What all of a book costs to make.

    Args:
        book: with nothing wrong in it.
        costs: of items.
    """

    def __init__(self, book: WholeBook, costs: Mapping[str, ItemCost]) -> None:
        self._book: Final = book
        self._cooked: Final = book.cooked()
        self._costs: Final = costs

    def of(self, name: str) -> MadeCost:
        """What one piece of a recipe costs, or all that comes out where that is no pieces."""
        used = []
        for item, amount in self._amounts(name).items():
            known = self._costs.get(item)
            if known is None:
                used.append(UsedItem(item, amount, None))
            else:
                used.append(UsedItem(item, amount, amount * known.minor, known.told_by))
        used.sort(key=lambda each: (-(each.minor or 0), each.item))
        return MadeCost(name, tuple(used))

    def _amounts(self, name: str) -> Mapping[str, Fraction]:
        made = self._book.recipes[name]
        if made.sold:
            (part,) = made.recipe.parts
            return {name: exactly(part.amount, part.unit, self._cooked.measure(name))}
        if not made.recipe.parts:
            return {}
        of_one = self._cooked.of_one(name)
        if counted_in_pieces(made.recipe):
            return of_one
        measure = self._cooked.measure(name)
        much = exactly(made.recipe.yields, made.recipe.unit, measure) / THOUSANDTHS
        return {item: amount * much for item, amount in of_one.items()}


def net_minor(price_minor: int, tax_ppm: int, *, included: bool) -> Fraction:
    """What is left of a price without the tax that is in it.

    >>> net_minor(1200, 200_000, included=True)
    Fraction(1000, 1)
    """
    if not included:
        return Fraction(price_minor)
    return Fraction(price_minor * 1_000_000, 1_000_000 + tax_ppm)
