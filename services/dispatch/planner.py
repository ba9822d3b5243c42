"""Which courier takes which orders, in which sequence, leaving when: pure and deterministic.

A plan is made anew from what is known now, and decides late: a trip is told only when its courier
has to leave, or the food would wait; until then a later plan may do it otherwise. What was told is
never changed. Every order is in exactly one trip or among those left out, with why.
"""

from __future__ import annotations

import numpy as np

from services.dispatch.board import Board, lay_out
from services.dispatch.improving import Improver
from services.dispatch.reasons import reason_of, why_nobody
from services.dispatch.rounds import draft
from services.dispatch.situation import (
    Door,
    LeftOut,
    Plan,
    Route,
    Situation,
    Travel,
    Trip,
)
from services.dispatch.trips import Trips, bundle, go
from services.dispatch.weights import Weights


def plan(situation: Situation, travel: Travel, weights: Weights | None = None) -> Plan:
    """Plan all open orders; see the module.

    Args:
        situation: what is known.
        travel: how long ways are; one it does not know (NaN) is not taken.
        weights: the objective; None for the usual one.
    """
    weights = weights or Weights()
    board, left_out = lay_out(situation, travel, weights)
    found = draft(board)
    Improver(board, found).improve()
    routes: dict[str, list[Trip]] = {}
    for trip in situation.told:
        routes.setdefault(trip.courier, []).append(trip)
    again, cost = np.inf, 0.0
    for k, groups in enumerate(found.trips):
        trips, costs = _timed(board, k, groups)
        cost += costs
        if trips and not trips[0].told:
            again = min(again, trips[0].leave_s - weights.lead_s)
        if trips:
            routes.setdefault(board.couriers[k].name, []).extend(trips)
    for i in sorted(found.left):
        left_out[board.orders[i].name] = why_nobody(board, situation, i)
    return Plan(
        routes=tuple(Route(name, tuple(trips)) for name, trips in sorted(routes.items())),
        left_out=tuple(LeftOut(name, why) for name, why in sorted(left_out.items())),
        again_s=float(again),
        cost=cost + weights.stranded * len(found.left),
    )


def _timed(board: Board, k: int, groups: list[tuple[int, ...]]) -> tuple[list[Trip], float]:
    """A courier's trips with their times, and what they cost."""
    trips: list[Trip] = []
    which = np.array([k])
    start, free = board.start[which], board.free[which]
    total = 0.0
    for group in groups:
        made = bundle(board, [group])
        times = go(board, made, start, free, which)
        told = not trips and _now(board, k, times)
        after = made.after[board.mode[k], 0]
        departed = float(times.pickup[0, 0]) + board.half_pickup
        doors = tuple(
            Door(board.orders[i].name, departed + float(after[j])) for j, i in enumerate(group)
        )
        trips.append(
            Trip(
                courier=board.couriers[k].name,
                restaurant=board.orders[group[0]].restaurant,
                leave_s=float(times.leave[0, 0]),
                arrive_s=float(times.arrive[0, 0]),
                pickup_s=float(times.pickup[0, 0]),
                doors=doors,
                done_s=float(times.done[0, 0]),
                told=told,
                reason=reason_of(board, k, made, times, first=not trips, told=told),
            )
        )
        start, free = made.last[:1], times.done[0]
        total += float(times.cost[0, 0])
    return trips, total


def _now(board: Board, k: int, times: Trips) -> bool:
    """Whether the courier must be told now: within the lead they are free and have to leave."""
    soon = board.now_s + board.weights.lead_s
    return board.couriers[k].free_s <= soon and bool(times.leave[0, 0] <= soon)
