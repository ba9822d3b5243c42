"""Quantities: people say "1.5 kg", the books count thousandths of a gram. Pure.

Every figure of the stock is a whole number of thousandths of the item's base unit (a gram, a
millilitre, one piece), so that sums are exact however many movements there are. Conversion
happens once, where a quantity comes in.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from functools import cache
from typing import Final

import pint

from schemas.inventory import MOST, THOUSANDTHS, BaseUnit

_FIGURES: Final = 4

UNITS: Final = {
    "mg": "milligram",
    "g": "gram",
    "kg": "kilogram",
    "t": "metric_ton",
    "oz": "ounce",
    "lb": "pound",
    "ml": "milliliter",
    "cl": "centiliter",
    "dl": "deciliter",
    "l": "liter",
    "tsp": "teaspoon",
    "tbsp": "tablespoon",
    "cup": "cup",
    "floz": "fluid_ounce",
    "pt": "pint",
    "gal": "gallon",
    "each": "each",
    "dozen": "dozen",
}
"""The units that people may write, and what the library calls them; volumes are the US ones."""


class UnitMismatch(ValueError):
    """A quantity that cannot be counted in the item's base unit."""


@dataclass(frozen=True, slots=True)
class Measure:
    """How an item is counted.

    Attributes:
        base: its unit.
        piece_g: what one piece weighs, in grams; None where nobody has said.
        g_per_ml: what a millilitre weighs, in grams; None where nobody has said.
    """

    base: BaseUnit
    piece_g: Decimal | None = None
    g_per_ml: Decimal | None = None


def exactly(amount: Decimal, unit: str, measure: Measure) -> Fraction:
    """Convert a quantity to thousandths of the item's base unit, without rounding.

    Args:
        amount: how many of the unit.
        unit: one of `UNITS`.
        measure: how the item is counted.

    Raises:
        UnitMismatch: the unit is unknown, or nothing says how it converts.

    >>> exactly(Decimal("1.5"), "kg", Measure(BaseUnit.GRAM))
    Fraction(1500000, 1)
    >>> exactly(Decimal(3), "each", Measure(BaseUnit.GRAM, piece_g=Decimal(150)))
    Fraction(450000, 1)
    """
    if not amount.is_finite():
        raise UnitMismatch(f"{amount} is no quantity")
    own = _in_own(unit)
    found = Fraction(amount) * own.factor
    # By way of grams, which pieces and millilitres have in common.
    if own.base is not measure.base:
        found = found * _grams(own.base, unit, measure) / _grams(measure.base, unit, measure)
    return found * THOUSANDTHS


def thousandths(amount: Decimal, unit: str, measure: Measure) -> int:
    """Convert a quantity to whole thousandths of the item's base unit, half to even.

    Raises:
        UnitMismatch: see `exactly`; or it is more than the books can hold.
    """
    found = round(exactly(amount, unit, measure))
    if abs(found) > MOST:
        raise UnitMismatch(f"{amount} {unit} is more than a restaurant has: check the unit")
    return found


def text(amount: int, base: BaseUnit) -> str:
    """Say thousandths of a base unit as people do.

    >>> text(1_500_000, BaseUnit.GRAM), text(-250, BaseUnit.MILLILITRE), text(3000, BaseUnit.EACH)
    ('1.5 kg', '-0.25 ml', '3')
    """
    number = Decimal(amount) / THOUSANDTHS
    if base is BaseUnit.EACH:
        return _plain(number)
    larger = {BaseUnit.GRAM: "kg", BaseUnit.MILLILITRE: "l"}[base]
    if abs(number) >= THOUSANDTHS:
        return f"{_plain(number / THOUSANDTHS)} {larger}"
    return f"{_plain(number)} {base}"


def rounded(amount: int) -> int:
    """The amount to four figures: nobody weighs a sack of potatoes to the milligram.

    >>> rounded(19_157_892), rounded(-250), rounded(0)
    (19160000, -250, 0)
    """
    beyond = len(str(abs(amount))) - _FIGURES
    if beyond <= 0:
        return amount
    step = Decimal(1).scaleb(beyond)
    return int((Decimal(amount) / step).quantize(Decimal(1), ROUND_HALF_EVEN) * step)


def _plain(number: Decimal) -> str:
    return f"{number:,f}".rstrip("0").rstrip(".") if "." in f"{number:f}" else f"{number:,f}"


@dataclass(frozen=True, slots=True)
class _Own:
    """A unit as so many of the base unit of its own kind."""

    base: BaseUnit
    factor: Fraction


@cache
def _registry() -> pint.UnitRegistry[Fraction]:
    registry: pint.UnitRegistry[Fraction] = pint.UnitRegistry(non_int_type=Fraction)
    registry.define("each = [pieces]")
    registry.define("dozen = 12 * each")
    return registry


@cache
def _in_own(unit: str) -> _Own:
    name = UNITS.get(unit)
    if name is None:
        raise UnitMismatch(f"{unit!r:.40} is no unit that is known here: use {', '.join(UNITS)}")
    registry = _registry()
    for base in BaseUnit:
        into = UNITS[base.value]
        if registry.is_compatible_with(name, into):
            one = registry.Quantity(Fraction(1), name).to(into).magnitude
            return _Own(base, Fraction(one))
    raise UnitMismatch(f"{unit} can be counted in no base unit")


def _grams(base: BaseUnit, unit: str, measure: Measure) -> Fraction:
    """What one of a base unit weighs."""
    if base is BaseUnit.GRAM:
        return Fraction(1)
    weight = measure.piece_g if base is BaseUnit.EACH else measure.g_per_ml
    if weight is None or weight <= 0:
        what = "a piece" if base is BaseUnit.EACH else "a millilitre"
        raise UnitMismatch(
            f"{unit} is not counted in {measure.base}: say what {what} of it weighs, "
            f"or use a unit of {measure.base}"
        )
    return Fraction(weight)
