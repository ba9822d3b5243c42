"""What may happen to an order. Pure: no clock, no database, no messages."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from schemas.house_rules import Acceptance, OrderRules, PaymentRule
from schemas.money import MAX_MINOR, to_text
from schemas.orders import (
    MAX_LINES,
    OPEN_ORDER,
    ORDER_STEPS,
    Order,
    OrderKind,
    OrderLine,
    OrderStatus,
    OrderStep,
    PlaceOrder,
    Wait,
)
from schemas.refusals import RefusalCode
from services.orders import bill, books, ledger, waiting
from services.orders.decided import Decided
from services.orders.weight import check_weight
from services.runtime.refusal import Refusal

_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O or U, which people misread."""
FURTHEST: Final = timedelta(days=366)
"""So far ahead an order may be for later."""
_HANDED_OVER: Final = frozenset(
    {OrderStatus.SERVED, OrderStatus.OUT_FOR_DELIVERY, OrderStatus.DELIVERED}
)
_SERVING: Final = frozenset({OrderStep.SERVE, OrderStep.DELIVER, OrderStep.CLOSE})


def order_number(placed_at: datetime, ordinal: int) -> str:
    """Make the number that people use: ``ORD-240115103045-A1B2``, in UTC.

    The four letters are the ordinal, scattered (an odd factor permutes the residues of
    a power of two): they meet again only after 2**20 orders, never within a second.
    """
    value = ordinal * 0x9E375 & 0xFFFFF
    tail = "".join(_LETTERS[value >> shift & 31] for shift in (15, 10, 5, 0))
    return f"ORD-{placed_at.astimezone(UTC):%y%m%d%H%M%S}-{tail}"


def total(lines: Iterable[OrderLine]) -> int:
    """Add up what is not voided, in minor units, with tax.

    Raises:
        Refusal: `invalid`, when it is more than the contract's `Minor` can say.
    """
    together = sum(line.total_minor for line in lines if not line.voided)
    if together > MAX_MINOR:
        raise Refusal(RefusalCode.INVALID, f"the total of {together} is beyond {MAX_MINOR}")
    return together


def _tax(lines: Iterable[OrderLine]) -> int:
    return sum(line.tax_minor for line in lines if not line.voided)


# -- placing, and what is waited for --------------------------------------------------------


def place(
    request: PlaceOrder,
    house: OrderRules,
    *,
    order_id: UUID,
    number: str,
    device: str,
    lines: tuple[OrderLine, ...],
    currency: str,
    at: datetime,
) -> Decided:
    """Make a new order: with the kitchen at once, where it waits for nothing.

    Raises:
        Refusal: `time-passed` or `time-out-of-range` for the time it is for; `invalid`, when
            its total is out of range or a line is for a guest that takes no part;
            `too-large`, see `weight`.
    """
    if request.due_at is not None:
        if request.due_at <= at:
            raise Refusal(RefusalCode.TIME_PASSED, "the time it is ordered for is over")
        if request.due_at > at + FURTHEST:
            raise Refusal(RefusalCode.TIME_OUT_OF_RANGE, "it is ordered for too far ahead")
    check_weight(lines)
    check_guests(lines, {each.guest for each in request.participants})
    numbers = [each.guest for each in request.participants]
    if len(numbers) != len(set(numbers)):
        raise Refusal(RefusalCode.INVALID, "participants: each guest has a number of their own")
    sum_ = total(lines)
    order = Order(
        order_id=order_id,
        number=number,
        status=OrderStatus.PLACED,
        version=1,
        device=device,
        kind=request.kind,
        reference=request.reference,
        table=request.table,
        covers=request.covers,
        guest=request.guest,
        participants=request.participants,
        currency=currency,
        total_minor=sum_,
        tax_minor=_tax(lines),
        due_minor=sum_,
        lines=lines,
        placed_at=at,
        due_at=request.due_at,
        waits_for=(Wait.APPROVAL,) if house.acceptance is Acceptance.BY_HAND else (),
    )
    order, rules = waiting.look(order, house, at)
    if not order.waits_for:
        order = order.model_copy(update={"status": OrderStatus.ACCEPTED})
    return Decided(order, ledger.sold(sum_, order.tax_minor), rules)


def check_guests(lines: Iterable[OrderLine], known: Collection[int]) -> None:
    """See that each line is for somebody who takes part.

    Raises:
        Refusal: `invalid`, naming the guest.
    """
    for line in lines:
        if line.guest is not None and line.guest not in known:
            raise Refusal(
                RefusalCode.INVALID, f"line {line.line} is for guest {line.guest}, who is not there"
            )


