"""What a planner is told: open orders, couriers, what was told already. Pure.

Times are seconds on any one clock (unix seconds, or of a day). Places are pairs of numbers that the
travel port understands: latitude and longitude, or metres on a plane.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Place = tuple[float, float]
Travel = Callable[[Floats, str], Floats]
"""Seconds between places: of an array of N places (N x 2) and a travel mode an N x N array, from
row to column; NaN where nobody knows the way."""

NO_PROMISE: Final = math.nan


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order that nobody was told to bring yet.

    Attributes:
        name: what it is called in the plan.
        placed_s: when the guest placed it.
        ready_p50_s: when half of such orders are ready.
        ready_p90_s: when nine of ten are; not before p50 counts.
        restaurant: the name of where it is cooked; orders of one name may go together.
        pickup: the place of that.
        door: the place of the guest.
        promised_s: when it was promised to be there; NaN where nothing was promised.
        size: how much of a courier's capacity it takes.
        pinned: the courier who alone may bring it; None for any.
        declined_by: couriers who will not.
        only: the couriers of its house; None where any may bring it.
    """

    name: str
    placed_s: float
    ready_p50_s: float
    ready_p90_s: float
    restaurant: str
    pickup: Place
    door: Place
    promised_s: float = NO_PROMISE
    size: float = 1.0
    pinned: str | None = None
    declined_by: frozenset[str] = frozenset()
    only: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Courier:
    """Somebody who can bring orders, after what they were told already.

    Attributes:
        name: what they are called in the plan.
        place: where they are free next.
        free_s: when; not before the shift begins.
        shift_end_s: after this they pick up nothing.
        capacity: how much they carry at once.
        mode: how they travel, as the travel port knows it.
        seen_s: when they were last seen; NaN where that does not matter.
        had: how many orders they had today.
    """

    name: str
    place: Place
    free_s: float
    shift_end_s: float
    capacity: float = math.inf
    mode: str = "car"
    seen_s: float = math.nan
    had: float = 0.0


@dataclass(frozen=True, slots=True)
class Door:
    """One stop at a guest's door: when the guest is expected to have the food."""

    order: str
    at_s: float


@dataclass(frozen=True, slots=True)
class Trip:
    """One way to one restaurant, and from there to the doors of one bundle.

    Attributes:
        courier: who.
        restaurant: where it is picked up.
        leave_s: when the courier has to set out.
        arrive_s: when they come to the restaurant.
        pickup_s: when they are expected to have the food.
        doors: the doors, in their sequence.
        done_s: when they are free again.
        told: the courier was told, or must be told now: no later plan changes it.
        reason: why so, in plain words.
    """

    courier: str
    restaurant: str
    leave_s: float
    arrive_s: float
    pickup_s: float
    doors: tuple[Door, ...]
    done_s: float
    told: bool
    reason: str

    @property
    def orders(self) -> tuple[str, ...]:
        """What is brought, in the sequence of the doors."""
        return tuple(door.order for door in self.doors)


@dataclass(frozen=True, slots=True)
class Situation:
    """All a planner knows at one moment.

    Attributes:
        now_s: the moment.
        orders: what is to be brought; each name once (of one name, the first counts).
        couriers: who could; where `told` holds a trip of theirs, free after it at the earliest.
        told: trips that couriers were told already; the plan has them as they are.
        pickup_s: the service at a restaurant, half before the pickup and half after it.
        dropoff_s: the service at a door, half before the guest has the food and half after it.
    """

    now_s: float
    orders: tuple[OpenOrder, ...] = ()
    couriers: tuple[Courier, ...] = ()
    told: tuple[Trip, ...] = ()
    pickup_s: float = 120.0
    dropoff_s: float = 120.0


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An order that gets nobody in this plan, and why."""

    order: str
    why: str


@dataclass(frozen=True, slots=True)
class Route:
    """A courier's trips, one after the other."""

    courier: str
    trips: tuple[Trip, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Who brings what. Every order is in exactly one trip, or among those left out.

    Attributes:
        routes: one for each courier who has something to do.
        left_out: every other order, with why.
        again_s: when the next courier has to be told of something; infinite where nobody has.
        cost: what the trips that are not told cost by the objective, guest seconds.
    """

    routes: tuple[Route, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    again_s: float = math.inf
    cost: float = field(default=0.0, compare=False)

    def to_tell(self, before: Situation) -> list[Trip]:
        """The trips that couriers must be told now and were not told before."""
        known = {(trip.courier, trip.orders) for trip in before.told}
        return [
            trip
            for route in self.routes
            for trip in route.trips
            if trip.told and (trip.courier, trip.orders) not in known
        ]
