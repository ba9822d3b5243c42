"""A house's items and recipes, and what an order's line takes by them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from schemas.inventory import StockItem
from schemas.menu import ChosenModifier
from schemas.orders import OrderLine
from services.runtime.facts import WITH

Amounts = Mapping[str, int]
"""By item, in thousandths of its base unit."""


@dataclass(frozen=True, slots=True)
class StockBook:
    """One house's items and recipes.

    Attributes:
        version: of the book.
        items: by name.
        takes: what one of each recipe takes, by its name.
        leaves_out: which items a modifier takes out of its dish.
        spares: what a modifier that leaves out a part saves of each dish.
        used_in: in which recipes an item is, with how much.
        needs_most: how much of an item the greediest recipe takes.
        clears_at: from where on no threshold of an item is of interest.
    """

    version: int
    items: Mapping[str, StockItem]
    takes: Mapping[str, Amounts]
    leaves_out: Mapping[str, Sequence[str]]
    spares: Mapping[str, Mapping[str, Amounts]]
    used_in: Mapping[str, Mapping[str, int]]
    needs_most: Mapping[str, int]
    clears_at: Mapping[str, int]

    def of_line(self, line: OrderLine) -> dict[str, int]:
        """What a line of an order takes; nothing, where nobody has written down how it is made."""
        one = dict(self.takes.get(line.item, {}))
        chosen = list(_flat(line.modifiers, 1))
        # Before whole items are left out: what is gone altogether is not saved once more. Of two
        # parts one of which is in the other, what they share is saved twice.
        for name, _ in chosen:
            for item, amount in self.spares.get(WITH + name, {}).get(line.item, {}).items():
                one[item] = max(0, one.get(item, 0) - amount)
        for name, _ in chosen:
            for item in self.leaves_out.get(WITH + name, ()):
                one.pop(item, None)
        for name, quantity in chosen:
            for item, amount in self.takes.get(WITH + name, {}).items():
                one[item] = one.get(item, 0) + amount * quantity
        return {item: amount * line.quantity for item, amount in one.items() if amount}


def _flat(chosen: Sequence[ChosenModifier], times: int) -> Iterator[tuple[str, int]]:
    for each in chosen:
        yield each.modifier, each.quantity * times
        yield from _flat(each.modifiers, each.quantity * times)


def made(
    version: int,
    items: Mapping[str, StockItem],
    takes: Mapping[str, Amounts],
    leaves_out: Mapping[str, Sequence[str]],
    spares: Mapping[str, Mapping[str, Amounts]] = MappingProxyType({}),
) -> StockBook:
    """Make a book, with what is looked up in it the other way round."""
    used_in: dict[str, dict[str, int]] = {}
    for name, taken in takes.items():
        for item, amount in taken.items():
            if amount:
                used_in.setdefault(item, {})[name] = amount
    clears_at = {
        name: max((each for each in item.clears() if each is not None), default=0)
        for name, item in items.items()
    }
    needs_most = {item: max(used.values()) for item, used in used_in.items()}
    return StockBook(version, items, takes, leaves_out, spares, used_in, needs_most, clears_at)
