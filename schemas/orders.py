"""Orders: placed, added to, cancelled, closed."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

from pydantic import AwareDatetime, Field

from schemas.identifiers import Slug
from schemas.message import Event, Part, Request
from schemas.money import Currency, Minor
from schemas.text import Line32, Line64, Remark

MAX_LINES: Final = 200
MAX_QUANTITY: Final = 999

Note = Remark
Reason = Annotated[Remark, Field(min_length=1)]
Reference = Annotated[Line64, Field(min_length=1)]


class OrderStatus(StrEnum):
    """Where an order stands."""

    PLACED = "placed"
    PREPARING = "preparing"
    READY = "ready"
    CLOSED = "closed"
    CANCELLED = "cancelled"


class OrderStep(StrEnum):
    """What moves an order on."""

    START = "start"
    """The first of its tickets was started."""
    FINISH = "finish"
    """The last of its open tickets was bumped."""
    REOPEN = "reopen"
    """Lines were added to an order that was ready."""
    CLOSE = "close"
    CANCEL = "cancel"


ORDER_STEPS: Final[dict[tuple[OrderStatus, OrderStep], OrderStatus]] = {
    (OrderStatus.PLACED, OrderStep.START): OrderStatus.PREPARING,
    (OrderStatus.PLACED, OrderStep.FINISH): OrderStatus.READY,
    (OrderStatus.PLACED, OrderStep.CANCEL): OrderStatus.CANCELLED,
    (OrderStatus.PREPARING, OrderStep.FINISH): OrderStatus.READY,
    (OrderStatus.PREPARING, OrderStep.CANCEL): OrderStatus.CANCELLED,
    (OrderStatus.READY, OrderStep.REOPEN): OrderStatus.PREPARING,
    (OrderStatus.READY, OrderStep.CLOSE): OrderStatus.CLOSED,
}
"""The order's state machine. What is not in this table cannot happen."""

OPEN_ORDER: Final = frozenset({OrderStatus.PLACED, OrderStatus.PREPARING, OrderStatus.READY})


class LineRequest(Part):
    """One line as a device asks for it; name and price come from the menu."""

    item: Slug
    quantity: Annotated[int, Field(ge=1, le=MAX_QUANTITY, strict=True)]
    note: Note = ""


Lines = Annotated[tuple[LineRequest, ...], Field(min_length=1, max_length=MAX_LINES)]


class PlaceOrder(Request, type="heard.order.place.v1", topic="orders/place"):
    """A new order. Its envelope's id becomes the order's id."""

    lines: Lines
    reference: Reference | None = None
    """The sender's own number for it: a till's ticket, a web shop's order."""
    table: Annotated[Line32, Field(min_length=1)] | None = None


class AddLines(Request, type="heard.order.add-lines.v1", topic="orders/add-lines"):
    """More lines for an open order; the kitchen gets them on tickets of their own."""

    order_id: UUID
    lines: Lines


class CancelOrder(Request, type="heard.order.cancel.v1", topic="orders/cancel"):
    """The whole order is off; the kitchen takes its tickets away."""

    order_id: UUID
    reason: Reason


class CloseOrder(Request, type="heard.order.close.v1", topic="orders/close"):
    """The guest has it: a ready order leaves the floor."""

    order_id: UUID


class OrderLine(Part):
    """One line as it was accepted, with the menu's price of that moment."""

    line: Annotated[int, Field(ge=1)]
    item: Slug
    name: str
    quantity: Annotated[int, Field(ge=1, le=MAX_QUANTITY)]
    unit_minor: Minor
    station: Slug
    note: Note = ""


class Order(Part):
    """An order, whole."""

    order_id: UUID
    number: str
    """For people: ``ORD-240115103045-A1B2``, in UTC."""
    status: OrderStatus
    version: Annotated[int, Field(ge=1)]
    device: Slug
    """The device that placed it."""
    reference: Reference | None = None
    table: str | None = None
    currency: Currency
    total_minor: Minor
    lines: tuple[OrderLine, ...]
    placed_at: AwareDatetime
    reason: str | None = None
    """Why it was cancelled."""


class OrderPlaced(Event, type="heard.order.placed.v1", topic="orders/placed", about="order_id"):
    """An order was accepted; its tickets were cut in the same instant."""

    order_id: UUID
    order: Order


class OrderChange(StrEnum):
    """What changed."""

    LINES_ADDED = "lines-added"
    PREPARING = "preparing"
    READY = "ready"
    CANCELLED = "cancelled"
    CLOSED = "closed"


class OrderChanged(Event, type="heard.order.changed.v1", topic="orders/changed", about="order_id"):
    """An order changed; it comes whole, with its new version."""

    order_id: UUID
    change: OrderChange
    order: Order
    added: tuple[int, ...] = ()
    """The numbers of the lines that are new."""
