"""Whether a solution keeps the rules of the Meal Delivery Routing Problem, and how good it is.

The checker knows the problem alone: it trusts no time a solution states, and nothing of how the
solution was found. The rules are those of Reyes et al. (2018):

- an order is brought once at most, and nobody is told of it before it is placed;
- a courier is told at the place and from the time the shift begins, or after the last drop, and
  is not diverted on the way: every ride takes what the straight line takes, rounded up;
- a bundle is of one restaurant; it is picked up when its last order is ready and half the pickup
  service has passed since the arrival, whichever is later, and not after the courier's off-time;
- the courier leaves half a service later, drops half a drop-off service after the arrival at a
  door, and is done there half a service after that.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from services.dispatch.mdrp.instance import Instance, Place
from services.dispatch.mdrp.solution import Assignment, Drop, Solution

_EXACT_MIN: Final = 1e-6
"""What sums of halves may be off by."""
_HOUR_MIN: Final = 60.0


class Broken(StrEnum):
    """The rules, each by what breaks it."""

    UNKNOWN_COURIER = "unknown_courier"
    UNKNOWN_RESTAURANT = "unknown_restaurant"
    UNKNOWN_ORDER = "unknown_order"
    NO_TIME = "no_time"
    EMPTY_BUNDLE = "empty_bundle"
    ORDER_TWICE_IN_BUNDLE = "order_twice_in_bundle"
    ORDER_BROUGHT_TWICE = "order_brought_twice"
    OTHER_RESTAURANT = "other_restaurant"
    TOLD_BEFORE_PLACED = "told_before_placed"
    TOLD_BEFORE_SHIFT = "told_before_shift"
    TOLD_WHILE_BUSY = "told_while_busy"
    STARTED_ELSEWHERE = "started_elsewhere"
    LEFT_BEFORE_TOLD = "left_before_told"
    AT_RESTAURANT_TOO_SOON = "at_restaurant_too_soon"
    DIVERTED_TO_RESTAURANT = "diverted_to_restaurant"
    PICKED_BEFORE_READY = "picked_before_ready"
    PICKED_BEFORE_SERVICE = "picked_before_service"
    PICKED_AFTER_SHIFT = "picked_after_shift"
    LEFT_RESTAURANT_TOO_SOON = "left_restaurant_too_soon"
    NOT_DROPPED = "not_dropped"
    DROPPED_TWICE = "dropped_twice"
    DROPPED_NOT_CARRIED = "dropped_not_carried"
    AT_DOOR_TOO_SOON = "at_door_too_soon"
    DIVERTED_TO_DOOR = "diverted_to_door"
    DROPPED_BEFORE_SERVICE = "dropped_before_service"
    LEFT_DOOR_TOO_SOON = "left_door_too_soon"


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule broken once.

    Attributes:
        code: which rule.
        courier: who would have done it.
        words: what is wrong, for people.
    """

    code: Broken
    courier: str
    words: str


@dataclass(frozen=True, slots=True)
class Metrics:
    """How good a solution is; times in minutes, None where nothing was delivered.

    Attributes:
        orders: how many there were.
        delivered: how many of them were brought to their door.
        click_to_door_mean: from the placing of an order to its drop-off.
        click_to_door_p90: what nine of ten did not take longer than.
        ready_to_pickup_mean: for how long food stood ready.
        courier_hours: all shifts together.
        cost_per_order: what couriers are paid for all their shifts - for each the pay of the orders
            or the guaranteed pay, whichever is more - over the delivered orders.
        feasible: no rule is broken.
    """

    orders: int
    delivered: int
    click_to_door_mean: float | None
    click_to_door_p90: float | None
    ready_to_pickup_mean: float | None
    courier_hours: float
    cost_per_order: float | None
    feasible: bool


def violations(instance: Instance, solution: Solution) -> list[Violation]:
    """Every rule that is broken, as often as it is; nothing where the solution is feasible."""
    found: list[Violation] = []
    of_courier: dict[str, list[Assignment]] = defaultdict(list)
    brought: Counter[str] = Counter()
    for each in solution.assignments:
        unknown = list(_unknown(instance, each))
        found += unknown
        for order in dict.fromkeys(each.orders):
            brought[order] += 1
            if brought[order] == 2:
                found.append(_of(each, Broken.ORDER_BROUGHT_TWICE, f"{order} is brought twice"))
        if unknown:
            continue
        of_courier[each.courier].append(each)
        for rule in (_told, _picked, _dropped):
            found += rule(instance, each)
    for each_of in of_courier.values():
        found += _one_after_the_other(instance, each_of)
    return found


