"""Distances and directions on the earth, and small planes on it, in metres.

Everything takes and gives numpy arrays, or single numbers, of degrees (WGS 84) and metres. The
earth is a sphere here: over a town's distances that is wrong by less than 0.6 %, which no
position of a phone can tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

RADIUS_M: Final = 6_371_008.8
"""The mean radius of the earth (IUGG)."""


def distance_m(lat: ArrayLike, lon: ArrayLike, lat2: ArrayLike, lon2: ArrayLike) -> Floats:
    """The great circle between points, in metres, by the haversine formula.

    Args:
        lat: degrees, of any shape.
        lon: degrees.
        lat2: degrees, of a shape that broadcasts with the first.
        lon2: degrees.
    """
    phi, phi2 = np.radians(lat), np.radians(lat2)
    half_lat = (phi2 - phi) / 2
    half_lon = (np.radians(lon2) - np.radians(lon)) / 2
    inside = np.sin(half_lat) ** 2 + np.cos(phi) * np.cos(phi2) * np.sin(half_lon) ** 2
    return np.asarray(2 * RADIUS_M * np.arcsin(np.sqrt(np.clip(inside, 0.0, 1.0))))


def bearing_deg(lat: ArrayLike, lon: ArrayLike, lat2: ArrayLike, lon2: ArrayLike) -> Floats:
    """The direction in which one sets out from the first to the second, from north, 0 to 360."""
    phi, phi2 = np.radians(lat), np.radians(lat2)
    across = np.radians(lon2) - np.radians(lon)
    east = np.sin(across) * np.cos(phi2)
    north = np.cos(phi) * np.sin(phi2) - np.sin(phi) * np.cos(phi2) * np.cos(across)
    return np.asarray(np.degrees(np.arctan2(east, north)) % 360.0)


@dataclass(frozen=True, slots=True)
class Plane:
    """A flat map around a point (equirectangular): metres to the east and to the north of it.

    Good to a thousandth within some 50 km; across the date line too.

    Attributes:
        lat: degrees of its middle; a number, or an array with a middle for each.
        lon: the same.
    """

    lat: float | Floats
    lon: float | Floats

    def to_metres(self, lat: ArrayLike, lon: ArrayLike) -> tuple[Floats, Floats]:
        """East and north of the middle, in metres."""
        across = (np.asarray(lon, dtype=np.float64) - self.lon + 180.0) % 360.0 - 180.0
        east = np.radians(across) * RADIUS_M * np.cos(np.radians(self.lat))
        north = np.radians(np.asarray(lat, dtype=np.float64) - self.lat) * RADIUS_M
        return np.asarray(east), np.asarray(north)

    def to_degrees(self, east: ArrayLike, north: ArrayLike) -> tuple[Floats, Floats]:
        """Latitude and longitude of what lies so far from the middle."""
        lat = self.lat + np.degrees(np.asarray(north, dtype=np.float64) / RADIUS_M)
        shrunk = RADIUS_M * np.cos(np.radians(self.lat))
        lon = self.lon + np.degrees(np.asarray(east, dtype=np.float64) / shrunk)
        return np.asarray(lat), np.asarray((lon + 180.0) % 360.0 - 180.0)
