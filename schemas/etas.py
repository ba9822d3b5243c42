"""When an order will be at its door: told with a range, and with its reasons."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, Field

from schemas.message import Part, State
from schemas.text import Line120


class EtaPart(StrEnum):
    """What a guest waits for, one after the other."""

    COOKING = "cooking"
    """Until the food is ready."""
    COURIER = "courier"
    """The courier's way to the restaurant, where that takes longer than the food."""
    HAND_OVER = "hand-over"
    STOPS_BEFORE = "stops-before"
    """Other doors come first."""
    RIDE = "ride"
    DOOR = "door"
    """From the kerb to the guest."""


class EtaReason(Part):
    """One part of the wait that is left."""

    part: EtaPart
    p50_s: Annotated[float, Field(ge=0)]
    """How long it takes, as likely less as more."""
    p90_s: Annotated[float, Field(ge=0)]
    text: Line120 = ""


class Confidence(StrEnum):
    """How well it is known."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    """Learned from little, or from a position that is old."""


class EtaState(State, type="heard.eta.v1", topic="etas/{order_id}", about="order_id"):
    """When an order will be at its door: retained; published only when it moved enough."""

    order_id: UUID
    p50_at: AwareDatetime
    """As likely sooner as later."""
    p90_at: AwareDatetime
    """By then, nine times of ten."""
    as_of: AwareDatetime
    """When it was reckoned."""
    fix_at: AwareDatetime | None = None
    """The time of the courier's position that it rests on; None where it rests on none."""
    stale: bool = False
    """What it rests on is too old: nobody knows better at the moment."""
    confidence: Confidence
    promised_at: AwareDatetime | None = None
    late: bool = False
    """It will rather not be there as promised."""
    stops_before: Annotated[int, Field(ge=0)] = 0
    """Doors that come first; 0 and on the way: yours is next."""
    reasons: Annotated[tuple[EtaReason, ...], Field(max_length=16)] = ()
