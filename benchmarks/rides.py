"""How well the arrival of real rides is foretold at half and at nine tenths of their way.

    python -m benchmarks.rides FOLDER [--json]

FOLDER holds tracks as CSV files with recorded_at, lat and lon. They are cleaned as live ones are
and cut into rides at stops and gaps. Of each ride the start, the end and the times are known and
all that lies between is withheld, but for what was seen until the moment of asking; paces are
learned from rides that were over before. Next to it stands the straight line that is left, over
the mean speed.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.gps_tracks import Taken, read_tracks, take_all
from schemas.positions import TravelMode
from services.delivery.legs import PastRides, learn_pace
from services.delivery.rides import Pace, to_go, usual
from services.geography.sphere import distance_m
from services.tracking.limits import Limits
from services.tracking.verdicts import used

Floats = NDArray[np.float64]

STOP_M: Final = 50.0
STOP_S: Final = 120.0
"""Who stays within so many metres for so long has stopped."""
SILENCE_S: Final = 60.0
LEAST_M: Final = 500.0
LEAST_S: Final = 120.0
MOST_S: Final = 3_600.0
MOST_DETOUR: Final = 3.0
"""Who goes much further about was not on the way there."""
PARTS: Final = (0.5, 0.9)
_FASTEST: Final = (
    (2.5, TravelMode.FOOT), (7.0, TravelMode.BICYCLE), (12.0, TravelMode.SCOOTER)
)  # fmt: skip
"""Nobody wrote down what they went by: who was not faster until now goes by this."""


@dataclass(frozen=True, slots=True)
class Ride:
    """From one place to another, as it was cleaned."""

    t: Floats
    lat: Floats
    lon: Floats
    way_m: Floats
    left_m: Floats

    @property
    def took_s(self) -> float:
        """From the start to the end."""
        return float(self.t[-1] - self.t[0])


@dataclass(frozen=True, slots=True)
class Asked:
    """A moment of a ride at which its arrival is foretold; in seconds from then."""

    really_s: float
    p50_s: float
    p90_s: float
    over_own_mean_s: float
    over_usual_mean_s: float


def rides_of(taken: Taken) -> list[Ride]:
    """Cut a track at its stops and gaps, and keep what goes somewhere."""
    which = taken.which[used(taken.judged.verdict[taken.which])]
    t, lat, lon = taken.batch.t[which], taken.judged.lat[which], taken.judged.lon[which]
    broken = (taken.judged.gap_s[which] > 0.0) | (np.diff(t, prepend=t[:1]) > SILENCE_S)
    found = []
    for piece in np.split(np.arange(len(t)), np.flatnonzero(broken)):
        begin = 0
        for stop_begin, stop_end in [*_stops(t[piece], lat[piece], lon[piece]), (len(piece), 0)]:
            its = piece[begin:stop_begin]
            if len(its) > 10:
                found.append(_ride(t[its], lat[its], lon[its]))
            begin = stop_end
    return [ride for ride in found if _goes_somewhere(ride)]


def _stops(t: Floats, lat: Floats, lon: Floats) -> list[tuple[int, int]]:
    """From where to where in the arrays somebody stood."""
    stops, here = [], 0
    while here < len(t):
        away = distance_m(lat[here], lon[here], lat[here:], lon[here:]) > STOP_M
        end = here + int(np.argmax(away)) if away.any() else len(t)
        if t[end - 1] - t[here] >= STOP_S:
            stops.append((here, end))
            here = end
        else:
            here += 1
    return stops


def _ride(t: Floats, lat: Floats, lon: Floats) -> Ride:
    steps = distance_m(lat[:-1], lon[:-1], lat[1:], lon[1:])
    left = distance_m(lat, lon, lat[-1], lon[-1])
    return Ride(t, lat, lon, np.concatenate(([0.0], np.cumsum(steps))), left)


def _goes_somewhere(ride: Ride) -> bool:
    straight, way = float(ride.left_m[0]), float(ride.way_m[-1])
    return (
        straight >= LEAST_M and LEAST_S <= ride.took_s <= MOST_S and way <= MOST_DETOUR * straight
    )


def _mode(ride: Ride, until: int) -> TravelMode:
    """What they go by, as it looks from what was seen until then."""
    speed = np.diff(ride.way_m[: until + 1]) / np.maximum(1.0, np.diff(ride.t[: until + 1]))
    fastest = float(np.quantile(speed, 0.9))
    return next((mode for most, mode in _FASTEST if fastest < most), TravelMode.CAR)


def ask(ride: Ride, part: float, before: list[Ride]) -> Asked:
    """Foretell the arrival at this part of the way, from what is known then."""
    now = int(np.searchsorted(ride.way_m, part * ride.way_m[-1]))
    mode = _mode(ride, now)
    known = [each for each in before if _mode(each, len(each.t) - 1) is mode]
    elapsed, left = float(ride.t[now] - ride.t[0]), float(ride.left_m[now])
    foretold = to_go(
        left, _pace(mode, known, ride.t[0]),
        made_m=float(ride.left_m[0]) - left, elapsed_s=elapsed, begun=True,
    )  # fmt: skip
    own = float(ride.way_m[now]) / elapsed
    speeds = [each.left_m[0] / each.took_s for each in known]
    others = float(np.mean(speeds)) if speeds else 1.0 / usual(mode).s_per_m
    return Asked(
        float(ride.t[-1] - ride.t[now]), foretold.p50_s.item(), foretold.p90_s.item(),
        left / own, left / others,
    )  # fmt: skip


def _pace(mode: TravelMode, known: list[Ride], now: float) -> Pace:
    past = PastRides(
        np.array([each.took_s for each in known]),
        np.array([each.left_m[0] for each in known]),
        np.array([(now - each.t[-1]) / 86_400.0 for each in known]),
    )
    return learn_pace(usual(mode), past)[0]


def _errors(foretold: list[float], really: list[float]) -> dict[str, float]:
    error = np.array(foretold) - np.array(really)
    return {
        "mae_s": round(float(np.abs(error).mean()), 1),
        "median_s": round(float(np.median(np.abs(error))), 1),
        "p90_s": round(float(np.quantile(np.abs(error), 0.9)), 1),
        "bias_s": round(float(error.mean()), 1),
    }


def measure(rides: list[Ride]) -> dict[str, Any]:
    """All figures, at each part of the way."""
    in_order = sorted(rides, key=lambda ride: ride.t[0])
    figures: dict[str, Any] = {
        "rides": len(rides),
        "median_took_s": round(float(np.median([ride.took_s for ride in rides]))),
        "median_straight_m": round(float(np.median([ride.left_m[0] for ride in rides]))),
    }
    for part in PARTS:
        asked = [
            ask(ride, part, [each for each in in_order if each.t[-1] < ride.t[0]])
            for ride in in_order
        ]
        really = [each.really_s for each in asked]
        held = np.mean([each.really_s <= each.p90_s for each in asked])
        figures[f"at_{part:.0%}"] = {
            "left_s": round(float(np.mean(really)), 1),
            "heard": _errors([each.p50_s for each in asked], really)
            | {"p90_coverage": round(float(held), 3)},
            "straight_over_own_mean": _errors([each.over_own_mean_s for each in asked], really),
            "straight_over_usual_mean": _errors([each.over_usual_mean_s for each in asked], really),
        }
    return figures


def main() -> int:
    """Read, cut, foretell, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", action="store_true", help="print JSON in one line")
    given = parser.parse_args()
    try:
        tracks = read_tracks(given.folder)
    except (OSError, KeyError) as error:
        print(f"cannot read the tracks: {error}", file=sys.stderr)
        return 2
    rides = [ride for taken in take_all(tracks, Limits()) for ride in rides_of(taken)]
    if not rides:
        print("no ride in these tracks that goes anywhere", file=sys.stderr)
        return 1
    print(json.dumps(measure(rides), indent=None if given.json else 2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
