"""What looks forgotten or mistyped in a book that can be used. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from schemas.menu import MenuItem, ModifierGroup
from services.inventory.whole_book import WholeBook


def remarks(book: WholeBook, menu: Sequence[MenuItem]) -> Iterator[str]:
    """Tell what somebody may have meant otherwise, of book and menu together."""
    dishes = {item.item for item in menu}
    modifiers = set(_modifiers(group for item in menu for group in item.groups))
    used = {part.name for made in book.recipes.values() for part in made.recipe.parts}
    left_out = {each for made in book.recipes.values() for each in made.leaves_out}
    for name, made in book.recipes.items():
        if made.modifier is not None and made.modifier not in modifiers:
            yield f"{made.where}: the modifier {made.modifier} is on no menu"
        elif made.modifier is None and name not in dishes and name not in used:
            yield f"{made.where}: {name} is on no menu, and in no other recipe"
        elif made.sold and name not in dishes:
            yield f"{made.where}: {name} is sold as it is, and on no menu"
    for name in sorted(dishes - book.recipes.keys()):
        yield f"{name} is on the menu and has no recipe: it takes nothing from the stock"
    for name in sorted(left_out - used):
        yield f"{name} is left out, and goes into nothing"
    for name in sorted(book.items.keys() - used - book.retired):
        yield f"{name} goes into nothing"


def _modifiers(groups: Iterable[ModifierGroup]) -> Iterator[str]:
    for group in groups:
        for each in group.modifiers:
            yield each.modifier
            yield from _modifiers(each.groups)
