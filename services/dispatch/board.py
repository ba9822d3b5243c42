"""A situation as arrays: what the planner reckons with. Pure.

Odd input ends here: what cannot be used is left out, with why, and the rest is planned.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from services.dispatch.situation import Courier, Floats, OpenOrder, Place, Situation, Travel
from services.dispatch.weights import Weights

Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]
Spread = TypeVar("Spread", float, Floats)

_LOGIT_90: Final = math.log(9.0)
"""By so many scales is the p90 of a logistic distribution beyond its p50."""
_NO_WAY_S: Final = 1e9
"""What stands for a way that nobody knows: sums of it stay numbers."""
NEVER_S: Final = 1e8
"""What ends so much later than now, never does."""
_LEAST_ODDS: Final = 1e-3
_LONGEST_S: Final = 12 * 3_600.0
"""Nobody rides for longer: a way that takes so long is none."""


@dataclass(frozen=True, slots=True)
class Board:
    """Orders (n), couriers (m) and places, each an index; times in seconds.

    Attributes:
        now_s: the moment.
        orders: the orders that are planned.
        couriers: the couriers who can be given something.
        placed: when each order was placed (n).
        ready: the p50 of its being ready (n).
        spread: the scale of the logistic distribution around that (n); 0 where it is certain.
        promised: when it was promised (n); infinite where it was not.
        size: what it takes of a capacity (n).
        pickup: the place where it is cooked (n).
        door: the guest's place (n).
        kitchen: which restaurant it is of, by name and place (n).
        start: where each courier is free next, a place (m).
        free: when, not before now (m).
        end: when the shift ends (m).
        capacity: what each carries (m).
        mode: how each travels, the first index of `ride` (m).
        had: orders today above the mean of all couriers (m).
        allowed: who may bring what (n x m).
        ride: seconds from place to place (modes x places x places); see `known`.
        half_pickup: half the service at a restaurant.
        half_drop: half the service at a door.
        price: what a courier's second costs now, guest seconds.
        weights: the objective.
    """

    now_s: float
    orders: tuple[OpenOrder, ...]
    couriers: tuple[Courier, ...]
    placed: Floats
    ready: Floats
    spread: Floats
    promised: Floats
    size: Floats
    pickup: Integers
    door: Integers
    kitchen: Integers
    start: Integers
    free: Floats
    end: Floats
    capacity: Floats
    mode: Integers
    had: Floats
    allowed: Flags
    ride: Floats
    half_pickup: float
    half_drop: float
    price: float
    weights: Weights

    def known(self, ride: Floats) -> Flags:
        """Of which rides, or sums of them, the way is known."""
        return ride < NEVER_S

    def early(self, spread: Spread) -> Spread:
        """How much later than the p50 of its being ready a courier should be there.

        A courier who is there too soon waits at `price` and `counter`, food that is ready waits
        for a guest: it costs least to be there when the food is ready with the odds of those two
        (the newsvendor of inventory theory). Of a logistic distribution that moment is its p50 and
        the logarithm of the odds times its scale.
        """
        waits = self.price + self.weights.counter
        odds = max(waits, _LEAST_ODDS) / max(self.weights.wait, _LEAST_ODDS)
        return spread * math.log(odds)


def lay_out(situation: Situation, travel: Travel, weights: Weights) -> tuple[Board, dict[str, str]]:
    """Put a situation into arrays; with why each order that cannot be planned is left out."""
    left_out: dict[str, str] = {}
    orders = tuple(_usable_orders(situation, left_out))
    couriers = tuple(usable_couriers(situation, weights.position_old_s))
    places: dict[Place, int] = {}

    def numbered(each: Iterable[Place]) -> Integers:
        return np.array([places.setdefault(place, len(places)) for place in each], dtype=np.int64)

    start = numbered(courier.place for courier in couriers)
    pickup = numbered(order.pickup for order in orders)
    door = numbered(order.door for order in orders)
    modes = sorted({courier.mode for courier in couriers})
    kitchens: dict[tuple[str, Place], int] = {}
    ready = _array(order.ready_p50_s for order in orders)
    later = _array(order.ready_p90_s for order in orders) - ready
    promised = _array(order.promised_s for order in orders)
    had = _array(courier.had if math.isfinite(courier.had) else 0.0 for courier in couriers)
    board = Board(
        now_s=situation.now_s,
        orders=orders,
        couriers=couriers,
        placed=_array(order.placed_s for order in orders),
        ready=ready,
        spread=np.where((later > 0) & np.isfinite(later), later, 0.0) / _LOGIT_90,
        promised=np.where(np.isfinite(promised), promised, np.inf),
        size=_array(order.size for order in orders),
        pickup=pickup,
        door=door,
        kitchen=np.array(
            [
                kitchens.setdefault((order.restaurant, order.pickup), len(kitchens))
                for order in orders
            ],
            dtype=np.int64,
        ),
        start=start,
        free=np.maximum(_array(courier.free_s for courier in couriers), situation.now_s),
        end=_array(courier.shift_end_s for courier in couriers),
        capacity=_array(courier.capacity for courier in couriers),
        mode=np.array([modes.index(courier.mode) for courier in couriers], dtype=np.int64),
        had=had - had.mean() if had.size else had,
        allowed=_allowed(orders, couriers),
        ride=_rides(list(places), modes, travel),
        half_pickup=max(0.0, situation.pickup_s) / 2,
        half_drop=max(0.0, situation.dropoff_s) / 2,
        price=_price(len(orders), couriers, situation.now_s, weights),
        weights=weights,
    )
    return board, left_out


def _array(values: Iterable[float]) -> Floats:
    return np.array(list(values), dtype=np.float64)


def _usable_orders(situation: Situation, left_out: dict[str, str]) -> Iterable[OpenOrder]:
    told = {order for trip in situation.told for order in trip.orders}
    seen: set[str] = set()
    for order in situation.orders:
        if order.name in told or order.name in seen:
            continue
        seen.add(order.name)
        if not all(map(math.isfinite, (*order.pickup, *order.door))):
            left_out[order.name] = "its restaurant or its door has no place"
        elif not math.isfinite(order.ready_p50_s):
            left_out[order.name] = "nobody knows when it is ready"
        elif not math.isfinite(order.placed_s):
            left_out[order.name] = "nobody knows when it was placed"
        else:
            yield order


def usable_couriers(situation: Situation, position_old_s: float) -> Iterable[Courier]:
    """Who counts: of one name the first, where their place and their shift are known.

    Args:
        situation: who there is.
        position_old_s: who was not seen for so long does not.
    """
    seen: set[str] = set()
    for courier in situation.couriers:
        known = all(map(math.isfinite, (*courier.place, courier.free_s)))
        if courier.name in seen or not known or math.isnan(courier.shift_end_s):
            continue
        seen.add(courier.name)
        if courier.shift_end_s < situation.now_s:
            continue
        if situation.now_s - courier.seen_s > position_old_s:
            continue
        yield courier


def _allowed(orders: tuple[OpenOrder, ...], couriers: tuple[Courier, ...]) -> Flags:
    allowed = np.ones((len(orders), len(couriers)), dtype=np.bool_)
    names = {courier.name: k for k, courier in enumerate(couriers)}
    for i, order in enumerate(orders):
        if order.pinned is not None:
            allowed[i] = False
            if order.pinned in names:
                allowed[i, names[order.pinned]] = True
        barred = set(order.declined_by)
        if order.only is not None:
            barred |= names.keys() - order.only
        for name in barred & names.keys():
            allowed[i, names[name]] = False
    sizes = _array(order.size for order in orders)
    carries = _array(courier.capacity for courier in couriers)
    return allowed & (sizes[:, None] <= carries[None, :])


def _rides(places: list[Place], modes: list[str], travel: Travel) -> Floats:
    count = len(places)
    ride = np.full((len(modes), count, count), _NO_WAY_S)
    at = np.array(places, dtype=np.float64).reshape(count, 2)
    for number, mode in enumerate(modes):
        said = np.asarray(travel(at, mode), dtype=np.float64)
        if said.shape == (count, count):
            ride[number] = np.where((said >= 0) & (said <= _LONGEST_S), said, _NO_WAY_S)
    return ride


def _price(count: int, couriers: tuple[Courier, ...], now: float, weights: Weights) -> float:
    """What a courier's second costs: the more, the more orders there are beyond one for each."""
    at_work = sum(1 for courier in couriers if courier.free_s <= now + weights.put_off_s)
    crowd = max(0.0, count / max(1, at_work) - 1.0)
    return weights.courier + weights.courier_when_busy * crowd
