"""Recorded rides are read from what trackers and apps write, and what is wrong is named."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.failures import Failure
from cli.track_files import read_track
from schemas.positions import OneFix
from tests.conftest import SharedData
from tests.rules.test_tracker_formats import GGA, RIDE, RMC


def read(path: Path) -> tuple[list[OneFix], list[str]]:
    found = list(read_track(path))
    fixes = [each for _, each in found if isinstance(each, OneFix)]
    return fixes, [f"{where}: {each}" for where, each in found if isinstance(each, str)]


def test_a_table_is_read_with_what_it_tells_besides(tmp_path: Path) -> None:
    file = tmp_path / "ride.csv"
    file.write_text(
        "recorded_at,lat,lon,accuracy_m,speed_mps,heading_deg\n"
        "2026-03-14 12:00:00,60.1,24.9,6,4.5,90\n"
        "2026-03-14T14:00:01+02:00,60.1,24.9,,-1,\n"
        "2026-03-14T12:00:02Z,91,24.9,,,\n"
        "2026-03-14T12:00:03Z,0,0,,,\n"
        "yesterday,60.1,24.9,,,\n"
        "2026-03-14T12:00:04Z,60.1\n"
    )
    fixes, problems = read(file)
    noon = datetime(2026, 3, 14, 12, tzinfo=UTC)
    assert fixes[0] == OneFix(
        at=noon, lat=60.1, lon=24.9, accuracy_m=6, speed_mps=4.5, heading_deg=90
    )
    assert fixes[1] == OneFix(at=noon.replace(second=1), lat=60.1, lon=24.9)
    assert fixes[2] == OneFix(at=noon.replace(second=3), lat=0, lon=0), (
        "that is for others to judge"
    )
    assert [problem.partition(":")[0] for problem in problems] == ["line 4", "line 6", "line 7"]


@pytest.mark.parametrize("text", ["", "time,x,y\n1,2,3\n"])
def test_a_table_of_something_else_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(text)
    with pytest.raises(Failure, match=r"orders\.csv is no track.*lat, lon"):
        read(file)


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    file = tmp_path / "ride.csv"
    file.write_bytes(b"recorded_at,lat,lon\n\xff\xfe,1,1\n")
    with pytest.raises(Failure, match="cannot be read"):
        read(file)


def test_a_gpx_file_is_read_and_a_point_without_a_time_named(tmp_path: Path) -> None:
    file = tmp_path / "Ride.GPX"
    file.write_text(RIDE)
    fixes, problems = read(file)
    assert [(fix.lat, fix.accuracy_m) for fix in fixes] == [(60.17, 10.0)]
    assert problems == ["point 2: it says no time"]
    file.write_text("<kml/>")
    with pytest.raises(Failure, match="no recorded ride"):
        read(file)


def test_a_receivers_log_is_read_beyond_what_one_message_may_hold(tmp_path: Path) -> None:
    file = tmp_path / "ride.nmea"
    file.write_text(GGA + RMC + "$GPRMC,broken*00\n" + RMC * 3_000)
    fixes, problems = read(file)
    assert {fix.at for fix in fixes} == {datetime(2026, 3, 14, 17, 59, 58, tzinfo=UTC)}
    assert problems == ["lines 1 to 1000: 1 damaged"]
    file.write_text("nothing of the kind\n" * 3)
    with pytest.raises(Failure, match="no recorded ride"):
        read(file)


def test_what_a_phones_recorder_stored_is_read(shared_data: SharedData) -> None:
    fixes, problems = read(shared_data.file("gps/owntracks-demo.rec"))
    assert (len(fixes), problems) == (23, [])
    assert fixes[0].battery == 0.96
