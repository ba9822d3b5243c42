"""Circles and polygons, and on which side of their lines points lie. Pure: arrays in and out.

A shape has two lines: the one that was drawn, and one a margin farther out. What lies between
them is neither within nor beyond: who walks along a fence does not come and go with each fix.

A circle is as wide in metres as it says. A polygon's edges are straight in degrees, as GeoJSON
has them (RFC 7946, section 3.1.1), and its margin is measured on a plane around its middle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray

from services.geography.sphere import RADIUS_M, Plane

Floats = NDArray[np.float64]
Numbers = NDArray[np.intp]
Sides = NDArray[np.int8]

WITHIN: Final = 1
BETWEEN: Final = 0
BEYOND: Final = -1


class NoShape(ValueError):
    """What was drawn encloses nothing that could be asked about; the message says why."""


@dataclass(frozen=True, slots=True)
class Circle:
    """All that is so near to a point.

    Attributes:
        lat: of the middle, in degrees.
        lon: the same.
        radius_m: how far it reaches.
        margin_m: so much farther out is beyond.
    """

    lat: float
    lon: float
    radius_m: float
    margin_m: float = 0.0

    @property
    def middle(self) -> tuple[float, float]:
        """Latitude and longitude, in degrees."""
        return self.lat, self.lon

    @property
    def box(self) -> tuple[float, float]:
        """How far it reaches to the east and to the north, with its margin, in metres."""
        reach = self.radius_m + self.margin_m
        return reach, reach

    def side(self, east: Floats, north: Floats) -> Sides:
        """On which side points lie, by their metres from its middle."""
        square = east * east + north * north
        beyond = square > (self.radius_m + self.margin_m) ** 2
        return np.where(square <= self.radius_m**2, WITHIN, -beyond.astype(np.int8)).astype(np.int8)


class Area:
    """All that is within a ring, and not in its holes.

    Args:
        rings: of longitude and latitude, closed, the outer one first.
        margin_m: so much farther out is beyond.

    Raises:
        NoShape: it crosses itself, has no area, or is nothing but a line.
    """

    def __init__(
        self, rings: Sequence[Sequence[tuple[float, float]]], margin_m: float = 0.0
    ) -> None:
        outer = np.asarray(rings[0], dtype=np.float64)
        # Around the date line a ring jumps by 360 degrees: it is followed from its first corner.
        across = (outer[:, 0] - outer[0, 0] + 180.0) % 360.0 - 180.0
        lon = outer[0, 0] + (across.min() + across.max()) / 2
        lat = (outer[:, 1].min() + outer[:, 1].max()) / 2
        self.middle: Final = float(lat), float((lon + 180.0) % 360.0 - 180.0)
        plane = Plane(*self.middle)
        flat = [_flat(plane, ring) for ring in rings]
        drawn = shapely.Polygon(flat[0], flat[1:])
        if not drawn.is_valid:
            raise NoShape(_why(plane, drawn))
        if drawn.area < 1.0:
            raise NoShape("it encloses less than a square metre")
        self.area_m2: Final = float(drawn.area)
        self._drawn: Final = drawn
        self._wide: Final = drawn.buffer(margin_m) if margin_m > 0 else drawn
        shapely.prepare(self._drawn)
        shapely.prepare(self._wide)
        west, south, east, north = self._wide.bounds
        self.box: Final = max(-west, east), max(-south, north)

    def side(self, east: Floats, north: Floats) -> Sides:
        """On which side points lie, by their metres from its middle."""
        sides = np.full(east.shape, BEYOND, dtype=np.int8)
        sides[shapely.intersects_xy(self._wide, east, north)] = BETWEEN
        # The line belongs to what it encloses.
        sides[shapely.intersects_xy(self._drawn, east, north)] = WITHIN
        return sides


Shape = Circle | Area


class Shapes:
    """Many shapes, by number, to be asked about many points at once.

    Args:
        shapes: the number of each is its place here.
    """

    def __init__(self, shapes: Sequence[Shape]) -> None:
        self._shapes: Final = tuple(shapes)
        middles = np.array([each.middle for each in shapes]).reshape(-1, 2)
        self._lat: Final = middles[:, 0]
        self._lon: Final = middles[:, 1]
        self._box: Final = np.array([each.box for each in shapes]).reshape(-1, 2)
        # Of a circle nothing is left to ask but a distance: all of them at once.
        round_ = [each if isinstance(each, Circle) else None for each in shapes]
        self._radius: Final = np.array([np.nan if e is None else e.radius_m for e in round_])
        self._margin: Final = np.array([np.nan if e is None else e.margin_m for e in round_])

    def __len__(self) -> int:
        return len(self._shapes)

    def sides(self, shape: Numbers, lat: Floats, lon: Floats) -> Sides:
        """On which side of which shape points lie: `WITHIN`, `BETWEEN` or `BEYOND`.

        Args:
            shape: the number of a shape for each point.
            lat: degrees.
            lon: the same.
        """
        # As `Plane` does; the whole of it at once, with a middle for each point.
        middle = self._lat[shape]
        across = (lon - self._lon[shape] + 180.0) % 360.0 - 180.0
        east = np.radians(across) * RADIUS_M * np.cos(np.radians(middle))
        north = np.radians(lat - middle) * RADIUS_M
        box = self._box[shape]
        near = np.flatnonzero((np.abs(east) <= box[:, 0]) & (np.abs(north) <= box[:, 1]))
        sides = np.full(len(shape), BEYOND, dtype=np.int8)
        if not len(near):
            return sides
        number, east, north = shape[near], east[near], north[near]
        radius, square = self._radius[number], east * east + north * north
        found = np.where(square <= (radius + self._margin[number]) ** 2, BETWEEN, BEYOND)
        found[square <= radius**2] = WITHIN
        for each in np.unique(number[np.isnan(radius)]):
            its = number == each
            found[its] = self._shapes[each].side(east[its], north[its])
        sides[near] = found
        return sides


def _flat(plane: Plane, ring: Sequence[tuple[float, float]]) -> Floats:
    corners = np.asarray(ring, dtype=np.float64)
    return np.stack(plane.to_metres(corners[:, 1], corners[:, 0]), axis=1)


def _why(plane: Plane, drawn: shapely.Polygon) -> str:
    """What is wrong with it, with the place in degrees, so that one finds it on a map."""
    said = str(shapely.is_valid_reason(drawn))
    what, _, place = said.partition("[")
    try:
        east, north = (float(each) for each in place.rstrip("]").split())
    except ValueError:
        return said
    lat, lon = plane.to_degrees(east, north)
    return f"{what.strip()} at longitude {float(lon):.6f}, latitude {float(lat):.6f}"
