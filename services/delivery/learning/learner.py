"""Learning day by day: each day is told from the days before it, and then learned from.

People forget to say that an order was delivered, and say it an hour later or the next morning. A
mean believes one of those as much as forty others; so what lies far from what was expected counts
as if it lay just as far as orders do lie (Huber 1964, "Robust estimation of a location parameter":
the same bound on what one observation can do).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from services.delivery.learning.correction import correct
from services.delivery.learning.margin import margin
from services.delivery.learning.orders import MINUTE_S, Flags, Floats, Orders
from services.delivery.learning.parameters import Parameters, Told
from services.delivery.learning.tuning import USUAL, Tuning
from services.delivery.learning.usual import UsualLearner

_FORGOTTEN: Final = 5.0
"""So many times the memory later an order counts less than a hundredth, and is dropped."""
_LOGISTIC: Final = 2.0 * float(np.log(2.0))
"""The mean absolute deviation of a logistic distribution, over its scale."""
_SCALE_PRIOR: Final = 20.0


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Orders that were told, and are learned from once they have arrived."""

    orders: Orders
    told: Floats
    """Usual, rush and p50 of each, in minutes, one row each."""
    measured: Flags
    """Which teach how wrong one is."""

    def taken(self, which: Flags) -> _Waiting:
        return _Waiting(self.orders.taken(which), self.told[:, which], self.measured[which])

    def joined(self, later: _Waiting) -> _Waiting:
        return _Waiting(
            self.orders.joined(later.orders),
            np.hstack((self.told, later.told)),
            np.concatenate((self.measured, later.measured)),
        )

    def believed(self, farthest_min: float) -> Floats:
        """How long each took, in minutes; none of them farther off than that."""
        expected = self.told[0] + self.told[1]
        return np.asarray(
            np.clip(self.orders.took_min, expected - farthest_min, expected + farthest_min)
        )


class Learner:
    """Takes days in, in their order, and tells the next.

    How wrong it is it learns from what it told of each day before that day was learned from, so
    it never takes for its error how well it remembers.
    """

    def __init__(self, tuning: Tuning = USUAL) -> None:
        self._tuning = tuning
        self._usual = UsualLearner(tuning)
        self._parameters = Parameters()
        self._learned = 0.0
        self._seen = 0
        self._today: int | None = None
        self._tail: Orders | None = None
        self._waiting: _Waiting | None = None
        self._past = np.zeros((5, 0))

    def tell(self, day: Orders) -> Told:
        """What is told of a day's orders, each at the moment of its placing.

        Args:
            day: the orders of one day, after those that were absorbed; at least one.
        """
        self._learn(int(day.day[0]), day.midnight_s())
        if self._tail is None:
            return self._parameters.tell(day, tuning=self._tuning)
        return self._parameters.tell(self._tail.joined(day), len(self._tail), self._tuning)

    def absorb(self, day: Orders, told: Told) -> None:
        """Take a day in that is over; learned from is each order once it has arrived.

        Args:
            day: its orders; one of which nobody knows how long it took teaches nothing.
            told: what was told of them.
        """
        rows = np.stack((told.usual_min, told.rush_min, told.p50_min))
        measured = np.full(len(day), self._seen >= self._tuning.learned_first)
        with np.errstate(invalid="ignore"):
            teaches = day.took_min <= self._tuning.longest_min
        fresh = _Waiting(day, rows, measured).taken(teaches)
        self._waiting = fresh if self._waiting is None else self._waiting.joined(fresh)
        whole = day if self._tail is None else self._tail.joined(day)
        self._tail = whole.taken(whole.at_s >= whole.at_s[-1] - self._window_s)

    def concluded(self) -> Parameters:
        """All that was learned, from every order that was absorbed."""
        if self._today is not None:
            self._learn(self._today, np.inf)
        return self._parameters

    @property
    def _window_s(self) -> float:
        return self._tuning.rush_window_min * MINUTE_S

    def _learn(self, today: int, before_s: float) -> None:
        """Learn from what had arrived before a moment; the rest goes on waiting."""
        if self._today is not None:
            kept = float(np.exp((self._today - today) / self._tuning.memory_days))
            self._usual.forget(kept)
            self._learned *= kept
        self._today = today
        if self._waiting is None:
            return
        arrived = self._waiting.orders.arrived_s() < before_s
        ready, self._waiting = self._waiting.taken(arrived), self._waiting.taken(~arrived)
        took_min = ready.believed(self._tuning.believed_scales * self._parameters.scale_min)
        if len(ready.orders):
            self._usual.absorb(replace(ready.orders, took_min=took_min))
            self._learned += len(ready.orders)
            self._seen += len(ready.orders)
        rows = np.vstack((ready.orders.day, ready.told, took_min))
        self._past = np.hstack((self._past, rows[:, ready.measured]))
        oldest = today - _FORGOTTEN * self._tuning.memory_days
        self._past = self._past[:, self._past[0] >= oldest]
        self._parameters = self._conclude(today)

    def _conclude(self, today: int) -> Parameters:
        days, usual_min, rush_min, p50_min, took_min = self._past
        weight = np.exp((days - today) / self._tuning.memory_days)
        off = float((weight * np.abs(took_min - usual_min)).sum()) / _LOGISTIC
        prior = Parameters().scale_min * _SCALE_PRIOR
        return Parameters(
            self._usual.solved(),
            correct(usual_min, rush_min, took_min, weight, self._tuning.correction_prior),
            margin(p50_min, took_min, weight),
            (off + prior) / (float(weight.sum()) + _SCALE_PRIOR),
            self._learned,
            len(days),
        )


def days_of(orders: Orders) -> Iterator[Orders]:
    """The orders of each day, one day after the other; days without any are left out."""
    if not len(orders):
        return
    starts = np.flatnonzero(np.diff(orders.day, prepend=orders.day[:1] - 1))
    for start, end in zip(starts, [*starts[1:], len(orders)], strict=True):
        yield orders.taken(slice(int(start), int(end)))


def fit(orders: Orders, tuning: Tuning = USUAL) -> Parameters:
    """Learn from a house's past orders.

    Args:
        orders: all of them, or those of the last months; older ones hardly count.
        tuning: what the learning assumes.
    """
    learner = Learner(tuning)
    for day in days_of(orders):
        learner.absorb(day, learner.tell(day))
    return learner.concluded()
