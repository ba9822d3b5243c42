"""What people say of quantities, in the books' own units. Pure."""

from __future__ import annotations

from decimal import Decimal

from schemas.inventory import Quantity, StockItem
from schemas.refusals import RefusalCode
from services.inventory.units import UNITS, Measure, UnitMismatch, exactly, thousandths
from services.runtime.refusal import Refusal


def measure(item: StockItem) -> Measure:
    """How an item is counted."""
    return Measure(item.unit, item.piece_g, item.g_per_ml)


def units_of(item: StockItem) -> tuple[str, ...]:
    """In which units an item may be counted: its own first."""
    fit = [each for each in UNITS if _converts(each, item)]
    return (item.unit.value, *(each for each in fit if each != item.unit.value))


def _converts(unit: str, item: StockItem) -> bool:
    try:
        exactly(Decimal(1), unit, measure(item))
    except UnitMismatch:
        return False
    return True


def amount_of(quantity: Quantity, item: StockItem, *, may_be_nothing: bool = False) -> int:
    """A quantity in thousandths of the item's base unit.

    Args:
        quantity: as somebody said it.
        item: of what.
        may_be_nothing: whether there may be none of it, as a count may find.

    Raises:
        Refusal: `invalid`; it is nothing, too much, or does not convert.
    """
    try:
        found = thousandths(Decimal(quantity.amount), quantity.unit, measure(item))
    except UnitMismatch as error:
        raise Refusal(RefusalCode.INVALID, f"{item.name}: {error}") from None
    if found <= 0 and not (may_be_nothing and Decimal(quantity.amount) == 0):
        raise Refusal(
            RefusalCode.INVALID,
            f"{item.name}: {quantity.amount} {quantity.unit} is nothing: say more than that",
        )
    return found
