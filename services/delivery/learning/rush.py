"""How much longer than usual orders take just now: what today teaches before it is over.

Orders that have arrived say by how much they were beyond their usual time. Those still under way
say that they took at least as long as they have: an order long overdue is news, one placed a
minute ago is none. Left out, they would make each bad evening look good until it is over, for the
first to arrive are the quick ones. So each is taken for what it will likely be beyond, given how
long it is out already, and the level follows from all (Buckley and James 1979, "Linear regression
with censored data"; the noise is logistic, for which that mean has a closed form).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.delivery.learning.orders import MINUTE_S, Flags, Floats, Orders
from services.delivery.learning.tuning import Tuning

_ROUNDS: Final = 6
"""The level and what the open ones will take follow from each other: by then they stand still."""
_FAR: Final = 30.0


def arrived(placed_s: Floats, took_min: Floats, now_s: float) -> Flags:
    """Which had arrived before that moment: only then their times were known.

    Times in whole minutes are no finer than that, so "in the same minute" is not before.
    """
    with np.errstate(invalid="ignore"):
        return np.asarray(placed_s + took_min * MINUTE_S < now_s)


def rush_min(
    usual_min: Floats, age_min: Floats, took_min: Floats, scale_min: float, tuning: Tuning
) -> float:
    """By how many minutes orders are beyond their usual time just now; below 0: ahead of it.

    Args:
        usual_min: the usual time of each order placed lately.
        age_min: how long ago it was placed.
        took_min: how long it took; nan while it is under way.
        scale_min: how widely such orders scatter, the scale of a logistic distribution.
        tuning: how fast they are forgotten, and the doubt.
    """
    out = np.isnan(took_min)
    weight = np.exp(-age_min / tuning.rush_memory_min)
    weight = np.where(out & (age_min > tuning.rush_lost_min), 0.0, weight)
    total = float(weight.sum()) + tuning.rush_prior
    known = float((weight[~out] * (took_min[~out] - usual_min[~out])).sum())
    beyond, weight = age_min[out] - usual_min[out], weight[out]
    level = known / total
    for _ in range(_ROUNDS):
        at = np.minimum((beyond - level) / scale_min, _FAR)
        still = scale_min * (1.0 + np.exp(at)) * np.log1p(np.exp(-at))
        level = (known + float((weight * (beyond + still)).sum())) / total
    return level


def rushes(
    orders: Orders, since: int, usual_min: Floats, scale_min: float, tuning: Tuning
) -> Floats:
    """The rush at the moment each order was placed, from what was known at that moment.

    Args:
        orders: with those of the hours before.
        since: the first one of which it is asked.
        usual_min: the usual time of each.
        scale_min: how widely orders scatter.
        tuning: as above.

    Returns:
        Minutes, for the orders from `since` on.
    """
    found = np.zeros(len(orders) - since)
    if not tuning.rush:
        return found
    firsts = np.searchsorted(orders.at_s, orders.at_s - tuning.rush_window_min * MINUTE_S)
    ends = np.searchsorted(orders.at_s, orders.at_s)  # orders of the same moment know not of it
    for number in range(since, len(orders)):
        lately = slice(int(firsts[number]), int(ends[number]))
        now_s = float(orders.at_s[number])
        placed_s, took_min = orders.at_s[lately], orders.took_min[lately]
        took_min = np.where(arrived(placed_s, took_min, now_s), took_min, np.nan)
        age_min = (now_s - placed_s) / MINUTE_S
        found[number - since] = rush_min(usual_min[lately], age_min, took_min, scale_min, tuning)
    return found
