"""A draft made better: trips and orders are moved between couriers while that saves anything. Pure.

Rounds give each courier one bundle after the other and never look back. Here each trip whose food
would wait is tried elsewhere: with another trip of its restaurant, in another place of anybody's
day, or changed for another trip. What it costs is reckoned over whole days of couriers, so that who
comes later pays for what is put before them. The best move of each trip is made, until no move
saves anything or the budget of tries is used up: the same situation gives the same plan.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from services.dispatch.board import Board
from services.dispatch.days import Days, Group
from services.dispatch.rounds import Draft

_LEAST_SAVING: Final = 1.0
_NEAREST: Final = 12
"""A trip is tried with so many couriers who would be there first."""
_TRIES: Final = 12_000


@dataclass(slots=True)
class Improver:
    """Makes one draft better.

    Attributes:
        board: all that is known.
        draft: what is changed.
        tries: how many days of couriers are reckoned at the most.
    """

    board: Board
    draft: Draft
    tries: int = _TRIES
    _days: Days = field(init=False)
    _cost: list[float] = field(init=False)
    _there: dict[int, list[int]] = field(init=False)
    _kitchens: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self._days = Days(self.board)
        self._cost = [self._days.cost(k, trips) for k, trips in enumerate(self.draft.trips)]
        self._there = {}
        self._kitchens = self.board.kitchen.tolist()

    def improve(self) -> None:
        """Move what can be moved to somewhere cheaper."""
        better = True
        while better and self._days.reckoned < self.tries:
            better = False
            for i in sorted(self.draft.left):
                better |= self._place(i)
            for k, group in self._waiting():
                if group in self.draft.trips[k] and self._days.reckoned < self.tries:
                    better |= self._move(k, group)

    # -- moves ----------------------------------------------------------------------------

    def _waiting(self) -> list[tuple[int, Group]]:
        """Trips whose food waits or that are not the first of a day, the longest wait first."""
        found = []
        for k, trips in enumerate(self.draft.trips):
            for at, step in enumerate(self._days.steps(k, trips)):
                if step.pickup > step.ready + 1.0 or at:
                    found.append((step.ready - step.pickup, k, trips[at]))
        return [(k, group) for _, k, group in sorted(found)]

    def _place(self, i: int) -> bool:
        """Find a place for an order that nobody brings."""
        best: tuple[float, int, list[Group]] | None = None
        for k in self._near((i,)):
            for trips in self._with((i,), self.draft.trips[k]):
                more = self._days.cost(k, trips) - self._cost[k]
                if best is None or more < best[0]:
                    best = (more, k, trips)
        if best is None or best[0] >= self.board.weights.stranded:
            return False
        self.draft.left.discard(i)
        self._set(best[1], best[2])
        return True

    def _move(self, k: int, group: Group) -> bool:
        """Move one trip to where it costs least."""
        rest = [each for each in self.draft.trips[k] if each != group]
        without = self._days.cost(k, rest)
        saved = self._cost[k] - without
        best_saving, best = _LEAST_SAVING, None
        for other in self._near(group):
            trips = rest if other == k else self.draft.trips[other]
            before = without if other == k else self._cost[other]
            for tried in self._with(group, trips):
                saving = saved - (self._days.cost(other, tried) - before)
                if saving > best_saving:
                    best_saving, best = saving, (other, tried, rest)
            if other != k:
                for mine, theirs in self._changed(k, group, other):
                    saving = self._cost[k] + self._cost[other]
                    saving -= self._days.cost(k, mine) + self._days.cost(other, theirs)
                    if saving > best_saving:
                        best_saving, best = saving, (other, theirs, mine)
        if best is None:
            return False
        other, theirs, mine = best
        self._set(k, mine)
        self._set(other, theirs)
        return True

    def _changed(self, k: int, group: Group, other: int) -> list[tuple[list[Group], list[Group]]]:
        """This trip and all after it, changed for the last ones of another courier."""
        mine, theirs = self.draft.trips[k], self.draft.trips[other]
        at = mine.index(group)
        return [(mine[:at] + theirs[to:], theirs[:to] + mine[at:]) for to in range(len(theirs))]

    def _with(self, group: Group, trips: list[Group]) -> list[list[Group]]:
        """All ways to put a trip into a day: for itself, or with another of its restaurant."""
        found = [[*trips[:at], group, *trips[at:]] for at in range(len(trips) + 1)]
        for at, each in enumerate(trips):
            if self._together(each, group):
                found += [[*trips[:at], both, *trips[at + 1 :]] for both in _joined(each, group)]
        return found

    def _together(self, one: Group, other: Group) -> bool:
        board, weights = self.board, self.board.weights
        if board.kitchen[one[0]] != board.kitchen[other[0]]:
            return False
        if len(one) + len(other) > weights.most_in_bundle:
            return False
        ready = board.ready[[*one, *other]]
        return bool(ready.max() - ready.min() <= weights.ready_apart_s)

    def _near(self, group: Group) -> list[int]:
        """Couriers who would be at the restaurant first, and those who go there anyway."""
        kitchen = int(self.board.kitchen[group[0]])
        near = self._there.get(kitchen)
        if near is None:
            board, pickup = self.board, int(self.board.pickup[group[0]])
            there = board.free + board.ride[board.mode, board.start, pickup]
            near = np.argsort(there, kind="stable")[:_NEAREST].tolist()
            self._there[kitchen] = near
        kitchens = self._kitchens
        also = [
            k
            for k, trips in enumerate(self.draft.trips)
            if trips and any(kitchens[each[0]] == kitchen for each in trips)
        ]
        return list(dict.fromkeys([*near, *also]))

    def _set(self, k: int, trips: list[Group]) -> None:
        self.draft.trips[k] = trips
        self._cost[k] = self._days.cost(k, trips)


def _joined(one: Group, other: Group) -> list[Group]:
    """Sequences of the doors of both: the other's are put in one by one, where they fit."""
    found = [one]
    for order in other:
        found = [(*each[:at], order, *each[at:]) for each in found for at in range(len(each) + 1)]
    return found
