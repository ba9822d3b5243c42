"""Who moves, who stands, since when, and how far they went. Pure: arrays in and out.

Who stays within a small circle for a while stands, from the beginning of that while on: the
stay points of Li, Zheng et al., *Mining user similarity based on location history* (ACM GIS
2008), found as they happen. The way is added up in steps that are longer than what a receiver
wanders by itself, and only while somebody moves, so a parked car collects no kilometres.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

STEP_M: Final = 10.0
"""The way is counted in steps of this at least, and of what the filter leaves open."""


@dataclass(frozen=True, slots=True)
class Motion:
    """How vehicles move; all of one length.

    Attributes:
        place_t: since when they are in the circle that they may be standing in.
        moving: 1 or 0.
        since: since when they move or stand.
        distance: metres that they went.
    """

    place_t: Floats
    moving: Floats
    since: Floats
    distance: Floats


@dataclass(frozen=True, slots=True)
class Moved:
    """What becomes of it.

    Attributes:
        motion: now.
        away: who is out of the circle: a new one lies around where they are.
        counted: whose way is counted up to here.
    """

    motion: Motion
    away: Flags
    counted: Flags


def follow(
    motion: Motion,
    t: Floats,
    *,
    from_place_m: Floats,
    from_step_m: Floats,
    sigma_m: Floats,
    gap: Flags,
    still_m: Floats,
    still_s: Floats,
) -> Moved:
    """What becomes of it when the vehicles are here now.

    A silence is not counted as a way. Who is in the same circle after it is held to have stayed
    there, for trackers sleep where they stand: that there was a gap is said elsewhere.

    Args:
        motion: as it was.
        t: of the fix, in seconds since 1970.
        from_place_m: how far they are from the middle of the circle.
        from_step_m: how far from where their way is counted up to.
        sigma_m: standard deviation of the place along an axis.
        gap: nobody knows what was between this and the fix before.
        still_m: how wide the circle is.
        still_s: how long one has to be in it.
    """
    away = from_place_m > still_m + sigma_m
    place_t = np.where(away, t, motion.place_t)
    stood = motion.moving == 0.0
    stops = ~stood & ~away & (t - place_t >= still_s)
    sets_out = stood & away
    moves = (~stood & ~stops) | sets_out
    since = np.where(sets_out, t, np.where(stops, place_t, motion.since))
    step = moves & ~gap & (from_step_m >= STEP_M + sigma_m)
    distance = motion.distance + np.where(step, from_step_m, 0.0)
    return Moved(Motion(place_t, moves.astype(np.float64), since, distance), away, step | gap)


def begun(t: Floats) -> Motion:
    """With the first fix: they stand, until they are seen to move."""
    nothing = np.zeros_like(t)
    return Motion(t, nothing, t, nothing)
