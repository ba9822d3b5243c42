"""What people do with stock: receive, count, waste, damage, move, send back."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

from pydantic import AwareDatetime, Field

from schemas.identifiers import Slug
from schemas.inventory import Quantity
from schemas.message import Part, Query, Request
from schemas.money import Minor
from schemas.text import Line64, Remark

MAX_STOCK_LINES: Final = 500


class ReceivedLine(Part):
    """One item of a delivery."""

    item: Slug
    quantity: Quantity
    expires_on: date | None = None
    cost_minor: Minor | None = None
    """What all of it cost."""
    place: Slug | None = None
    """Where it goes; None is where the kitchen takes it from."""


class ReceiveStock(Request, type="heard.stock.receive.v1", topic="inventory/receive"):
    """A delivery has come. The same note of the same supplier counts once."""

    supplier: Slug
    note: Annotated[Line64, Field(min_length=1)]
    """The number on the delivery note."""
    lines: Annotated[tuple[ReceivedLine, ...], Field(min_length=1, max_length=MAX_STOCK_LINES)]
    purchase: UUID | None = None
    """The purchase order that it belongs to."""
    person: Slug | None = None


class CountedLine(Part):
    """What somebody found of an item at a place, and when they looked."""

    item: Slug
    quantity: Quantity | None = None
    """None is: there is nothing left."""
    place: Slug | None = None
    at: AwareDatetime | None = None
    """When it was counted; a tablet that was offline says so later. None is now."""


class CountStock(Request, type="heard.stock.count.v1", topic="inventory/count"):
    """Somebody has counted, without having seen what the books say."""

    count: Slug
    """The count that it belongs to: ``2026-11-21-night``."""
    lines: Annotated[tuple[CountedLine, ...], Field(min_length=1, max_length=MAX_STOCK_LINES)]
    person: Slug | None = None
    note: Remark = ""


class StockLoss(StrEnum):
    """What became of it."""

    WASTE = "waste"
    """Thrown away."""
    DAMAGE = "damage"
    """Set aside: still on hand, and of no use."""
    REPAIR = "repair"
    """Not damaged after all."""
    DISCARD = "discard"
    """What was damaged is thrown away."""


class LoseStock(Request, type="heard.stock.lose.v1", topic="inventory/lose"):
    """Something was thrown away, or set aside as damaged."""

    what: StockLoss
    item: Slug
    quantity: Quantity
    reason: Annotated[Remark, Field(min_length=1)]
    place: Slug | None = None
    lot_id: UUID | None = None
    """Of which lot, where somebody knows."""
    person: Slug | None = None


class TransferStock(Request, type="heard.stock.transfer.v1", topic="inventory/transfer"):
    """Something was carried from one place of the house to another."""

    item: Slug
    quantity: Quantity
    place: Slug
    to_place: Slug
    person: Slug | None = None


class ReturnStock(Request, type="heard.stock.return.v1", topic="inventory/return"):
    """Something goes back to who delivered it."""

    supplier: Slug
    item: Slug
    quantity: Quantity
    reason: Annotated[Remark, Field(min_length=1)]
    place: Slug | None = None
    lot_id: UUID | None = None
    person: Slug | None = None


class ReadCountSheet(Query, type="heard.stock.read-sheet.v1", topic="inventory/read-sheet"):
    """What there is to count, page by page; how much of it there should be is not told."""

    after: Slug | None = None
    """Those whose names come after this one."""


class ReadStock(Query, type="heard.stock.read.v1", topic="inventory/read"):
    """How much there is of these items, or of the first that there are."""

    items: Annotated[tuple[Slug, ...], Field(max_length=MAX_STOCK_LINES)] = ()
    after: Slug | None = None
    """With no items named: those whose names come after this one."""
