"""What may happen to the money of an order. Pure.

Cash is paid, and given back, at once. Any other method is a provider's: a payment, or a
refund, is asked for, and stands open until the provider's own word is here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from schemas.money import MAX_MINOR, to_text
from schemas.orders import OPEN_ORDER, Order, OrderChange, OrderLine
from schemas.payments import (
    CASH,
    MAX_PAYMENTS,
    MAX_REFUNDS,
    PAYMENT_STEPS,
    TAKEN,
    Payment,
    PaymentStatus,
    PaymentStep,
    PayOrder,
    Refund,
    RefundOrder,
    RefundStatus,
)
from schemas.refusals import RefusalCode
from services.orders import bill, books, ledger
from services.orders.decided import Decided
from services.orders.inside import Said, SettlePayment
from services.orders.sharing import shares
from services.runtime.refusal import Refusal

_STEPS: Final = {
    Said.AUTHORISED: (PaymentStep.AUTHORISE, OrderChange.PAYMENT_AUTHORISED),
    Said.PAID: (PaymentStep.CAPTURE, OrderChange.PAID),
    Said.FAILED: (PaymentStep.FAIL, OrderChange.PAYMENT_FAILED),
}

SILENT: Final = timedelta(minutes=15)
"""A provider that has not spoken for so long does not keep a guest from paying in cash."""


# -- paying ---------------------------------------------------------------------------------


def begin(
    order: Order, request: PayOrder, *, payment_id: UUID, device: str, at: datetime
) -> Decided:
    """Take cash, or open a payment that a provider will speak of.

    Raises:
        Refusal: `wrong-state` when the order has ended, `already-paid`, `more-than-due`,
            `wrong-amount`, `not-found` for a guest who takes no part.
    """
    if order.status not in OPEN_ORDER:
        raise Refusal(RefusalCode.WRONG_STATE, f"{order.number} is {order.status}: nothing to pay")
    if len(order.payments) >= MAX_PAYMENTS:
        raise Refusal(RefusalCode.WRONG_STATE, f"{order.number} has {MAX_PAYMENTS} payments")
    amount = _amount(order, request, at)
    if request.tip_minor < 0:
        raise Refusal(
            RefusalCode.WRONG_AMOUNT, f"a tip of {_said(order, request.tip_minor)} cannot be"
        )
    # Failed ones too: their money may come all the same, and the order must be able to say it.
    asked = sum(each.amount_minor + each.tip_minor for each in order.payments)
    if asked + amount + request.tip_minor > MAX_MINOR:
        raise Refusal(RefusalCode.WRONG_AMOUNT, f"all payments would be beyond {MAX_MINOR}")
    handed = request.tendered_minor
    if handed is not None and (request.method != CASH or handed < amount + request.tip_minor):
        raise Refusal(
            RefusalCode.WRONG_AMOUNT,
            f"{_said(order, handed)} was handed over for "
            f"{_said(order, amount + request.tip_minor)} in {request.method}",
        )
    cash = request.method == CASH
    payment = Payment(
        payment_id=payment_id,
        status=PaymentStatus.PAID if cash else PaymentStatus.PENDING,
        method=request.method,
        amount_minor=amount,
        tip_minor=request.tip_minor,
        guest=request.guest,
        asked_at=at,
        device=device,
    )
    return _with_payment(order, payment, taken=cash)


def _amount(order: Order, request: PayOrder, at: datetime) -> int:
    open_ = bill.open_minor(order)
    if request.method == CASH and request.amount_minor is not None:
        # Whoever names the sum has decided; should the provider speak after all, it is owed.
        open_ = max(open_, bill.open_minor(order, at - SILENT))
    if request.amount_minor is not None and request.amount_minor <= 0:
        raise Refusal(
            RefusalCode.WRONG_AMOUNT, f"{_said(order, request.amount_minor)} is nothing to pay"
        )
    if open_ <= 0:
        hint = ": name the amount to take cash after 15 min" if order.due_minor > 0 else ""
        raise Refusal(
            RefusalCode.ALREADY_PAID,
            f"nothing of {order.number} is open, its payment is {order.payment}{hint}",
        )
    amount = open_
    if request.guest is not None:
        share = next((each for each in shares(order) if each.guest == request.guest), None)
        if share is None:
            raise Refusal(RefusalCode.NOT_FOUND, f"{order.number} has no guest {request.guest}")
        amount = min(open_, share.amount_minor)
        if amount <= 0 and request.amount_minor is None:
            raise Refusal(RefusalCode.ALREADY_PAID, f"guest {request.guest} has paid")
    if request.amount_minor is not None:
        amount = request.amount_minor
    if amount > open_:
        raise Refusal(
            RefusalCode.MORE_THAN_DUE,
            f"{_said(order, amount)} is more than the {_said(order, open_)} that are open",
        )
    return amount


def _said(order: Order, minor: int) -> str:
    return to_text(minor, order.currency)


def settle(order: Order, told: SettlePayment) -> tuple[Decided, OrderChange]:
    """Believe a provider, as far as what it says can be.

    Raises:
        Refusal: `not-found`; `wrong-amount` where it speaks of another sum or currency;
            `already-paid` for a second payment of one intent; `wrong-state`.
    """
    payment = _payment(order, told.payment_id)
    if payment.method != told.provider:
        raise Refusal(
            RefusalCode.NOT_FOUND, f"{told.provider} has no payment {told.payment_id} here"
        )
    if told.currency != order.currency:
        raise Refusal(
            RefusalCode.WRONG_AMOUNT, f"it speaks of {told.currency}, the order of {order.currency}"
        )
    if told.said in {Said.REFUND_DONE, Said.REFUND_FAILED}:
        return _settle_refund(order, payment, told)
    what, change = _STEPS[told.said]
    expected = payment.amount_minor + payment.tip_minor
    if told.said is not Said.FAILED and told.amount_minor != expected:
        raise Refusal(
            RefusalCode.WRONG_AMOUNT,
            f"it speaks of {_said(order, told.amount_minor)}, asked was {_said(order, expected)}",
        )
    following = PAYMENT_STEPS.get((payment.status, what))
    if following is None:
        code = RefusalCode.ALREADY_PAID if payment.status in TAKEN else RefusalCode.WRONG_STATE
        raise Refusal(code, f"the payment is {payment.status}: cannot {what}")
    payment = payment.model_copy(
        update={
            "status": following,
            "reason": told.reason if following is PaymentStatus.FAILED else None,
        }
    )
    return _with_payment(order, payment, taken=following is PaymentStatus.PAID), change


def _with_payment(order: Order, payment: Payment, *, taken: bool) -> Decided:
    posting = ledger.NOTHING
    changes: dict[str, Any] = {}
    if taken:
        posting = ledger.paid(payment.method, payment.amount_minor, payment.tip_minor)
        changes = {
            "paid_minor": order.paid_minor + payment.amount_minor,
            "tips_minor": order.tips_minor + payment.tip_minor,
            "due_minor": order.due_minor + posting.guest,
        }
    return Decided(_paid(order, (payment,), changes), posting)


def _paid(order: Order, put: Sequence[Payment], changes: dict[str, Any]) -> Order:
    """The order's next version, with these payments and how they stand together."""
    by_id = {each.payment_id: each for each in order.payments}
    by_id |= {each.payment_id: each for each in put}
    return bill.standing(
        order.model_copy(
            update={**changes, "version": order.version + 1, "payments": tuple(by_id.values())}
        )
    )


