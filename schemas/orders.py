"""Orders: what one is, where it can stand, and what is said of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

from pydantic import AwareDatetime, Field

from schemas.identifiers import Slug
from schemas.kitchen_rules import Course
from schemas.menu import ChosenModifier, ModifierRequest
from schemas.message import Event, Part, Request, State
from schemas.money import Currency, Minor, SignedMinor
from schemas.payments import Payment, PaymentStatus
from schemas.positions import Place
from schemas.text import Line32, Line64, Line120, Remark

MAX_LINES: Final = 200
MAX_QUANTITY: Final = 999
MAX_GUESTS: Final = 200

Note = Remark
Reason = Annotated[Remark, Field(min_length=1)]
Reference = Annotated[Line64, Field(min_length=1)]
Seat = Annotated[Line32, Field(min_length=1)]
Avoided = Annotated[tuple[Slug, ...], Field(max_length=32)]
"""Allergens that a guest must not get."""
Version = Annotated[int, Field(ge=1)]


class OrderStatus(StrEnum):
    """Where an order stands."""

    PLACED = "placed"
    """Kept, and not yet with the kitchen: see `Order.waits_for`."""
    ACCEPTED = "accepted"
    """The kitchen has its tickets."""
    PREPARING = "preparing"
    READY = "ready"
    SERVED = "served"
    """On the table, or handed over."""
    OUT_FOR_DELIVERY = "out-for-delivery"
    DELIVERED = "delivered"
    CLOSED = "closed"
    REJECTED = "rejected"
    """The house did not take it."""
    CANCELLED = "cancelled"
    """Called off before it was ready."""
    VOIDED = "voided"
    """Annulled by the house after it was cooked, or with its last line."""


class OrderStep(StrEnum):
    """What moves an order on."""

    ACCEPT = "accept"
    """Nothing is waited for any more: the kitchen gets its tickets."""
    REJECT = "reject"
    START = "start"
    """The first of its tickets was started."""
    FINISH = "finish"
    """The last of its open tickets was bumped."""
    REOPEN = "reopen"
    """Lines were added to an order that was ready or served."""
    SERVE = "serve"
    DISPATCH = "dispatch"
    DELIVER = "deliver"
    RETURN = "return"
    """The courier brought it back."""
    CLOSE = "close"
    CANCEL = "cancel"
    VOID = "void"


ORDER_STEPS: Final[dict[tuple[OrderStatus, OrderStep], OrderStatus]] = {
    (OrderStatus.PLACED, OrderStep.ACCEPT): OrderStatus.ACCEPTED,
    (OrderStatus.PLACED, OrderStep.REJECT): OrderStatus.REJECTED,
    (OrderStatus.PLACED, OrderStep.CANCEL): OrderStatus.CANCELLED,
    (OrderStatus.ACCEPTED, OrderStep.START): OrderStatus.PREPARING,
    (OrderStatus.ACCEPTED, OrderStep.FINISH): OrderStatus.READY,
    (OrderStatus.ACCEPTED, OrderStep.CANCEL): OrderStatus.CANCELLED,
    (OrderStatus.ACCEPTED, OrderStep.VOID): OrderStatus.VOIDED,
    (OrderStatus.PREPARING, OrderStep.FINISH): OrderStatus.READY,
    (OrderStatus.PREPARING, OrderStep.CANCEL): OrderStatus.CANCELLED,
    (OrderStatus.PREPARING, OrderStep.VOID): OrderStatus.VOIDED,
    (OrderStatus.READY, OrderStep.REOPEN): OrderStatus.PREPARING,
    (OrderStatus.READY, OrderStep.SERVE): OrderStatus.SERVED,
    (OrderStatus.READY, OrderStep.DISPATCH): OrderStatus.OUT_FOR_DELIVERY,
    (OrderStatus.READY, OrderStep.CLOSE): OrderStatus.CLOSED,
    (OrderStatus.READY, OrderStep.VOID): OrderStatus.VOIDED,
    (OrderStatus.SERVED, OrderStep.REOPEN): OrderStatus.PREPARING,
    (OrderStatus.SERVED, OrderStep.CLOSE): OrderStatus.CLOSED,
    (OrderStatus.OUT_FOR_DELIVERY, OrderStep.DELIVER): OrderStatus.DELIVERED,
    (OrderStatus.OUT_FOR_DELIVERY, OrderStep.RETURN): OrderStatus.READY,
    (OrderStatus.DELIVERED, OrderStep.CLOSE): OrderStatus.CLOSED,
}
"""The order's state machine. What is not in this table cannot happen.

