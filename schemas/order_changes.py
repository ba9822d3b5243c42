"""What may be asked of an order once it is kept."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from schemas.menu import ModifierRequest
from schemas.message import Query, Request
from schemas.orders import MAX_LINES, MAX_QUANTITY, Note, Reason, Seat, Version

LineNumber = Annotated[int, Field(ge=1)]
LineNumbers = Annotated[tuple[LineNumber, ...], Field(min_length=1, max_length=MAX_LINES)]


class ChangeLine(Request, type="heard.order.change-line.v1", topic="orders/change-line"):
    """Change one line; what is None stays as it is. The station sees it as changed."""

    order_id: UUID
    line: LineNumber
    quantity: Annotated[int, Field(ge=1, le=MAX_QUANTITY, strict=True)] | None = None
    note: Note | None = None
    modifiers: Annotated[tuple[ModifierRequest, ...], Field(max_length=32)] | None = None
    seat: Seat | None = None
    reason: Reason | None = None
    version: Version | None = None
    """The order's version that the sender has seen; refused where this line changed since."""


class VoidLines(Request, type="heard.order.void-lines.v1", topic="orders/void-lines"):
    """Take lines off; what is cooked needs a manager."""

    order_id: UUID
    lines: LineNumbers
    reason: Reason
    version: Version | None = None


class VoidOrder(Request, type="heard.order.void.v1", topic="orders/void"):
    """Annul the whole order, cooked or not: a manager's right."""

    order_id: UUID
    reason: Reason
    version: Version | None = None


class AcceptOrder(Request, type="heard.order.accept.v1", topic="orders/accept"):
    """The house takes an order that waited for approval."""

    order_id: UUID


class RejectOrder(Request, type="heard.order.reject.v1", topic="orders/reject"):
    """The house does not take an order that is not yet with the kitchen."""

    order_id: UUID
    reason: Reason


class ServeOrder(Request, type="heard.order.serve.v1", topic="orders/serve"):
    """A ready order is on the table, or handed over."""

    order_id: UUID
    version: Version | None = None


class DispatchOrder(Request, type="heard.order.dispatch.v1", topic="orders/dispatch"):
    """A ready order left with a courier."""

    order_id: UUID


class DeliverOrder(Request, type="heard.order.deliver.v1", topic="orders/deliver"):
    """The guest has it."""

    order_id: UUID


class ReturnOrder(Request, type="heard.order.return.v1", topic="orders/return"):
    """The courier brought it back: it is ready again."""

    order_id: UUID
    reason: Reason


class ReadOrder(Query, type="heard.order.read.v1", topic="orders/read"):
    """Ask for one order, open or ended."""

    order_id: UUID
