"""When a courier would be at a restaurant for one order more, by a plan that is made. Pure.

What the plan gives a courier stays as it is: the order more is brought after all of it, or between
two of its trips where there is time. So an order that is only asked for is told what it would find,
without planning everybody's evening anew for it; `benchmarks/dispatch_quotes.py` says how well.
That it may go along with another is not counted on: tried, it promised guests too much.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.dispatch.board import usable_couriers
from services.dispatch.situation import Courier, Place, Plan, Situation, Travel, Trip
from services.dispatch.ways import ways

_A_TRIP_S: Final = 1_800.0
"""So long a courier is away with one order, from the restaurant on and to where the next trip
begins, about: a gap has to be that long."""


@dataclass(frozen=True, slots=True)
class Opening:
    """A time in which a courier could bring one order more from a restaurant.

    Attributes:
        there_s: when they are at the restaurant.
        until_s: they pick up nothing after this: their shift ends, or the next trip begins.
    """

    there_s: float
    until_s: float


def soonest(openings: Sequence[Opening], ready_s: float) -> float:
    """When the first courier is there who can wait for the food; infinite where nobody can.

    Args:
        openings: of one restaurant.
        ready_s: when the food is ready.
    """
    able = (each.there_s for each in openings if max(each.there_s, ready_s) <= each.until_s)
    return min(able, default=math.inf)


def openings(
    situation: Situation,
    plan: Plan,
    travel: Travel,
    restaurants: Mapping[str, Place],
    crews: Mapping[str, Collection[str]],
    *,
    position_old_s: float = math.inf,
) -> dict[str, list[Opening]]:
    """The times in which couriers could bring one order more, by restaurant; soonest first.

    Args:
        situation: what was planned.
        plan: its plan.
        travel: how long ways are; one that it does not know is not taken.
        restaurants: where they are, by name.
        crews: who brings for each.
        position_old_s: who was not seen for so long is not counted on.
    """
    doors = {order.name: order.door for order in reversed(situation.orders)}
    # What was told before is in what couriers have to do already.
    routes = {
        route.courier: [trip for trip in route.trips if trip not in situation.told]
        for route in plan.routes
    }
    rests = [
        (courier, rest)
        for courier in usable_couriers(situation, position_old_s)
        if courier.capacity >= 1
        for rest in _rests(courier, routes.get(courier.name, ()), doors, situation.now_s)
    ]
    ride = ways(
        [rest.place for _, rest in rests],
        [courier.mode for courier, _ in rests],
        list(restaurants.values()),
        travel,
    )
    found: dict[str, list[Opening]] = {}
    for k, name in enumerate(restaurants):
        able = [
            Opening(rest.from_s + float(way), rest.until_s)
            for (courier, rest), way in zip(rests, ride[:, k], strict=True)
            if courier.name in crews[name] and np.isfinite(way)
        ]
        found[name] = sorted(
            (each for each in able if each.there_s <= each.until_s), key=lambda each: each.there_s
        )
    return found


# -- inside -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Rest:
    """A courier has nothing to do: where, from when, and until when they may pick up."""

    place: Place
    from_s: float
    until_s: float


def _rests(
    courier: Courier, trips: Sequence[Trip], doors: Mapping[str, Place], now_s: float
) -> Iterator[_Rest]:
    place, free = courier.place, max(now_s, courier.free_s)
    for trip in trips:
        if (until := min(trip.leave_s - _A_TRIP_S, courier.shift_end_s)) >= free:
            yield _Rest(place, free, until)
        place, free = doors[trip.orders[-1]], trip.done_s
    yield _Rest(place, free, courier.shift_end_s)
