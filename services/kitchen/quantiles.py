"""How long things take, told from how long they took lately: robust, and honest early on. Pure.

A prediction is what the line ought to take, times a factor. The factors are quantiles of what
the last tickets took against what they ought to have taken: split conformal prediction (Vovk,
Gammerman & Shafer, *Algorithmic Learning in a Random World*, 2005), which asks nothing of how
times are distributed. Tickets of the same time of day and the same queue count more, the more
of them there are. Since kitchens change in the course of an evening, the level that is asked
for follows what came of the last promises (Gibbs & Candès, *Adaptive conformal inference under
distribution shift*, NeurIPS 2021).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from statistics import median
from typing import Final, NamedTuple

KEPT: Final = 300
"""Tickets of a station that are remembered."""
ITEMS_KEPT: Final = 50
LEVEL: Final = 0.9
PRIOR: Final = (0.55, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.45, 1.8, 2.2)
"""What ten tickets of a kitchen take that nobody knows yet; with thirty known ones it is gone."""
_FADES: Final = 3
_OF_ITS_KIND: Final = 40
"""With so many tickets of the same hours and queue, they count as much as all others."""
_OF_AN_ITEM: Final = 5
_STEP: Final = 0.03
"""How far the level goes after each promise."""
_LEVELS: Final = (0.6, 0.995)
_RATIOS: Final = (0.05, 20.0)
_WAITS_S: Final = (1, 240, 600, 1200, 2400)
_HOURS: Final = 3


class Kind(NamedTuple):
    """What tickets are compared with each other."""

    hours: int
    """Of the day, three by three."""
    waits: int
    """How long the queue was when they came."""


def kind_of(hour: int, waits_s: float) -> Kind:
    """The kind of a ticket that comes at this hour, behind so many seconds of work."""
    return Kind(hour // _HOURS, sum(waits_s >= bound for bound in _WAITS_S))


class Factors(NamedTuple):
    """What the reckoned time is to be multiplied with."""

    p50: float
    p90: float


class Took(NamedTuple):
    """How a ticket went.

    Attributes:
        ratio: the time it took against the reckoned one.
        kind: what it is compared with.
        kept: whether it was ready by its own p90; None where nothing was promised.
        speeds: of each item on it, the time of making against the reckoned one.
    """

    ratio: float
    kind: Kind
    kept: bool | None = None
    speeds: tuple[tuple[str, float], ...] = ()


class Experience:
    """What one station has shown lately."""

    def __init__(self) -> None:
        self._tickets: Final[deque[tuple[float, Kind]]] = deque(maxlen=KEPT)
        self._items: Final[dict[str, deque[float]]] = {}
        self._level = LEVEL
        self._known: Final[dict[Kind, Factors]] = {}

    @property
    def tickets(self) -> int:
        """How many are remembered."""
        return len(self._tickets)

    def learn(self, took: Took) -> None:
        """Take in how one more ticket went."""
        self._tickets.append((_within(took.ratio, _RATIOS), took.kind))
        for item, speed in took.speeds:
            known = self._items.setdefault(item, deque(maxlen=ITEMS_KEPT))
            known.append(_within(speed, _RATIOS))
        if took.kept is not None:
            self._level += _STEP * (LEVEL - took.kept)
            self._level = _within(self._level, _LEVELS)
        self._known.clear()

    def factors(self, kind: Kind) -> Factors:
        """What the reckoned time of a ticket of this kind is to be multiplied with."""
        if kind not in self._known:
            self._known[kind] = self._work_out(kind)
        return self._known[kind]

    def speed(self, item: str) -> float:
        """How long an item takes against what is usual for it: the median, drawn towards one."""
        known = self._items.get(item)
        if not known:
            return 1.0
        seen = len(known)
        return (seen * median(known) + _OF_AN_ITEM) / (seen + _OF_AN_ITEM)

    def _work_out(self, kind: Kind) -> Factors:
        everything = sorted(ratio for ratio, _ in self._tickets)
        foreign = PRIOR[: max(0, len(PRIOR) - len(everything) // _FADES)]
        if foreign:  # evenly over the prior, so that fewer of them tell the same
            step = len(PRIOR) / len(foreign)
            foreign = tuple(PRIOR[int((at + 0.5) * step)] for at in range(len(foreign)))
        whole = sorted([*everything, *foreign])
        alike = sorted(ratio for ratio, each in self._tickets if each == kind)
        weight = len(alike) / (len(alike) + _OF_ITS_KIND)
        p50 = _blend(middle(alike), middle(whole), weight)
        p90 = _blend(upper(alike, self._level), upper(whole, self._level), weight)
        return Factors(p50, max(p50, p90))


def middle(values: Sequence[float]) -> float | None:
    """The median; None of nothing."""
    return median(values) if values else None


def upper(ordered: Sequence[float], level: float) -> float | None:
    """The value that one more is not above with at least this probability.

    Args:
        ordered: what was seen, ascending.
        level: the probability, below one; what cannot be promised yet is the largest value.

    >>> upper([1, 2, 3, 4, 5, 6, 7, 8, 9], 0.9)
    9
    >>> upper([1, 2, 3], 0.5)
    2
    """
    if not ordered:
        return None
    rank = math.ceil((len(ordered) + 1) * level - 1e-9)
    return ordered[min(max(rank, 1), len(ordered)) - 1]


def _blend(own: float | None, general: float | None, weight: float) -> float:
    """Draw what is known of the kind towards what is known of all; factors are blended as such."""
    general = 1.0 if general is None else general
    if own is None:
        return general
    return math.exp(weight * math.log(own) + (1 - weight) * math.log(general))


def _within(value: float, bounds: tuple[float, float]) -> float:
    return min(max(value, bounds[0]), bounds[1])
