"""When a vehicle's place is published, and how it reads. Pure.

A place is told when it has changed enough to matter, and no more often than the whole fleet
can be told of: a few couriers every second, thousands each every few seconds.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from math import isnan
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.positions import VehicleState
from services.geography.sphere import distance_m
from services.runtime.context import Outgoing, outgoing
from services.tracking.batches import Floats, Numbers, Standing
from services.tracking.vehicle_book import VehicleBook

LEAST_S: Final = 1.0
"""Nobody looks at a map more often."""
AT_MOST_PER_S: Final = 400.0
"""So many are told of a second, all together; what must be told at once comes on top."""
ENOUGH_M: Final = 5.0
"""What is nearer to the place that was told is the same place."""
AGAIN_S: Final = 60.0
"""Who stands is told of again after so long: it is there still."""


def some(standing: Standing, which: NDArray[np.bool_]) -> Standing:
    """Those vehicles alone."""
    return Standing(*(getattr(standing, each.name)[which] for each in fields(Standing)))


class Told:
    """What was told last of each vehicle, by number."""

    def __init__(self) -> None:
        self._when = np.empty(0)
        self._lat = np.empty(0)
        self._lon = np.empty(0)
        self._moving = np.empty(0, dtype=np.bool_)
        self._silent = np.empty(0, dtype=np.bool_)

    def due(self, standing: Standing, now: float) -> NDArray[np.bool_]:
        """Who of these is to be told of now.

        Args:
            standing: where they are.
            now: seconds since 1970.
        """
        number = standing.vehicle
        self._room(number)
        since = now - self._when[number]
        moving = max(1, int((now - self._when < AGAIN_S).sum()))
        pause = max(LEAST_S, moving / AT_MOST_PER_S)
        away = distance_m(self._lat[number], self._lon[number], standing.lat, standing.lon)
        moved = (since >= pause) & (away >= ENOUGH_M)
        turned = (standing.moving != self._moving[number]) | self._silent[number]
        found = np.isfinite(standing.t) & (moved | turned | (since >= AGAIN_S))
        return np.asarray(found)

    def note(self, standing: Standing, now: float, *, silent: bool = False) -> None:
        """These were told of."""
        number = standing.vehicle
        self._room(number)
        self._when[number] = now
        self._lat[number], self._lon[number] = standing.lat, standing.lon
        self._moving[number] = standing.moving
        self._silent[number] = silent

    def silent(self, heard: Floats, patience_s: Floats) -> Numbers:
        """Who was told of as there, and is silent for too long now.

        Args:
            heard: seconds since each vehicle was heard with a place that can be right, by number;
                NaN where it never was.
            patience_s: how long each may be silent.
        """
        known = min(len(self._when), len(heard), len(patience_s))
        late = (heard[:known] > patience_s[:known]) & ~self._silent[:known]
        late &= np.isfinite(self._when[:known])
        return np.flatnonzero(late).astype(np.int32)

    def _room(self, number: Numbers) -> None:
        more = (int(number.max()) + 1 if len(number) else 0) - len(self._when)
        if more > 0:
            more = max(more, 64)
            self._when = np.pad(self._when, (0, more), constant_values=-np.inf)
            self._lat = np.pad(self._lat, (0, more))
            self._lon = np.pad(self._lon, (0, more))
            self._moving = np.pad(self._moving, (0, more))
            self._silent = np.pad(self._silent, (0, more))


def states(
    book: VehicleBook, standing: Standing, now: datetime, *, silent: bool = False
) -> list[Outgoing]:
    """Write down where these vehicles are."""
    told: list[Outgoing] = []
    columns = zip(
        standing.vehicle.tolist(), standing.t.tolist(), standing.lat.tolist(),
        standing.lon.tolist(), standing.spread_m.tolist(), standing.speed_mps.tolist(),
        standing.heading_deg.tolist(), standing.moving.tolist(), standing.since.tolist(),
        standing.distance_m.tolist(), standing.gap_from.tolist(), standing.gap_until.tolist(),
        strict=True,
    )  # fmt: skip
    for (number, t, lat, lon, spread, speed, heading, moving, since, way, gap_from,
         gap_until) in columns:  # fmt: skip
        vehicle = book.of(number)
        battery = float(book.battery[number])
        state = VehicleState.model_construct(
            vehicle=vehicle.key[1],
            at=_moment(t),
            lat=round(lat, 6),
            lon=round(lon, 6),
            spread_m=round(spread, 1),
            speed_mps=round(speed, 2),
            heading_deg=None if isnan(heading) else round(heading, 1) % 360.0,
            moving=moving,
            since=_moment(since),
            distance_m=round(book.walked_today(vehicle, t, way), 1),
            battery=None if isnan(battery) else battery,
            gap_s=round(gap_until - gap_from, 1) if gap_until == t else None,
            silent=silent,
        )
        told.append(outgoing(state, tenant=vehicle.key[0], now=now))
    return told


def _moment(t: float) -> datetime:
    return datetime.fromtimestamp(t, UTC)