def measure(instance: Instance, solution: Solution) -> Metrics:
    """The problem's metrics of a solution; what is not in the instance counts for nothing."""
    waits, stood = [], []
    paid_orders: Counter[str] = Counter()
    delivered: set[str] = set()
    for each in solution.assignments:
        for drop in each.drops:
            order = instance.orders.get(drop.order)
            if order is None or order.name in delivered or order.name not in each.orders:
                continue
            delivered.add(order.name)
            paid_orders[each.courier] += 1
            waits.append(drop.dropped_min - order.placed_min)
            stood.append(each.picked_min - order.ready_min)
    hours = {
        name: (courier.off_min - courier.on_min) / _HOUR_MIN
        for name, courier in instance.couriers.items()
    }
    pay = instance.parameters
    cost = sum(
        max(pay.pay_per_order * paid_orders[name], pay.guaranteed_per_hour * hours[name])
        for name in instance.couriers
    )
    return Metrics(
        orders=len(instance.orders),
        delivered=len(delivered),
        click_to_door_mean=float(np.mean(waits)) if waits else None,
        click_to_door_p90=float(np.percentile(waits, 90)) if waits else None,
        ready_to_pickup_mean=float(np.mean(stood)) if stood else None,
        courier_hours=sum(hours.values()),
        cost_per_order=cost / len(delivered) if delivered else None,
        feasible=not violations(instance, solution),
    )


def bound_min(instance: Instance) -> float | None:
    """Below this no policy can bring the mean click-to-door, were there a courier at every counter.

    An order is at its door no sooner than when it is ready, half a pickup service, the ride from
    the restaurant and half a drop-off service later. None where there are no orders.
    """
    services = (instance.parameters.pickup_min + instance.parameters.dropoff_min) / 2
    least = [
        order.ready_min
        - order.placed_min
        + services
        + instance.ride_min(instance.restaurants[order.restaurant], order.door)
        for order in instance.orders.values()
    ]
    return float(np.mean(least)) if least else None


def _of(each: Assignment, code: Broken, words: str) -> Violation:
    return Violation(code, each.courier, f"courier {each.courier}: {words}")


def _before(one: float, other: float) -> bool:
    return one < other - _EXACT_MIN


def _unknown(instance: Instance, each: Assignment) -> Iterator[Violation]:
    """What keeps an assignment from being judged at all."""
    if each.courier not in instance.couriers:
        yield _of(each, Broken.UNKNOWN_COURIER, "nobody of this name works here")
    if each.restaurant not in instance.restaurants:
        yield _of(each, Broken.UNKNOWN_RESTAURANT, f"there is no restaurant {each.restaurant}")
    if not each.orders:
        yield _of(each, Broken.EMPTY_BUNDLE, f"goes to {each.restaurant} for nothing")
    named = {*each.orders, *(drop.order for drop in each.drops)}
    for order in sorted(named - instance.orders.keys()):
        yield _of(each, Broken.UNKNOWN_ORDER, f"there is no order {order}")
    times = [each.instructed_min, each.left_min, each.arrived_min, each.picked_min]
    times += [each.departed_min, *each.start]
    for drop in each.drops:
        times += [drop.arrived_min, drop.dropped_min, drop.left_min]
    if not all(math.isfinite(time) for time in times):
        yield _of(each, Broken.NO_TIME, f"a time or place on the way of {each.orders} is no number")


def _told(instance: Instance, each: Assignment) -> Iterator[Violation]:
    """The bundle, and when the courier was told of it."""
    for order, times in Counter(each.orders).items():
        known = instance.orders[order]
        if times > 1:
            yield _of(each, Broken.ORDER_TWICE_IN_BUNDLE, f"{order} stands twice in one bundle")
        if known.restaurant != each.restaurant:
            yield _of(
                each,
                Broken.OTHER_RESTAURANT,
                f"{order} is cooked at {known.restaurant}, not at {each.restaurant}",
            )
        if _before(each.instructed_min, known.placed_min):
            yield _of(
                each,
                Broken.TOLD_BEFORE_PLACED,
                f"told of {order} at {each.instructed_min:g}, before it is placed at "
                f"{known.placed_min:g}",
            )
    on = instance.couriers[each.courier].on_min
    if _before(each.instructed_min, on):
        yield _of(
            each,
            Broken.TOLD_BEFORE_SHIFT,
            f"told at {each.instructed_min:g}, before the shift begins at {on:g}",
        )
    if _before(each.left_min, each.instructed_min):
        yield _of(
            each,
            Broken.LEFT_BEFORE_TOLD,
            f"left at {each.left_min:g}, before being told at {each.instructed_min:g}",
        )


