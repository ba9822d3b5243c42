"""What Traccar forwards of its devices (``forward.type`` ``mqtt`` or ``json``).

One object a position, ``{"position": {…}, "device": {…}}``, as its sources write them:
https://www.traccar.org/forward/ . One account speaks for many vehicles, told apart by the
device's ``uniqueId``.
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
    moment,
    number,
    share,
)

VOID: Final = "void"
"""What stands in `left` for a position that Traccar itself does not hold to be valid."""

KNOT_MPS: Final = 1852.0 / 3600.0


def read(payload: bytes, received: float) -> Reading:  # noqa: ARG001 - the shape of a reader
    """Read one forwarded position; an event that holds one (``event.forward``) is left.

    Raises:
        Unreadable: it is no JSON object of Traccar, or does not say of which device.
    """
    told = document(payload)
    if not isinstance(told, dict):
        raise Unreadable("no JSON object")
    if isinstance(event := told.get("event"), dict):
        kind = event.get("type")
        return Reading(left=(kind if isinstance(kind, str) and len(kind) <= 40 else "event",))
    position, device = told.get("position"), told.get("device")
    if not isinstance(position, dict) or not isinstance(device, dict):
        raise Unreadable("no position with its device: is forward.type json or mqtt?")
    below = device.get("uniqueId")
    if not isinstance(below, str) or not 0 < len(below) <= 64:
        raise Unreadable("its device has no uniqueId")
    if position.get("valid") is False:
        return Reading(left=(VOID,))
    return Reading((_fix(position, below),))


def _fix(position: dict[str, Any], below: str) -> RawFix:
    """One position.

    One that is ``outdated`` is the last place again, with the time of that place: its time puts
    it where it belongs.
    An ``accuracy`` of 0 is what it writes for unknown, and so is a ``course`` of 0 at no speed.
    """
    attributes = position.get("attributes")
    battery = attributes.get("batteryLevel") if isinstance(attributes, dict) else None
    accuracy = at_least_zero(position.get("accuracy"))
    speed = at_least_zero(position.get("speed")) * KNOT_MPS
    course = heading(position.get("course"))
    return RawFix(
        _time(position),
        number(position.get("latitude")),
        number(position.get("longitude")),
        accuracy if accuracy > 0 else number(None),
        speed,
        course if course > 0 or speed > 0 else number(None),
        share(battery),
        below,
    )


def _time(position: dict[str, Any]) -> float:
    """When it was there: a time, or milliseconds, which is what older ones wrote."""
    for name in ("fixTime", "deviceTime"):
        told = position.get(name)
        at = moment(told) if isinstance(told, str) else number(told) / 1000.0
        if at == at:  # noqa: PLR0124 - NaN is what is not itself
            return at
    return number(None)