What is handed over a counter may be closed at once, from ready.
"""

OPEN_ORDER: Final = frozenset(
    {
        OrderStatus.PLACED,
        OrderStatus.ACCEPTED,
        OrderStatus.PREPARING,
        OrderStatus.READY,
        OrderStatus.SERVED,
        OrderStatus.OUT_FOR_DELIVERY,
        OrderStatus.DELIVERED,
    }
)
WITH_KITCHEN: Final = frozenset({OrderStatus.ACCEPTED, OrderStatus.PREPARING})
"""Some of its food is still to be made."""


class OrderKind(StrEnum):
    """How the guests get it."""

    DINE_IN = "dine-in"
    TAKEAWAY = "takeaway"
    DELIVERY = "delivery"


class Wait(StrEnum):
    """What a placed order waits for before the kitchen gets it."""

    APPROVAL = "approval"
    """Somebody of the house accepts it."""
    PAYMENT = "payment"
    TIME = "time"
    """It is for later."""


class Guest(Part):
    """Whom an order is for: personal data, erased on request."""

    name: Annotated[Line120, Field(min_length=1)] | None = None
    email: Annotated[Line120, Field(pattern=r"^[^@\s]+@[^@\s]+$")] | None = None
    phone: Annotated[Line32, Field(pattern=r"^\+?[0-9 ()/.-]{3,}$")] | None = None
    address: Annotated[Remark, Field(min_length=1)] | None = None
    place: Place | None = None
    """Their door on the map: where a delivery goes."""
    language: Annotated[str, Field(pattern=r"^[a-z]{2}(-[A-Z]{2})?$")] | None = None


class Participant(Part):
    """One of several guests on one order."""

    guest: Annotated[int, Field(ge=1, le=MAX_GUESTS)]
    """Counts the guests of the order from one; lines name it."""
    name: Line64


class LineRequest(Part):
    """One line as a device asks for it; name and price come from the menu."""

    item: Slug
    quantity: Annotated[int, Field(ge=1, le=MAX_QUANTITY, strict=True)]
    note: Note = ""
    modifiers: Annotated[tuple[ModifierRequest, ...], Field(max_length=32)] = ()
    avoid: Avoided = ()
    seat: Seat | None = None
    guest: Annotated[int, Field(ge=1, le=MAX_GUESTS)] | None = None
    """Which of the participants it is for; None is for all of them."""
    course: Course | None = None
    """In which course it comes; None is as the menu says."""


Lines = Annotated[tuple[LineRequest, ...], Field(min_length=1, max_length=MAX_LINES)]


class PlaceOrder(Request, type="heard.order.place.v1", topic="orders/place"):
    """A new order. Its envelope's id becomes the order's id."""

    lines: Lines
    kind: OrderKind = OrderKind.DINE_IN
    reference: Reference | None = None
    """The sender's own number for it: a till's ticket, a web shop's order."""
    table: Annotated[Line32, Field(min_length=1)] | None = None
    covers: Annotated[int, Field(ge=1, le=MAX_GUESTS)] | None = None
    """How many guests sit there."""
    guest: Guest | None = None
    participants: Annotated[tuple[Participant, ...], Field(max_length=MAX_GUESTS)] = ()
    due_at: AwareDatetime | None = None
    """For when it is ordered; None is as soon as possible."""


class AddLines(Request, type="heard.order.add-lines.v1", topic="orders/add-lines"):
    """More lines for an open order; the kitchen gets them on tickets of their own."""

    order_id: UUID
    lines: Lines


class CancelOrder(Request, type="heard.order.cancel.v1", topic="orders/cancel"):
    """The whole order is off; the kitchen takes its tickets away."""

    order_id: UUID
    reason: Reason
    version: Version | None = None
    """What the sender has seen; it is refused where what it touches has changed since."""


class CloseOrder(Request, type="heard.order.close.v1", topic="orders/close"):
    """The guests have had it: it leaves the floor."""

    order_id: UUID
    version: Version | None = None


