"""Payments: beside the order, each with a life of its own."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

from pydantic import AwareDatetime, Field

from schemas.identifiers import Slug
from schemas.message import Part, Query, Request
from schemas.money import MAX_MINOR, Minor, SignedMinor
from schemas.text import Remark

MAX_PAYMENTS: Final = 100
MAX_REFUNDS: Final = 100
"""Of one order; it comes whole with each change."""
CASH: Final = "cash"

Asked = Annotated[int, Field(ge=-MAX_MINOR, le=MAX_MINOR, strict=True)]
"""An amount as somebody asks for it; the services refuse what cannot be, by name."""


class PaymentStatus(StrEnum):
    """Where a payment stands."""

    PENDING = "pending"
    """Its provider has not said yet."""
    AUTHORISED = "authorised"
    """The money is promised, and not yet taken."""
    PAID = "paid"
    FAILED = "failed"
    PARTLY_REFUNDED = "partly-refunded"
    REFUNDED = "refunded"


class PaymentStep(StrEnum):
    """What moves a payment on."""

    AUTHORISE = "authorise"
    CAPTURE = "capture"
    """The money was taken."""
    FAIL = "fail"
    REFUND_PART = "refund-part"
    REFUND_ALL = "refund-all"


PAYMENT_STEPS: Final[dict[tuple[PaymentStatus, PaymentStep], PaymentStatus]] = {
    (PaymentStatus.PENDING, PaymentStep.AUTHORISE): PaymentStatus.AUTHORISED,
    (PaymentStatus.PENDING, PaymentStep.CAPTURE): PaymentStatus.PAID,
    (PaymentStatus.PENDING, PaymentStep.FAIL): PaymentStatus.FAILED,
    (PaymentStatus.AUTHORISED, PaymentStep.CAPTURE): PaymentStatus.PAID,
    (PaymentStatus.AUTHORISED, PaymentStep.FAIL): PaymentStatus.FAILED,
    (PaymentStatus.FAILED, PaymentStep.CAPTURE): PaymentStatus.PAID,
    (PaymentStatus.PAID, PaymentStep.REFUND_PART): PaymentStatus.PARTLY_REFUNDED,
    (PaymentStatus.PAID, PaymentStep.REFUND_ALL): PaymentStatus.REFUNDED,
    (PaymentStatus.PARTLY_REFUNDED, PaymentStep.REFUND_PART): PaymentStatus.PARTLY_REFUNDED,
    (PaymentStatus.PARTLY_REFUNDED, PaymentStep.REFUND_ALL): PaymentStatus.REFUNDED,
}
"""The payment's state machine. What is not in this table cannot happen.

A failed payment may still be captured: money that has come has come, whatever was said before.
"""

OPEN_PAYMENT: Final = frozenset({PaymentStatus.PENDING, PaymentStatus.AUTHORISED})
TAKEN: Final = frozenset(
    {PaymentStatus.PAID, PaymentStatus.PARTLY_REFUNDED, PaymentStatus.REFUNDED}
)
"""Its money came."""


class RefundStatus(StrEnum):
    """Where a refund stands."""

    ASKED = "asked"
    """The provider has not said yet."""
    DONE = "done"
    FAILED = "failed"


class Refund(Part):
    """Money given back, or on its way."""

    refund_id: UUID
    status: RefundStatus
    amount_minor: Minor
    lines: tuple[int, ...] = ()
    reason: str


class Payment(Part):
    """One payment towards an order."""

    payment_id: UUID
    """The id of the request that asked for it."""
    status: PaymentStatus
    method: Slug
    """``cash``, or the name of a provider."""
    amount_minor: Minor
    """Towards the order."""
    tip_minor: Minor = 0
    """On top of it."""
    refunded_minor: Minor = 0
    """Of both together; the amount first, then the tip."""
    guest: int | None = None
    """Which participant pays."""
    asked_at: AwareDatetime
    device: Slug
    reason: str | None = None
    """Why it failed."""
    refunds: tuple[Refund, ...] = ()


class PayOrder(Request, type="heard.order.pay.v1", topic="orders/pay"):
    """Pay an order, or a part of it. Cash is paid at once; a provider says so by its webhook."""

    order_id: UUID
    method: Slug = CASH
    amount_minor: Asked | None = None
    """Towards the order; None is all that is open, or the share of the `guest`."""
    tip_minor: Asked = 0
    tendered_minor: Asked | None = None
    """The cash that was handed over; the reply says the change."""
    guest: Annotated[int, Field(ge=1)] | None = None


class RefundOrder(Request, type="heard.order.refund.v1", topic="orders/refund"):
    """Give money back: an amount, whole lines, or with neither all that was paid."""

    order_id: UUID
    payment_id: UUID | None = None
    """None takes the newest payments first."""
    amount_minor: Asked | None = None
    lines: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(max_length=200)] = ()
    reason: Annotated[Remark, Field(min_length=1)]


class SplitOrder(Query, type="heard.order.split.v1", topic="orders/split"):
    """Ask what each has to pay: by guest, or in so many equal parts."""

    order_id: UUID
    ways: Annotated[int, Field(ge=1, le=100)] | None = None
    """None splits by guest; what is for all of them is shared."""


class Share(Part):
    """What one of several has to pay."""

    guest: int | None = None
    amount_minor: SignedMinor
