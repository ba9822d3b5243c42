"""Stock: what is kept, how it is counted, and how much of it there is."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final, Self
from uuid import UUID

from pydantic import AwareDatetime, Field, model_validator

from schemas.identifiers import Slug
from schemas.message import Event, Part, State
from schemas.money import Minor
from schemas.text import Line64, Line120, Remark

THOUSANDTHS: Final = 1000
MOST: Final = 10**15
"""Thousandths of a gram: a million tonnes. Whoever says more has slipped."""

Amount = Annotated[int, Field(ge=0, le=MOST)]
"""Thousandths of the item's base unit: a whole number, so that sums are exact."""
SignedAmount = Annotated[int, Field(ge=-MOST, le=MOST)]


class BaseUnit(StrEnum):
    """In what an item is counted."""

    GRAM = "g"
    MILLILITRE = "ml"
    EACH = "each"


class MovementKind(StrEnum):
    """What moved."""

    RECEIVE = "receive"
    PLAN = "plan"
    """Promised to an order for a later day: it takes nothing from today."""
    UNPLAN = "unplan"
    RESERVE = "reserve"
    RELEASE = "release"
    CONSUME = "consume"
    """Cooked: what was reserved for it is no longer, and no longer there."""
    WASTE = "waste"
    DAMAGE = "damage"
    REPAIR = "repair"
    """It was not damaged after all."""
    DISCARD = "discard"
    """What was damaged is thrown away."""
    COUNT = "count"
    """Somebody looked: the difference between what there is and what the books said."""
    TRANSFER = "transfer"
    """From one place of the house to another."""
    RETURN = "return"
    """To who delivered it, whole."""


class StockMark(StrEnum):
    """How an item stands against its thresholds; it goes back only above the clear ones."""

    OK = "ok"
    LOW = "low"
    CRITICAL = "critical"


class Quantity(Part):
    """So much of something, as people say it: 1.5 kg."""

    amount: Annotated[str, Field(pattern=r"^[0-9]{1,12}(\.[0-9]{1,6})?$")]
    """A decimal, written down: it is kept exactly."""
    unit: Annotated[Line64, Field(min_length=1)]
    """g, kg, ml, l, each, dozen …; it must convert to the item's base unit."""


class Pack(Part):
    """How a supplier sells an item."""

    supplier: Slug
    holds: Annotated[int, Field(ge=1, le=MOST)]
    """Thousandths of the item's base unit in one pack."""
    price_minor: Minor
    name: Line64 = ""


class StockItem(Part):
    """An ingredient, or a thing that is sold as it is; amounts in thousandths of its unit."""

    item: Slug
    name: Annotated[Line120, Field(min_length=1)]
    unit: BaseUnit
    piece_g: Annotated[Decimal, Field(gt=0, max_digits=18, decimal_places=6)] | None = None
    """What one piece weighs, in grams."""
    g_per_ml: Annotated[Decimal, Field(gt=0, max_digits=18, decimal_places=6)] | None = None
    place: Slug = "kitchen"
    """Where the kitchen takes it from."""
    par: Amount | None = None
    """How much should be there after a delivery."""
    low: Amount | None = None
    """Below this, somebody should see to it."""
    low_clear: Amount | None = None
    """Only from here on it is well again; above `low`. None is a fifth more than `low`."""
    critical: Amount | None = None
    critical_clear: Amount | None = None
    """None is a fifth more than `critical`."""
    packs: Annotated[tuple[Pack, ...], Field(max_length=32)] = ()
    """How it can be bought; the first is how it usually is."""

    @model_validator(mode="after")
    def _clears_above_what_raises(self) -> Self:
        for raised, cleared, name in (
            (self.low, self.low_clear, "low"),
            (self.critical, self.critical_clear, "critical"),
        ):
            if cleared is not None and (raised is None or cleared <= raised):
                raise ValueError(f"{name}_clear must be above {name}, or the alert would flutter")
        if None not in (self.low, self.critical) and (self.critical or 0) >= (self.low or 0):
            raise ValueError("critical must be below low")
        return self

    def clears(self) -> tuple[int | None, int | None]:
        """From where on low and critical are over: what is said, or a fifth more."""
        return _clear(self.low, self.low_clear), _clear(self.critical, self.critical_clear)


def _clear(raised: int | None, cleared: int | None) -> int | None:
    if raised is None or cleared is not None:
        return cleared
    return raised + max(1, raised // 5)


class SheetLine(Part):
    """One thing to be counted, for who counts it."""

    item: Slug
    name: Line120
    unit: BaseUnit
    places: tuple[Slug, ...]
    """Where it should be looked for: where the kitchen takes it from comes first."""
    units: tuple[Line64, ...]
    """In which it may be counted."""


class PlacedStock(Part):
    """What is on hand at one place of the house."""

    place: Slug
    on_hand: SignedAmount


class StockLevel(Part):
    """How much there is of an item, in thousandths of its unit."""

    item: Slug
    unit: BaseUnit
    on_hand: SignedAmount
    """Below nothing where more was cooked than the books had: somebody has to count."""
    reserved: Amount
    """Promised to orders that are not cooked yet."""
    damaged: Amount
    """On hand still, and of no use."""
    planned: Amount
    """Promised to orders for later days."""
    available: SignedAmount
    """On hand, not damaged and not reserved."""
    places: tuple[PlacedStock, ...] = ()
    """What is on hand at each place."""
    counted: bool
    """Whether anybody has said how much there is; until then it limits nothing."""
    mark: StockMark = StockMark.OK
    changed_at: AwareDatetime


class StockState(State, type="heard.stock.v1", topic="inventory/{item}", about="item"):
    """How much there is of an item: retained; told a moment after it changed, not each time."""

    item: Slug
    level: StockLevel


class MovedLine(Part):
    """One item of a movement."""

    item: Slug
    amount: SignedAmount
    """As its kind counts it; below nothing only where a count found less."""


class StockMovement(Part):
    """One entry of the ledger: what moved together, of which kind, and why."""

    movement_id: UUID
    kind: MovementKind
    at: AwareDatetime
    """When it was so; a count that comes late tells of an earlier time than `kept_at`."""
    kept_at: AwareDatetime
    lines: tuple[MovedLine, ...]
    place: Slug | None = None
    """None is the place of each item."""
    to_place: Slug | None = None
    order_id: UUID | None = None
    reference: Line64 | None = None
    """The number of a delivery note, the name of a count."""
    device: Slug
    person: Slug | None = None
    why: Remark = ""


class StockMoved(Event, type="heard.stock.moved.v1", topic="inventory/moved", about="movement_id"):
    """Somebody moved stock. What orders take is told by the orders themselves."""

    movement_id: UUID
    movement: StockMovement


class Lot(Part):
    """What came in together, and keeps until the same day."""

    lot_id: UUID
    item: Slug
    received: Amount
    left: Amount
    """What should be left of it: what expires first is used first."""
    expires_on: date | None = None
    received_at: AwareDatetime
    reference: Line64 | None = None
    cost_minor: Minor | None = None
    """What all of it cost."""
