"""When food will be ready, as a kitchen's steps tell it: from what has happened by then. Pure.

An order goes through steps. Of those that are done it is known how long they took; of the one in
hand, that it is not done yet; of the others, what they usually take, times the pace that this
kitchen's latest steps have had. So a late kitchen is known to be late only as it shows, and an
order is foretold better as it nears.
"""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

from services.dispatch.simulation.world import Placed, World

_LATEST: Final = 16
"""So many steps of a kitchen say its pace."""
_TRUSTED: Final = 6.0
"""The usual pace counts for so many steps that were seen."""
_STILL: Final = 0.25
"""Of a step that takes longer than usual, so much of it is expected to be left."""
_VARIES: Final = 0.35
"""By what share a step varies; a standard deviation."""
_P90: Final = 1.2816
"""A normal distribution's p90 is so many standard deviations beyond its middle."""


@dataclass(frozen=True, slots=True)
class Ready:
    """When half of such orders are ready, and when nine of ten are."""

    p50_s: float
    p90_s: float


@dataclass(slots=True)
class Foretelling:
    """Foretells orders of one evening; see the module."""

    world: World
    _ends: list[list[float]] = field(init=False)
    _ratios: list[list[float]] = field(init=False)

    def __post_init__(self) -> None:
        done: list[list[tuple[float, float]]] = [[] for _ in self.world.restaurants]
        for order in self.world.orders:
            ends = accumulate(order.took_s, initial=order.placed_s)
            next(ends)
            for end, said, took in zip(ends, order.said_s, order.took_s, strict=True):
                if math.isfinite(end):
                    done[order.restaurant].append((end, took / said))
        self._ends = [[end for end, _ in sorted(each)] for each in done]
        self._ratios = [[ratio for _, ratio in sorted(each)] for each in done]

    def ready(self, order: Placed, now_s: float) -> Ready:
        """When an order will be ready; both moments are past only where it is ready."""
        pace = self._pace(order.restaurant, now_s)
        at, varies, usual_s = order.placed_s, 0.0, 0.0
        in_hand = True
        for said, took in zip(order.said_s, order.took_s, strict=True):
            if in_hand and at + took <= now_s:
                at += took
                continue
            left = said * pace
            if in_hand:
                left = max(left - (now_s - at), _STILL * left)
                at, in_hand = now_s, False
            usual_s += left
            varies += (_VARIES * left) ** 2
        if in_hand:
            return Ready(at, at)
        p50 = at + usual_s
        return Ready(p50, p50 + _P90 * math.sqrt(varies))

    def _pace(self, restaurant: int, now_s: float) -> float:
        known = bisect.bisect_right(self._ends[restaurant], now_s)
        latest = self._ratios[restaurant][max(0, known - _LATEST) : known]
        return (_TRUSTED + sum(latest)) / (_TRUSTED + len(latest))
