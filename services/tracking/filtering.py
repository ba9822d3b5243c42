"""A Kalman filter on position and velocity, of many vehicles at once. Pure: arrays in and out.

Nearly constant velocity with white acceleration, in continuous time (Bar-Shalom, Li &
Kirubarajan, *Estimation with Applications to Tracking and Navigation*, 2001, section 6.2.2):
what it expects does not depend on how often a tracker speaks. East and north are measured
alike, so one 2 x 2 covariance serves both. A fix is gated by its normalised innovation squared,
which is chi-square with two degrees of freedom for one that belongs (ibid., section 5.4).

A vector is an array of two rows, east and north, in metres and metres a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

GATE: Final = 23.0
"""Of a hundred thousand fixes that belong, one is further off (chi-square, two degrees)."""
UNKNOWN_M: Final = 10.0
"""How accurate a fix is held to be that does not say it: a receiver under an open sky."""
LEAST_M: Final = 3.0
"""No receiver of a phone is better, whatever it says (GPS Performance Standard: 4.9 m, 95 %)."""
SPREAD: Final = 1.51
"""The circle that holds 68 % of a round normal distribution, in standard deviations of an axis."""


@dataclass(frozen=True, slots=True)
class Belief:
    """Where vehicles are held to be, and how surely; all of one length.

    Attributes:
        place: in metres from wherever the plane has its middle; two rows.
        velocity: two rows.
        pos: variance of the place along an axis, m².
        cross: covariance of place and velocity, m²/s.
        vel: variance of the velocity along an axis, m²/s².
    """

    place: Floats
    velocity: Floats
    pos: Floats
    cross: Floats
    vel: Floats


def variance_of(accuracy_m: Floats) -> Floats:
    """The variance along an axis of fixes that are so accurate; NaN is unknown."""
    known = np.where(accuracy_m >= 0.0, accuracy_m, UNKNOWN_M)
    return np.asarray((np.maximum(known, LEAST_M) / SPREAD) ** 2)


def squared(vector: Floats) -> Floats:
    """The square of its length."""
    return np.asarray(vector[0] ** 2 + vector[1] ** 2)


def begin(told: Floats, variance: Floats, most_mps: Floats) -> Belief:
    """Begin with one fix each: the place is known, the velocity is not.

    Args:
        told: the place of the fix, two rows.
        variance: of the fix along an axis, m².
        most_mps: nothing of its kind is faster.
    """
    nothing = np.zeros_like(variance)
    return Belief(told, np.zeros_like(told), variance, nothing, (most_mps / 3.0) ** 2)


def predict(before: Belief, dt: Floats, restless: Floats) -> Belief:
    """Carry it on by so many seconds.

    Args:
        before: what was held after the fix before.
        dt: seconds since then, not below 0.
        restless: spectral density of the acceleration, m²/s³.
    """
    noise = restless * dt
    pos = before.pos + dt * (2.0 * before.cross + dt * (before.vel + noise / 3.0))
    cross = before.cross + dt * (before.vel + noise / 2.0)
    place = before.place + before.velocity * dt
    return Belief(place, before.velocity, pos, cross, before.vel + noise)


def surprise(expected: Belief, told: Floats, variance: Floats) -> Floats:
    """The normalised innovation squared: how little a fix fits what was expected."""
    return squared(told - expected.place) / (expected.pos + variance)


def correct(expected: Belief, told: Floats, variance: Floats) -> Belief:
    """Take the place of a fix in."""
    off = told - expected.place
    spread = expected.pos + variance
    gain, gain_vel = expected.pos / spread, expected.cross / spread
    left = 1.0 - gain
    return Belief(
        expected.place + gain * off,
        expected.velocity + gain_vel * off,
        left * expected.pos,
        left * expected.cross,
        expected.vel - gain_vel * expected.cross,
    )


def heed(belief: Belief, told: Floats) -> Belief:
    """Take in the velocity that came with a fix, where one is told and likely.

    Trackers that know no heading say 0, and that is due north: what does not fit is left out.
    A receiver tells its speed from the Doppler shift, to about a metre a second.

    Args:
        belief: after the place was taken in.
        told: the velocity, two rows; NaN where there is none.
    """
    off = told - belief.velocity
    spread = belief.vel + (1.0 + 0.1 * np.sqrt(squared(told))) ** 2
    # A comparison with NaN is false: what was not told is left out by the same line.
    likely = squared(off) <= GATE * spread
    gain = np.where(likely, belief.vel / spread, 0.0)
    gain_pos = np.where(likely, belief.cross / spread, 0.0)
    off = np.where(likely, off, 0.0)
    left = 1.0 - gain
    return Belief(
        belief.place + gain_pos * off,
        belief.velocity + gain * off,
        belief.pos - gain_pos * belief.cross,
        left * belief.cross,
        left * belief.vel,
    )
