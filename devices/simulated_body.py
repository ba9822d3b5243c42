"""A rider in a simulation: legs that take their time, through a flat town of blocks."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from schemas.positions import OneFix, Place

_M_PER_DEGREE: Final = 111_195.0
_THERE_M: Final = 12.0

Point = tuple[float, float]
"""Metres to the east and to the north of the town's middle."""


@dataclass(frozen=True, slots=True)
class Town:
    """A flat town around a place: the restaurant's, where there is one alone."""

    house: Place

    def point(self, place: Place) -> Point:
        """Where a place lies."""
        shrunk = _M_PER_DEGREE * math.cos(math.radians(self.house.lat))
        east = (place.lon - self.house.lon) * shrunk
        return east, (place.lat - self.house.lat) * _M_PER_DEGREE

    def place(self, point: Point) -> Place:
        """The place of a point."""
        shrunk = _M_PER_DEGREE * math.cos(math.radians(self.house.lat))
        lat = self.house.lat + point[1] / _M_PER_DEGREE
        return Place(lat=lat, lon=self.house.lon + point[0] / shrunk)


@dataclass(slots=True)
class SimulatedBody:
    """Somebody on a bicycle: rides around blocks, stops at lights, is badly seen now and then.

    Args:
        town: where all of it is.
        rng: of all that is drawn.
        at: where they are.
    """

    town: Town
    rng: random.Random
    at: Point
    _mps: float = field(init=False)
    _way: list[Point] = field(default_factory=list)
    _to: Point | None = None
    _stands_until: datetime | None = None
    _dark_until: datetime | None = None
    _dark: list[OneFix] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._mps = 4.6 * self.rng.lognormvariate(0.0, 0.12)

    def go_to(self, to: Point) -> None:
        """Along two sides of the blocks, as streets go."""
        if self._to == to:
            return
        self._to = to
        east_first = self.rng.random() < 0.5
        corner = (to[0], self.at[1]) if east_first else (self.at[0], to[1])
        self._way = [corner, to]

    def is_at(self, point: Point) -> bool:
        """Whether they are there."""
        return math.dist(self.at, point) <= _THERE_M

    def ride(self, passed: float, now: datetime) -> None:
        """Go on for so many seconds, which end now."""
        while self._way and passed > 0:
            if self._stands_until is not None and now < self._stands_until:
                return
            self._stands_until = None
            left = math.dist(self.at, self._way[0])
            step = min(left, self._mps * passed)
            if left <= 0.01:
                self.at = self._way.pop(0)
                continue
            share = step / left
            self.at = (
                self.at[0] + (self._way[0][0] - self.at[0]) * share,
                self.at[1] + (self._way[0][1] - self.at[1]) * share,
            )
            passed -= step / self._mps
            if self.rng.random() < step / 900.0:  # a red light now and then
                self._stands_until = now + self.draw(25.0, 0.5)

    def fixes(self, now: datetime) -> list[OneFix]:
        """What satellites say of now, and of before: nothing behind walls, all of it after."""
        rng = self.rng
        wild = 400.0 if rng.random() < 0.004 else 4.0
        seen = (self.at[0] + rng.gauss(0, wild), self.at[1] + rng.gauss(0, wild))
        place = self.town.place(seen)
        fix = OneFix(at=now, lat=round(place.lat, 6), lon=round(place.lon, 6), accuracy_m=8.0)
        if self._dark_until is None and rng.random() < 0.001:
            self._dark_until = now + self.draw(60.0, 0.3)  # behind walls: told later, together
        self._dark.append(fix)
        if self._dark_until is not None and now < self._dark_until:
            return []
        self._dark_until = None
        told, self._dark = self._dark, []
        return told

    def draw(self, middle_s: float, varies: float) -> timedelta:
        """A time that is about so long."""
        return timedelta(seconds=middle_s * self.rng.lognormvariate(0.0, varies))
