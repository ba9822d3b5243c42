"""What it costs that a courier goes for a bundle, reckoned for many at once. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.dispatch.board import NEVER_S, Board, Flags, Integers
from services.dispatch.situation import Floats


@dataclass(frozen=True, slots=True)
class Bundles:
    """Orders of one restaurant each, that one courier brings on one trip (b of them).

    Attributes:
        orders: the orders of each, in the sequence of their doors.
        count: how many each has (b).
        pickup: the place of the restaurant (b).
        ready: the p50 of the last one's being ready (b).
        spread: the scale around that (b).
        order: the order at each position (b x most), 0 where there is none.
        there: whether there is one (b x most).
        after: seconds from leaving the restaurant until each guest has it (modes x b x most).
        last: the place of the last door (b).
        detour: what guests ride about, all together (modes x b).
        farthest: what the guest rides about whose detour is longest (modes x b).
        size: what it takes of a capacity (b).
    """

    orders: tuple[tuple[int, ...], ...]
    count: Floats
    pickup: Integers
    ready: Floats
    spread: Floats
    order: Integers
    there: Flags
    after: Floats
    last: Integers
    detour: Floats
    farthest: Floats
    size: Floats


def bundle(board: Board, orders: Sequence[tuple[int, ...]]) -> Bundles:
    """Put bundles into arrays; none of them is empty."""
    most = max((len(each) for each in orders), default=1)
    shape = (len(orders), most)
    order = np.zeros(shape, dtype=np.int64)
    there = np.zeros(shape, dtype=np.bool_)
    for b, each in enumerate(orders):
        order[b, : len(each)] = each
        there[b, : len(each)] = True
    first = order[:, 0]
    pickup = board.pickup[first]
    after = np.zeros((board.ride.shape[0], *shape))
    detour = np.zeros(after.shape[:2])
    farthest = np.zeros(after.shape[:2])
    here, since = pickup, np.zeros(after.shape[:2])
    for j in range(most):
        on = there[:, j]
        door = board.door[order[:, j]]
        at = since + board.ride[:, here, door] + board.half_drop
        after[:, :, j] = np.where(on, at, 0.0)
        direct = board.ride[:, pickup, door] + board.half_drop
        about = np.where(on & board.known(at), at - direct, 0.0)
        detour += about
        farthest = np.maximum(farthest, about)
        here = np.where(on, door, here)
        since = np.where(on, at + board.half_drop, since)
    return Bundles(
        orders=tuple(orders),
        count=there.sum(axis=1).astype(np.float64),
        pickup=pickup,
        ready=np.where(there, board.ready[order], -np.inf).max(axis=1, initial=-np.inf),
        spread=np.where(there, board.spread[order], 0.0).max(axis=1, initial=0.0),
        order=order,
        there=there,
        after=after,
        last=here,
        detour=detour,
        farthest=farthest,
        size=np.where(there, board.size[order], 0.0).sum(axis=1),
    )


@dataclass(frozen=True, slots=True)
class Trips:
    """Each bundle with each courier (b x m), seconds; infinite cost where it cannot be.

    Attributes:
        leave: when the courier has to set out.
        arrive: when they are at the restaurant.
        pickup: when they are expected to have the food.
        done: when they are free again.
        cost: guest seconds from now on; what a guest has waited already is nobody's choice.
    """

    leave: Floats
    arrive: Floats
    pickup: Floats
    done: Floats
    cost: Floats


def go(board: Board, bundles: Bundles, start: Integers, free: Floats, which: Integers) -> Trips:
    """What comes of it if couriers go for bundles.

    Args:
        board: all that is known.
        bundles: what could be brought (b).
        start: where each courier stands (m).
        free: from when on (m).
        which: who they are (m).
    """
    weights, half = board.weights, board.half_pickup
    mode = board.mode[which]
    ride = board.ride[mode[None, :], start[None, :], bundles.pickup[:, None]]
    ready, spread = bundles.ready[:, None], bundles.spread[:, None]
    wanted = ready + board.early(spread) - half - ride
    leave = np.maximum(free[None, :], wanted)
    arrive = leave + ride
    pickup = expected_pickup(arrive + half, ready, spread)
    departed = pickup + half
    after = bundles.after[mode]  # m x b x most
    after = np.moveaxis(after, 0, 1)  # b x m x most
    done = departed + after.max(axis=2, initial=0.0) + board.half_drop
    cost = np.zeros_like(ride)
    for j in range(bundles.order.shape[1]):
        on = bundles.there[:, j]
        at = departed + after[:, :, j]
        late = np.maximum(0.0, at - board.promised[bundles.order[:, j]][:, None])
        cost += on[:, None] * (weights.wait * (at - board.now_s) + weights.late * late)
    cost += weights.cold * bundles.count[:, None] * np.maximum(0.0, pickup - ready)
    cost += weights.counter * (pickup - arrive - half)
    cost += weights.detour * bundles.detour[mode].T
    end = np.maximum(board.end[which][None, :], leave)
    cost += board.price * (np.minimum(done, end) - leave)
    cost += weights.overtime * np.maximum(0.0, done - end)
    cost += weights.fairness * bundles.count[:, None] * np.maximum(0.0, board.had[which])[None, :]
    cannot = pickup > board.end[which][None, :]
    cannot |= bundles.size[:, None] > board.capacity[which][None, :]
    cannot |= weights.detour_most_s < bundles.farthest[mode].T
    cannot |= ~_may(board, bundles, which)
    cannot |= done > board.now_s + NEVER_S
    cost[cannot] = np.inf
    return Trips(leave, arrive, pickup, done, cost)


def expected_pickup(there: Floats, ready: Floats, spread: Floats) -> Floats:
    """When food is expected to be in the bag: the mean of the later of two moments.

    Of a moment that is sure and one of a logistic distribution, that mean is
    ``ready + spread * log(1 + exp((there - ready) / spread))``.
    """
    scale = np.where(spread > 0, spread, 1.0)
    soft = ready + scale * np.logaddexp(0.0, (there - ready) / scale)
    return np.where(spread > 0, soft, np.maximum(there, ready))


def _may(board: Board, bundles: Bundles, which: Integers) -> Flags:
    allowed = board.allowed[:, which]
    may = np.ones((len(bundles.orders), which.size), dtype=np.bool_)
    for j in range(bundles.order.shape[1]):
        may &= allowed[bundles.order[:, j]] | ~bundles.there[:, j][:, None]
    return may