# -- giving back ----------------------------------------------------------------------------


def refund(order: Order, request: RefundOrder, *, refund_id: UUID) -> tuple[Decided, OrderChange]:
    """Give money back: cash at once, of a provider's payment by asking for it.

    What is owed to the guests goes first, the rest comes out of what was earned. Newest
    payments are taken first.

    Raises:
        Refusal: `wrong-amount`, `more-than-paid`, `not-found` for a line or a payment;
            `wrong-state`, where it has been given back too often.
    """
    if sum(len(each.refunds) for each in order.payments) >= MAX_REFUNDS:
        raise Refusal(RefusalCode.WRONG_STATE, f"{order.number} has {MAX_REFUNDS} refunds")
    payments = [each for each in order.payments if each.status in TAKEN]
    if request.payment_id is not None:
        payments = [_payment(order, request.payment_id)]
    left = {each.payment_id: _refundable(each) for each in payments}
    amount, lines = _wanted(order, request, sum(left.values()))
    if amount > sum(left.values()):
        raise Refusal(
            RefusalCode.MORE_THAN_PAID,
            f"{_said(order, amount)} is more than the {_said(order, sum(left.values()))} "
            "that can be given back",
        )
    order = order.model_copy(update={"lines": lines})
    put: list[Payment] = []
    done: list[tuple[Payment, int]] = []
    for payment in reversed(payments):
        part = min(amount, left[payment.payment_id])
        if part <= 0:
            continue
        amount -= part
        cash = payment.method == CASH
        entry = Refund(
            refund_id=refund_id,
            status=RefundStatus.DONE if cash else RefundStatus.ASKED,
            amount_minor=part,
            lines=tuple(sorted(set(request.lines))),
            reason=request.reason,
        )
        put.append(payment.model_copy(update={"refunds": (*payment.refunds, entry)}))
        if cash:
            done.append((payment, part))
    decided = _given_back(order, put, done)
    return decided, OrderChange.REFUNDED if done else OrderChange.REFUND_ASKED


