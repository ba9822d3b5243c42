"""Which open orders of one restaurant should go together. Pure.

Bundles are grown from single orders: of all ways to join two bundles of a restaurant the one that
saves most is taken, until none saves anything. Joining saves a courier the second ride to the
restaurant and the service there; it costs guests the wait for the later food and the detour to the
other doors. Both are counted by the objective, so that bundles grow as couriers get scarce.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from services.dispatch.board import Board
from services.dispatch.situation import Floats
from services.dispatch.trips import Bundles, bundle


def bundles_of(board: Board, orders: list[int], approach_s: Floats) -> list[tuple[int, ...]]:
    """Bundles of the given orders; each order is in exactly one.

    Args:
        board: all that is known.
        orders: those to bundle.
        approach_s: for each order of the board, how long couriers ride to its restaurant, about.
    """
    of_kitchen: dict[int, list[int]] = {}
    for i in orders:
        of_kitchen.setdefault(int(board.kitchen[i]), []).append(i)
    found: list[tuple[int, ...]] = []
    for each in of_kitchen.values():
        each.sort(key=lambda i: (board.ready[i], i))
        found += _grown(board, each, approach_s) if len(each) > 1 else [(each[0],)]
    return found


def _grown(board: Board, orders: list[int], approach_s: Floats) -> list[tuple[int, ...]]:
    groups: list[tuple[int, ...]] = [(i,) for i in orders]
    cost = dict(zip(groups, _alone(board, bundle(board, groups), approach_s), strict=True))
    # By age: of pairs that save the same, the oldest is joined.
    age = {group: number for number, group in enumerate(groups)}
    worth = _worth(board, list(combinations(groups, 2)), cost, approach_s)
    while worth:
        best = max(worth, key=lambda pair: (worth[pair][0], -age[pair[0]], -age[pair[1]]))
        saving, together = worth[best]
        groups = [group for group in groups if group not in best]
        age[together] = len(age)
        cost[together] = cost[best[0]] + cost[best[1]] - saving
        worth = {pair: each for pair, each in worth.items() if not set(pair) & set(best)}
        worth |= _worth(board, [(group, together) for group in groups], cost, approach_s)
        groups.append(together)
    return groups


def _worth(
    board: Board,
    pairs: list[tuple[tuple[int, ...], tuple[int, ...]]],
    cost: dict[tuple[int, ...], float],
    approach_s: Floats,
) -> dict[tuple[tuple[int, ...], tuple[int, ...]], tuple[float, tuple[int, ...]]]:
    """Those pairs that save something when they are joined; see `_joined`."""
    found = _joined(board, pairs, cost, approach_s)
    return {pair: each for pair, each in found.items() if each[0] > 0}


def _joined(
    board: Board,
    pairs: list[tuple[tuple[int, ...], tuple[int, ...]]],
    cost: dict[tuple[int, ...], float],
    approach_s: Floats,
) -> dict[tuple[tuple[int, ...], tuple[int, ...]], tuple[float, tuple[int, ...]]]:
    """For each pair what joining it saves, and the best sequence of the doors then."""
    tried: list[tuple[int, ...]] = []
    whose: list[int] = []
    for number, (one, other) in enumerate(pairs):
        if cost[one] + cost[other] == np.inf:
            continue  # who cannot be brought alone is left alone: somebody must say why
        for sequence in _sequences(board, one, other):
            tried.append(sequence)
            whose.append(number)
    found = {pair: (-np.inf, pair[0]) for pair in pairs}
    if not tried:
        return found
    made = bundle(board, tried)
    costs = _alone(board, made, approach_s)
    for sequence, number, one_cost in zip(tried, whose, costs.tolist(), strict=True):
        pair = pairs[number]
        saving = cost[pair[0]] + cost[pair[1]] - one_cost
        if saving > found[pair][0]:
            found[pair] = (saving, sequence)
    return found


def _sequences(board: Board, one: tuple[int, ...], other: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Sequences of the doors of both: the smaller bundle's doors are put in where they fit best."""
    weights = board.weights
    big, small = (one, other) if len(one) >= len(other) else (other, one)
    ready = board.ready[[*big, *small]]
    if len(big) + len(small) > weights.most_in_bundle:
        return []
    if ready.max() - ready.min() > weights.ready_apart_s:
        return []
    if not board.allowed[[*big, *small]].all(axis=0).any():
        return []
    found = [big]
    for order in small:
        found = [(*each[:at], order, *each[at:]) for each in found for at in range(len(each) + 1)]
    return found


def _alone(board: Board, bundles: Bundles, approach_s: Floats) -> Floats:
    """What each bundle costs with a courier like any other, who is there when the food is."""
    weights = board.weights
    first = bundles.order[:, 0]
    earliest = board.now_s + approach_s[first] + board.half_pickup
    pickup = np.maximum(bundles.ready, earliest)
    after = bundles.after.mean(axis=0)
    total = np.zeros(len(bundles.orders))
    for j in range(bundles.order.shape[1]):
        on = bundles.there[:, j]
        order = bundles.order[:, j]
        at = pickup + board.half_pickup + after[:, j]
        late = np.maximum(0.0, at - board.promised[order])
        cold = np.maximum(0.0, pickup - np.maximum(board.ready[order], earliest))
        total += on * (
            weights.wait * (at - board.now_s) + weights.late * late + weights.cold * cold
        )
    detour = bundles.detour.mean(axis=0)
    total += weights.detour * detour
    back = approach_s[first]
    busy = 2 * board.half_pickup + after.max(axis=1, initial=0.0) + board.half_drop + back
    total += board.price * busy
    total[bundles.farthest.max(axis=0) > weights.detour_most_s] = np.inf
    return np.where(board.known(after).all(axis=1) & board.known(back), total, np.inf)
