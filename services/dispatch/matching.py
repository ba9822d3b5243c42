"""The best pairs of two sides: the heavy part, which SciPy does. Pure."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from services.dispatch.situation import Floats


def best_pairs(gain: Floats) -> list[tuple[int, int]]:
    """Pairs of rows and columns, each once at the most, that gain most together.

    A pair is only made where it gains something; minus infinity forbids it. SciPy's solver is the
    shortest augmenting path method of Jonker and Volgenant (Crouse, "On implementing 2D rectangular
    assignment algorithms", 2016).

    Args:
        gain: rows x columns.
    """
    if not gain.size:
        return []
    # A pair that gains nothing stands for no pair: so there always is an assignment.
    useful = np.where(gain > 0, gain, 0.0)
    rows, columns = linear_sum_assignment(useful, maximize=True)
    return [
        (row, column)
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
        if gain[row, column] > 0
    ]
