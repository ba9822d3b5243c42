"""Quantities on a screen: short where a person looks, exact where a program reads."""

from __future__ import annotations

import sys

from schemas.inventory import BaseUnit
from services.inventory.units import rounded, text


def on_table(amount: int, unit: BaseUnit) -> str:
    """An amount for a cell: four figures of it on a terminal, all of it in a pipe.

    Args:
        amount: in thousandths of the unit.
        unit: the item's own.
    """
    return text(rounded(amount) if sys.stdout.isatty() else amount, unit)
