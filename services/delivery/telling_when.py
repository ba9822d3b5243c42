"""Whether a newly reckoned ETA differs enough to be told; pure, in arrays.

Close to the door half a minute matters; half an hour away it does not. What was told stands until
the new one has moved by more than a share of the wait that is left, or a least span; and what was
told is not let grow old for ever.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Enough:
    """What is enough to be told.

    Attributes:
        least_s: a smaller move is never told by itself.
        share: of the wait that is left; a smaller move is not told.
        spread_share: the p90 is told where its distance to the p50 changed by such a part.
        every_s: what has not changed is told again after so long, for its time to be new.
    """

    least_s: float = 20.0
    share: float = 0.06
    spread_share: float = 0.35
    every_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Told:
    """What was told, or would be; arrays of one length, NaN where nothing was.

    Times are seconds since 1970.
    """

    p50_at: Floats
    p90_at: Floats
    at: Floats
    what: NDArray[np.int64]
    """All else that is shown, as one number: any change of it is told at once."""


def moved_enough(
    told: Told,
    now: Told,
    enough: Enough,
) -> Bools:
    """Which are to be told.

    Args:
        told: what was told last.
        now: what would be told now.
        enough: what is enough.
    """
    never = np.isnan(told.at)
    least = np.maximum(enough.least_s, enough.share * np.maximum(0.0, now.p50_at - now.at))
    spread, before = now.p90_at - now.p50_at, told.p90_at - told.p50_at
    wider = np.abs(spread - before) > np.maximum(least, enough.spread_share * before)
    other = np.abs(now.p50_at - told.p50_at) > least
    old = now.at - told.at > enough.every_s
    return np.asarray(never | other | wider | old | (now.what != told.what))
