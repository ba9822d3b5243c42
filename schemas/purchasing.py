"""Purchase orders: what a house asks a supplier for, and what of it has come."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

from pydantic import AwareDatetime, Field

from schemas.identifiers import Slug
from schemas.inventory import Amount, BaseUnit
from schemas.message import Event, Part, Query, Request
from schemas.money import Currency, Minor
from schemas.text import Line32, Line64, Line120, Remark

MAX_PURCHASE_LINES: Final = 200
"""With all their reasons they must fit into one message."""
MAX_PACKS: Final = 10_000
MAX_PURCHASE_PAGE: Final = 10

Packs = Annotated[int, Field(ge=1, le=MAX_PACKS)]


class PurchaseStatus(StrEnum):
    """Where a purchase order stands."""

    DRAFT = "draft"
    SENT = "sent"
    PART_RECEIVED = "part-received"
    RECEIVED = "received"
    """All that was asked for has come."""
    CANCELLED = "cancelled"
    """Nothing more comes of it; what has come stays."""


class PurchaseStep(StrEnum):
    """What moves a purchase order on."""

    EDIT = "edit"
    SEND = "send"
    RECEIVE_PART = "receive-part"
    RECEIVE_ALL = "receive-all"
    CANCEL = "cancel"


PURCHASE_STEPS: Final[dict[tuple[PurchaseStatus, PurchaseStep], PurchaseStatus]] = {
    (PurchaseStatus.DRAFT, PurchaseStep.EDIT): PurchaseStatus.DRAFT,
    (PurchaseStatus.DRAFT, PurchaseStep.SEND): PurchaseStatus.SENT,
    (PurchaseStatus.DRAFT, PurchaseStep.CANCEL): PurchaseStatus.CANCELLED,
    (PurchaseStatus.SENT, PurchaseStep.RECEIVE_PART): PurchaseStatus.PART_RECEIVED,
    (PurchaseStatus.SENT, PurchaseStep.RECEIVE_ALL): PurchaseStatus.RECEIVED,
    (PurchaseStatus.SENT, PurchaseStep.CANCEL): PurchaseStatus.CANCELLED,
    (PurchaseStatus.PART_RECEIVED, PurchaseStep.RECEIVE_PART): PurchaseStatus.PART_RECEIVED,
    (PurchaseStatus.PART_RECEIVED, PurchaseStep.RECEIVE_ALL): PurchaseStatus.RECEIVED,
    (PurchaseStatus.PART_RECEIVED, PurchaseStep.CANCEL): PurchaseStatus.CANCELLED,
}
"""The purchase order's state machine. What is not in this table cannot happen."""

COMING: Final = frozenset({PurchaseStatus.SENT, PurchaseStatus.PART_RECEIVED})
"""Of these something is still to come."""


class WantedLine(Part):
    """So many packs of an item."""

    item: Slug
    packs: Packs
    holds: Annotated[int, Field(ge=1)] | None = None
    """Which pack, by how much it holds; None is how it usually is bought of this supplier."""
    reasons: Annotated[tuple[Remark, ...], Field(max_length=12)] = ()


Wanted = Annotated[tuple[WantedLine, ...], Field(min_length=1, max_length=MAX_PURCHASE_LINES)]


class PurchaseLine(Part):
    """One item of a purchase order; amounts in thousandths of its unit."""

    item: Slug
    name: Line120
    unit: BaseUnit
    packs: Annotated[int, Field(ge=0, le=MAX_PACKS)]
    """0 where it came though nobody had asked for it."""
    pack: Line64 = ""
    holds: Annotated[int, Field(ge=0)]
    price_minor: Minor
    """Of one pack."""
    ordered: Amount
    received: Amount = 0
    reasons: tuple[Remark, ...] = ()


class Purchase(Part):
    """A purchase order, whole."""

    purchase_id: UUID
    number: Line32
    version: Annotated[int, Field(ge=1)]
    supplier: Slug
    status: PurchaseStatus
    lines: tuple[PurchaseLine, ...]
    currency: Currency
    total_minor: Minor
    """What was asked for, by the packs' prices."""
    expected_on: date | None = None
    made_at: AwareDatetime
    sent_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    note: Remark = ""


class DraftPurchase(Request, type="heard.purchase.draft.v1", topic="inventory/draft-purchase"):
    """Write down what to ask a supplier for; nothing is sent yet."""

    supplier: Slug
    lines: Wanted
    note: Remark = ""


class EditPurchase(Request, type="heard.purchase.edit.v1", topic="inventory/edit-purchase"):
    """Ask for something else, before it is sent."""

    purchase_id: UUID
    lines: Wanted
    note: Remark | None = None
    """None stays as it is."""


class SendPurchase(Request, type="heard.purchase.send.v1", topic="inventory/send-purchase"):
    """It goes to the supplier: from now on it is expected."""

    purchase_id: UUID
    expected_on: date | None = None
    """None is the first day on which they can bring it."""
    below_minimum: bool = False
    """Send it, though they bring nothing below their minimum."""


class CancelPurchase(Request, type="heard.purchase.cancel.v1", topic="inventory/cancel-purchase"):
    """Nothing more is to come of it."""

    purchase_id: UUID
    reason: Annotated[Remark, Field(min_length=1)]


class ReadPurchases(Query, type="heard.purchase.read.v1", topic="inventory/read-purchases"):
    """One purchase order, or the newest ones, which come without their lines' reasons."""

    purchase_id: UUID | None = None
    open_only: bool = False
    """Only drafts, and what is still to come."""


class PurchaseChanged(
    Event, type="heard.purchase.changed.v1", topic="inventory/purchase", about="purchase_id"
):
    """A purchase order stands otherwise than before."""

    purchase_id: UUID
    purchase: Purchase
