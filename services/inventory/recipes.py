"""Recipes: what one of a thing takes from the shelf, however deep its parts are nested. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cache
from math import ceil
from typing import Final

from schemas.inventory import BaseUnit
from services.inventory.units import Measure, UnitMismatch, exactly

DEEPEST: Final = 16
"""How far recipes may be nested; nobody cooks deeper."""


@dataclass(frozen=True, slots=True)
class Part:
    """One line of a recipe.

    Attributes:
        name: an ingredient, or another recipe.
        amount: how much of it, as it goes in.
        unit: of the amount.
        waste: which share of what is taken does not go in (peel, trimmings); below 1.
    """

    name: str
    amount: Decimal
    unit: str
    waste: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a thing is made.

    Attributes:
        name: what is made.
        parts: what goes in, for all that it yields.
        yields: how much comes out.
        unit: of the yield.
    """

    name: str
    parts: tuple[Part, ...]
    yields: Decimal = Decimal(1)
    unit: str = BaseUnit.EACH.value


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a book of recipes cannot be used.

    Attributes:
        recipe: in which.
        text: what is wrong, and what to do.
        part: in which of its parts, counted from 0; None where it is all of it.
    """

    recipe: str
    text: str
    part: int | None = None


Takes = Mapping[str, int]
"""By ingredient, how many thousandths of its base unit one of a thing takes."""


class Book:
    """Recipes and the ingredients that they come down to.

    Args:
        recipes: by name.
        ingredients: how each is counted, by name. No name is in both.
    """

    def __init__(self, recipes: Mapping[str, Recipe], ingredients: Mapping[str, Measure]) -> None:
        self._recipes: Final = recipes
        self._ingredients: Final = ingredients
        self._flat: dict[str, dict[str, Fraction]] = {}

    def problems(self) -> list[Problem]:
        """All that keeps the book from being used, recipe by recipe; empty when it can be."""
        found = [each for recipe in self._recipes.values() for each in self._wrong_in(recipe)]
        circles, order = self._walk()
        found += [Problem(circle[0], _circle(circle)) for circle in circles]
        if not circles:
            found += [
                Problem(name, f"its parts are nested deeper than {DEEPEST}: take one of them apart")
                for name, depth in self._depths(order).items()
                if depth > DEEPEST
            ]
        return found

    def takes(self, name: str) -> Takes:
        """What one of a recipe's yield takes from the shelf.

        Rounded once, at the end, and up: what is used must not be more than what is counted.
        The book must have no `problems`.
        """
        return {each: ceil(amount) for each, amount in sorted(self.of_one(name).items())}

    def of_one(self, name: str) -> Mapping[str, Fraction]:
        """What one of a recipe's base units takes (one piece, where that is counted), exactly.

        The book must have no `problems`.
        """
        known = self._flat.get(name)
        if known is not None:
            return known
        found: dict[str, Fraction] = {}
        for part, amount in self._goes_in(self._recipes[name]):
            if part in self._ingredients:
                found[part] = found.get(part, 0) + amount
                continue
            pieces = amount / 1000
            for below, of_one in self.of_one(part).items():
                more = of_one * pieces
                found[below] = found[below] + more if below in found else more
        self._flat[name] = found
        return found

    def holding(self, name: str) -> Mapping[str, Fraction]:
        """How much of a recipe is in one base unit of each recipe that holds it, however deep.

        In thousandths of its base unit, exactly. The book must have no `problems`.
        """
        found: dict[str, Fraction] = {}

        def of(whole: str) -> Fraction:
            if whole not in found:
                found[whole] = sum(
                    (
                        amount if part == name else of(part) * amount / 1000
                        for part, amount in self._goes_in(self._recipes[whole])
                        if part in self._recipes
                    ),
                    Fraction(0),
                )
            return found[whole]

        return {whole: of(whole) for whole in self._recipes if of(whole)}

    def _goes_in(self, recipe: Recipe) -> Iterator[tuple[str, Fraction]]:
        """What goes into one base unit of what a recipe yields, with what is cut off."""
        made = exactly(recipe.yields, recipe.unit, self.measure(recipe.name)) / 1000
        for part in recipe.parts:
            amount = exactly(part.amount, part.unit, self.measure(part.name))
            yield part.name, amount / (made * (1 - Fraction(part.waste)))

    def measure(self, name: str) -> Measure:
        """How an ingredient is counted, or what a recipe yields.

        Raises:
            UnitMismatch: the yield's unit is unknown.
        """
        if name in self._ingredients:
            return self._ingredients[name]
        return Measure(_base_of(self._recipes[name].unit))

    def _wrong_in(self, recipe: Recipe) -> Iterator[Problem]:
        if recipe.name in self._ingredients:
            said = f"{recipe.name} is an ingredient too: give one of them another name"
            yield Problem(recipe.name, said)
        if not recipe.parts:
            yield Problem(recipe.name, "nothing goes in: name its parts, or take it off the book")
        if not recipe.yields.is_finite() or recipe.yields <= 0:
            said = f"it yields {recipe.yields}: say how much comes out of what goes in"
            yield Problem(recipe.name, said)
        try:
            _base_of(recipe.unit)
        except UnitMismatch as error:
            yield Problem(recipe.name, str(error))
            return
        for number, part in enumerate(recipe.parts):
            for text in self._wrong_with(part):
                yield Problem(recipe.name, text, number)

    def _wrong_with(self, part: Part) -> Iterator[str]:
        if part.name not in self._ingredients and part.name not in self._recipes:
            yield f"{part.name} is neither an ingredient nor a recipe"
            return
        if not part.amount.is_finite() or part.amount <= 0:
            yield f"{part.amount} {part.unit} of {part.name}: say how much goes in, above nothing"
        if not part.waste.is_finite() or not 0 <= part.waste < 1:
            yield f"{part.waste} of {part.name} is waste: say a share from 0 to below 1"
        try:
            measure = self.measure(part.name)
        except UnitMismatch:
            return  # told of the recipe that says so
        try:
            exactly(Decimal(1), part.unit, measure)
        except UnitMismatch as error:
            yield f"{part.name}: {error}"

    def _walk(self) -> tuple[list[tuple[str, ...]], list[str]]:
        """Ways in which recipes come to contain themselves, and an order with parts before wholes.

        Each circle begins at its first name by the alphabet. No stack but this one grows: a file
        may nest recipes as deep as it likes.
        """
        circles: dict[frozenset[str], tuple[str, ...]] = {}
        order: dict[str, None] = {}
        for start in self._recipes:
            path: dict[str, Iterator[Part]] = {}
            if start not in order:
                path[start] = iter(self._recipes[start].parts)
            while path:
                name, parts = next(reversed(path.items()))
                below = next(parts, None)
                if below is None:
                    del path[name]
                    order[name] = None
                elif below.name in path:
                    names = list(path)
                    circle = names[names.index(below.name) :]
                    first = circle.index(min(circle))
                    circles.setdefault(frozenset(circle), (*circle[first:], *circle[:first]))
                elif below.name in self._recipes and below.name not in order:
                    path[below.name] = iter(self._recipes[below.name].parts)
        return list(circles.values()), list(order)

    def _depths(self, order: Sequence[str]) -> dict[str, int]:
        """How deep each recipe is nested, given parts before wholes."""
        depths: dict[str, int] = {}
        for name in order:
            parts = self._recipes[name].parts
            depths[name] = 1 + max((depths.get(part.name, 0) for part in parts), default=0)
        return depths


@cache
def _base_of(unit: str) -> BaseUnit:
    for base in BaseUnit:
        try:
            exactly(Decimal(1), unit, Measure(base))
        except UnitMismatch:
            continue
        return base
    exactly(Decimal(1), unit, Measure(BaseUnit.EACH))  # says which units there are
    raise UnitMismatch(unit)


def _circle(names: Sequence[str]) -> str:
    return f"it contains itself: {' > '.join((*names, names[0]))}"