def _picked(instance: Instance, each: Assignment) -> Iterator[Violation]:
    """The ride to the restaurant, and the pickup."""
    there = each.left_min + instance.ride_min(each.start, instance.restaurants[each.restaurant])
    if _before(each.arrived_min, there):
        words = f"at {each.restaurant} at {each.arrived_min:g}, which takes until {there:g}"
        yield _of(each, Broken.AT_RESTAURANT_TOO_SOON, words)
    if _before(there, each.arrived_min):
        words = f"at {each.restaurant} only at {each.arrived_min:g}, after a way until {there:g}"
        yield _of(each, Broken.DIVERTED_TO_RESTAURANT, words)
    ready = max(instance.orders[order].ready_min for order in each.orders)
    if _before(each.picked_min, ready):
        words = f"picked up at {each.picked_min:g} what is ready at {ready:g}"
        yield _of(each, Broken.PICKED_BEFORE_READY, words)
    half = instance.parameters.pickup_min / 2
    if _before(each.picked_min, each.arrived_min + half):
        words = f"picked up at {each.picked_min:g}, not {half:g} after the arrival"
        yield _of(each, Broken.PICKED_BEFORE_SERVICE, words)
    off = instance.couriers[each.courier].off_min
    if _before(off, each.picked_min):
        words = f"picked up at {each.picked_min:g}, after the shift ended at {off:g}"
        yield _of(each, Broken.PICKED_AFTER_SHIFT, words)
    if _before(each.departed_min, each.picked_min + half):
        words = f"left {each.restaurant} at {each.departed_min:g}, not {half:g} after the pickup"
        yield _of(each, Broken.LEFT_RESTAURANT_TOO_SOON, words)


def _dropped(instance: Instance, each: Assignment) -> Iterator[Violation]:
    """The doors."""
    drops = Counter(drop.order for drop in each.drops)
    for order in dict.fromkeys(each.orders):
        if not drops[order]:
            yield _of(each, Broken.NOT_DROPPED, f"{order} is picked up and never dropped")
    for order, times in drops.items():
        if order not in each.orders:
            yield _of(each, Broken.DROPPED_NOT_CARRIED, f"{order} is dropped, not picked up")
        elif times > 1:
            yield _of(each, Broken.DROPPED_TWICE, f"{order} is dropped {times} times")
    here, since = instance.restaurants[each.restaurant], each.departed_min
    for drop in each.drops:
        yield from _door(instance, each, drop, here, since)
        here, since = instance.orders[drop.order].door, drop.left_min


def _door(
    instance: Instance, each: Assignment, drop: Drop, here: Place, since: float
) -> Iterator[Violation]:
    there = since + instance.ride_min(here, instance.orders[drop.order].door)
    half = instance.parameters.dropoff_min / 2
    if _before(drop.arrived_min, there):
        words = f"at the door of {drop.order} at {drop.arrived_min:g}, which takes until {there:g}"
        yield _of(each, Broken.AT_DOOR_TOO_SOON, words)
    if _before(there, drop.arrived_min):
        words = f"at the door of {drop.order} only at {drop.arrived_min:g}, not at {there:g}"
        yield _of(each, Broken.DIVERTED_TO_DOOR, words)
    if _before(drop.dropped_min, drop.arrived_min + half):
        words = f"dropped {drop.order} at {drop.dropped_min:g}, not {half:g} after the arrival"
        yield _of(each, Broken.DROPPED_BEFORE_SERVICE, words)
    if _before(drop.left_min, drop.dropped_min + half):
        words = f"left the door of {drop.order} at {drop.left_min:g}, not {half:g} after the drop"
        yield _of(each, Broken.LEFT_DOOR_TOO_SOON, words)


def _one_after_the_other(instance: Instance, of_courier: list[Assignment]) -> Iterator[Violation]:
    """A courier is told where and when the last thing ended, and starts from there."""
    courier = instance.couriers[of_courier[0].courier]
    here, free = courier.place, courier.on_min
    for each in sorted(of_courier, key=lambda one: (one.instructed_min, one.done_min)):
        if _before(each.instructed_min, free) and free > courier.on_min:
            words = f"told at {each.instructed_min:g}, and busy until {free:g}"
            yield _of(each, Broken.TOLD_WHILE_BUSY, words)
        if each.start != here:
            words = f"starts at {each.start}, and stands at {here}"
            yield _of(each, Broken.STARTED_ELSEWHERE, words)
        free = each.done_min
        last = each.drops[-1].order if each.drops else None
        here = instance.restaurants[each.restaurant] if last is None else instance.orders[last].door
