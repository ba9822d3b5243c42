"""Recorded rides in files: CSV, GPX, NMEA, and what OwnTracks' recorder stores."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from cli.failures import Failure
from schemas.positions import OneFix
from services.tracking.formats import gpx, nmea, owntracks
from services.tracking.formats.raw import RawFix, Unreadable, at_least_zero, heading

Found = tuple[str, OneFix | str]
"""Where it stands in the file, and the position, or what is wrong with it."""

_NEEDED: Final = {"recorded_at", "lat", "lon"}
_SENTENCES: Final = 1_000
"""Of an NMEA file are read at once."""


def read_track(path: Path) -> Iterator[Found]:
    """Read a recorded ride, one position after another.

    The ending tells what it is: ``.gpx``, ``.nmea`` (or ``.nme``), ``.rec`` of
    OwnTracks; all else is CSV with recorded_at, lat and lon, and accuracy_m, speed_mps and
    heading_deg if it has them.

    Raises:
        Failure: the file cannot be read, or is none of these at all.
    """
    try:
        yield from _READERS.get(path.suffix.lower(), _csv)(path)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Failure(f"{path} cannot be read: {error}") from error
    except Unreadable as error:
        raise Failure(f"{path} is no recorded ride: {error}") from error


def _csv(path: Path) -> Iterator[Found]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        table = csv.DictReader(file)
        missing = _NEEDED - set(table.fieldnames or [])
        if missing:
            raise Failure(f"{path} is no track: its first line lacks {', '.join(sorted(missing))}")
        for row in table:
            yield f"line {table.line_num}", _from_row(row)


def _from_row(row: dict[str, str]) -> OneFix | str:
    try:
        at = datetime.fromisoformat(row["recorded_at"].strip())
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        lat, lon = float(row["lat"]), float(row["lon"])
    except (ValueError, AttributeError, TypeError) as error:
        return str(error)
    told = (at_least_zero(row.get("accuracy_m")), at_least_zero(row.get("speed_mps")))
    return _fix(RawFix(at.timestamp(), lat, lon, *told, heading(row.get("heading_deg"))))


def _gpx(path: Path) -> Iterator[Found]:
    for number, raw in enumerate(gpx.read(path.read_bytes(), 0.0).fixes, 1):
        yield f"point {number}", _fix(raw)


def _nmea(path: Path) -> Iterator[Found]:
    """A receiver's log; the days of what tells none follow from what came before."""
    lines = path.read_bytes().splitlines(keepends=True)
    now = path.stat().st_mtime
    last = math.nan
    readable = False
    for start in range(0, len(lines), _SENTENCES):
        where = f"lines {start + 1} to {min(start + _SENTENCES, len(lines))}"
        try:
            reading = nmea.read(b"".join(lines[start : start + _SENTENCES]), now)
        except Unreadable as error:
            yield where, str(error)
            continue
        readable = True
        if reading.spoilt:
            yield where, f"{reading.spoilt} damaged"
        for raw in reading.fixes:
            if raw.t != last:  # one moment may stand on both sides of a cut
                yield where, _fix(raw)
            last = now = raw.t
    if not readable:
        raise Unreadable("no NMEA sentence with a checksum that fits")


def _recorder(path: Path) -> Iterator[Found]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        payload = line.split("\t", 2)[-1]
        try:
            reading = owntracks.read(payload.encode(), 0.0)
        except Unreadable as error:
            yield f"line {number}", str(error)
            continue
        for raw in reading.fixes:
            yield f"line {number}", _fix(raw)


def _fix(raw: RawFix) -> OneFix | str:
    def known(value: float) -> float | None:
        return None if math.isnan(value) else value

    if math.isnan(raw.t):
        return "it says no time"
    try:
        return OneFix(
            at=datetime.fromtimestamp(raw.t, UTC),
            lat=raw.lat,
            lon=raw.lon,
            accuracy_m=known(raw.accuracy_m),
            speed_mps=known(raw.speed_mps),
            heading_deg=known(raw.heading_deg),
            battery=known(raw.battery),
        )
    except ValidationError as error:
        first = error.errors()[0]
        return f"{first['loc'][0]}: {first['msg']}"
    except (ValueError, OverflowError, OSError):
        return "its time is none"


_READERS: Final[dict[str, Callable[[Path], Iterator[Found]]]] = {
    ".gpx": _gpx,
    ".nmea": _nmea,
    ".nme": _nmea,
    ".rec": _recorder,
}


def sorted_by_time(fixes: Sequence[OneFix]) -> list[OneFix]:
    """Put a ride in order: some recorders write what they had held back at the end."""
    return sorted(fixes, key=lambda fix: fix.at)
