"""What a phone with OwnTracks says: a JSON object that names its ``_type``.

https://owntracks.org/booklet/tech/json/ . Only ``location`` tells where it is; a ``transition``
holds a place too, but a fence's trigger may be older than the last location, and a location
comes with it anyway.
"""

from __future__ import annotations

from typing import Any, Final

from services.tracking.formats.raw import (
    RawFix,
    Reading,
    Unreadable,
    at_least_zero,
    document,
    heading,
    number,
    share,
)

BESIDE: Final = frozenset(
    {
        "beacon",
        "card",
        "cmd",
        "configuration",
        "dump",
        "encrypted",
        "lwt",
        "request",
        "status",
        "steps",
        "transition",
        "waypoint",
        "waypoints",
    }
)
"""What else it says: named, and left."""

_KMH: Final = 3.6


def read(payload: bytes, received: float) -> Reading:  # noqa: ARG001 - the shape of a reader
    """Read one message, or a list of them.

    Raises:
        Unreadable: it is no JSON object, or names no ``_type``. The device could mend one
            that is ``encrypted``: it is left, by that name.
    """
    told = document(payload)
    if isinstance(told, list):
        return _several(told)
    found = _one(told)
    return Reading(left=(found,)) if isinstance(found, str) else Reading((found,))


def _several(told: list[Any]) -> Reading:
    fixes: list[RawFix] = []
    left: list[str] = []
    spoilt = 0
    for each in told:
        try:
            found = _one(each)
        except Unreadable:
            spoilt += 1
        else:
            if isinstance(found, RawFix):
                fixes.append(found)
            elif found not in left:
                left.append(found)
    return Reading(tuple(fixes), tuple(left), spoilt)


def _one(told: Any) -> RawFix | str:
    if not isinstance(told, dict):
        raise Unreadable("no JSON object")
    kind = told.get("_type")
    if kind == "location":
        return _location(told)
    if isinstance(kind, str) and kind in BESIDE:
        return kind
    raise Unreadable(f"_type {kind!r:.40} is none of OwnTracks")


def _location(told: dict[str, Any]) -> RawFix:
    """One location: -1 is what it says for an unknown speed or course, and per cent of battery.

    Its times are sometimes text. An accuracy of zero, which no phone has, is left out by the
    app where it knows none; should it come, it is unknown too.
    """
    accuracy = at_least_zero(told.get("acc"))
    return RawFix(
        number(told.get("tst")),
        number(told.get("lat")),
        number(told.get("lon")),
        accuracy if accuracy > 0 else number(None),
        at_least_zero(told.get("vel")) / _KMH,
        heading(told.get("cog")),
        share(told.get("batt")),
    )
