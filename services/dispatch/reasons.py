"""Why somebody brings something, or nobody does, in plain words. Pure."""

from __future__ import annotations

import numpy as np

from services.dispatch.board import Board
from services.dispatch.situation import Situation
from services.dispatch.trips import Bundles, Trips


def reason_of(board: Board, k: int, made: Bundles, times: Trips, *, first: bool, told: bool) -> str:
    """Why this courier, and why then."""
    group = made.orders[0]
    order = board.orders[group[0]]
    ride = float(times.arrive[0, 0] - times.leave[0, 0])
    waits = float(made.ready[0] - times.arrive[0, 0])
    parts = []
    if order.pinned == board.couriers[k].name:
        parts.append("pinned to them")
    elif not first:
        parts.append("next on their way")
    elif board.free[k] > board.now_s:
        parts.append(f"free in {_span(board.free[k] - board.now_s)}")
    else:
        parts.append("free now")
    parts.append(f"{_span(ride)} from {order.restaurant}")
    if waits >= 60:
        parts.append(f"there {_span(waits)} before the food")
    elif waits <= -60:
        parts.append(f"the food waits {_span(-waits)}")
    else:
        parts.append("there as the food is ready")
    if len(group) > 1:
        parts.append(f"{len(group)} orders together")
    if first and not told:
        parts.append("open until they have to leave")
    return ", ".join(parts)


def why_nobody(board: Board, situation: Situation, i: int) -> str:  # noqa: PLR0911 - one for each why
    """Why nobody brings an order that could be planned."""
    order = board.orders[i]
    if not situation.couriers:
        return "there are no couriers"
    if not board.couriers:
        return "no courier is on shift, with a place that is known and not too old"
    names = {courier.name for courier in board.couriers}
    if order.pinned is not None and order.pinned not in names:
        return f"it is pinned to {order.pinned}, who is not at work"
    if not board.allowed[i].any():
        theirs = names if order.only is None else names & order.only
        if not theirs:
            return f"no courier of {order.restaurant} is on shift, with a place that is not too old"
        if theirs <= order.declined_by:
            return "every courier has declined it"
        if order.pinned is not None:
            return f"it is pinned to {order.pinned}, who declined it or cannot carry so much"
        return "no courier who has not declined it can carry so much"
    who = np.flatnonzero(board.allowed[i])
    there = board.ride[board.mode[who], board.start[who], board.pickup[i]]
    onward = board.ride[board.mode[who], board.pickup[i], board.door[i]]
    if not board.known(onward).any():
        return "nobody knows a way from its restaurant to its door"
    if not board.known(there).any():
        return "nobody knows a way to its restaurant for any courier"
    if not np.isfinite(board.end[who]).all():
        return "couriers have so much to do that it would come hours too late"
    return "every courier's shift ends before it could be picked up"


def _span(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes else f"{max(0, round(seconds))} s"
