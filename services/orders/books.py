"""What an order's own figures say of the books, where refunds and changes meet. Pure.

Money that goes back is first what was owed to the guests. The rest was *forgiven*: it had been
earned, and stays charged. Once the charge itself goes (a line is voided, the order is called
off), what had been forgiven of it turns out to have been owed; else the guests would be owed
the same money twice.
"""

from __future__ import annotations

from typing import Final

from schemas.orders import Order, OrderStatus
from services.orders.ledger import Posting
from services.orders.pricing import rounded

ANNULLED: Final = frozenset({OrderStatus.REJECTED, OrderStatus.CANCELLED, OrderStatus.VOIDED})
"""Nothing of these orders is charged."""


def forgiven(order: Order) -> int:
    """What was given back of what stays charged, in minor units with tax; tips stand apart."""
    charged = 0 if order.status in ANNULLED else order.total_minor
    back = sum(min(each.refunded_minor, each.amount_minor) for each in order.payments)
    return charged - (order.paid_minor - back) - order.due_minor


def tax_forgiven(order: Order, amount: int) -> int:
    """The tax in a forgiven amount: as much of it as in the whole order.

    Always reckoned of all that was forgiven: parts rounded one by one would drift away.
    """
    if order.status in ANNULLED or order.total_minor == 0:
        return 0
    return rounded(order.tax_minor * amount, order.total_minor)


def recharged(before: Order, after: Order, gone: int) -> tuple[Order, Posting]:
    """Settle what was forgiven with a charge that has become another one.

    Args:
        before: the order as it stood.
        after: the same with its new charge, and what is due by that alone.
        gone: what had been given back for lines that are not charged any more.

    Returns:
        The order with what is really due, and what that moves between the accounts.
    """
    whole = forgiven(before)
    if not whole:
        return after, Posting()
    charged = 0 if after.status in ANNULLED else after.total_minor
    owed = max(0, min(gone, whole), whole - charged)
    tax = tax_forgiven(after, whole - owed) - tax_forgiven(before, whole)
    after = after.model_copy(update={"due_minor": after.due_minor + owed})
    return after, Posting(guest=owed, refunds=-owed - tax, tax=tax)
