"""How long a ride still takes: from the straight line to the door; pure, in arrays.

The way is longer than the straight line by a detour, and each metre of it takes its time; both
together are one figure, the *pace*: seconds for each metre of the straight line. What is known of
it is a usual pace (assumed, then learned of the house's own rides: `services.delivery.legs`), and
what this very ride has shown so far, weighted by how many metres each stands for. Rides that go
slowly mostly go on slowly, so the spread is one factor for the whole rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from schemas.positions import TravelMode
from services.delivery.spans import Span

Floats = NDArray[np.float64]

DETOUR: Final = 1.35
"""The way through streets over the straight line. Between 1.2 and 1.4 in towns: Boscoe, Henry and
Zdeb (A Nationwide Comparison of Driving Distance Versus Straight-Line Distance to Hospitals, The
Professional Geographer 64, 2012) find 1.417 on average; grids of streets have 4/pi = 1.27."""
_MPS: Final[dict[TravelMode, float]] = {
    TravelMode.FOOT: 1.35,
    TravelMode.BICYCLE: 4.2,
    TravelMode.SCOOTER: 6.2,
    TravelMode.CAR: 6.0,
}
"""Door to door in a town, lights and corners included: assumed, until a house has rides."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How rides go, of one kind of courier in one house.

    Attributes:
        s_per_m: seconds for a metre of the straight line, at the median.
        slower: by what factor the slowest tenth takes longer; above 1.
        start_s: to set off, and to stop: what even the shortest ride takes.
        start_spread_s: how much longer that takes once of ten.
        worth_m: for so many metres of its own showing the usual pace stands.
    """

    s_per_m: float
    slower: float = 1.45
    start_s: float = 40.0
    start_spread_s: float = 45.0
    worth_m: float = 800.0


def usual(mode: TravelMode) -> Pace:
    """What is assumed of a house without rides."""
    return Pace(s_per_m=DETOUR / _MPS[mode])


def to_go(
    distance_m: ArrayLike,
    pace: Pace | Paces,
    *,
    made_m: ArrayLike = 0.0,
    elapsed_s: ArrayLike = 0.0,
    begun: ArrayLike = False,
) -> Span:
    """How long it takes to the door, setting off and stopping included.

    Args:
        distance_m: what is left, along the straight line (from stop to stop, where others come
            first).
        pace: how rides go; one for all, or one for each.
        made_m: what this ride has come nearer so far, along the straight line.
        elapsed_s: how long it took for that.
        begun: whether it is on its way: half of `start_s`, to stop, is what is left of it.

    Returns:
        Never less for more `distance_m`, nor for more `elapsed_s`.
    """
    distance = np.maximum(0.0, np.asarray(distance_m, dtype=np.float64))
    paces = pace if isinstance(pace, Paces) else Paces.of([pace])
    shown = shown_pace(paces, made_m, elapsed_s)
    riding = np.asarray(begun, dtype=np.bool_)
    start = np.where(riding, 0.5, 1.0) * paces.start_s
    # Of what a ride has shown, the rest is known the better the longer it was.
    known = paces.worth_m / (paces.worth_m + np.maximum(0.0, np.asarray(made_m, dtype=np.float64)))
    slower = 1.0 + (paces.slower - 1.0) * np.sqrt(0.3 + 0.7 * known)
    ride = shown * distance
    p50 = ride + start
    return Span.of(p50, p50 + np.hypot(ride * (slower - 1.0), paces.start_spread_s))


def shown_pace(pace: Pace | Paces, made_m: ArrayLike, elapsed_s: ArrayLike) -> Floats:
    """Seconds for a metre of the straight line, as it is usual and as this ride shows it.

    Of a ride that came no nearer for long it is slow, and no metre ever takes more than ten
    times as long as usual: then it stands, and standing is no pace.
    """
    paces = pace if isinstance(pace, Paces) else Paces.of([pace])
    made = np.maximum(0.0, np.asarray(made_m, dtype=np.float64))
    elapsed = np.maximum(0.0, np.asarray(elapsed_s, dtype=np.float64))
    shown = (paces.s_per_m * paces.worth_m + elapsed) / (paces.worth_m + made)
    return np.asarray(np.clip(shown, 0.25 * paces.s_per_m, 10.0 * paces.s_per_m))


@dataclass(frozen=True, slots=True)
class Paces:
    """A pace for each of many rides: the fields of `Pace` as arrays."""

    s_per_m: Floats
    slower: Floats
    start_s: Floats
    start_spread_s: Floats
    worth_m: Floats

    @classmethod
    def of(cls, paces: list[Pace]) -> Paces:
        """Put them side by side."""
        rows = [(p.s_per_m, p.slower, p.start_s, p.start_spread_s, p.worth_m) for p in paces]
        columns = np.asarray(rows, dtype=np.float64).reshape(-1, 5).T
        return cls(*columns)
