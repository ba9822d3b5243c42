"""What a device is told of its request."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from schemas.identifiers import Slug
from schemas.kitchen import Ticket, TicketStatus
from schemas.limits import LimitsReport
from schemas.message import DeviceReply, Part
from schemas.money import Currency, Minor, SignedMinor
from schemas.orders import Order, OrderStatus, Wait
from schemas.parties import Party
from schemas.payments import PaymentStatus, Share
from schemas.refusals import RefusalCode


class Outcome(StrEnum):
    """How a request ended."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"


class OrderReceipt(Part):
    """An order request was done; or how the order stands, where it was refused."""

    kind: Literal["order"] = "order"
    order_id: UUID
    number: str
    status: OrderStatus
    version: int
    currency: Currency
    total_minor: Minor
    due_minor: SignedMinor = 0
    payment: PaymentStatus | None = None
    waits_for: tuple[Wait, ...] = ()
    payment_id: UUID | None = None
    """With a payment: under what the provider names it, together with the order's id."""
    change_minor: Minor | None = None
    """With cash that was handed over: what goes back."""


class OrderPage(Part):
    """One order, whole."""

    kind: Literal["order-page"] = "order-page"
    order: Order


class Shares(Part):
    """What each has to pay; together it is all that is due."""

    kind: Literal["shares"] = "shares"
    order_id: UUID
    currency: Currency
    shares: tuple[Share, ...]


class PartyReceipt(Part):
    """A party request was done; or how the party stands, where it was refused."""

    kind: Literal["party"] = "party"
    guest: int | None = None
    """Which guest the sender is."""
    party: Party


class TicketReceipt(Part):
    """A ticket request was done."""

    kind: Literal["ticket"] = "ticket"
    ticket_id: UUID
    status: TicketStatus
    version: int


class HeardReceipt(Part):
    """These tickets are known to be heard. What ended in the meantime is not listed."""

    kind: Literal["heard"] = "heard"
    ticket_ids: tuple[UUID, ...]


class StationPage(Part):
    """One page of a station's open tickets, by the sequence of their last change."""

    kind: Literal["station"] = "station"
    station: Slug
    sequence: int
    """The station's sequence when the page was read."""
    open: int
    tickets: tuple[Ticket, ...]
    more: bool


Result = Annotated[
    OrderReceipt
    | OrderPage
    | Shares
    | PartyReceipt
    | TicketReceipt
    | HeardReceipt
    | StationPage
    | LimitsReport,
    Field(discriminator="kind"),
]


class Reply(DeviceReply, type="heard.reply.v1", topic=""):
    """Accepted or rejected: the word that lets a device clear its outbox."""

    request: UUID | None = None
    """The id of the request; None, and so not on the wire, where it could not be read."""
    outcome: Outcome
    result: Result | None = None
    """What was done; or, with a refusal, how the thing stands now."""
    code: Annotated[RefusalCode | Slug | None, Field(union_mode="left_to_right")] = None
    """Why, for machines. One that is newer than the receiver comes as plain text: a device
    must be able to read every refusal, or it would ask again for ever."""
    message: str | None = None
    """For people: what was wrong, and what to do."""
    retry_after_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """With `rate-limited`: nothing was decided, and nothing more should be sent for so long."""
