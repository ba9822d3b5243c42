"""Whatever a tracker says: it is the matter of that one message, and of no other."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any, NoReturn

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.delivery_rules import DeliveryRules
from schemas.topics import Plane, plane_filter
from services.runtime.bus import Delivery
from services.tracking import arriving, vehicle_rows
from services.tracking.arriving import Arrived, Teller
from services.tracking.copying import written
from services.tracking.formats.raw import Reading
from services.tracking.formats.streams import READERS
from services.tracking.tick import Found, Tick
from services.tracking.vehicle_book import VehicleBook
from services.tracking.verdicts import Verdict

NOW = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
AT = "2026-03-14T11:59:58Z"
GOOD = {"at": AT, "lat": 60.17, "lon": 24.94, "accuracy_m": 5.0}

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**300, max_value=10**320),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(
        ["", "Z", "\x00", AT, "2026-03-14Z", "0001-01-01T00:00:00Z", "location", "1e9"]
    ),
)
NAMES = st.sampled_from(
    [
        "at", "lat", "lon", "accuracy_m", "speed_mps", "heading_deg", "battery", "fixes",
        "_type", "tst", "acc", "vel", "cog", "batt", "position", "device", "uniqueId", "event",
        "fixTime", "latitude", "longitude", "attributes", "number", "every_s", "still_s", "valid",
    ]
)  # fmt: skip
DOCUMENTS = st.recursive(
    ODD,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(NAMES, inner, max_size=6),
        st.fixed_dictionaries({}, optional=dict.fromkeys(GOOD, inner)),
    ),
    max_leaves=12,
)
NEARLY = st.dictionaries(NAMES, DOCUMENTS, max_size=2).map(lambda odd: GOOD | odd)
PAYLOADS = st.one_of(
    st.binary(max_size=60),
    st.binary(max_size=60).map(lambda more: b"$GPRMC,115958,A,6010.2,N,02456.4,E," + more),
    st.one_of(
        DOCUMENTS, NEARLY, st.lists(NEARLY, max_size=3).map(lambda each: {"fixes": each})
    ).map(lambda document: json.dumps(document).encode()),
)
STREAMS = st.sampled_from([*READERS, "owntracks/event", arriving.REPORTING, "of-no-kind"])


def said(device: str, stream: str, payload: bytes) -> Delivery:
    topic = plane_filter(Plane.TELEMETRY, tenant="roma", tail=f"{device}/{stream}")
    return Delivery(topic, payload, retain=False, qos=1, tag=1)


def read(stream: str, payload: bytes) -> Arrived:
    """What becomes of a message between two good ones of somebody else."""
    good = said("bike-2", "fix", json.dumps(GOOD).encode())
    return arriving.read([good, said("bike-1", stream, payload), good], NOW.timestamp())


def judged(arrived: Arrived) -> tuple[Found, Counter[str]]:
    """The same, judged; all who told something are trackers."""
    book, counts = VehicleBook(), Counter[str]()
    book.rules["roma"] = DeliveryRules()
    for each in arrived.tellers:
        name = each.device if each.below is None else "van-1"
        number = book.find(("roma", name))
        if number is None:
            number = book._enter(("roma", name), each.device, NOW.isoformat())
        book._told_by[each] = number
    found = asyncio.run(Tick(book, counts, None).judge(arrived, NOW))
    return found, counts


def strictly(document: str | None) -> Any:
    """JSON as databases take it."""

    def refuse(constant: str) -> NoReturn:
        raise AssertionError(f"{constant} is no JSON")

    return None if document is None else json.loads(document, parse_constant=refuse)


@settings(max_examples=200)
@given(STREAMS, PAYLOADS)
@example("fix", b'{"at":"","lat":60.1,"lon":24.9}')
@example("fix", b'{"at":[],"lat":60.1,"lon":24.9}')
@example("fixes", b'{"fixes":[{"at":"","lat":60.1,"lon":24.9}]}')
@example("fixes", b'{"fixes":{}}')
def test_whatever_one_tracker_says_the_others_are_read_and_the_tick_is_kept(
    stream: str, payload: bytes
) -> None:
    arrived = read(stream, payload)
    owners = [arrived.tellers[place].device for place in arrived.owner]
    assert owners[0] == owners[-1] == "bike-2"
    assert set(owners[1:-1]) <= {"bike-1"}
    assert arrived.told.shape == (len(owners), arriving.COLUMNS)
    assert arrived.told[0].tolist()[:4] == [NOW.timestamp() - 2, 60.17, 24.94, 5.0]
    assert not arrived.faults
    assert arrived.unreadable.keys() | arrived.taken.keys() <= set(arrived.tellers)
    found, _ = judged(arrived)
    for rows in (found.kept.fixes, found.kept.late):
        assert b"".join(written(rows)).startswith(b"PGCOPY")
        assert len(rows.tuples()) == len(rows)
    assert "bike-2" in {row[1] for row in found.kept.vehicles.tuples()}
    for row in found.kept.vehicles.tuples():
        written_down = dict(zip(vehicle_rows._COLUMNS, row, strict=False))
        assert {*strictly(written_down["counts"])} <= {"unreadable", *(e.word for e in Verdict)}
        assert "figures" in strictly(written_down["state"])
        strictly(written_down["reporting"])


@pytest.mark.parametrize("at", ["", [], {}, "Z", None, 7, "2026-03-14Z"])
def test_a_time_that_is_none_is_counted_as_invalid(at: object) -> None:
    _, counts = judged(read("fix", json.dumps(GOOD | {"at": at}).encode()))
    assert {"invalid": 1, "ok": 1, "duplicate": 1}.items() <= counts.items()


@pytest.mark.parametrize("error", [IndexError("ours"), RecursionError("ours"), MemoryError("ours")])
def test_what_no_reader_should_raise_is_an_unreadable_message_and_a_fault_of_ours(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(payload: bytes, received: float) -> Reading:
        del payload, received
        raise error

    stream = arriving.stream_of(said("bike-1", "nmea", b"").topic)
    assert stream is not None
    monkeypatch.setattr(arriving, "stream_of", lambda topic: (
        stream._replace(reader=fails) if "/bike-1/" in topic else usual(topic)
    ))  # fmt: skip
    arrived = read("nmea", b"$GPRMC")
    assert arrived.unreadable == {Teller("roma", "bike-1"): 1}
    assert arrived.faults == {type(error).__name__: 1}
    assert len(arrived.told) == 2
    _, counts = judged(arrived)
    assert counts[f"reader failed:{type(error).__name__}"] == counts["unreadable"] == 1


usual = arriving.stream_of


@pytest.mark.parametrize(
    ("stream", "others"),
    [
        ("heartbeat", True),
        ("SENSOR", True),
        ("zigbee/fridge", True),
        ("zigbee", False),
        ("zigbee/fridge/door", False),
        ("heartbeat/more", False),
        ("fix", False),
        ("fix/more", False),
        ("owntracks/event", False),
        ("reporting", False),
        ("of-no-kind", False),
    ],
)
def test_what_is_subscribed_to_elsewhere_is_left_to_others(stream: str, *, others: bool) -> None:
    assert arriving.is_others(said("bike-1", stream, b"").topic) is others
