"""The simple predictors that a model has to beat: each day from the days before it alone.

An order counts once it has arrived: one of the evening before that came after midnight does not.
They look back over so many days, with the first predicted day counted from; where nothing was
delivered in them, over all there is before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from services.delivery.learning.learner import days_of
from services.delivery.learning.orders import NO_VENUE, Floats, Orders

_WEEK: Final = 7
_FORTNIGHT: Final = 14
_VENUE_PRIOR: Final = 10

Predictor = Callable[[Orders, Orders], Floats]


def median(past: Orders, day: Orders) -> Floats:
    """The median of what orders took, for all alike."""
    return np.full(len(day), np.median(past.took_min))


def linear(past: Orders, day: Orders) -> Floats:
    """A straight line in kilometres, by least squares."""
    base, per_km, usual_km = _line(past)
    return np.asarray(base + per_km * _km(day, usual_km))


def linear_and_venue(past: Orders, day: Orders) -> Floats:
    """The same, and what its venue was beyond it: the sum of residuals / (count + 10)."""
    base, per_km, usual_km = _line(past)
    beyond = past.took_min - base - per_km * _km(past, usual_km)
    known = past.venue != NO_VENUE
    size = len(past.venues)
    count = np.bincount(past.venue[known], minlength=size)
    total = np.bincount(past.venue[known], beyond[known], minlength=size)
    effect = np.append(total / (count + _VENUE_PRIOR), 0.0)  # the last one is of NO_VENUE
    return np.asarray(base + per_km * _km(day, usual_km) + effect[day.venue])


BASELINES: Final[Mapping[str, tuple[int, Predictor]]] = {
    "median_7_days": (_WEEK, median),
    "linear_7_days": (_WEEK, linear),
    "linear_14_days_and_venue": (_FORTNIGHT, linear_and_venue),
}
"""By name: how many days each looks back, and how it predicts."""


def predicted(orders: Orders, first_day: int, name: str) -> Floats:
    """What a baseline tells of each order from a day on, in minutes.

    Args:
        orders: all, with those of the days before.
        first_day: the first day that is predicted.
        name: of the baseline.

    Returns:
        Minutes; nan on a day before which none had arrived.
    """
    back, predictor = BASELINES[name]
    arrived = orders.taken(~np.isnan(orders.took_min))
    found = []
    for day in days_of(orders.taken(orders.day >= first_day)):
        today = int(day.day[0])
        known = (arrived.day < today) & (arrived.arrived_s() < day.midnight_s())
        before = arrived.taken(known)
        lately = before.taken(before.day >= today - back)
        if len(before):
            found.append(predictor(lately if len(lately) else before, day))
        else:
            found.append(np.full(len(day), np.nan))
    return np.concatenate(found)


def _line(past: Orders) -> tuple[float, float, float]:
    """Minutes at the door, minutes for each km, and the mean distance."""
    known = ~np.isnan(past.distance_m)
    usual_km = float(past.distance_m[known].mean()) / 1000.0 if known.any() else 0.0
    rows = np.column_stack((np.ones(len(past)), _km(past, usual_km)))
    base, per_km = np.linalg.lstsq(rows, past.took_min)[0]
    return float(base), float(per_km), usual_km


def _km(orders: Orders, usual_km: float) -> Floats:
    away = orders.distance_m / 1000.0
    return np.where(np.isnan(away), usual_km, away)
