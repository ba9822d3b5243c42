"""From messages to columns: all positions of one tick, by whom they were told. Pure.

Our own format is read on a short way, for there may be thousands of messages a second; what
does not look quite as it should goes the long way, through its reader, fix by fix.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from pydantic_core import from_json

from schemas.catalogue import MESSAGES
from schemas.positions import ReportingTaken
from schemas.topics import Plane, device_of, is_on, plane_filter
from services.runtime.bus import Delivery
from services.tracking.batches import Floats
from services.tracking.formats.raw import RawFix, Reader, number
from services.tracking.formats.streams import READERS

COLUMNS: Final = 7
"""Time, latitude, longitude, accuracy, speed, heading, battery."""
MAX_OF_MESSAGE: Final = 1_000
"""Fixes of one message that are looked at; a backlog of ours has at most half as many."""

REPORTING: Final = ReportingTaken.route.template.split("/")[5]
"""On this stream trackers say how often they tell: it is no position."""
_SHORT: Final = frozenset({"fix", "fixes"})
_OF_STREAM: Final = 5
"""So many levels stand before the stream: the root's two, tenant, plane and device."""


class Teller(NamedTuple):
    """Who told a position: a device, or somebody below a bridge."""

    tenant: str
    device: str
    below: str | None = None


class Stream(NamedTuple):
    """Where something came from, and how it is read."""

    teller: Teller
    reader: Reader | None
    """None where it is no position, but a `ReportingTaken`."""
    short: bool
    """Whether it may be read on the short way."""


@lru_cache(maxsize=50_000)
def stream_of(topic: str) -> Stream | None:
    """Whose topic it is and which format it carries; None where it carries no positions."""
    key = device_of(topic)
    if key is None or not is_on(Plane.TELEMETRY, topic):
        return None
    first, *below = topic.split("/")[5:]
    if first == REPORTING and not below:
        return Stream(Teller(*key), None, short=False)
    reader = READERS.get(first)
    if reader is None:
        return None
    return Stream(Teller(*key), reader, first in _SHORT and not below)


def _others() -> dict[str, list[tuple[str, ...]]]:
    """The streams of telemetry that other areas listen to, by their first level."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for message in MESSAGES:
        stream = message.route.key[_OF_STREAM:]
        if message.plane is Plane.TELEMETRY and stream[0] not in {*READERS, REPORTING}:
            found.setdefault(stream[0], []).append(stream)
    return found


_OTHERS: Final = _others()


def is_others(topic: str) -> bool:
    """Tell whether a topic of telemetry is listened to elsewhere: it carries no positions.

    Nobody has looked yet whether its sender may say so much: it has to be cheap, whatever stands
    in the topic.
    """
    stream = topic.split("/")[_OF_STREAM:]
    shapes = _OTHERS.get(stream[0], ()) if stream else ()
    return any(
        len(shape) == len(stream)
        and all(wanted in {"+", told} for wanted, told in zip(shape, stream, strict=True))
        for shape in shapes
    )


FILTERS: Final = (plane_filter(Plane.TELEMETRY),)
"""What the line subscribes to. Of telemetry that nobody else listens to nothing may go unseen."""


@dataclass(slots=True)
class Arrived:
    """What a tick brought.

    Attributes:
        tellers: who told something, each once.
        owner: of each fix, the place of its teller in `tellers`.
        told: a row a fix, in the order of `COLUMNS`; NaN is unknown.
        unreadable: by teller, how many messages or pieces of them could not be read.
        left: what else stood in the messages, by the name of its kind.
        taken: by teller, how often it says that it tells, the last time.
        faults: what a reader raised that it should not have, by its name: a fault of ours, in a
            message that is unreadable to us.
    """

    tellers: list[Teller] = field(default_factory=list)
    owner: list[int] = field(default_factory=list)
    told: Floats = field(default_factory=lambda: np.empty((0, COLUMNS)))
    unreadable: Counter[Teller] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    taken: dict[Teller, ReportingTaken] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)


_Row = tuple[object, ...]


def read(deliveries: Sequence[Delivery], received: float) -> Arrived:
    """Read a tick. Whatever stands in a message, no other message suffers of it.

    Args:
        deliveries: as they came.
        received: when, in seconds since 1970.
    """
    arrived = Arrived()
    rows: list[_Row] = []
    places: dict[Teller, int] = {}
    owner = arrived.owner

    def place_of(teller: Teller) -> int:
        place = places.get(teller)
        if place is None:
            place = places[teller] = len(arrived.tellers)
            arrived.tellers.append(teller)
        return place

    for delivery in deliveries:
        stream = stream_of(delivery.topic)
        if stream is None or not delivery.payload:
            continue
        teller = stream.teller
        if stream.short and (short := _read_short(delivery.payload)) is not None:
            rows += short
            owner.extend([place_of(teller)] * len(short))
            continue
        found: list[tuple[Teller, _Row]] = []
        spoilt = 0
        try:
            if stream.reader is None:
                arrived.taken[teller] = ReportingTaken.model_validate_json(delivery.payload)
            else:
                reading = stream.reader(delivery.payload, received)
                found = [(_whose(teller, fix), _row(fix)) for fix in reading.fixes[:MAX_OF_MESSAGE]]
                spoilt = reading.spoilt
                arrived.left.update(reading.left)
        except ValueError:
            spoilt = 1
        except Exception as error:  # noqa: BLE001 - whatever it is, it is of one message
            spoilt = 1
            arrived.faults[type(error).__name__] += 1
        if spoilt or not found:
            place_of(teller)
        if spoilt:
            arrived.unreadable[teller] += spoilt
        for whose, row in found:
            rows.append(row)
            owner.append(place_of(whose))
    arrived.told = _table(rows)
    return arrived


def _whose(teller: Teller, fix: RawFix) -> Teller:
    return teller if fix.below is None else teller._replace(below=fix.below)


def _row(fix: RawFix) -> _Row:
    return (
        fix.t,
        fix.lat,
        fix.lon,
        fix.accuracy_m,
        fix.speed_mps,
        fix.heading_deg,
        fix.battery,
    )


def _read_short(payload: bytes) -> list[_Row] | None:
    """Read a `Fix` or `Fixes` of which everything is as it should be; None where it is not."""
    rows: list[_Row] = []
    try:
        told = from_json(payload)
        several = told.get("fixes")
        if several is None:
            several = (told,)
        elif type(several) is not list or len(several) > MAX_OF_MESSAGE:
            return None
        for each in several:
            at, lat, lon, more = each["at"], each["lat"], each["lon"], each.get
            if type(lat) is not float or type(lon) is not float:
                return None
            moment = datetime.fromisoformat(at)
            if moment.tzinfo is not UTC:
                return None
            rows.append(
                (
                    moment.timestamp(),
                    lat,
                    lon,
                    more("accuracy_m"),
                    more("speed_mps"),
                    more("heading_deg"),
                    more("battery"),
                )
            )
    except Exception:  # noqa: BLE001 - the long way tells what is wrong
        return None
    return rows


def _table(rows: list[_Row]) -> Floats:
    if not rows:
        return np.empty((0, COLUMNS))
    try:
        table = np.array(rows, dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        # Something that is no number, in a column that is not needed: it is unknown.
        table = np.array([[number(each) for each in row] for row in rows])
    return table