def _wanted(
    order: Order, request: RefundOrder, refundable: int
) -> tuple[int, tuple[OrderLine, ...]]:
    """How much to give back, and the lines with what was given back of each."""
    if request.lines and request.amount_minor is not None:
        raise Refusal(RefusalCode.INVALID, "give an amount or lines back, not both")
    if request.amount_minor is not None and request.amount_minor <= 0:
        raise Refusal(
            RefusalCode.WRONG_AMOUNT,
            f"{_said(order, request.amount_minor)} is nothing to give back",
        )
    if not request.lines:
        amount = refundable if request.amount_minor is None else request.amount_minor
        if amount <= 0:
            raise Refusal(RefusalCode.MORE_THAN_PAID, "there is nothing that can be given back")
        return amount, order.lines
    unknown = set(request.lines) - {each.line for each in order.lines}
    if unknown:
        raise Refusal(RefusalCode.NOT_FOUND, f"{order.number} has no line {min(unknown)}")
    on_its_way = sum(
        refund.amount_minor
        for payment in order.payments
        for refund in payment.refunds
        if refund.status is RefundStatus.ASKED
    )
    amount, owed = 0, max(0, -order.due_minor - on_its_way)
    lines = []
    for line in order.lines:
        part = line.total_minor - line.refunded_minor if line.line in request.lines else 0
        if line.voided:  # nothing of it is charged: only what was paid for it is to be had
            part = min(part, owed)
            owed -= part
        amount += part
        given = line.refunded_minor + part
        lines.append(line.model_copy(update={"refunded_minor": given}) if part else line)
    if amount <= 0:
        raise Refusal(RefusalCode.MORE_THAN_PAID, "these lines were given back already")
    return amount, tuple(lines)


def _refundable(payment: Payment) -> int:
    asked = sum(each.amount_minor for each in payment.refunds if each.status is RefundStatus.ASKED)
    if payment.status not in TAKEN:
        return 0
    return payment.amount_minor + payment.tip_minor - payment.refunded_minor - asked


def _settle_refund(
    order: Order, payment: Payment, told: SettlePayment
) -> tuple[Decided, OrderChange]:
    entry = next((each for each in payment.refunds if each.refund_id == told.refund_id), None)
    if entry is None:
        raise Refusal(RefusalCode.NOT_FOUND, f"no refund {told.refund_id} was asked for")
    if entry.status is not RefundStatus.ASKED:
        raise Refusal(RefusalCode.WRONG_STATE, f"the refund is {entry.status} already")
    done = told.said is Said.REFUND_DONE
    if done and told.amount_minor != entry.amount_minor:
        raise Refusal(
            RefusalCode.WRONG_AMOUNT,
            f"it speaks of {_said(order, told.amount_minor)}, "
            f"asked was {_said(order, entry.amount_minor)}",
        )
    entry = entry.model_copy(update={"status": RefundStatus.DONE if done else RefundStatus.FAILED})
    payment = payment.model_copy(
        update={
            "refunds": tuple(
                entry if each.refund_id == entry.refund_id else each for each in payment.refunds
            )
        }
    )
    if done:
        return _given_back(order, [payment], [(payment, entry.amount_minor)]), OrderChange.REFUNDED
    order = order.model_copy(update={"lines": _taken_back(order, entry)})
    return Decided(_paid(order, [payment], {})), OrderChange.REFUND_FAILED


def _taken_back(order: Order, entry: Refund) -> tuple[OrderLine, ...]:
    """The lines after a provider did not give this back: nor was it given for them."""
    lines, left = [], entry.amount_minor
    for line in order.lines:
        part = min(left, line.refunded_minor) if line.line in entry.lines else 0
        left -= part
        given = line.refunded_minor - part
        lines.append(line.model_copy(update={"refunded_minor": given}) if part else line)
    return tuple(lines)


def _given_back(
    order: Order, put: Sequence[Payment], done: Sequence[tuple[Payment, int]]
) -> Decided:
    """Book what went back, payment by payment."""
    posting, due = ledger.NOTHING, order.due_minor
    forgiven = books.forgiven(order)
    moved: dict[UUID, Payment] = {each.payment_id: each for each in put}
    for payment, amount in done:
        # Of one payment the amount goes back before its tip.
        tip = max(0, payment.refunded_minor + amount - payment.amount_minor) - max(
            0, payment.refunded_minor - payment.amount_minor
        )
        owed = min(amount - tip, max(0, -due))
        earned = amount - tip - owed
        due += owed
        tax = books.tax_forgiven(order, forgiven + earned) - books.tax_forgiven(order, forgiven)
        forgiven += earned
        posting += ledger.refunded(payment.method, owed=owed, earned=earned, tax=tax, tip=tip)
        refunded = payment.refunded_minor + amount
        whole = refunded == payment.amount_minor + payment.tip_minor
        what = PaymentStep.REFUND_ALL if whole else PaymentStep.REFUND_PART
        moved[payment.payment_id] = moved[payment.payment_id].model_copy(
            update={
                "refunded_minor": refunded,
                "status": PAYMENT_STEPS[payment.status, what],
            }
        )
    changes = {
        "refunded_minor": order.refunded_minor + sum(amount for _, amount in done),
        "due_minor": due,
    }
    return Decided(_paid(order, list(moved.values()), changes), posting)


def _payment(order: Order, payment_id: UUID) -> Payment:
    for each in order.payments:
        if each.payment_id == payment_id:
            return each
    raise Refusal(RefusalCode.NOT_FOUND, f"{order.number} has no payment {payment_id}")