def approve(order: Order) -> Order:
    """Take the wait for approval off.

    Raises:
        Refusal: `wrong-state`, when it does not wait for that.
    """
    if Wait.APPROVAL not in order.waits_for:
        raise Refusal(
            RefusalCode.WRONG_STATE, f"{order.number} is {order.status}: nobody needs to accept it"
        )
    return order.model_copy(
        update={"waits_for": tuple(each for each in order.waits_for if each is not Wait.APPROVAL)}
    )


# -- steps ----------------------------------------------------------------------------------


def step(order: Order, what: OrderStep, *, at: datetime, reason: str | None = None) -> Decided:
    """Move the order one step.

    Raises:
        Refusal: `wrong-state`, when the table has no such step from here; `already-served`,
            when some of what was to be annulled is.
    """
    following = ORDER_STEPS.get((order.status, what))
    if following is None or not _fits(order, what):
        raise Refusal(RefusalCode.WRONG_STATE, f"{order.number} is {order.status}: cannot {what}")
    if following in books.ANNULLED and any(each.served and not each.voided for each in order.lines):
        raise Refusal(
            RefusalCode.ALREADY_SERVED,
            f"some of {order.number} is served: void the other lines, its money can be refunded",
        )
    version = order.version + 1
    changes: dict[str, Any] = {
        "status": following,
        "version": version,
        "status_version": version,
        "waits_for": (),
        "wake_at": None,
    }
    posting, moved = ledger.NOTHING, ledger.NOTHING
    if following not in OPEN_ORDER:
        changes["closed_at"] = at
    if following in books.ANNULLED:
        changes["reason"] = reason
        changes["due_minor"] = order.due_minor - order.total_minor
        posting = ledger.sold(-order.total_minor, -order.tax_minor)
    if what in _SERVING:
        changes["lines"] = tuple(
            line if line.voided or line.served else line.model_copy(update={"served": True})
            for line in order.lines
        )
    after = order.model_copy(update=changes)
    if following in books.ANNULLED:
        after, moved = books.recharged(order, after, 0)
    return Decided(bill.standing(after), posting + moved)


def _fits(order: Order, what: OrderStep) -> bool:
    """Tell whether a step is one for orders of this kind: only deliveries go out."""
    delivery = order.kind is OrderKind.DELIVERY
    if what is OrderStep.DISPATCH:
        return delivery
    if what is OrderStep.SERVE or (what, order.status) == (OrderStep.CLOSE, OrderStatus.READY):
        return not delivery
    return True


def check_paid(order: Order, house: OrderRules) -> None:
    """See that an order may be closed.

    Raises:
        Refusal: `payment-required`, where this house wants its money first.
    """
    if house.payment is not PaymentRule.NEVER and order.due_minor > 0:
        raise Refusal(
            RefusalCode.PAYMENT_REQUIRED,
            f"{order.number} is not paid: {to_text(order.due_minor, order.currency)} are due",
        )


def check_version(order: Order, seen: int | None, lines: Collection[int] | None = None) -> None:
    """See that what a request touches is as its sender has seen it.

    Args:
        order: as it stands.
        seen: the version that the sender has seen; None does not mind.
        lines: the lines it touches; None is the whole order.

    Raises:
        Refusal: `stale-version`.
    """
    if seen is None:
        return
    if seen > order.version:
        raise Refusal(RefusalCode.INVALID, f"version {seen} of {order.number} does not exist yet")
    touched = [line.version for line in order.lines if lines is None or line.line in lines]
    newest = max(touched, default=1)
    if lines is None:
        newest = max(newest, order.status_version)
    if newest > seen:
        raise Refusal(
            RefusalCode.STALE_VERSION,
            f"{order.number} has changed: you saw version {seen}, it is at {order.version}",
        )


def check_more(order: Order, house: OrderRules, more_minor: int) -> None:
    """See that more may be ordered now.

    Raises:
        Refusal: `payment-required`, where the kitchen has it and would have to be paid first.
    """
    first = house.payment is PaymentRule.BEFORE_KITCHEN
    if first and more_minor > 0 and order.status is not OrderStatus.PLACED:
        raise Refusal(
            RefusalCode.PAYMENT_REQUIRED,
            "this house wants the money before the kitchen: place another order",
        )


# -- lines ----------------------------------------------------------------------------------


