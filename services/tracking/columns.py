"""The figures that are kept of each vehicle, and where they stand in a fleet's matrices. Pure."""

from __future__ import annotations

from typing import Final

STATE: Final = (
    "t", "lat", "lon", "east", "north", "pos", "cross", "vel",
    "pace", "seen_t", "seen_lat", "seen_lon", "seen_variance", "seen_east", "seen_north", "seen_at",
    "used_lat", "used_lon", "used_variance", "doubts", "trust",
    "place_lat", "place_lon", "step_lat", "step_lon", "place_t", "moving", "since", "distance",
    "gaps", "gap_from", "gap_until",
)  # fmt: skip
"""What a fix changes, and what is gone back to when one comes late.

The time of the last fix that was used and the filter's belief; how far the last two were apart
that were compared with it, used or not, and the last of them; the last that was used as it was
told; how many in a row were doubted, and how far told headings are trusted; the circle that it
may be standing in, and up to where its way is counted; its motion; its gaps.
"""
CLOCK: Final = ("offset", "lag", "least", "agreed", "begun", "heard", "placed")
"""`services.tracking.hygiene.Clocks`, and by our own clock when it was last heard of at all, and
when a fix of it was last used."""
ROW: Final = STATE + CLOCK
"""All that is to be kept of a vehicle, to begin again from."""


def _at(name: str) -> int:
    return STATE.index(name)


T: Final = _at("t")
PLACE: Final = slice(_at("lat"), _at("lon") + 1)
VELOCITY: Final = slice(_at("east"), _at("north") + 1)
SPREAD: Final = slice(_at("pos"), _at("vel") + 1)
PACE: Final = _at("pace")
SEEN_T: Final = _at("seen_t")
SEEN: Final = slice(SEEN_T, _at("seen_at") + 1)
SEEN_AT: Final = _at("seen_at")
SEEN_VARIANCE: Final = _at("seen_variance")
USED: Final = slice(_at("used_lat"), _at("used_variance") + 1)
USED_VARIANCE: Final = _at("used_variance")
DOUBTS: Final = _at("doubts")
TRUST: Final = _at("trust")
CIRCLE: Final = slice(_at("place_lat"), _at("place_lon") + 1)
COUNTED: Final = slice(_at("step_lat"), _at("step_lon") + 1)
MOTION: Final = slice(_at("place_t"), _at("distance") + 1)
MOVING: Final = _at("moving")
SINCE: Final = _at("since")
DISTANCE: Final = _at("distance")
GAPS: Final = _at("gaps")
GAP_FROM: Final = _at("gap_from")
GAP_UNTIL: Final = _at("gap_until")

LATS: Final = [_at(each) for each in ("seen_lat", "used_lat", "place_lat", "step_lat")]
LONS: Final = [_at(each) for each in ("seen_lon", "used_lon", "place_lon", "step_lon")]
"""The places that the next fix is compared with, in this order."""
TIMES: Final = [_at(each) for each in ("t", "seen_t", "place_t", "since", "gap_from", "gap_until")]
"""All that are times by the tracker's clock: they move when it is put right."""

OFFSET: Final = CLOCK.index("offset")
CLOCKS: Final = slice(OFFSET, CLOCK.index("begun") + 1)
HEARD: Final = CLOCK.index("heard")
PLACED: Final = CLOCK.index("placed")
