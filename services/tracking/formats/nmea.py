"""What a GPS receiver itself says: NMEA 0183 sentences, as text.

A sentence tells a part: RMC time, day, place and speed; GGA time, place and how good it is, and
no day; ZDA the day. Those of one moment are one fix.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import pynmea2

from services.tracking.formats.raw import (
    UNKNOWN,
    RawFix,
    Reading,
    Unreadable,
    at_least_zero,
    heading,
)
from services.tracking.formats.traccar import KNOT_MPS

MOST_SENTENCES: Final = 2_000
"""In one message: ten minutes of a receiver that says three a second."""

METRES_A_DILUTION: Final = 5.0
"""By so much a receiver is off at a dilution of one: gps.gov tells of a radius of 4.9 m for
phones under open sky (Accuracy, with van Diggelen and Enge 2015). It is a rule of thumb; the
filter weighs by it, and nothing is left out for it."""
VOID: Final = "void"
"""What stands in `left` for a moment of which the receiver itself says that it knows no place."""

_DAY: Final = 86_400.0
_LONGEST: Final = 120
"""The standard allows 82 characters; receivers are not that strict."""
_DEGREES: Final = re.compile(r"(\d{1,3})(\d\d(?:\.\d*)?)", re.ASCII)
_CLOCK: Final = re.compile(r"(\d\d)(\d\d)(\d\d(?:\.\d+)?)", re.ASCII)
_DATE: Final = re.compile(r"(\d\d)(\d\d)(\d\d)", re.ASCII)
_PLACES: Final = frozenset({"RMC", "GGA", "GNS", "GLL"})


@dataclass(slots=True)
class _Moment:
    """What was said of one time of the day."""

    clock: float
    day: float | None = None
    """Midnight before it, in seconds since 1970, where it was said."""
    told: dict[str, float] = field(default_factory=dict)
    void: bool = False


def read(payload: bytes, received: float) -> Reading:
    """Read sentences, one a line; several moments may stand in one message.

    What says no day is of the day on which it is nearest to when it was received. A sentence
    whose checksum does not fit counts as spoilt; so does one without a checksum, for nothing
    then tells a broken digit from a whole one.

    Raises:
        Unreadable: not one line of it is a sentence.
    """
    lines = [line for line in payload.decode("ascii", "replace").splitlines() if line.strip()]
    moments: list[_Moment] = []
    left: dict[str, None] = {}
    spoilt = 0
    day: float | None = None
    for line in lines[:MOST_SENTENCES]:
        sentence = _sentence(line)
        if sentence is None:
            spoilt += 1
            continue
        if isinstance(sentence, str):
            left[sentence] = None
            continue
        kind = str(sentence.sentence_type)
        if kind == "ZDA":
            day = _zda(sentence) or day
        elif kind == "VTG" and moments:
            _speed(moments[-1].told, sentence.spd_over_grnd_kts, sentence.true_track)
        elif kind in _PLACES:
            _place(kind, sentence, moments, day)
        else:
            left[kind] = None
    spoilt += max(0, len(lines) - MOST_SENTENCES)
    if spoilt == len(lines):
        raise Unreadable("no NMEA sentence with a checksum that fits")
    if any(moment.void for moment in moments):
        left[VOID] = None
    known = [moment for moment in moments if not moment.void]
    return Reading(tuple(_fixes(known, received)), tuple(left), spoilt)


def _sentence(line: str) -> Any:
    """Parse it; its name for one of no use here, and None for what is none, or is damaged."""
    text = line.strip()
    if len(text) > _LONGEST or not text.startswith("$"):
        return None
    try:
        sentence = pynmea2.parse(text, check=True)
    except pynmea2.SentenceTypeError:
        return text[3:6]  # its checksum fits: only the library does not know it
    except (ValueError, KeyError, IndexError, AttributeError):
        return None
    return sentence if isinstance(sentence, pynmea2.TalkerSentence) else text[1:5]


def _place(kind: str, sentence: Any, moments: list[_Moment], day: float | None) -> None:
    clock = _clock(_said(sentence, "timestamp"))
    if clock is None:
        return
    if not moments or moments[-1].clock != clock:
        moments.append(_Moment(clock, day))
    moment = moments[-1]
    told = moment.told
    if kind == "RMC":
        moment.day = _date(_said(sentence, "datestamp")) or moment.day
        _speed(told, _said(sentence, "spd_over_grnd"), _said(sentence, "true_course"))
    if kind in {"GGA", "GNS"}:
        dilution = at_least_zero(
            _said(sentence, "horizontal_dil" if kind == "GGA" else "hdop") or None
        )
        if 0 < dilution < 99:  # 99.99 is what receivers write for none
            told["accuracy_m"] = dilution * METRES_A_DILUTION
    if _stands(kind, sentence):
        told["lat"] = _angle(_said(sentence, "lat"), _said(sentence, "lat_dir"), "NS")
        told["lon"] = _angle(_said(sentence, "lon"), _said(sentence, "lon_dir"), "EW")
    else:
        moment.void = True


def _said(sentence: Any, name: str) -> str:
    """A field as it was written: the library's own reading of it raises for what is none."""
    place = sentence.name_to_idx[name]
    return sentence.data[place] if place < len(sentence.data) else ""


