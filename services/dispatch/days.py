"""What a courier's trips cost, one after the other, reckoned for one courier at a time. Pure.

The same objective as `services.dispatch.trips`, which reckons many couriers at once: here one is
asked for thousands of times, so that plain numbers that are remembered are faster than arrays.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from services.dispatch.board import NEVER_S, Board

Group = tuple[int, ...]
"""Orders of one trip, in the sequence of their doors."""


class Step(NamedTuple):
    """How one trip comes out: guest seconds, moments, and the place of the last door."""

    cost: float
    pickup: float
    ready: float
    last: int
    done: float


class _Bundle(NamedTuple):
    """What of a trip is the same for every courier of a travel mode."""

    pickup: int
    ready: float
    spread: float
    early: float
    after: list[float]
    detour: float
    farthest: float
    promised: list[float] | None
    last: int
    size: float


@dataclass(slots=True)
class Days:
    """Reckons days of couriers, and counts how often.

    Attributes:
        board: all that is known.
        reckoned: how many days that were not known yet.
    """

    board: Board
    reckoned: int = 0
    _ride: list[list[list[float]]] = field(init=False)
    _bundles: dict[tuple[int, Group], _Bundle] = field(init=False)
    _costs: dict[tuple[int, tuple[Group, ...]], float] = field(init=False)
    _free: list[float] = field(init=False)
    _end: list[float] = field(init=False)
    _start: list[int] = field(init=False)
    _mode: list[int] = field(init=False)
    _unfair: list[float] = field(init=False)
    _capacity: list[float] = field(init=False)
    _may_bring: list[list[bool]] = field(init=False)
    _all_may: bool = field(init=False)

    def __post_init__(self) -> None:
        board = self.board
        self._ride = board.ride.tolist()
        self._bundles, self._costs = {}, {}
        self._free, self._end = board.free.tolist(), board.end.tolist()
        self._start, self._mode = board.start.tolist(), board.mode.tolist()
        self._unfair = [board.weights.fairness * max(0.0, had) for had in board.had.tolist()]
        self._capacity = board.capacity.tolist()
        self._may_bring = board.allowed.T.tolist()
        self._all_may = bool(board.allowed.all())

    def cost(self, k: int, trips: list[Group]) -> float:
        """What a courier's trips cost; infinite where they cannot be."""
        if not trips:
            return 0.0
        key = (k, tuple(trips))
        known = self._costs.get(key)
        if known is not None:
            return known
        self.reckoned += 1
        start, free, total = self._start[k], self._free[k], 0.0
        for group in trips:
            step = self._step(k, group, start, free)
            if step is None:
                total = math.inf
                break
            start, free = step.last, step.done
            total += step.cost
        self._costs[key] = total
        return total

    def steps(self, k: int, trips: list[Group]) -> list[Step]:
        """How each of a courier's trips comes out, until one cannot be."""
        start, free = self._start[k], self._free[k]
        found: list[Step] = []
        for group in trips:
            step = self._step(k, group, start, free)
            if step is None:
                break
            found.append(step)
            start, free = step.last, step.done
        return found

    def _step(self, k: int, group: Group, start: int, free: float) -> Step | None:
        board, weights, half = self.board, self.board.weights, self.board.half_pickup
        known = self._bundle(self._mode[k], group)
        ride = self._ride[self._mode[k]][start][known.pickup]
        ready, end = known.ready, self._end[k]
        wanted = ready + known.early - half - ride
        leave = max(free, wanted)
        pickup = there = leave + ride + half
        if known.spread > 0:
            away = (there - ready) / known.spread
            soft = away if away > 30 else math.log1p(math.exp(away))
            pickup = ready + known.spread * soft
        elif ready > there:
            pickup = ready
        if not pickup <= end or known.size > self._capacity[k] or not self._may(k, group):
            return None
        if known.farthest > weights.detour_most_s:
            return None
        departed = pickup + half
        done = departed + known.after[-1] + board.half_drop
        if done > board.now_s + NEVER_S:
            return None
        count = len(group)
        cost = weights.wait * (count * (departed - board.now_s) + sum(known.after))
        cost += weights.detour * known.detour + self._unfair[k] * count
        cost += weights.counter * (pickup - there)
        if pickup > ready:
            cost += weights.cold * count * (pickup - ready)
        if known.promised is not None:
            for so_far, promised in zip(known.after, known.promised, strict=True):
                if departed + so_far > promised:
                    cost += weights.late * (departed + so_far - promised)
        end = max(end, leave)
        if done > end:
            cost += board.price * (end - leave) + weights.overtime * (done - end)
        else:
            cost += board.price * (done - leave)
        return Step(cost, pickup, ready, known.last, done)

    def _may(self, k: int, group: Group) -> bool:
        if self._all_may:
            return True
        mine = self._may_bring[k]
        return all(mine[i] for i in group)

    def _bundle(self, mode: int, group: Group) -> _Bundle:
        known = self._bundles.get((mode, group))
        if known is not None:
            return known
        board, ride = self.board, self._ride[mode]
        pickup = here = int(board.pickup[group[0]])
        since, detour, farthest, after = 0.0, 0.0, 0.0, []
        for i in group:
            door = int(board.door[i])
            at = since + ride[here][door] + board.half_drop
            if at < NEVER_S:
                about = at - ride[pickup][door] - board.half_drop
                detour, farthest = detour + about, max(farthest, about)
            after.append(at)
            here, since = door, at + board.half_drop
        spread = max(float(board.spread[i]) for i in group)
        promised = [float(board.promised[i]) for i in group]
        made = _Bundle(
            pickup=pickup,
            ready=max(float(board.ready[i]) for i in group),
            spread=spread,
            early=board.early(spread),
            after=after,
            detour=detour,
            farthest=farthest,
            promised=promised if min(promised) < math.inf else None,
            last=here,
            size=sum(float(board.size[i]) for i in group),
        )
        self._bundles[mode, group] = made
        return made
