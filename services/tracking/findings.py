"""What stands against a vehicle and its tracker: found, and over again. Pure: arrays in and out.

Each is raised at one bound and ends at another, so that what lies on a bound does not come and
go. Only who has something to do, or moves, is missed or warned of: a courier's phone at night
is no trouble of the house.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.alerts import AlertKind

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

KINDS: Final = (
    AlertKind.TRACKER_SILENT,
    AlertKind.OFF_ROUTE,
    AlertKind.LONG_DWELL,
    AlertKind.LOW_BATTERY,
    AlertKind.SPEEDING,
)
"""In the order of the rows of what stands."""

SPARING: Final = 2.0
"""Who has little battery left was asked to speak less: they may be silent for longer."""
GIVEN_UP_S: Final = 3_600.0
"""Who is silent for so long, and has nothing to do, has gone home."""
_FULLER: Final = 0.05
_NEARER: Final = 0.5
_SLOWER: Final = 0.9
_AROUND: Final = 1.5
"""Somewhat outside of a place one is still at it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of vehicles now; all of one length.

    Attributes:
        unheard_s: seconds since each was heard.
        silent_s: the same, but of no time in which nobody could be heard.
        patience_s: for so long it may be silent.
        moving: whether it moved, when it was heard last.
        still_s: for how long it has been standing; 0 while it moves.
        speed_mps: NaN is not known.
        fast_s: for how long it has been faster than it may be, by its own fixes; NaN where it
            is not.
        battery: what is left of it, of 1; NaN is not known.
        on_duty: it has something to do.
        house_m: how far it is from the restaurant; NaN is not known.
        stop_m: how far from the door that it brings food to; NaN with none.
        nearest_m: how near it has been to that door.
    """

    unheard_s: Floats
    silent_s: Floats
    patience_s: Floats
    moving: Flags
    still_s: Floats
    speed_mps: Floats
    fast_s: Floats
    battery: Floats
    on_duty: Flags
    house_m: Floats
    stop_m: Floats
    nearest_m: Floats


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the vehicles' houses say of that; all of one length.

    Attributes:
        dwell_s: who stands so long with food in the bag is asked after.
        off_route_m: so much farther from the door than one was is off the way.
        battery_low: of 1.
        speeding_mps: NaN is never.
        restaurant_m: who is so near to the restaurant is there.
        door_m: who is so near to a door is there.
    """

    dwell_s: Floats
    off_route_m: Floats
    battery_low: Floats
    speeding_mps: Floats
    restaurant_m: Floats
    door_m: Floats


FAST_S: Final = 10.0
"""So long one is too fast before it is told: to overtake is no crime."""


def judge(seen: Seen, bounds: Bounds, stood: Flags) -> Flags:
    """Say what stands against each vehicle now.

    A comparison with NaN is false: what is not known raises nothing.

    Args:
        seen: how they are.
        bounds: what may be.
        stood: what stood before, a row each of `KINDS`.
    """
    silent_before, off_before, dwelt_before, low_before, fast_before = stood
    low = seen.battery < bounds.battery_low
    patience = seen.patience_s * np.where(low, SPARING, 1.0)
    # By when it was really heard: else one that is given up would be missed anew.
    gone_home = ~seen.on_duty & (seen.unheard_s > patience + GIVEN_UP_S)
    missed = seen.on_duty | seen.moving
    silent = (seen.silent_s > patience) & (missed | silent_before) & ~gone_home

    astray = seen.stop_m - seen.nearest_m
    turning = off_before & (astray > _NEARER * bounds.off_route_m)
    off = (astray > bounds.off_route_m) | turning

    at_house = seen.house_m <= _AROUND * bounds.restaurant_m
    at_door = seen.stop_m <= _AROUND * bounds.door_m
    carries = np.isfinite(seen.stop_m)
    stands = (seen.still_s >= bounds.dwell_s) | (dwelt_before & (seen.still_s > 0.0))
    dwells = carries & stands & ~at_house & ~at_door

    begins = low & missed & (seen.unheard_s <= patience)
    drained = low_before & (seen.battery < bounds.battery_low + _FULLER)
    empty = (begins | drained) & ~gone_home

    fast = (seen.fast_s >= FAST_S) | (fast_before & np.isfinite(seen.fast_s))
    return np.stack((silent, off, dwells, empty, fast & ~silent))


def fast_since(
    before: Floats, t: Floats, gap_until: Floats, speed_mps: Floats, speeding_mps: Floats
) -> Floats:
    """Since when vehicles are too fast, in seconds since 1970; NaN where they are not.

    Who was too fast is so until they are clearly slower, or nobody knows what was between.

    Args:
        before: what this said at the last look.
        t: of the last fix that was used, in seconds since 1970.
        gap_until: when their last gap ended, likewise; NaN without one.
        speed_mps: by that fix.
        speeding_mps: how fast they may be; NaN is any.
    """
    was = np.isfinite(before) & ~(gap_until > before)
    fast = speed_mps > np.where(was, _SLOWER, 1.0) * speeding_mps
    return np.where(fast, np.where(was, before, t), np.nan)
