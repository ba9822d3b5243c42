"""What is wrong with a fix by itself, before it is compared with the one before. Pure.

The rules are those of the trackers that have met most devices (Traccar's ``filter.*``:
invalid, zero, duplicate, future, past, accuracy, max speed), with clocks looked after besides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.tracking.batches import FixBatch
from services.tracking.verdicts import Verdict

Floats = NDArray[np.float64]

_NEAR_ZERO: Final = 0.01
"""Degrees around 0/0, which is about a kilometre of open sea."""
_LAST_T: Final = 1e11
"""Seconds since 1970: no year that a calendar can tell is beyond it."""

CLOCK_FIXES: Final = 5
"""So many readings make a clock known, ..."""
CLOCK_SPAN_S: Final = 30.0
"""... over so many seconds at least, ..."""
CLOCK_STEADY_S: Final = 10.0
"""... in which it is off by the same, but for what the network adds."""
CLOCK_OFF_S: Final = 60.0
"""A clock that is behind by no more is taken as it is: it is the network, as a rule. The network
puts none ahead: of one ahead no more is borne than of a fix (`Limits.future_s`)."""
_QUARTER_S: Final = 900.0
_ZONES_S: Final = 26 * 3600.0


def look_at(batch: FixBatch) -> NDArray[np.uint8]:
    """What can be said of fixes without knowing whose they are: invalid, in the ocean, or OK."""
    verdict = np.zeros(len(batch), dtype=np.uint8)
    ocean = (np.abs(batch.lat) < _NEAR_ZERO) & (np.abs(batch.lon) < _NEAR_ZERO)
    verdict[ocean] = Verdict.NULL_ISLAND
    # A comparison with NaN is false, so what is not a number fails all of these.
    valid = (
        (np.abs(batch.lat) <= 90.0) & (np.abs(batch.lon) <= 180.0) & (np.abs(batch.t) <= _LAST_T)
    )
    verdict[~valid] = Verdict.INVALID
    return verdict


def told_velocity(batch: FixBatch) -> Floats:
    """To the east and to the north, as told, two rows; NaN where not: trackers say -1, and worse.

    Who stands has no heading, and needs none.
    """
    speed = np.where((batch.speed_mps >= 0.0) & (batch.speed_mps < 1e3), batch.speed_mps, np.nan)
    known = (batch.heading_deg >= 0.0) & (batch.heading_deg <= 360.0)
    angle = np.radians(np.where(known, batch.heading_deg, np.where(speed == 0.0, 0.0, np.nan)))
    return np.array((speed * np.sin(angle), speed * np.cos(angle)))


def look_at_time(
    verdict: NDArray[np.uint8], age_s: Floats, stale_s: Floats, future_s: Floats
) -> None:
    """Put out what is too old or not yet, of what is OK until now; the verdicts are changed.

    Args:
        verdict: one for each fix.
        age_s: how old the fix was when it came, its clock put right.
        stale_s: the limits of its vehicle.
        future_s: the same.
    """
    fine = verdict == Verdict.OK
    verdict[fine & (age_s < -future_s)] = Verdict.FUTURE
    verdict[fine & (age_s > stale_s)] = Verdict.STALE


@dataclass(frozen=True, slots=True)
class Clocks:
    """What is known of the clocks of vehicles; all of one length.

    Attributes:
        offset: seconds that are added to what the clock says.
        lag: by how much it was behind ours at the first of the readings that agree.
        least: the least of them: what the network adds is never below 0.
        agreed: how many readings agree.
        begun: when the first of them came.
    """

    offset: Floats
    lag: Floats
    least: Floats
    agreed: Floats
    begun: Floats

    def columns(self) -> tuple[Floats, ...]:
        """In the order of their declaration."""
        return (self.offset, self.lag, self.least, self.agreed, self.begun)


def read_clocks(clocks: Clocks, lag: Floats, received: Floats, future_s: Floats) -> Clocks:
    """Take in one reading each, of the freshest fix that came.

    A backlog is old too, but it grows younger as it is read out; a clock that is off is off by
    the same again and again. So clocks of another time zone, of a wrong hour, or of a receiver
    whose weeks have run over are found, and put right. What is left of the lag then is never more
    than a fix may be ahead of us: once its clock is known, nobody's fixes are of the future.

    Args:
        clocks: as known until now.
        lag: by how much the clock was behind ours.
        received: what ours said then.
        future_s: how far a fix of each may be ahead of us.
    """
    agrees = np.abs(lag - clocks.lag) <= CLOCK_STEADY_S
    first = np.where(agrees, clocks.lag, lag)
    least = np.where(agrees, np.minimum(clocks.least, lag), lag)
    agreed = np.where(agrees, clocks.agreed + 1.0, 1.0)
    begun = np.where(agrees, clocks.begun, received)
    known = (agreed >= CLOCK_FIXES) & (received - begun >= CLOCK_SPAN_S)
    zone = np.round(least / _QUARTER_S) * _QUARTER_S
    by_zone = _is_borne(least - zone, future_s) & (np.abs(least) <= _ZONES_S)
    off = np.where(_is_borne(least, future_s), 0.0, np.where(by_zone, zone, least))
    changes = known & (np.abs(off - clocks.offset) > CLOCK_STEADY_S)
    return Clocks(np.where(changes, off, clocks.offset), first, least, agreed, begun)


def _is_borne(lag: Floats, future_s: Floats) -> NDArray[np.bool_]:
    return (lag >= -future_s) & (lag <= CLOCK_OFF_S)
