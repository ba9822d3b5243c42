"""How often trackers are asked to tell where they are. Pure: arrays in and out.

The nearer the next stop, and the faster one comes to it, the more often: some twenty positions
are wanted on what is left of the way. A phone that is nearly empty is asked less. What is asked
goes in steps of two, and changes only when it is clearly another step: each change is a message,
and a new plan for the phone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Steps = NDArray[np.int16]

IDLE: Final = 100
"""The step of who has nothing to do."""
NEVER: Final = -1
"""Before the first."""
SPARING: Final = 1_000
"""Added to the step of who has little battery left."""

_POSITIONS: Final = 20.0
"""So many on what is left of the way."""
_LEAST_MPS: Final = 2.0
"""Who stands will go on, somewhat faster than one walks."""
_STEPS: Final = 12
_CLEARLY: Final = 0.3
"""Of a step: so far beyond its bound another one is asked for."""
_LESS: Final = 2.0
_STILL: Final = 5.0
_LEAST_STILL_S: Final = 30.0
_APART_M: Final = 10.0


class Wish(NamedTuple):
    """What is asked of a tracker.

    Attributes:
        every_s: seconds between two positions while it moves.
        still_s: while it stands.
        least_m: nearer ones need not be told.
        together: so many go in one message.
        why: for people.
    """

    every_s: float
    still_s: float
    least_m: float
    together: int
    why: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What a wish follows from; all of one length.

    Attributes:
        ahead_m: how far it is to where they go next, in metres; NaN is nowhere.
        speed_mps: how fast they are.
        battery_low: whether there is little left of it.
        fastest_s: how often one near a stop is asked, by its house.
        slowest_s: how often one with nothing to do is.
    """

    ahead_m: Floats
    speed_mps: Floats
    battery_low: Flags
    fastest_s: Floats
    slowest_s: Floats


def steps(asked: Asked, before: Steps) -> Steps:
    """Which step each is asked for now, as `wish` reads it.

    Args:
        asked: how they are.
        before: what this said last; `NEVER` for nothing.
    """
    left_s = asked.ahead_m / np.fmax(asked.speed_mps, _LEAST_MPS)
    wanted = np.clip(left_s / _POSITIONS, asked.fastest_s, asked.slowest_s)
    exact = np.log2(wanted / asked.fastest_s)
    known = np.isfinite(exact)
    exact = np.where(known, exact, 0.0)
    step = np.clip(np.floor(exact), 0, _STEPS)
    own = np.mod(before, SPARING)
    stays = (before >= 0) & (own != IDLE) & (own - _CLEARLY <= exact)
    stays &= exact <= own + 1.0 + _CLEARLY
    step = np.where(stays, own, step)
    step = np.where(known, step, IDLE) + np.where(asked.battery_low, SPARING, 0)
    return step.astype(np.int16)


def wish(step: int, fastest_s: float, slowest_s: float, silent_after_s: float) -> Wish:
    """What a step asks for.

    Args:
        step: as `steps` says it.
        fastest_s: by the house.
        slowest_s: by the house.
        silent_after_s: who says nothing for so long while moving is missed, so nobody is asked
            to be silent for longer than that.
    """
    sparing, own = divmod(step, SPARING)
    slowest_s = max(fastest_s, slowest_s)
    every = slowest_s if own == IDLE else min(fastest_s * 2.0**own, slowest_s)
    if sparing:
        every = min(every * _LESS, max(slowest_s, every))
    every = min(every, silent_after_s / 2)
    still = min(max(every * _STILL, _LEAST_STILL_S), float(silent_after_s))
    why = "nothing to do" if own == IDLE else "near the next stop" if own == 0 else "on the way"
    if sparing:
        why = f"{why}; little battery left"
    # One message a second is enough, however many positions it holds.
    together = max(1, min(100, round(1.0 / every)))
    apart = 0.0 if own == 0 else _APART_M
    return Wish(round(max(every, 0.1), 3), round(max(still, 1.0), 3), apart, together, why)
