"""What the dispatcher means to do: shown, so that whoever looks knows it and may say otherwise."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

from pydantic import AwareDatetime, Field

from schemas.identifiers import Slug
from schemas.message import Part, State
from schemas.positions import Place
from schemas.text import Line64, Line120

MAX_SHOWN: Final = 200
"""Trips and orders of one plan that are shown, the soonest first; the rest is counted."""


class PlannedDoor(Part):
    """One door of a trip."""

    order_id: UUID
    number: Line64
    at: AwareDatetime
    """When the guest is expected to have it."""


class PlannedTrip(Part):
    """One way of a courier to this house, and from there to its guests."""

    courier: Slug
    leave_at: AwareDatetime
    """When they have to set out; they are asked a little before."""
    arrive_at: AwareDatetime
    pickup_at: AwareDatetime
    """When they are expected to have the food."""
    doors: tuple[PlannedDoor, ...]
    asked: bool
    """They are asked of it now; else a later plan may do it otherwise."""
    why: Line120


class Unplanned(Part):
    """An order that nobody is to bring as things stand, and why."""

    order_id: UUID
    number: Line64
    why: Line120


class PlannedWait(Part):
    """A courier with nothing to do, who is told to come here and wait."""

    courier: Slug
    why: Line120


class WaitingPlace(
    State, type="heard.dispatch.waiting-place.v1", topic="delivery/{device}/waiting-place"
):
    """Where the courier with this tracker should wait: retained while they have nothing to do.

    Gone when they are there, have something to bring, or may stay where they are.
    """

    device: Slug
    courier: Slug
    place: Place
    why: Line120


class DispatchState(State, type="heard.dispatch.state.v1", topic="dispatch/plan"):
    """The plan for all of a house's orders that no courier was asked to bring yet.

    Retained for as long as the house has its couriers asked automatically.
    """

    planned_at: AwareDatetime
    couriers: Annotated[int, Field(ge=0)]
    """How many of this house's are on duty."""
    trips: Annotated[tuple[PlannedTrip, ...], Field(max_length=MAX_SHOWN)] = ()
    left_out: Annotated[tuple[Unplanned, ...], Field(max_length=MAX_SHOWN)] = ()
    waiting: Annotated[tuple[PlannedWait, ...], Field(max_length=MAX_SHOWN)] = ()
    """Who is to wait at this house's restaurant and is not there."""
    more: Annotated[int, Field(ge=0)] = 0
    """Trips and orders that found no room here."""
