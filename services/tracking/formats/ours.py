"""Our own format, read one by one: `Fix` and `Fixes`.

The position line reads whole ticks of them at once; it comes here with what is not as it
should be, so that one bad fix spoils none of its neighbours.
"""

from __future__ import annotations

from services.tracking.formats.raw import (
    RawFix,
    Reading,
    Unreadable,
    at_least_zero,
    document,
    heading,
    moment,
    number,
)


def read(payload: bytes, received: float) -> Reading:  # noqa: ARG001 - the shape of a reader
    """Read a `Fix`, or a `Fixes` with whatever is wrong in it.

    Raises:
        Unreadable: it is no JSON object, or its ``fixes`` are no list.
    """
    told = document(payload)
    if not isinstance(told, dict):
        raise Unreadable("no JSON object")
    if "fixes" not in told:
        return Reading((_fix(told),))
    several = told["fixes"]
    if not isinstance(several, list):
        raise Unreadable("fixes is no list")
    good = [each for each in several if isinstance(each, dict)]
    return Reading(tuple(_fix(each) for each in good), spoilt=len(several) - len(good))


def _fix(told: dict[str, object]) -> RawFix:
    battery = number(told.get("battery"))
    return RawFix(
        moment(told.get("at")),
        number(told.get("lat")),
        number(told.get("lon")),
        at_least_zero(told.get("accuracy_m")),
        at_least_zero(told.get("speed_mps")),
        heading(told.get("heading_deg")),
        battery if 0 <= battery <= 1 else number(None),
    )
