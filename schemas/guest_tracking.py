"""What a guest's page and screens show of their order on its way, and nothing else of anybody."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, Field

from schemas.identifiers import Slug
from schemas.message import Part, State
from schemas.positions import Place


class GuestStatus(StrEnum):
    """Where an order stands, as its guest cares for it."""

    PREPARING = "preparing"
    READY = "ready"
    """The food waits for its courier."""
    ON_THE_WAY = "on-the-way"
    NEAR = "near"
    ARRIVED = "arrived"
    DELIVERED = "delivered"
    FAILED = "failed"
    """The courier was there, and nobody took it; it may come once more."""
    ENDED = "ended"
    """It does not come any more."""


class CourierPlace(Part):
    """Where the courier is."""

    place: Place
    at: AwareDatetime
    """When they were there."""
    within_m: Annotated[int, Field(ge=0)]
    """They are somewhere within so much of it: it is rounded before it is the guest's turn, and
    while they are still at the door before."""


class GuestTracking(Part):
    """One order on its way to one guest."""

    number: str
    status: GuestStatus
    words: str
    """The same for people."""
    as_of: AwareDatetime
    placed_at: AwareDatetime
    due_at: AwareDatetime | None = None
    promised_at: AwareDatetime | None = None
    """By then, the guest was told."""
    p50_at: AwareDatetime | None = None
    """As likely sooner as later; None where it has come, or is not known."""
    p90_at: AwareDatetime | None = None
    """By then, nine times of ten."""
    stale: bool = False
    """Nobody knows better at the moment."""
    live: bool = False
    """It follows the kitchen and the courier; else it is what was thought when it was ordered."""
    stops_before: Annotated[int, Field(ge=0)] | None = None
    """Doors that the courier goes to first; None while they have not set out with it."""
    next_is_yours: bool = False
    courier: CourierPlace | None = None
    door: Place | None = None
    """The guest's own, while the courier is shown."""
    code: str | None = None
    """What the courier asks for."""
    ended_at: AwareDatetime | None = None
    until: AwareDatetime
    """The link shows nothing after that."""


class TrackingState(
    State, type="heard.guest-tracking.v1", topic="tracking/{device}", about="device"
):
    """What a guest's screen shows, for that screen alone: retained while the delivery is open."""

    device: Slug
    tracking: GuestTracking
