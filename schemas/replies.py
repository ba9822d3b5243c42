"""What a device is told of its request."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from schemas.deliveries import Courier, Delivery
from schemas.identifiers import Slug
from schemas.inventory import SheetLine, StockLevel
from schemas.kitchen import Ticket, TicketStatus
from schemas.kitchen_pace import Intake
from schemas.limits import LimitsReport
from schemas.message import DeviceReply, Part
from schemas.money import Currency, Minor, SignedMinor
from schemas.orders import Order, OrderKind, OrderStatus, Wait
from schemas.parties import Party
from schemas.payments import PaymentStatus, Share
from schemas.purchasing import Purchase
from schemas.refusals import RefusalCode
from schemas.staff import OnDuty, Task


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


class PrintReceipt(Part):
    """A ticket is wanted on paper once more."""

    kind: Literal["print"] = "print"
    ticket_id: UUID
    station: Slug
    printers: tuple[Slug, ...]
    """Who attends its station and prints; where there is none, nothing comes out."""


class HeardReceipt(Part):
    """These tickets are known to be heard. What ended in the meantime is not listed."""

    kind: Literal["heard"] = "heard"
    ticket_ids: tuple[UUID, ...]


class CourseReceipt(Part):
    """A course was fired: the tickets that are to be made now."""

    kind: Literal["course"] = "course"
    order_id: UUID
    course: int
    ticket_ids: tuple[UUID, ...]


class StationReceipt(Part):
    """How a station stands."""

    kind: Literal["station-receipt"] = "station-receipt"
    station: Slug
    closed: str | None = None
    displays: tuple[Slug, ...] = ()
    printers: tuple[Slug, ...] = ()
    """Those that print what nobody has heard."""


class ChannelReceipt(Part):
    """How a kind of order is taken."""

    kind: Literal["channel"] = "channel"
    channel: OrderKind
    intake: Intake
    quoted_s: int
    why: str
    until: AwareDatetime | None = None
    """When a pause by hand ends by itself; None is when somebody resumes it."""


class AlertReceipt(Part):
    """How an alert stands."""

    kind: Literal["alert"] = "alert"
    alert: Slug
    acknowledged: bool


class DutyReceipt(Part):
    """How somebody's duty stands."""

    kind: Literal["duty"] = "duty"
    person: Slug
    on_duty: bool
    station: Slug | None = None
    ticket_id: UUID | None = None
    """The ticket that was given to them by this, where one was."""


class TaskReceipt(Part):
    """How a task stands."""

    kind: Literal["task"] = "task"
    task_id: UUID
    waits_for: tuple[Slug, ...]


class StaffPage(Part):
    """Who is on duty, and what is still to be read."""

    kind: Literal["staff-page"] = "staff-page"
    on_duty: tuple[OnDuty, ...]
    tasks: tuple[Task, ...]
    """The oldest first, as many as a message may hold."""
    more: Annotated[int, Field(ge=0)] = 0
    """How many more tasks are still to be read."""


class FindingReceipt(Part):
    """How a check came out."""

    kind: Literal["finding"] = "finding"
    finding_id: UUID
    check: Slug
    passed: bool
    waived: bool = False
    limits: str = ""


class StockReceipt(Part):
    """What was done to the stock, and how it stands now."""

    kind: Literal["stock"] = "stock"
    movement_id: UUID | None = None
    """The entry of the ledger; None where nothing moved."""
    levels: tuple[StockLevel, ...] = ()
    """Of all that was touched; none after a count, which is blind."""
    superseded: tuple[Slug, ...] = ()
    """Items of a count that somebody has counted later: it is kept, and moves nothing."""


class StockPage(Part):
    """One page of the stock, by name."""

    kind: Literal["stock-page"] = "stock-page"
    levels: tuple[StockLevel, ...]
    more: bool = False


class PurchaseReceipt(Part):
    """How a purchase order stands."""

    kind: Literal["purchase"] = "purchase"
    purchase: Purchase


class PurchasePage(Part):
    """Purchase orders, the newest first."""

    kind: Literal["purchase-page"] = "purchase-page"
    purchases: tuple[Purchase, ...]
    more: bool = False


class CountSheet(Part):
    """One page of what there is to count, by name."""

    kind: Literal["count-sheet"] = "count-sheet"
    lines: tuple[SheetLine, ...]
    more: bool = False


class ItemReceipt(Part):
    """How an item of the menu can be had."""

    kind: Literal["item"] = "item"
    item: Slug
    available: bool
    left: int | None = None
    why: str = ""
    back_at: AwareDatetime | None = None


class DeliveryReceipt(Part):
    """How a delivery stands; what was promised of it stands, wherever its door is."""

    kind: Literal["delivery"] = "delivery"
    delivery: Delivery
    tries_left: Annotated[int, Field(ge=0)] | None = None
    """With a wrong code: so many more may be tried."""


class DeliveryPage(Part):
    """One page of deliveries, the first placed first."""

    kind: Literal["delivery-page"] = "delivery-page"
    deliveries: tuple[Delivery, ...]
    more: bool = False


class DeliveryLink(Part):
    """The link by which a guest sees where their order is."""

    kind: Literal["delivery-link"] = "delivery-link"
    order_id: UUID
    path: str
    """Below the gateway's address. Whoever has it sees what its guest may see."""
    until: AwareDatetime


class QuotePart(Part):
    """How long a part of the wait takes, in seconds: as likely less as more, and nine in ten."""

    p50_s: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    p90_s: Annotated[float, Field(ge=0, allow_inf_nan=False)]


class DeliveryQuote(Part):
    """What a delivery order would be promised that is placed now."""

    kind: Literal["delivery-quote"] = "delivery-quote"
    p50_at: AwareDatetime
    """As likely sooner as later."""
    promised_at: AwareDatetime
    """By then, nine times of ten; a whole minute."""
    taken: bool
    """Whether such an order is taken now."""
    why_not: str | None = None
    """Why not, for people."""
    distance_m: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    """From the restaurant to the door, along the straight line."""
    items: Annotated[int, Field(ge=1)]
    """So many dishes were reckoned with."""
    wait: QuotePart
    """From now to the guest, whatever time it is wanted for."""
    kitchen: QuotePart
    """Until the food is ready."""
    courier: QuotePart
    """Until a courier is at the restaurant who has nothing else to do; beside the kitchen."""
    way: QuotePart
    """From when both are there to the guest."""
    learned: bool = False
    """The wait was learned from order to door: the parts say only what moves it now."""
    waiting: Annotated[int, Field(ge=0)] = 0
    """So many deliveries stand before it that nobody has picked up."""
    couriers: Annotated[int, Field(ge=0)] = 0
    """So many couriers are at work."""


class CourierReceipt(Part):
    """How a courier stands."""

    kind: Literal["courier"] = "courier"
    courier: Courier
    stops: tuple[UUID, ...] = ()
    on_duty: bool = True
    until: AwareDatetime | None = None


class CourierPage(Part):
    """All couriers of a house, by name."""

    kind: Literal["courier-page"] = "courier-page"
    couriers: tuple[CourierReceipt, ...]


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
    | PrintReceipt
    | HeardReceipt
    | StationPage
    | CourseReceipt
    | StationReceipt
    | ChannelReceipt
    | AlertReceipt
    | DutyReceipt
    | TaskReceipt
    | StaffPage
    | FindingReceipt
    | StockReceipt
    | StockPage
    | CountSheet
    | PurchaseReceipt
    | PurchasePage
    | ItemReceipt
    | DeliveryReceipt
    | DeliveryPage
    | DeliveryLink
    | DeliveryQuote
    | CourierReceipt
    | CourierPage
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