def add_lines(order: Order, lines: tuple[OrderLine, ...]) -> Decided:
    """Put more lines on an open order; one that was ready or served is prepared again.

    Raises:
        Refusal: `wrong-state` when it is not open or has left, `too-many-lines`, `too-large`,
            `invalid`.
    """
    reopened = ORDER_STEPS.get((order.status, OrderStep.REOPEN))
    if order.status not in OPEN_ORDER or (reopened is None and order.status in _HANDED_OVER):
        raise Refusal(
            RefusalCode.WRONG_STATE, f"{order.number} is {order.status}: place a new order"
        )
    check_guests(lines, {each.guest for each in order.participants})
    together = order.lines + lines
    if len(together) > MAX_LINES:
        raise Refusal(
            RefusalCode.TOO_MANY_LINES, f"{order.number} would have over {MAX_LINES} lines"
        )
    check_weight(together)
    return _with_lines(order, together, reopened)


def change_line(order: Order, line: OrderLine) -> Decided:
    """Put a line, already priced, in the place of the one of its number.

    Raises:
        Refusal: `too-large`.
    """
    gone = max(0, line.refunded_minor - line.total_minor)
    kept = line.refunded_minor - gone
    changed = line.model_copy(update={"version": order.version + 1, "refunded_minor": kept})
    lines = tuple(changed if each.line == line.line else each for each in order.lines)
    check_weight(lines)
    return _with_lines(order, lines, gone=gone)


def void_lines(order: Order, numbers: Collection[int]) -> Decided:
    """Take lines off; they stay in sight, struck out."""
    version = order.version + 1
    lines = tuple(
        each.model_copy(update={"voided": True, "version": version})
        if each.line in numbers
        else each
        for each in order.lines
    )
    gone = sum(each.refunded_minor for each in order.lines if each.line in numbers)
    return _with_lines(order, lines, gone=gone)


def void_all(order: Order, what: OrderStep, at: datetime, reason: str) -> Decided:
    """Take the last lines off: the whole order goes with them, in one version.

    Raises:
        Refusal: `wrong-state`.
    """
    voided = void_lines(order, {line.line for line in order.lines if not line.voided})
    ended = step(
        voided.order.model_copy(update={"version": order.version}), what, at=at, reason=reason
    )
    return Decided(ended.order, voided.posting + ended.posting)


def line_of(order: Order, number: int) -> OrderLine:
    """Find a line that may still be changed.

    Raises:
        Refusal: `not-found`, `wrong-state` when the order has ended or the line is voided,
            `already-served`.
    """
    if order.status not in OPEN_ORDER:
        raise Refusal(RefusalCode.WRONG_STATE, f"{order.number} is {order.status}")
    line = next((each for each in order.lines if each.line == number), None)
    if line is None:
        raise Refusal(RefusalCode.NOT_FOUND, f"{order.number} has no line {number}")
    if line.voided:
        raise Refusal(RefusalCode.WRONG_STATE, f"line {number} of {order.number} is voided")
    if line.served or order.status in _HANDED_OVER:
        raise Refusal(
            RefusalCode.ALREADY_SERVED,
            f"line {number} of {order.number} is served: its money can be refunded",
        )
    return line


def _with_lines(
    order: Order,
    lines: tuple[OrderLine, ...],
    status: OrderStatus | None = None,
    *,
    gone: int = 0,
) -> Decided:
    """The order with these lines; of what is not charged any more `gone` was given back."""
    sum_, tax = total(lines), _tax(lines)
    version = order.version + 1
    changes: dict[str, Any] = {
        "version": version,
        "lines": lines,
        "total_minor": sum_,
        "tax_minor": tax,
        "due_minor": order.due_minor + sum_ - order.total_minor,
    }
    if status is not None:
        changes |= {"status": status, "status_version": version}
    posting = ledger.sold(sum_ - order.total_minor, tax - order.tax_minor)
    after, moved = books.recharged(order, order.model_copy(update=changes), gone)
    return Decided(bill.standing(after), posting + moved)


# -- guests ---------------------------------------------------------------------------------


def forget_guest(order: Order) -> Order:
    """Erase who the guests were; what was ordered and paid stays.

    Raises:
        Refusal: `wrong-state`, while the order is open.
    """
    if order.status in OPEN_ORDER:
        raise Refusal(
            RefusalCode.WRONG_STATE, f"{order.number} is {order.status}: it must have ended first"
        )
    return order.model_copy(
        update={
            "version": order.version + 1,
            "guest": None,
            "participants": (),  # lines and payments still say which of them, by number
            # What people wrote may say who they are.
            "lines": tuple(line.model_copy(update={"note": ""}) for line in order.lines),
        }
    )
