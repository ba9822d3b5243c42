"""How far off what was told is: errors in minutes, told less what it was."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.delivery.learning.orders import Floats


@dataclass(frozen=True, slots=True)
class Errors:
    """How far off a number of orders were told.

    Attributes:
        n: how many orders.
        mae: the mean absolute error, in minutes.
        p90_error: nine of ten absolute errors are no larger, in minutes.
        bias: the mean of told less took, in minutes: above 0 orders came earlier than told.
    """

    n: int
    mae: float
    p90_error: float
    bias: float


def errors(told_min: Floats, took_min: Floats) -> Errors | None:
    """The errors of the orders of which both are known; None where there is none.

    Args:
        told_min: what was told of each; nan where nothing was.
        took_min: what it was; nan where nobody knows.
    """
    off = told_min - took_min
    off = off[~np.isnan(off)]
    if not len(off):
        return None
    far = np.abs(off)
    return Errors(len(off), float(far.mean()), float(np.percentile(far, 90)), float(off.mean()))
