"""How much later than the median an order may come: from the median to the p90.

The margin is what nine of ten past orders kept to, each told before it was known how it came out
(split conformal prediction: Vovk, Gammerman and Shafer 2005; weighted by age as in Barber and
others 2023, "Conformal prediction beyond exchangeability"). It promises nothing of how the errors
are distributed, only that tomorrow's are like the last weeks'.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from services.delivery.learning.orders import Floats

SHARE: Final = 0.9
_PRIOR_ORDERS: Final = 20
_PRIOR_SHARE: Final = 0.35
"""With no history the p90 is the p50 and this share of it."""
_LEAST: Final = 0.5
"""No order is believed to be less than half as uncertain as the usual one."""


@dataclass(frozen=True, slots=True)
class Margin:
    """From the median to the p90.

    Attributes:
        beyond: how many times the expected error lies between them.
        error_min: the expected absolute error of an order in the middle.
        middle: the p50 of that order, in minutes.
        per_minute: how much the expected error grows with a minute of p50.
    """

    beyond: float = 1.0
    error_min: float = _PRIOR_SHARE * 30.0
    middle: float = 30.0
    per_minute: float = _PRIOR_SHARE

    def p90(self, p50_min: Floats) -> Floats:
        """The time that nine of ten orders keep to, in minutes."""
        return p50_min + self.beyond * self.errors(p50_min)

    def errors(self, p50_min: Floats) -> Floats:
        """The error to be expected of each, in minutes."""
        expected = self.error_min + self.per_minute * (p50_min - self.middle)
        return np.maximum(expected, _LEAST * self.error_min)


UNMEASURED: Final = Margin()


def margin(p50_min: Floats, took_min: Floats, weight: Floats) -> Margin:
    """Find the margin that nine of ten orders would have kept to.

    Args:
        p50_min: what each order was told before it was learned from.
        took_min: how long it took.
        weight: how much it counts.
    """
    total = float(weight.sum())
    if total <= 0:
        return UNMEASURED
    off = np.abs(took_min - p50_min)
    middle = float((weight * p50_min).sum()) / total
    error_min = max(float((weight * off).sum()) / total, _LEAST)
    away = p50_min - middle
    # As much doubt as 20 orders of 10 minutes more: few orders say nothing of a slope.
    doubt = _PRIOR_ORDERS * 100.0
    slope = float((weight * away * (off - error_min)).sum())
    per_minute = slope / (float((weight * away**2).sum()) + doubt)
    shape = Margin(1.0, error_min, middle, per_minute)
    return Margin(
        _kept(((took_min - p50_min) / shape.errors(p50_min)), weight, error_min, middle),
        error_min,
        middle,
        per_minute,
    )


def _kept(beyond: Floats, weight: Floats, error_min: float, middle: float) -> float:
    """The weighted quantile, with some imagined orders that hold to the prior."""
    shares = (np.arange(_PRIOR_ORDERS) + 0.5) / _PRIOR_ORDERS
    imagined = np.log(shares / (1 - shares)) / np.log(SHARE / (1 - SHARE))
    values = np.concatenate((beyond, imagined * _PRIOR_SHARE * middle / error_min))
    weights = np.concatenate((weight, np.ones(_PRIOR_ORDERS)))
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    at = int(np.searchsorted(reached, SHARE * reached[-1]))
    return float(values[order][min(at, len(values) - 1)])