def _stands(kind: str, sentence: Any) -> bool:
    """Whether the receiver itself stands by the place: it also tells where it was last."""
    if kind == "GGA":
        return _said(sentence, "gps_qual") in {"1", "2", "3", "4", "5"}
    if kind == "GNS":
        return bool(set(_said(sentence, "mode_indicator")) & set("ADFPR"))
    mode = _said(sentence, "faa_mode" if kind == "GLL" else "mode_indicator")
    return _said(sentence, "status") == "A" and mode in {"", "A", "D", "F", "P", "R"}


def _speed(told: dict[str, float], knots: object, course: object) -> None:
    written = str(knots) if knots is not None else ""
    if (speed := at_least_zero(written) * KNOT_MPS) == speed:
        told["speed_mps"] = speed
    if (degrees := heading(str(course) if course is not None else "")) == degrees:
        told["heading_deg"] = degrees


def _angle(written: str, direction: str, signs: str) -> float:
    match = _DEGREES.fullmatch(written)
    if match is None or direction not in tuple(signs):
        return UNKNOWN
    minutes = float(match.group(2))
    if minutes >= 60:
        return UNKNOWN
    degrees = int(match.group(1)) + minutes / 60.0
    return degrees if direction == signs[0] else -degrees


def _clock(written: str) -> float | None:
    match = _CLOCK.fullmatch(written)
    if match is None:
        return None
    hours, minutes, seconds = int(match.group(1)), int(match.group(2)), float(match.group(3))
    return hours * 3600 + minutes * 60 + seconds if hours < 24 and minutes < 60 else None


def _date(written: str) -> float | None:
    match = _DATE.fullmatch(written)
    if match is None:
        return None
    year = int(match.group(3))
    century = 1900 if year >= 80 else 2000  # GPS counts from 1980 on
    return _midnight(century + year, int(match.group(2)), int(match.group(1)))


def _zda(sentence: Any) -> float | None:
    written = [_said(sentence, name) for name in ("year", "month", "day")]
    if not all(text.isascii() and text.isdigit() and len(text) <= 4 for text in written):
        return None
    return _midnight(int(written[0]), int(written[1]), int(written[2]))


def _midnight(year: int, month: int, day: int) -> float | None:
    try:
        return datetime(year, month, day, tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _fixes(moments: list[_Moment], received: float) -> list[RawFix]:
    known = next((moment.day for moment in moments if moment.day is not None), None)
    fixes = []
    last = known
    for moment in moments:
        day = moment.day
        if day is None:
            # A GGA before the RMC of its run is of the same day as those around it.
            day = last if last is not None else _nearest(moment.clock, received)
        last = day
        fixes.append(
            RawFix(
                day + moment.clock,
                moment.told.get("lat", UNKNOWN),
                moment.told.get("lon", UNKNOWN),
                moment.told.get("accuracy_m", UNKNOWN),
                moment.told.get("speed_mps", UNKNOWN),
                moment.told.get("heading_deg", UNKNOWN),
            )
        )
    return fixes


def _nearest(clock: float, received: float) -> float:
    """The midnight with which a time of the day is nearest to when it was received."""
    midnight = received - received % _DAY
    return min(
        (midnight + shift * _DAY for shift in (-1, 0, 1)),
        key=lambda day: abs(day + clock - received),
    )
