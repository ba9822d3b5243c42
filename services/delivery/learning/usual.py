"""The usual time of an order: a sum of what its distance, basket, hour and venue add.

A ridge regression towards a prior, with the venues' part solved apart: their effects touch each
other only through what all orders share, so that thousands of venues cost no more than a few.
That is the exact solution, not an approximation (block elimination; Henderson 1975 has the same
equations for shrunken effects, "Best linear unbiased estimation and prediction").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.delivery.learning.orders import NO_VENUE, Floats, Integers, Orders
from services.delivery.learning.tuning import Tuning

HOURS: Final = np.arange(24.0)
_HOUR_WIDTH: Final = 0.8
_WEEKEND: Final = 5
"""Saturday, and Sunday after it."""
_PLAIN: Final = 4
SHARED: Final = _PLAIN + 2 * len(HOURS)
"""The terms that all orders share: one, km, its root, log items, hours, hours of weekends."""

PRIOR: Final = np.concatenate((np.array([20.0, 4.0, 0.0, 2.0]), np.zeros(2 * len(HOURS))))
"""A house that knows nothing yet: 20 minutes, 4 more a kilometre, some for a large order."""
_PRIOR_KM: Final = 1.5
_PRIOR_LOG_ITEMS: Final = 1.0
_FILL_PRIOR: Final = 5.0


@dataclass(frozen=True, slots=True)
class Usual:
    """What was learned of the usual time, in minutes.

    Attributes:
        shared: what each shared term adds, in the order of `terms`.
        venues: what a venue adds, by its name; one that is not there adds nothing.
        km: the distance of an order of which none is known.
        log_items: the logarithm of the items of an order of which none are known.
    """

    shared: Floats
    venues: Mapping[str, float]
    km: float = _PRIOR_KM
    log_items: float = _PRIOR_LOG_ITEMS

    def minutes(self, orders: Orders) -> Floats:
        """How long each usually takes."""
        # Summed row by row: an order is told the same alone as among others, to the last bit.
        shared = (terms(orders, self.km, self.log_items) * self.shared).sum(axis=1)
        return np.asarray(shared + self.of_venues(orders))

    def parts(self, orders: Orders) -> dict[str, Floats]:
        """What makes up the usual minutes of each: they are the sum of these."""
        each = terms(orders, self.km, self.log_items) * self.shared
        return {
            "order": each[:, 0],
            "distance": each[:, 1:3].sum(axis=1),
            "basket": each[:, 3],
            "hour": each[:, _PLAIN:].sum(axis=1),
            "venue": self.of_venues(orders),
        }

    def of_venues(self, orders: Orders) -> Floats:
        """What their venues add, in minutes."""
        known = np.array([*(self.venues.get(name, 0.0) for name in orders.venues), 0.0])
        return np.asarray(known[orders.venue])


NOTHING_KNOWN: Final = Usual(PRIOR, {})


def terms(orders: Orders, km: float, log_items: float) -> Floats:
    """The shared terms of each order, one row each.

    Args:
        orders: which.
        km: what stands for a distance that is not known.
        log_items: what stands for items that are not known.
    """
    away = orders.distance_m / 1000.0
    away = np.where(np.isnan(away), km, away)
    many = np.log(np.maximum(orders.items, 1.0))
    many = np.where(np.isnan(many), log_items, many)
    # Soft hours on a clock that goes round: 23:50 is near 0:10.
    apart = np.abs(orders.hour[:, np.newaxis] - HOURS)
    apart = np.minimum(apart, 24.0 - apart)
    hours = np.exp(-0.5 * (apart / _HOUR_WIDTH) ** 2)
    weekend = hours * (orders.weekday >= _WEEKEND)[:, np.newaxis]
    return np.column_stack((np.ones(len(orders)), away, np.sqrt(away), many, hours, weekend))


def doubts(tuning: Tuning) -> Floats:
    """The doubt in each shared term, in orders."""
    way = [tuning.way_prior] * (_PLAIN - 1)
    return np.array([tuning.start_prior, *way, *[tuning.hour_prior] * 2 * len(HOURS)])


class UsualLearner:
    """Takes days in, one after the other, and forgets them slowly. Keeps sums, not orders."""

    def __init__(self, tuning: Tuning) -> None:
        self._tuning = tuning
        self._names: dict[str, int] = {}
        self._shared = np.zeros((SHARED, SHARED))
        self._towards = np.zeros(SHARED)
        self._counts = np.zeros(0)
        self._venues_towards = np.zeros(0)
        self._both = np.zeros((SHARED, 0))
        self._fill = np.array([_PRIOR_KM, _PRIOR_LOG_ITEMS]) * _FILL_PRIOR
        self._fill_counts = np.full(2, _FILL_PRIOR)

    @property
    def fill(self) -> tuple[float, float]:
        """What stands for a distance, and for items, that are not known."""
        km, log_items = self._fill / self._fill_counts
        return float(km), float(log_items)

    def forget(self, kept: float) -> None:
        """Let time pass: what was learned counts that share of what it did."""
        for each in (self._shared, self._towards, self._counts, self._venues_towards, self._both):
            np.multiply(each, kept, out=each)

    def absorb(self, orders: Orders) -> None:
        """Learn from orders, each of which has arrived."""
        rows = terms(orders, *self.fill)
        beyond = orders.took_min - rows @ PRIOR
        self._shared += rows.T @ rows
        self._towards += rows.T @ beyond
        places = self._places(orders)
        known = places != NO_VENUE
        self._counts += np.bincount(places[known], minlength=len(self._counts))
        self._venues_towards += np.bincount(
            places[known], beyond[known], minlength=len(self._counts)
        )
        np.add.at(self._both.T, places[known], rows[known])
        self._learn_fill(orders)

    def solved(self) -> Usual:
        """What follows from all that was learned."""
        counts = self._counts + self._tuning.venue_prior
        alone = self._both / counts
        left = self._shared + np.diag(doubts(self._tuning)) - alone @ self._both.T
        found = np.linalg.solve(left, self._towards - alone @ self._venues_towards)
        venues = (self._venues_towards - self._both.T @ found) / counts
        names = {name: float(venues[place]) for name, place in self._names.items()}
        return Usual(PRIOR + found, names, *self.fill)

    def _places(self, orders: Orders) -> Integers:
        """Each order's place among the venues of this learner, which grow."""
        used = np.unique(orders.venue[orders.venue != NO_VENUE])
        places = np.full(len(orders.venues) + 1, NO_VENUE, dtype=np.int64)
        for number in used:
            name = orders.venues[number]
            places[number] = self._names.setdefault(name, len(self._names))
        more = len(self._names) - len(self._counts)
        self._counts = np.pad(self._counts, (0, more))
        self._venues_towards = np.pad(self._venues_towards, (0, more))
        self._both = np.pad(self._both, ((0, 0), (0, more)))
        return np.asarray(places[orders.venue])

    def _learn_fill(self, orders: Orders) -> None:
        with np.errstate(invalid="ignore"):
            values = (orders.distance_m / 1000.0, np.log(np.maximum(orders.items, 1.0)))
        for number, each in enumerate(values):
            known = each[~np.isnan(each)]
            self._fill[number] += known.sum()
            self._fill_counts[number] += len(known)
