"""Rides to try fleets on: in metres from a market square, at whole seconds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from services.geography.sphere import Plane
from services.tracking.batches import FixBatch, Judged
from services.tracking.columns import STATE
from services.tracking.fleet import Fleet
from services.tracking.limits import Limits
from services.tracking.verdicts import Verdict, used

Floats = NDArray[np.float64]
SQUARE = Plane(60.17, 24.94)
NOON = 1_760_000_000.0
GOOD_M = 8.0


@dataclass(frozen=True)
class Ride:
    """Where one vehicle really is, and what its tracker says."""

    t: Floats
    east: Floats
    north: Floats
    told_east: Floats
    told_north: Floats

    def __len__(self) -> int:
        return len(self.t)

    def batch(self, which: Sequence[int] | slice = slice(None), *, vehicle: int = 0,
              delay_s: float = 0.2) -> FixBatch:  # fmt: skip
        """Those fixes, which came as they were made."""
        picked = np.arange(len(self))[which]
        lat, lon = SQUARE.to_degrees(self.told_east[picked], self.told_north[picked])
        t = self.t[picked]
        return FixBatch.of(
            np.full(len(t), vehicle), t, lat, lon,
            received=t + delay_s, accuracy_m=np.full(len(t), GOOD_M),
        )  # fmt: skip

    def off_m(self, lat: Floats, lon: Floats) -> Floats:
        """How far places are from where it really was."""
        east, north = SQUARE.to_metres(lat, lon)
        return np.hypot(east - self.east, north - self.north)

    def moved(self, where: int, by: tuple[float, float]) -> Ride:
        """The same, with one fix told so many metres off."""
        east, north = self.told_east.copy(), self.told_north.copy()
        east[where] += by[0]
        north[where] += by[1]
        return replace(self, told_east=east, told_north=north)


def ride(
    seconds: int,
    *,
    mps: float = 10.0,
    every_s: float = 1.0,
    turn_every_s: float = 40.0,
    noise_m: float = 4.0,
    seed: int = 1,
    begin: float = NOON,
) -> Ride:
    """Round blocks at an even speed, with noise on each axis; 0 m/s stands."""
    draw = np.random.default_rng(seed)
    t = np.arange(0.0, seconds, every_s)
    fine = np.arange(0.0, seconds, 0.1)
    heading = np.cumsum(np.where((fine % turn_every_s) < 4.0, np.pi / 2 / 40.0, 0.0))
    east = np.interp(t, fine, np.cumsum(np.sin(heading)) * 0.1 * mps)
    north = np.interp(t, fine, np.cumsum(np.cos(heading)) * 0.1 * mps)
    off = draw.normal(0.0, noise_m, (2, len(t)))
    return Ride(begin + t, east, north, east + off[0], north + off[1])


def fleet_of(count: int = 1, limits: Limits | None = None) -> Fleet:
    """So many vehicles of which nothing is known."""
    fleet = Fleet()
    for _ in range(count):
        fleet.add(limits or Limits())
    return fleet


def join(batches: Iterable[FixBatch]) -> FixBatch:
    """One of several."""
    every = list(batches)
    columns = zip(*(each.columns() for each in every), strict=True)
    vehicle = np.concatenate([each.vehicle for each in every])
    return FixBatch(vehicle, *(np.concatenate(column) for column in columns))


def words(judged: Judged) -> list[str]:
    """What became of each fix."""
    return [Verdict(int(each)).word for each in judged.verdict]


def lost(judged: Judged) -> int:
    """How many moved nobody."""
    return int(np.count_nonzero(~used(judged.verdict)))


def same(one: Fleet, other: Fleet) -> bool:
    """Whether two fleets know the very same, but for when they heard it."""
    rows = [fleet.rows(range(len(fleet)))[:, : len(STATE)] for fleet in (one, other)]
    return rows[0].tobytes() == rows[1].tobytes()