class OrderLine(Part):
    """One line as it was accepted, with the menu's price of that moment."""

    line: Annotated[int, Field(ge=1)]
    item: Slug
    name: str
    quantity: Annotated[int, Field(ge=1, le=MAX_QUANTITY)]
    unit_minor: Minor
    """Of one, with its modifiers, as the menu prices it."""
    total_minor: Minor
    """Of all, with tax; a voided line keeps what it would have cost."""
    tax_minor: Minor = 0
    """How much of the total is tax."""
    tax_ppm: Annotated[int, Field(ge=0)] = 0
    """The rate, in millionths."""
    tax_included: bool = True
    """Whether the unit price holds it, or it came on top."""
    station: Slug
    note: Note = ""
    modifiers: tuple[ChosenModifier, ...] = ()
    allergens: tuple[Slug, ...] = ()
    """What is in it."""
    avoid: tuple[Slug, ...] = ()
    seat: str | None = None
    guest: int | None = None
    course: Course = 1
    version: Version = 1
    """The order's version that changed this line last."""
    voided: bool = False
    served: bool = False
    refunded_minor: Minor = 0


class Order(Part):
    """An order, whole."""

    order_id: UUID
    number: str
    """For people: ``ORD-240115103045-A1B2``, in UTC."""
    status: OrderStatus
    version: Version
    status_version: Version = 1
    """The version that changed the status last."""
    device: Slug
    """The device that placed it."""
    kind: OrderKind = OrderKind.DINE_IN
    reference: Reference | None = None
    table: str | None = None
    covers: int | None = None
    guest: Guest | None = None
    participants: tuple[Participant, ...] = ()
    waits_for: tuple[Wait, ...] = ()
    currency: Currency
    total_minor: Minor
    """What its lines cost, with tax, without those that were voided."""
    tax_minor: Minor = 0
    paid_minor: Minor = 0
    """What was paid towards the total, refunds not taken off; tips stand apart."""
    tips_minor: Minor = 0
    refunded_minor: Minor = 0
    """What was given back, tips among it."""
    due_minor: SignedMinor = 0
    """What the guests still owe; below zero, what is owed to them."""
    payment: PaymentStatus | None = None
    """How its payments stand together; None where none was begun."""
    payments: tuple[Payment, ...] = ()
    lines: tuple[OrderLine, ...]
    placed_at: AwareDatetime
    due_at: AwareDatetime | None = None
    wake_at: AwareDatetime | None = None
    """When the services look at it again by themselves, while it waits."""
    closed_at: AwareDatetime | None = None
    """When it ended, in whatever way."""
    reason: str | None = None
    """Why it was rejected, cancelled or voided."""


class OrderChange(StrEnum):
    """What changed."""

    PLACED = "placed"
    APPROVED = "approved"
    WAITS = "waits"
    """It waits for something else than before."""
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    LINES_ADDED = "lines-added"
    LINES_CHANGED = "lines-changed"
    LINES_VOIDED = "lines-voided"
    PREPARING = "preparing"
    READY = "ready"
    SERVED = "served"
    OUT_FOR_DELIVERY = "out-for-delivery"
    DELIVERED = "delivered"
    RETURNED = "returned"
    CLOSED = "closed"
    CANCELLED = "cancelled"
    VOIDED = "voided"
    PAYMENT_ASKED = "payment-asked"
    PAYMENT_AUTHORISED = "payment-authorised"
    PAYMENT_FAILED = "payment-failed"
    PAID = "paid"
    REFUND_ASKED = "refund-asked"
    REFUND_FAILED = "refund-failed"
    REFUNDED = "refunded"
    GUEST_FORGOTTEN = "guest-forgotten"


class OrderPlaced(
    Event, type="heard.order.placed.v1", topic="orders/placed", about="order_id", whole="order"
):
    """An order was kept; where it waits for nothing, its tickets were cut in the same instant."""

    order_id: UUID
    order: Order


class OrderChanged(
    Event, type="heard.order.changed.v1", topic="orders/changed", about="order_id", whole="order"
):
    """An order changed; it comes whole, with its new version."""

    order_id: UUID
    change: OrderChange
    order: Order
    lines: tuple[int, ...] = ()
    """The numbers of the lines that are new, changed or voided."""
    payment_id: UUID | None = None
    """The payment that this is about."""
    why: str | None = None


class OrderState(
    State, type="heard.order.v1", topic="orders/{order_id}", about="order_id", whole="order"
):
    """An open order: retained, and cleared when it ends."""

    order_id: UUID
    order: Order
