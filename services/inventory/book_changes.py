"""What putting a book would change, for people to read before they do it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from schemas.inventory import StockItem
from schemas.suppliers import Supplier
from services.inventory.whole_book import WholeBook
from services.inventory.written import Made


@dataclass(frozen=True, slots=True)
class Changed:
    """What happens to one item, recipe, modifier or supplier.

    Attributes:
        kind: ``item``, ``recipe``, ``modifier`` or ``supplier``.
        name: which.
        what: ``new``, ``gone``, or what is different.
    """

    kind: str
    name: str
    what: str


def changes(before: WholeBook, after: WholeBook) -> list[Changed]:
    """Tell what is different, suppliers first, then items, then what is made of them."""
    return [
        *_of("supplier", before.suppliers, after.suppliers),
        *_of("item", before.items, after.items, after.retired),
        *_recipes(before.recipes, after.recipes),
    ]


def _of(
    kind: str,
    before: Mapping[str, StockItem] | Mapping[str, Supplier],
    after: Mapping[str, StockItem] | Mapping[str, Supplier],
    retired: frozenset[str] = frozenset(),
) -> Iterator[Changed]:
    for name, now in after.items():
        was = before.get(name)
        if was is None:
            yield Changed(kind, name, "new")
        elif was != now and name in retired:
            said = "nobody watches or buys it any more; it stays, for it was moved"
            yield Changed(kind, name, said)
        elif was != now:
            yield Changed(kind, name, ", ".join(_fields(was, now)))
    for name in sorted(before.keys() - after.keys()):
        yield Changed(kind, name, "gone")


def _fields(was: BaseModel, now: BaseModel) -> Iterator[str]:
    for name in type(now).model_fields:
        if getattr(was, name) != getattr(now, name):
            yield f"{name.removesuffix('_minor')} is another"


def _recipes(before: Mapping[str, Made], after: Mapping[str, Made]) -> Iterator[Changed]:
    for name, now in after.items():
        was = before.get(name)
        if was is None:
            yield _changed(now, "new")
        elif was != now:
            yield _changed(now, ", ".join(_differences(was, now)))
    for name in sorted(before.keys() - after.keys()):
        yield _changed(before[name], "gone")


def _changed(made: Made, what: str) -> Changed:
    if made.modifier is not None:
        return Changed("modifier", made.modifier, what)
    return Changed("recipe", made.name, what)


def _differences(was: Made, now: Made) -> Iterator[str]:
    old = {part.name: part for part in was.recipe.parts}
    new = {part.name: part for part in now.recipe.parts}
    for name, part in new.items():
        amount = f"{part.amount} {part.unit}"
        if name not in old:
            yield f"with {amount} of {name}"
        elif (old[name].amount, old[name].unit) != (part.amount, part.unit):
            yield f"{name} {old[name].amount} {old[name].unit} → {amount}"
        elif old[name] != part:
            yield f"waste of {name} {old[name].waste:%} → {part.waste:%}"
    for name in old.keys() - new.keys():
        yield f"without {name}"
    if (was.recipe.yields, was.recipe.unit) != (now.recipe.yields, now.recipe.unit):
        yield f"yields {now.recipe.yields} {now.recipe.unit}"
    if was.leaves_out != now.leaves_out:
        yield f"leaves out {', '.join(now.leaves_out) or 'nothing'}"
    if was.sold != now.sold:
        yield "sold as it is" if now.sold else "made of parts"
    if was.title != now.title:
        yield f"called {now.title}"
    if was.recipe.parts != now.recipe.parts and old == new:
        yield "its parts stand in another order"
