"""Purchase orders: what is in them, and how they go on. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Final
from uuid import UUID

from schemas.diagrams import ended_states
from schemas.inventory import MOST, Pack, StockItem
from schemas.money import MAX_MINOR, Currency, to_text
from schemas.purchasing import (
    PURCHASE_STEPS,
    Purchase,
    PurchaseLine,
    PurchaseStatus,
    PurchaseStep,
    WantedLine,
)
from schemas.refusals import RefusalCode
from schemas.suppliers import Supplier
from services.runtime.refusal import Refusal

_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O or U, which people misread."""
_FURTHEST: Final = timedelta(days=366)
_ENDED: Final = frozenset(ended_states(PURCHASE_STEPS))


def purchase_number(at: datetime, purchase_id: UUID) -> str:
    """Make the number that people use: ``PO-261121-7KQ2X``, in UTC."""
    tail = "".join(_LETTERS[purchase_id.int >> shift & 31] for shift in (20, 15, 10, 5, 0))
    return f"PO-{at.astimezone(UTC):%y%m%d}-{tail}"


def lines_of(
    wanted: Sequence[WantedLine], supplier: str, items: Mapping[str, StockItem]
) -> tuple[PurchaseLine, ...]:
    """The lines of a purchase order, with the packs as the supplier sells them now.

    Raises:
        Refusal: `unknown-item`; `invalid` for an item twice, or one that this supplier does not
            sell, or not in that pack.
    """
    found: dict[str, PurchaseLine] = {}
    for line in wanted:
        item = items.get(line.item)
        if item is None:
            raise Refusal(RefusalCode.UNKNOWN_ITEM, f"the book has no item {line.item}")
        if line.item in found:
            raise Refusal(RefusalCode.INVALID, f"{line.item} stands there twice: make it one line")
        pack = _pack(item, supplier, line.holds)
        _check_amount(item.item, line.packs * pack.holds)
        found[line.item] = PurchaseLine(
            item=item.item,
            name=item.name,
            unit=item.unit,
            packs=line.packs,
            pack=pack.name,
            holds=pack.holds,
            price_minor=pack.price_minor,
            ordered=line.packs * pack.holds,
            reasons=line.reasons,
        )
    return tuple(found.values())


def _pack(item: StockItem, supplier: str, holds: int | None) -> Pack:
    theirs = [pack for pack in item.packs if pack.supplier == supplier]
    if not theirs:
        others = ", ".join(sorted({pack.supplier for pack in item.packs})) or "nobody"
        raise Refusal(
            RefusalCode.INVALID,
            f"{supplier} does not sell {item.item}: {others} does, as far as the book knows",
        )
    for pack in theirs:
        if holds is None or pack.holds == holds:
            return pack
    raise Refusal(RefusalCode.INVALID, f"{supplier} sells {item.item} in no pack of that size")


def _check_amount(item: str, amount: int) -> None:
    if amount > MOST:
        raise Refusal(
            RefusalCode.INVALID, f"{item}: that is more than the books can hold: check the packs"
        )


def total_of(lines: Sequence[PurchaseLine]) -> int:
    """What was asked for costs, in minor units.

    Raises:
        Refusal: `invalid`, when it is more than anybody pays.
    """
    total = sum(line.packs * line.price_minor for line in lines)
    if total > MAX_MINOR:
        raise Refusal(RefusalCode.INVALID, f"the total of {total} is beyond {MAX_MINOR}")
    return total


def step(purchase: Purchase, step_: PurchaseStep, at: datetime) -> Purchase:
    """Move a purchase order on.

    Raises:
        Refusal: `wrong-state`, where the table has no such step.
    """
    after = PURCHASE_STEPS.get((purchase.status, step_))
    if after is None:
        raise Refusal(
            RefusalCode.WRONG_STATE, f"{purchase.number} is {purchase.status}: {_instead(purchase)}"
        )
    changes: dict[str, object] = {"status": after, "version": purchase.version + 1}
    if step_ is PurchaseStep.SEND:
        changes["sent_at"] = at
    if after in _ENDED:
        changes["ended_at"] = at
    return purchase.model_copy(update=changes)


def _instead(purchase: Purchase) -> str:
    if purchase.status is PurchaseStatus.DRAFT:
        return "send it first"
    if purchase.status in _ENDED:
        return "draft another one"
    return "it was sent already; cancel it, or receive what comes"


def check_minimum(
    purchase: Purchase, supplier: Supplier | None, currency: Currency, *, below: bool
) -> None:
    """See that the supplier brings so little.

    Raises:
        Refusal: `invalid`, below their minimum where nobody said to send it all the same.
    """
    if supplier is None or below or purchase.total_minor >= supplier.minimum_minor:
        return
    least, is_ = (
        to_text(each, currency) for each in (supplier.minimum_minor, purchase.total_minor)
    )
    raise Refusal(
        RefusalCode.INVALID,
        f"{supplier.name} brings nothing below {least}, and this is {is_}: "
        "add to it, or say that it goes all the same",
    )


def check_day(expected_on: date, today: date) -> None:
    """See that something can still come on a day, and that it is a day that somebody meant.

    Raises:
        Refusal: `time-passed`, `time-out-of-range`.
    """
    if expected_on < today:
        raise Refusal(RefusalCode.TIME_PASSED, f"{expected_on} has passed: say when it comes")
    if expected_on - today > _FURTHEST:
        raise Refusal(
            RefusalCode.TIME_OUT_OF_RANGE, f"{expected_on} is over a year ahead: check the year"
        )


def received(
    purchase: Purchase, amounts: Mapping[str, int], items: Mapping[str, StockItem], at: datetime
) -> Purchase:
    """A purchase order of which something has come.

    What nobody asked for is on the shelf all the same: it gets a line of no packs.

    Args:
        purchase: before.
        amounts: what came, by item, in thousandths of its base unit.
        items: what they are.
        at: when.

    Raises:
        Refusal: `wrong-state`, where it is not expected; `invalid`, where more came of it than
            the books hold.
    """
    known = {line.item for line in purchase.lines}
    for line in purchase.lines:
        _check_amount(line.item, line.received + amounts.get(line.item, 0))
    lines = [
        line.model_copy(update={"received": line.received + amounts.get(line.item, 0)})
        for line in purchase.lines
    ]
    for name, amount in amounts.items():
        if name not in known:
            item = items[name]
            lines.append(
                PurchaseLine(
                    item=name,
                    name=item.name,
                    unit=item.unit,
                    packs=0,
                    holds=0,
                    price_minor=0,
                    ordered=0,
                    received=amount,
                )
            )
    whole = all(line.received >= line.ordered for line in lines)
    after = step(purchase, PurchaseStep.RECEIVE_ALL if whole else PurchaseStep.RECEIVE_PART, at)
    return after.model_copy(update={"lines": tuple(lines)})


def cost_of(purchase: Purchase, item: str, amount: int) -> int | None:
    """What so much of an item costs by the purchase order; None where that says nothing of it.

    A price that nobody pays was a slip of who wrote the book, and no cost.
    """
    for line in purchase.lines:
        if line.item == item and line.holds:
            cost = round(Fraction(amount * line.price_minor, line.holds))
            return cost if cost <= MAX_MINOR else None
    return None
