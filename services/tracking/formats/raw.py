"""What every format is read into: fixes as they were told, before anybody judged them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pydantic_core import from_json

UNKNOWN: Final = math.nan
"""A number that was not told, or that is none."""


class Unreadable(ValueError):
    """These bytes are not of this format at all; the text says what is wrong with them."""


@dataclass(frozen=True, slots=True)
class RawFix:
    """One position as a tracker told it, in our units. Nothing of it was judged yet.

    Attributes:
        t: seconds since 1970 by the tracker's own clock; NaN where it told none.
        lat: degrees; NaN where it told none, and whatever it told otherwise: 91 too.
        lon: the same.
        accuracy_m: the radius within which it is two times of three; NaN is unknown.
        speed_mps: NaN is unknown.
        heading_deg: from north, clockwise, 0 to 360; NaN is unknown.
        battery: what is left, 0 to 1; NaN is unknown.
        below: of a bridge that speaks for many, which of them: Traccar's ``uniqueId``. None
            where the device speaks for itself.
    """

    t: float
    lat: float
    lon: float
    accuracy_m: float = UNKNOWN
    speed_mps: float = UNKNOWN
    heading_deg: float = UNKNOWN
    battery: float = UNKNOWN
    below: str | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found in one message.

    Attributes:
        fixes: in the order in which they were told.
        left: what else stood in it, by the name that the format has for it, once each:
            ``lwt``, ``transition``. It is nothing wrong, and nothing to act on.
        spoilt: how many pieces of it were damaged: a checksum that does not fit.
    """

    fixes: Sequence[RawFix] = ()
    left: tuple[str, ...] = ()
    spoilt: int = 0


Reader = Callable[[bytes, float], Reading]
"""Reads one payload; the second is when it was received, in seconds since 1970.

Raises:
    Unreadable: the payload is not of the format.
"""


def document(payload: bytes) -> Any:
    """Read JSON.

    Raises:
        Unreadable: it is none.
    """
    try:
        return from_json(payload)
    except ValueError as error:
        raise Unreadable(f"no JSON: {error}"[:120]) from None


def number(told: object) -> float:
    """A number as a float: ``1.5``, ``"1.5"``; NaN for all that is none."""
    if isinstance(told, bool) or not isinstance(told, (int, float, str)):
        return UNKNOWN
    try:
        value = float(told)
    except (ValueError, OverflowError):
        return UNKNOWN
    return value if math.isfinite(value) else UNKNOWN


def at_least_zero(told: object) -> float:
    """The same; NaN below zero too: -1 is what many write for unknown."""
    value = number(told)
    return value if value >= 0 else UNKNOWN


def heading(told: object) -> float:
    """Degrees from north; 360 is 0, and what lies outside is unknown."""
    value = number(told)
    return value % 360.0 if 0 <= value <= 360 else UNKNOWN


def share(told: object) -> float:
    """Per cent as a share of one; NaN for what is outside 0 to 100."""
    value = number(told)
    return value / 100.0 if 0 <= value <= 100 else UNKNOWN


def moment(told: object) -> float:
    """Seconds since 1970 of an RFC 3339 time; one that names no zone is taken for UTC."""
    if not isinstance(told, str) or len(told) > 40:
        return UNKNOWN
    try:
        at = datetime.fromisoformat(told)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return UNKNOWN
