"""GPX files: a recorded ride, to ride again."""

from __future__ import annotations

import re
from typing import Final

import gpxpy
import gpxpy.gpx

from services.tracking.formats.nmea import METRES_A_DILUTION
from services.tracking.formats.raw import (
    UNKNOWN,
    RawFix,
    Reading,
    Unreadable,
    at_least_zero,
    heading,
    number,
)

_ENTITIES: Final = re.compile(rb"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_ROOT: Final = re.compile(rb"<(?:\w+:)?gpx[\s>]")


def read(payload: bytes, received: float) -> Reading:  # noqa: ARG001 - the shape of a reader
    """Read the points of all tracks, in order; one without a time has none here either.

    Routes and waypoints are plans, and are left by name.

    Raises:
        Unreadable: it is no GPX; or it declares a document type, which no GPX needs and which
            can make a reader fetch, or swell, without end.
    """
    if _ENTITIES.search(payload):
        raise Unreadable("it declares a document type: GPX has none")
    if not _ROOT.search(payload):
        raise Unreadable("it has no <gpx> element")
    try:
        found = gpxpy.parse(payload.decode("utf-8-sig"))
    except (gpxpy.gpx.GPXException, ValueError, RecursionError) as error:
        raise Unreadable(f"no GPX: {error}"[:120]) from None
    left = [name for name in ("routes", "waypoints") if getattr(found, name)]
    points = (point for track in found.tracks for leg in track.segments for point in leg.points)
    return Reading(tuple(_fix(point) for point in points), tuple(left))


def _fix(point: gpxpy.gpx.GPXTrackPoint) -> RawFix:
    dilution = at_least_zero(point.horizontal_dilution)
    return RawFix(
        point.time.timestamp() if point.time is not None else UNKNOWN,
        number(point.latitude),
        number(point.longitude),
        dilution * METRES_A_DILUTION if dilution > 0 else UNKNOWN,
        at_least_zero(point.speed),
        heading(point.course),
    )
