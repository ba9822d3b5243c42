"""Quantities on a screen: short where a person looks, exact where a program reads."""

from __future__ import annotations

import sys
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from schemas.inventory import BaseUnit
from services.inventory.units import text

_FIGURES: Final = 4


def on_table(amount: int, unit: BaseUnit) -> str:
    """An amount for a cell: four figures of it on a terminal, all of it in a pipe.

    Args:
        amount: in thousandths of the unit.
        unit: the item's own.
    """
    return text(rounded(amount) if sys.stdout.isatty() else amount, unit)


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
