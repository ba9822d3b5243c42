"""What trackers speak becomes fixes in our units, and no bytes whatever make it raise."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas.positions import Fix, Fixes, OneFix
from services.tracking.formats import gpx, nmea, ours, owntracks, traccar
from services.tracking.formats.raw import RawFix, Reader, Reading, Unreadable
from services.tracking.formats.streams import READERS
from tests.conftest import SharedData

NOW = datetime(2026, 3, 14, 18, 0, tzinfo=UTC).timestamp()
ALL: list[Reader] = [*dict.fromkeys(READERS.values()), gpx.read]


def told(reader: Reader, said: object) -> Reading:
    return reader(json.dumps(said).encode(), NOW)


def one(reader: Reader, said: object) -> RawFix:
    (fix,) = told(reader, said).fixes
    return fix


# -- ours ---------------------------------------------------------------------------------


def test_our_own_fix_is_read_as_it_was_written() -> None:
    at = datetime(2026, 3, 14, 17, 59, 58, 500_000, tzinfo=UTC)
    fix = Fix(at=at, lat=60.1, lon=24.9, accuracy_m=6, speed_mps=4.5, heading_deg=90, battery=0.5)
    (read,) = ours.read(fix.model_dump_json().encode(), NOW).fixes
    assert read == RawFix(at.timestamp(), 60.1, 24.9, 6.0, 4.5, 90.0, 0.5)


def test_one_bad_fix_of_several_spoils_none_of_its_neighbours() -> None:
    good = OneFix(at=datetime(2026, 3, 14, tzinfo=UTC), lat=60.1, lon=24.9)
    several = json.loads(Fixes(fixes=(good, good)).model_dump_json())["fixes"]
    read = told(ours.read, {"fixes": [several[0], {"lat": 91, "at": "yesterday"}, 7, several[1]]})
    assert (len(read.fixes), read.spoilt) == (3, 1)
    assert [fix.lat for fix in read.fixes] == [60.1, 91.0, 60.1]
    assert math.isnan(read.fixes[1].t)
    assert math.isnan(read.fixes[1].lon)


# -- OwnTracks ----------------------------------------------------------------------------

PHONE = {"_type": "location", "tst": 1773511198, "lat": 60.17, "lon": 24.94, "tid": "ME"}


def test_a_phones_location_comes_in_our_units() -> None:
    fix = one(owntracks.read, PHONE | {"acc": 12, "vel": 36, "cog": 118, "batt": 88})
    assert fix == RawFix(1773511198.0, 60.17, 24.94, 12.0, 10.0, 118.0, 0.88)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({"vel": -1}, "speed_mps"),
        ({"cog": -1}, "heading_deg"),
        ({"cog": 400}, "heading_deg"),
        ({"acc": -5}, "accuracy_m"),
        ({"acc": 0}, "accuracy_m"),
        ({"batt": -100}, "battery"),
        ({"batt": "full"}, "battery"),
        ({"lat": None}, "lat"),
        ({"lat": "north"}, "lat"),
        ({"lon": True}, "lon"),
        ({"tst": "soon"}, "t"),
        ({"tst": 10**400}, "t"),
    ],
)
def test_what_a_phone_does_not_know_is_unknown_here(said: dict[str, Any], name: str) -> None:
    assert math.isnan(getattr(one(owntracks.read, PHONE | said), name))


def test_an_accuracy_of_three_kilometres_stays_what_it_is() -> None:
    assert one(owntracks.read, PHONE | {"acc": 3000}).accuracy_m == 3000.0


def test_a_time_as_text_is_a_time() -> None:
    assert one(owntracks.read, PHONE | {"tst": "1773511198"}).t == 1773511198.0


def test_a_course_of_a_whole_turn_is_north() -> None:
    assert one(owntracks.read, PHONE | {"cog": 360}).heading_deg == 0.0


@pytest.mark.parametrize("kind", sorted(owntracks.BESIDE))
def test_what_a_phone_says_beside_is_named_and_left(kind: str) -> None:
    said = {"_type": kind, "lat": 60.0, "lon": 24.0, "tst": 1773511198, "data": "x"}
    assert told(owntracks.read, said) == Reading(left=(kind,))


@pytest.mark.parametrize("said", [{}, {"_type": "msg"}, {"_type": 1}, 7, "location", None])
def test_what_is_none_of_owntracks_is_unreadable(said: object) -> None:
    with pytest.raises(Unreadable):
        told(owntracks.read, said)


def test_of_a_list_each_is_read_by_itself() -> None:
    read = told(owntracks.read, [PHONE, {"_type": "lwt"}, {"_type": "lwt"}, 7, PHONE])
    assert (len(read.fixes), read.left, read.spoilt) == (2, ("lwt",), 1)


def test_a_real_phones_recording_is_read_whole(shared_data: SharedData) -> None:
    lines = shared_data.file("gps/owntracks-demo.rec").read_text().splitlines()
    read = [owntracks.read(line.split("\t", 2)[2].encode(), NOW) for line in lines]
    fixes = [fix for each in read for fix in each.fixes]
    assert (len(fixes), [name for each in read for name in each.left]) == (23, ["lwt", "lwt"])
    assert [fix.t for fix in fixes] == sorted(fix.t for fix in fixes)
    assert max(fix.accuracy_m for fix in fixes) == 5000.0
    unknown = [fix for fix in fixes if math.isnan(fix.speed_mps)]
    assert all(math.isnan(fix.heading_deg) and fix.accuracy_m > 1000 for fix in unknown)
    assert max(fix.speed_mps for fix in fixes if fix not in unknown) == pytest.approx(50 / 3.6)


# -- Traccar ------------------------------------------------------------------------------

FORWARDED: dict[str, Any] = {
    "position": {
        "id": 42,
        "attributes": {"batteryLevel": 73.0, "distance": 3.2, "motion": True},
        "deviceId": 7,
        "protocol": "osmand",
        "serverTime": "2026-03-14T17:59:59.100+00:00",
        "deviceTime": "2026-03-14T17:59:58.000+00:00",
        "fixTime": "2026-03-14T17:59:58.000+00:00",
        "outdated": False,
        "valid": True,
        "latitude": 60.17,
        "longitude": 24.94,
        "altitude": 12.0,
        "speed": 10.0,
        "course": 270.0,
        "accuracy": 8.0,
    },
    "device": {"id": 7, "name": "Van 2", "uniqueId": "860000000000007", "status": "online"},
}


def forwarded(**changed: object) -> dict[str, Any]:
    return FORWARDED | {"position": FORWARDED["position"] | changed}


def test_what_traccar_forwards_names_the_vehicle_and_comes_in_our_units() -> None:
    fix = one(traccar.read, FORWARDED)
    assert fix.below == "860000000000007"
    assert fix.t == datetime(2026, 3, 14, 17, 59, 58, tzinfo=UTC).timestamp()
    assert (fix.lat, fix.lon, fix.accuracy_m) == (60.17, 24.94, 8.0)
    assert (fix.heading_deg, fix.battery) == (270.0, 0.73)
    assert fix.speed_mps == pytest.approx(5.1444, abs=1e-4)


def test_zeros_that_traccar_writes_for_unknown_are_unknown() -> None:
    fix = one(traccar.read, forwarded(accuracy=0.0, speed=0.0, course=0.0))
    assert math.isnan(fix.accuracy_m)
    assert math.isnan(fix.heading_deg)
    assert fix.speed_mps == 0.0


def test_north_at_speed_is_a_course() -> None:
    assert one(traccar.read, forwarded(course=0.0)).heading_deg == 0.0


def test_milliseconds_of_older_ones_are_a_time() -> None:
    assert one(traccar.read, forwarded(fixTime=1773511198000)).t == 1773511198.0


def test_without_a_time_of_the_fix_that_of_the_device_counts() -> None:
    fix = one(traccar.read, forwarded(fixTime=None, deviceTime="2026-03-14T17:00:00.000+00:00"))
    assert fix.t == NOW - 3600


def test_what_traccar_does_not_hold_to_be_valid_is_left() -> None:
    assert told(traccar.read, forwarded(valid=False)) == Reading(left=("void",))


def test_an_event_that_is_forwarded_to_the_same_topic_is_left() -> None:
    said = FORWARDED | {"event": {"type": "deviceMoving", "eventTime": "…"}}
    assert told(traccar.read, said) == Reading(left=("deviceMoving",))


@pytest.mark.parametrize("unique", [None, "", 7, "x" * 65])
def test_a_position_of_no_device_is_unreadable(unique: object) -> None:
    with pytest.raises(Unreadable):
        told(traccar.read, FORWARDED | {"device": {"uniqueId": unique}})


# -- NMEA ---------------------------------------------------------------------------------


def sentence(body: str) -> str:
    checksum = 0
    for letter in body:
        checksum ^= ord(letter)
    return f"${body}*{checksum:02X}\r\n"


RMC = sentence("GPRMC,175958.00,A,6010.2000,N,02456.4000,E,10.0,084.4,140326,003.1,W,A")
GGA = sentence("GPGGA,175958.00,6010.2000,N,02456.4000,E,1,08,0.9,545.4,M,46.9,M,,")


def spoken(*sentences: str) -> Reading:
    return nmea.read("".join(sentences).encode(), NOW)


def test_the_sentences_of_one_moment_are_one_fix() -> None:
    read = spoken(GGA, RMC)
    assert read == spoken(RMC, GGA)
    (fix,) = read.fixes
    assert fix.t == NOW - 2
    assert fix.lat == pytest.approx(60.17)
    assert fix.lon == pytest.approx(24.94)
    assert fix.accuracy_m == pytest.approx(4.5)
    assert fix.speed_mps == pytest.approx(5.1444, abs=1e-4)
    assert fix.heading_deg == 84.4


def test_south_and_west_are_below_zero() -> None:
    (fix,) = spoken(sentence("GNGLL,3351.0000,S,07040.5000,W,175958.00,A,A")).fixes
    assert fix.lat == pytest.approx(-33.85)
    assert fix.lon == pytest.approx(-70.675)


def test_what_tells_no_day_is_of_the_nearest() -> None:
    midnight = datetime(2026, 3, 15, 0, 0, 5, tzinfo=UTC).timestamp()
    late = sentence("GPGGA,235959.00,6010.2000,N,02456.4000,E,1,08,0.9,545.4,M,46.9,M,,")
    early = sentence("GPGGA,000004.00,6010.2000,N,02456.4000,E,1,08,0.9,545.4,M,46.9,M,,")
    times = [nmea.read(each.encode(), midnight).fixes[0].t for each in (late, early)]
    assert [at - midnight for at in times] == [-6.0, -1.0]


def test_a_day_that_was_told_holds_for_what_tells_none() -> None:
    zda = sentence("GPZDA,175957.00,14,03,2020,00,00")
    assert spoken(zda, GGA).fixes[0].t == datetime(2020, 3, 14, 17, 59, 58, tzinfo=UTC).timestamp()


def test_speed_comes_from_a_sentence_of_its_own_too() -> None:
    (fix,) = spoken(GGA, sentence("GPVTG,054.7,T,034.4,M,010.0,N,018.5,K,A")).fixes
    assert fix.speed_mps == pytest.approx(5.1444, abs=1e-4)
    assert fix.heading_deg == 54.7


@pytest.mark.parametrize(
    "void",
    [
        "GPRMC,175958.00,V,,,,,,,140326,,,N",
        "GPRMC,175958.00,A,6010.2000,N,02456.4000,E,0.0,0.0,140326,,,E",
        "GPGGA,175958.00,,,,,0,00,99.99,,,,,,",
        "GNGNS,175958.00,6010.2000,N,02456.4000,E,NN,00,99.99,,,,",
        "GPGLL,6010.2000,N,02456.4000,E,175958.00,V,N",
    ],
)
def test_what_a_receiver_does_not_stand_by_is_left(void: str) -> None:
    """A guess by dead reckoning (mode E) too: it is no fix."""
    assert spoken(sentence(void)) == Reading(left=("void",))


def test_sentences_of_no_use_are_named_and_left() -> None:
    gsv = sentence("GPGSV,1,1,01,21,00,000,00")
    txt = sentence("GPXYZ,1")
    own = sentence("PUBX,00,1")
    read = spoken(gsv, txt, own, RMC)
    assert (len(read.fixes), set(read.left), read.spoilt) == (1, {"GSV", "XYZ", "PUBX"}, 0)


@pytest.mark.parametrize(
    "broken",
    [RMC.replace("6010", "6110"), RMC.replace("*", "#"), RMC[: RMC.index("*")] + "\n", "$\n", "x"],
)
def test_a_damaged_sentence_is_counted_and_the_others_are_read(broken: str) -> None:
    read = spoken(broken.rstrip("\r\n") + "\r\n", GGA)
    assert (len(read.fixes), read.spoilt) == (1, 1)
    with pytest.raises(Unreadable):
        spoken(broken)


@pytest.mark.parametrize("lat", ["9910.2000", "6060.2000", "60", "sixty", ""])
def test_an_angle_that_is_none_is_unknown_or_judged_later(lat: str) -> None:
    (fix,) = spoken(sentence(f"GPGGA,175958.00,{lat},N,02456.4000,E,1,08,0.9,,M,,M,,")).fixes
    assert math.isnan(fix.lat) or fix.lat > 90


# -- GPX ----------------------------------------------------------------------------------

RIDE = """<?xml version="1.0" encoding="UTF-8"?>
<gpx version="1.1" creator="test" xmlns="http://www.topografix.com/GPX/1/1">
<wpt lat="1" lon="1"/>
<trk><trkseg>
<trkpt lat="60.17" lon="24.94"><time>2026-03-14T17:59:58Z</time><hdop>2</hdop></trkpt>
<trkpt lat="60.18" lon="24.95"/>
</trkseg></trk></gpx>"""


def test_a_recorded_ride_is_read_point_by_point() -> None:
    read = gpx.read(RIDE.encode(), NOW)
    first, second = read.fixes
    assert (first.t, first.lat, first.lon, first.accuracy_m) == (NOW - 2, 60.17, 24.94, 10.0)
    assert math.isnan(second.t)
    assert read.left == ("waypoints",)


def test_a_file_that_would_swell_without_end_is_not_read() -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + RIDE
    with pytest.raises(Unreadable, match="document type"):
        gpx.read(bomb.encode(), NOW)


# -- all of them --------------------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
NAMES = st.sampled_from([*PHONE, "acc", "vel", "batt", "fixes", "at", "position", "device"])


@given(payload=st.binary(max_size=300))
@example(payload=b"[" * 100_000)
@example(payload=b'{"_type":' * 10_000)
@example(payload=b"1" * 10_000)
@example(payload="{}".encode("utf-16"))
@example(payload=b"\xef\xbb\xbf{}")
def test_no_bytes_make_a_reader_raise_but_unreadable(payload: bytes) -> None:
    for reader in ALL:
        sound(reader, payload)


@given(said=st.dictionaries(NAMES, VALUES), position=st.dictionaries(NAMES, VALUES))
def test_no_values_make_a_reader_raise_but_unreadable(
    said: dict[str, Any], position: dict[str, Any]
) -> None:
    sound(owntracks.read, json.dumps({"_type": "location"} | said).encode())
    sound(ours.read, json.dumps(said).encode())
    sound(ours.read, json.dumps({"fixes": [said, position]}).encode())
    sound(traccar.read, json.dumps(forwarded(**position)).encode())


@given(fields=st.lists(st.text("0123456789.ANSEWV-", max_size=9), max_size=14))
def test_no_fields_make_a_sentence_raise(fields: list[str]) -> None:
    for kind in ("GPRMC", "GPGGA", "GPGNS", "GPGLL", "GPVTG", "GPZDA"):
        sound(nmea.read, (RMC + sentence(",".join([kind, *fields]))).encode())


def sound(reader: Reader, payload: bytes) -> None:
    """Whatever comes out is a number in its bounds, or unknown."""
    try:
        read = reader(payload, NOW)
    except Unreadable:
        return
    for fix in read.fixes:
        numbers = (fix.t, fix.lat, fix.lon)
        assert all(math.isnan(each) or math.isfinite(each) for each in numbers)
        assert math.isnan(fix.accuracy_m) or fix.accuracy_m >= 0
        assert math.isnan(fix.speed_mps) or fix.speed_mps >= 0
        assert math.isnan(fix.heading_deg) or 0 <= fix.heading_deg < 360
        assert math.isnan(fix.battery) or 0 <= fix.battery <= 1
