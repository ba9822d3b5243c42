"""Trips for all open orders: round after round, each courier is given one more bundle. Pure.

In each round SciPy finds the best pairs of bundles and couriers, as the couriers will stand after
the rounds before; where there are more bundles than couriers, those are brought first that would
lose most by waiting, for the courier's time they take.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from services.dispatch.board import Board, Integers
from services.dispatch.bundling import bundles_of
from services.dispatch.matching import best_pairs
from services.dispatch.situation import Floats
from services.dispatch.trips import Bundles, Trips, bundle, go

_MOST_ROUNDS = 50


@dataclass(slots=True)
class Draft:
    """A plan in the making: for each courier the bundles, one after the other."""

    trips: list[list[tuple[int, ...]]]
    left: set[int] = field(default_factory=set)


def approach(board: Board) -> Floats:
    """For each order, how long couriers ride to its restaurant, about: the nearest one."""
    if not board.couriers:
        return np.zeros(len(board.orders))
    ride = board.ride[board.mode[:, None], board.start[:, None], board.pickup[None, :]]
    nearest: Floats = ride.min(axis=0)
    return nearest


def draft(board: Board) -> Draft:
    """Give out all orders that anybody can bring."""
    found = Draft([[] for _ in board.couriers], set(range(len(board.orders))))
    if not board.couriers or not board.orders:
        return found
    groups = bundles_of(board, sorted(found.left), approach(board))
    start, free = board.start.copy(), board.free.copy()
    everybody: Integers = np.arange(len(board.couriers))
    for _ in range(_MOST_ROUNDS):
        if not groups:
            break
        made = bundle(board, groups)
        trips = go(board, made, start, free, everybody)
        gain = _gain(board, made, trips)
        pairs = best_pairs(gain)
        if not pairs:
            break
        for b, k in pairs:
            found.trips[k].append(groups[b])
            found.left -= set(groups[b])
            start[k], free[k] = made.last[b], trips.done[b, k]
        taken = {b for b, _ in pairs}
        groups = [each for b, each in enumerate(groups) if b not in taken]
    return found


def _gain(board: Board, made: Bundles, trips: Trips) -> Floats:
    """What it gains to bring each bundle with each courier on this trip, not on one of the next.

    Minus infinity where the courier cannot, or is so much worse than the best one that waiting for
    another is better.
    """
    weights = board.weights
    late = (board.now_s + weights.put_off_s > board.promised[made.order]) & made.there
    rate = weights.wait * made.count + weights.late * late.sum(axis=1)
    best = trips.cost.min(axis=1)
    reached = np.isfinite(best)
    best = np.where(reached, best, 0.0)
    # Food that is not ready loses nothing by waiting for a courier.
    slack = np.where(trips.cost < np.inf, made.ready[:, None] - trips.arrive, -np.inf)
    slack = np.maximum(0.0, slack.max(axis=1, initial=-np.inf))
    lost = rate * np.maximum(0.0, weights.put_off_s - slack)
    busy = trips.done - trips.leave
    shortest = np.where(trips.cost < np.inf, busy, np.inf).min(axis=1, initial=np.inf)
    taken = board.price * np.where(reached, shortest, 0.0)
    worse = trips.cost - best[:, None]
    gain = weights.stranded * made.count[:, None] + (lost - taken)[:, None] - worse
    return np.where(worse <= (rate * weights.put_off_s)[:, None], gain, -np.inf)
