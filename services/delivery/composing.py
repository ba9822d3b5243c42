"""When an order will be at its door: the parts of the wait that is left, put together; pure.

Everything is arrays, one entry for each order, and seconds from now on. The food and the courier
come to the restaurant each in their own time; whichever is later counts (`spans.later_of`). What
follows comes one after the other: the hand-over, other doors on the way, the ride, the door.

Rides to other doors and to the own one are one ride here, over all that is left of the way: who
rides slowly rides all of it slowly. So a stop before never makes anything earlier, and nor does a
longer way or later food.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.delivery.spans import Span, later_of, left, one_after_the_other

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Waits:
    """What is known of each order's wait; all of one length.

    Attributes:
        ready: until the food is ready; nothing where it is.
        courier: until the courier is at the restaurant; nothing where they are, or were.
        hand_over: from both being there to the food in the bag.
        both_since_s: for how long food and courier have both been there; below zero, not yet.
        in_the_bag: the food is with the courier: all that came before is over.
        stops_before: how many doors come first.
        ride: all of the way that is left, to the own door.
        door: from the kerb to the guest.
        at_door_since_s: for how long the courier has been at the door; below zero, not yet.
    """

    ready: Span
    courier: Span
    hand_over: Span
    both_since_s: Floats
    in_the_bag: Bools
    stops_before: Floats
    ride: Span
    door: Span
    at_door_since_s: Floats


@dataclass(frozen=True, slots=True)
class Composed:
    """How long until each door, and of what that is made.

    Attributes:
        total: the whole wait.
        ready: what is waited for first, as it counts: nothing where it is over.
        courier: beside it.
        hand_over: the parts that come after, each nothing where it is over.
        stops_before: as said.
        ride: as said.
        door: as said.
    """

    total: Span
    ready: Span
    courier: Span
    hand_over: Span
    stops_before: Span
    ride: Span
    door: Span


def compose(waits: Waits) -> Composed:
    """Put the parts together."""
    count = waits.in_the_bag.size
    nothing = Span.nothing(count)
    ready = nothing.where(waits.in_the_bag, waits.ready)
    courier = nothing.where(waits.in_the_bag, waits.courier)
    begun = waits.both_since_s >= 0
    hand_over = left(waits.hand_over, np.maximum(0.0, waits.both_since_s))
    hand_over = hand_over.where(begun, waits.hand_over)
    hand_over = nothing.where(waits.in_the_bag, hand_over)
    there = waits.at_door_since_s >= 0
    door = left(waits.door, np.maximum(0.0, waits.at_door_since_s)).where(there, waits.door)
    ride = nothing.where(there, waits.ride)
    # Doors are much alike in one house: with their number grows the spread as the middle does.
    stops = nothing.where(there, waits.door.times(waits.stops_before))
    first = _both(ready, courier)
    total = one_after_the_other([first, hand_over, stops, ride, door])
    return Composed(total, ready, courier, hand_over, stops, ride, door)


def _both(ready: Span, courier: Span) -> Span:
    """Until both are there; most of the time most orders wait for neither, or for one."""
    food, other = ready.p90_s > 0, courier.p90_s > 0
    first = ready.where(food, courier)
    both = np.flatnonzero(food & other)
    if both.size:
        later = later_of(_some(ready, both), _some(courier, both))
        first.p50_s[both], first.p90_s[both] = later.p50_s, later.p90_s
    return first


def _some(span: Span, which: NDArray[np.intp]) -> Span:
    return Span(span.p50_s[which], span.p90_s[which])
