"""Who comes, goes and stays at a fence, from on which side of it they are. Pure.

All fixes of a tick are judged together, of all vehicles at all fences: a row each of vehicle
and fence, in the order of their times. Only who is clearly on the other side has crossed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.geography.shapes import BETWEEN, WITHIN, Sides

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Crossed:
    """Who crossed with which row.

    Attributes:
        row: of what was asked about.
        entered: came; else they went.
    """

    row: NDArray[np.intp]
    entered: Flags


def crossed(pair: NDArray[np.int64], side: Sides, within: Flags) -> Crossed:
    """Find who crossed a fence.

    Args:
        pair: a number for each vehicle and fence; rows of one pair stand together, by time.
        side: where the vehicle is at that row, as `services.geography.shapes` says it.
        within: whether the vehicle was within the fence before the first row of its pair.
    """
    rows = np.arange(len(pair))
    first = np.ones(len(pair), dtype=np.bool_)
    first[1:] = pair[1:] != pair[:-1]
    begin = np.maximum.accumulate(np.where(first, rows, 0))
    # Who is between stays what they were: the last row that was clear says it.
    clear = np.maximum.accumulate(np.where(side != BETWEEN, rows, -1))
    now = np.where(clear >= begin, side[clear] == WITHIN, within[begin])
    before = np.where(first, within, np.roll(now, 1))
    row = np.flatnonzero(now != before)
    return Crossed(row, now[row])


def dwelt(entered_at: float, seen_at: float, dwell_s: float | None) -> float | None:
    """When a vehicle had been within for as long as is told of; None is not yet, or never.

    Args:
        entered_at: when it came, in seconds since 1970.
        seen_at: up to when it is known to have stayed.
        dwell_s: how long it takes.
    """
    if dwell_s is None or seen_at - entered_at < dwell_s:
        return None
    return entered_at + dwell_s
