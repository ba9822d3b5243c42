"""The last correction: from the usual time and the rush to the time of the middle order.

The usual time is a mean, and half of the orders should come before what a guest is told: so the
last step looks for the median. Least absolute deviations, by weighted least squares again and
again (Schlossmacher 1973, "An iterative technique for absolute deviations curve fitting"), with
doubt: without evidence what is told is the usual time plus the rush.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from services.delivery.learning.orders import Floats

_ROUNDS: Final = 30
_FLAT_MIN: Final = 1.0
"""Errors below a minute count by their square: times are whole minutes."""
_STILL_MIN: Final = 1e-4
_LEAST_SPREAD_MIN: Final = 0.5
_LEAST_MIN: Final = 1.0


@dataclass(frozen=True, slots=True)
class Correction:
    """What is added to the usual time and the rush, in minutes.

    Attributes:
        add: to every order.
        middle: the usual time of the usual order.
        per_usual: for each minute that an order's usual time is above the middle.
        per_rush: for each minute of rush.
    """

    add: float = 0.0
    middle: float = 0.0
    per_usual: float = 0.0
    per_rush: float = 0.0

    def p50(self, usual_min: Floats, rush_min: Floats) -> Floats:
        """The median time to the door, in minutes; at least one."""
        told = (
            usual_min
            + rush_min
            + self.add
            + self.per_usual * (usual_min - self.middle)
            + self.per_rush * rush_min
        )
        return np.maximum(told, _LEAST_MIN)


UNCORRECTED: Final = Correction()


def correct(
    usual_min: Floats, rush_min: Floats, took_min: Floats, weight: Floats, prior: float
) -> Correction:
    """Find the correction that would have been right for the middle order.

    Args:
        usual_min: the usual time of each order, as it was told before it was learned from.
        rush_min: the rush at its placing.
        took_min: how long it took.
        weight: how much it counts.
        prior: as many orders' worth of doubt in each part.
    """
    total = float(weight.sum())
    if total <= 0:
        return UNCORRECTED
    middle = float((weight * usual_min).sum()) / total
    parts = np.column_stack((np.ones(len(usual_min)), usual_min - middle, rush_min))
    spread = np.sqrt((weight[:, np.newaxis] * parts**2).sum(axis=0) / total)
    # What has not varied yet has taught nothing: its part stays small.
    spread = np.maximum(spread, np.array([1.0, _LEAST_SPREAD_MIN, _LEAST_SPREAD_MIN]))
    rows = parts / spread
    beyond = took_min - usual_min - rush_min
    doubt = np.eye(3) * prior
    found = np.zeros(3)
    typical = max(float((weight * np.abs(beyond)).sum()) / total, _FLAT_MIN)
    for _ in range(_ROUNDS):
        off = beyond - rows @ found
        pull = weight * typical / np.sqrt(off**2 + _FLAT_MIN**2)
        before, found = (
            found,
            np.linalg.solve(
                (rows * pull[:, np.newaxis]).T @ rows + doubt, rows.T @ (pull * beyond)
            ),
        )
        if np.abs(found - before).max() < _STILL_MIN:
            break
    add, per_usual, per_rush = (float(each) for each in found / spread)
    return Correction(add, middle, per_usual, per_rush)
