"""How the money of an order stands. Pure."""

from __future__ import annotations

from datetime import datetime

from schemas.orders import Order
from schemas.payments import OPEN_PAYMENT, PaymentStatus


def standing(order: Order) -> Order:
    """The order, with how its payments stand together now."""
    payment = together(order)
    return order if payment is order.payment else order.model_copy(update={"payment": payment})


def together(order: Order) -> PaymentStatus | None:
    """How an order's payments stand together."""
    if not order.payments:
        return None
    taken = order.paid_minor + order.tips_minor
    if order.refunded_minor:
        whole = order.refunded_minor == taken
        return PaymentStatus.REFUNDED if whole else PaymentStatus.PARTLY_REFUNDED
    if taken and order.due_minor <= 0:
        return PaymentStatus.PAID
    statuses = {each.status for each in order.payments}
    for open_ in (PaymentStatus.PENDING, PaymentStatus.AUTHORISED):
        if open_ in statuses:
            return open_
    return PaymentStatus.PENDING if taken else PaymentStatus.FAILED


def open_minor(order: Order, since: datetime | None = None) -> int:
    """What nobody pays yet: what is due, less what providers are about to bring.

    Args:
        order: as it stands.
        since: what was asked of a provider before that, and never heard of again, counts no more.
    """
    return order.due_minor - sum(
        each.amount_minor
        for each in order.payments
        if each.status in OPEN_PAYMENT
        and not (
            since is not None and each.status is PaymentStatus.PENDING and each.asked_at < since
        )
    )


def is_covered(order: Order) -> bool:
    """Tell whether all that is due is paid, or promised by a provider."""
    promised = sum(
        each.amount_minor for each in order.payments if each.status is PaymentStatus.AUTHORISED
    )
    return order.due_minor <= promised
