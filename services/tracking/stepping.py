"""One fix of each of many vehicles: believed or not, and what follows from it. Pure.

A fix is put out that nothing of its kind could have reached (a jump), or that the filter does
not believe (an outlier). But where several in a row are put out that agree with each other,
they are right and the vehicle was held to be in the wrong place: it begins anew with them, and
the break is told as a gap. After a long silence it begins anew too: nobody draws a line there.

Receivers that wake up often begin with a fix that is somewhere else. So from who speaks every
few seconds, and was silent, a second fix is waited for that agrees, if the first is far away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.geography.sphere import Plane
from services.tracking import columns as at
from services.tracking.filtering import (
    GATE,
    SPREAD,
    Belief,
    begin,
    correct,
    heed,
    predict,
    squared,
    surprise,
)
from services.tracking.limits import ROWS
from services.tracking.motion import Motion, Moved, begun, follow
from services.tracking.verdicts import Verdict

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

ANEW: Final = 3
"""So many that were put out in a row, and agree, are believed."""
SLACK: Final = 1.25
"""Two fixes may be off by so many times their accuracy, before a step is too long."""
QUIET_S: Final = 20.0
"""A silence of so long, ..."""
QUIET_PACES: Final = 4.0
"""... and of so many times what was between the two fixes before, ..."""
ELSEWHERE_M: Final = 100.0
"""... makes a fix doubtful that is so far from the last; two that agree are believed."""

_OK, _JUMP, _OUTLIER = (np.uint8(each) for each in (Verdict.OK, Verdict.JUMP, Verdict.OUTLIER))


@dataclass(frozen=True, slots=True)
class Step:
    """What came of it.

    Attributes:
        state: of the vehicles now, in the rows of `columns.STATE`.
        verdict: of each fix.
        found: latitude, longitude, velocity to the east and to the north, and the gap: a row
            each. Of use where the fix was.
    """

    state: Floats
    verdict: NDArray[np.uint8]
    found: Floats


def step(state: Floats, limits: Floats, told: Floats) -> Step:
    """Take one fix each.

    Args:
        state: of the vehicles before, in the rows of `columns.STATE`.
        limits: theirs, in the rows of `limits.ROWS`.
        told: time, latitude, longitude, variance, velocity to the east and to the north, and
            when it came: a row each. The times come after those that were seen before.
    """
    most_mps = limits[ROWS["most_mps"]]
    t, variance = told[0], told[3]
    first = np.isnan(state[at.T])
    # All is reckoned on one plane, around where the vehicle was before, or is first seen.
    middle = np.where(first, told[1:3], state[at.PLACE])
    plane = Plane(middle[0], middle[1])
    lats = np.concatenate((told[1:2], state[at.LATS]))
    lons = np.concatenate((told[2:3], state[at.LONS]))
    points = np.array(plane.to_metres(lats, lons))
    here, seen, was, circle, counted = points.transpose(1, 0, 2)

    silence = t - state[at.T]
    before = Belief(np.zeros_like(here), state[at.VELOCITY], *state[at.SPREAD])
    expected = predict(before, silence, limits[ROWS["restless"]])
    gap = silence > limits[ROWS["gap_s"]]
    reached = _reached(here - was, silence, most_mps, variance, state[at.USED_VARIANCE])
    jump = ~(reached | first)
    odd = jump | ((surprise(expected, here, variance) > GATE) & ~gap)
    quiet = (silence > QUIET_S) & (silence > QUIET_PACES * state[at.PACE])
    out = odd | (quiet & (squared(here - was) > ELSEWHERE_M**2))
    begins = first | gap
    doubts = np.zeros_like(t)
    if out.any():
        doubts = _doubts(state, told, here - seen, most_mps, out)
        enough = doubts >= np.where(odd, ANEW, 2.0)
        out &= ~enough
        begins |= enough & odd
    broken = begins & ~first

    belief = correct(expected, here, variance)
    if begins.any():
        belief = _where(begins, begin(here, variance, most_mps), belief)
    heading = not np.isnan(told[4]).all()
    if heading:
        belief = heed(belief, np.where(state[at.TRUST] >= 0.0, told[4:6], np.nan))
    _hold(belief.velocity, most_mps)
    place = np.array(plane.to_degrees(belief.place[0], belief.place[1]))
    moved = follow(
        Motion(*state[at.MOTION]), t,
        from_place_m=np.sqrt(squared(belief.place - circle)),
        from_step_m=np.sqrt(squared(belief.place - counted)),
        sigma_m=np.sqrt(belief.pos), gap=broken,
        still_m=limits[ROWS["still_m"]], still_s=limits[ROWS["still_s"]],
    )  # fmt: skip

    after = _moved(state, told, place, belief, moved)
    if heading:
        way = belief.place - counted
        after[at.TRUST] = _trust(state[at.TRUST], told[4:6], way, moved.counted)
    if begins.any():
        _break(after, state[at.T], broken)
        _enter(after, first)
    if out.any():
        after[:, out] = state[:, out]
    after[at.PACE] = np.where(out, state[at.PACE], t - state[at.SEEN_T])
    after[at.SEEN] = told
    after[at.DOUBTS] = np.where(out, doubts, 0.0)
    verdict = np.where(out, np.where(jump, _JUMP, _OUTLIER), _OK)
    gap_s = np.where(broken, silence, 0.0)
    return Step(after, verdict, np.concatenate((place, belief.velocity, gap_s[None])))


def _doubts(state: Floats, told: Floats, way: Floats, most_mps: Floats, out: Flags) -> Floats:
    """How many in a row were put out with this, and agree with each other."""
    agrees = _reached(way, told[0] - state[at.SEEN_T], most_mps, told[3], state[at.SEEN_VARIANCE])
    return np.where(out, np.where(agrees, state[at.DOUBTS], 0.0) + 1.0, 0.0)


def _moved(state: Floats, told: Floats, place: Floats, belief: Belief, moved: Moved) -> Floats:
    after = np.empty_like(state)
    after[at.T] = told[0]
    after[at.PLACE] = place
    after[at.VELOCITY] = belief.velocity
    after[at.SPREAD] = belief.pos, belief.cross, belief.vel
    after[at.USED] = told[1:4]
    after[at.CIRCLE] = np.where(moved.away, place, state[at.CIRCLE])
    after[at.COUNTED] = np.where(moved.counted, place, state[at.COUNTED])
    after[at.MOTION] = _columns(moved.motion)
    after[at.TRUST] = state[at.TRUST]
    after[at.GAPS :] = state[at.GAPS :]
    return after


def _columns(motion: Motion) -> tuple[Floats, ...]:
    return (motion.place_t, motion.moving, motion.since, motion.distance)


def _where(condition: Flags, one: Belief, other: Belief) -> Belief:
    return Belief(
        np.where(condition, one.place, other.place),
        np.where(condition, one.velocity, other.velocity),
        np.where(condition, one.pos, other.pos),
        np.where(condition, one.cross, other.cross),
        np.where(condition, one.vel, other.vel),
    )


def _trust(before: Floats, told: Floats, way: Floats, counted: Flags) -> Floats:
    """How far headings are trusted that come with the fixes, by the way that was gone.

    Some trackers always say 0, or what was true a minute ago. One that points elsewhere costs
    more than one that fits earns; below 0 they are not heeded.
    """
    along = told[0] * way[0] + told[1] * way[1]
    fits = along >= 0.5 * np.sqrt(squared(told) * squared(way))
    told_one = counted & (squared(told) > 1.0)
    change = np.where(told_one, np.where(fits, 0.25, -0.5), 0.0)
    return np.asarray(np.clip(before + change, -1.0, 1.0))


def _break(after: Floats, from_t: Floats, broken: Flags) -> None:
    after[at.GAPS, broken] += 1.0
    after[at.GAP_FROM, broken] = from_t[broken]
    after[at.GAP_UNTIL, broken] = after[at.T, broken]


def _enter(after: Floats, first: Flags) -> None:
    after[at.CIRCLE, first] = after[at.COUNTED, first] = after[at.PLACE, first]
    after[at.MOTION, first] = _columns(begun(after[at.T, first]))


def _hold(velocity: Floats, most_mps: Floats) -> None:
    """Nobody is held to be faster than it can be."""
    speed = np.sqrt(squared(velocity))
    fast = np.flatnonzero(speed > most_mps)
    velocity[:, fast] *= most_mps[fast] / speed[fast]


def _reached(
    way: Floats, seconds: Floats, most_mps: Floats, variance: Floats, other: Floats
) -> Flags:
    """Whether one can go that way in the time; both ends may be off a bit."""
    slack = SLACK * SPREAD * (np.sqrt(variance) + np.sqrt(other))
    return np.asarray(squared(way) <= (most_mps * seconds + slack) ** 2)
