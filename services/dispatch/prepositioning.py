"""Where couriers with nothing to do should be: near what is going to be ordered. Pure.

How many orders a restaurant gets soon is about a Poisson distribution of what it is expected to
get. The first courier beside it is worth the ride that somebody else would have had, as often as
one order comes at least; the second as often as two do, and so on. Couriers and places beside
restaurants are paired so that they gain most together, less what the way there costs. Nobody is
sent who gains nothing, and who stands at their restaurant already stays.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import gammainc

from services.dispatch.matching import best_pairs
from services.dispatch.situation import Courier, Floats, OpenOrder, Place, Travel
from services.dispatch.ways import ways

_HOUR_S: Final = 3_600.0
_MOST_AT_ONE: Final = 6
"""No more couriers than these are sent to one restaurant."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a restaurant is expected to get.

    Attributes:
        restaurant: its name.
        place: where it is.
        hourly: orders an hour.
    """

    restaurant: str
    place: Place
    hourly: float


@dataclass(frozen=True, slots=True)
class Prepositioning:
    """How couriers are prepositioned.

    Attributes:
        soon_s: orders are looked for so far ahead; about how long a courier stays idle.
        ride_price: what a second of the way there costs, in seconds that guests wait.
        near_s: who is so near to a restaurant stands there.
    """

    soon_s: float = 900.0
    ride_price: float = 0.2
    near_s: float = 90.0


@dataclass(frozen=True, slots=True)
class Sent:
    """A courier with nothing to do should go to a restaurant.

    Attributes:
        courier: who.
        restaurant: where to.
        place: where that is.
        why: in plain words.
    """

    courier: str
    restaurant: str
    place: Place
    why: str


def expected_of(
    orders: Iterable[OpenOrder], now_s: float, window_s: float = _HOUR_S
) -> list[Expected]:
    """What restaurants are expected to get, if it goes on as in the last hour; by their names.

    Args:
        orders: what was placed, each once, also what is closed by now.
        now_s: the moment.
        window_s: how far is looked back.
    """
    places: dict[str, Place] = {}
    times: Counter[str] = Counter()
    for order in orders:
        if now_s - window_s < order.placed_s <= now_s:
            places[order.restaurant] = order.pickup
            times[order.restaurant] += 1
    hours = window_s / _HOUR_S
    return [Expected(name, place, times[name] / hours) for name, place in sorted(places.items())]


def preposition(
    idle: Sequence[Courier],
    expected: Sequence[Expected],
    travel: Travel,
    how: Prepositioning | None = None,
    *,
    crews: Mapping[str, Collection[str]] | None = None,
    towards: Mapping[str, str] | None = None,
) -> list[Sent]:
    """Say who should go where; couriers who should stay are not in it.

    Args:
        idle: couriers with nothing to do, where they are now.
        expected: what restaurants are expected to get.
        travel: how long ways are; one that it does not know is not taken.
        how: see `Prepositioning`; None for the usual.
        crews: who brings for each restaurant; None where all do.
        towards: to which restaurant couriers were sent before. They count as if they stood there:
            whoever rides is not sent elsewhere by a small thing.
    """
    how = how or Prepositioning()
    couriers = [each for each in idle if all(map(math.isfinite, each.place))]
    known = [
        each
        for each in expected
        if all(map(math.isfinite, each.place)) and 0 < each.hourly < math.inf
    ]
    if not couriers or not known:
        return []
    ends = [each.place for each in known]
    modes = [each.mode for each in couriers]
    away = ways([each.place for each in couriers], modes, ends, travel)
    _forbid(away, couriers, known, crews)
    places = {each.restaurant: each.place for each in known}
    stands = [places.get((towards or {}).get(each.name, ""), each.place) for each in couriers]
    ride = ways(stands, modes, ends, travel) if towards else away
    reached = np.isfinite(away)
    # What a courier beside a restaurant saves: the ride of one who is anywhere else.
    saved = np.where(reached, away, 0.0).sum(axis=0) / np.maximum(1, reached.sum(axis=0))
    coming = np.array([each.hourly * how.soon_s / _HOUR_S for each in known])
    ride = np.where(reached, ride, np.inf)
    gain = np.empty((len(couriers), len(known) * _MOST_AT_ONE))
    for number in range(_MOST_AT_ONE):
        # So likely more orders than `number` come: a Poisson distribution's tail.
        likely = gammainc(number + 1, coming)
        gain[:, number::_MOST_AT_ONE] = likely * saved - how.ride_price * ride
    gain[~np.repeat(reached, _MOST_AT_ONE, axis=1)] = -np.inf
    sent = []
    for k, slot in best_pairs(gain):
        to = known[slot // _MOST_AT_ONE]
        left = float(away[k, slot // _MOST_AT_ONE])
        if left > how.near_s:
            why = f"{to.hourly:.0f} orders an hour expected at {to.restaurant}"
            why += f", {max(1, round(left / 60))} min away"
            sent.append(Sent(couriers[k].name, to.restaurant, to.place, why))
    return sorted(sent, key=lambda each: each.courier)


def _forbid(
    away: Floats,
    couriers: Sequence[Courier],
    known: Sequence[Expected],
    crews: Mapping[str, Collection[str]] | None,
) -> None:
    """Nobody is sent to a restaurant for which they bring nothing."""
    if crews is None:
        return
    for r, each in enumerate(known):
        crew = crews.get(each.restaurant, ())
        away[[courier.name not in crew for courier in couriers], r] = np.inf
