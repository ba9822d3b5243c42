"""Recorded rides are ridden again, each file by a vehicle of its own, and every position kept."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Heard

RIDE = "recorded_at,lat,lon\n" + "".join(
    f"2026-03-14T12:00:{second:02}Z,{60.17 + second * 1e-4:.4f},24.94\n" for second in range(30)
)


def test_each_file_is_ridden_by_a_vehicle_of_its_own(embedded: Heard, tmp_path: Path) -> None:
    embedded.done("tenant", "add", "roma")
    first, second = tmp_path / "Monday evening.csv", tmp_path / "tuesday.csv"
    first.write_text(RIDE)
    second.write_text(RIDE + "nonsense,1,1\n")
    ended = embedded.done(
        "track", "replay", str(first), str(second), "--tenant", "roma", "--speed", "60x", "--json"
    )
    assert [(each["sent"], each["unreadable"]) for each in ended.json] == [(30, 0), (30, 1)]
    names = [each["vehicle"] for each in ended.json]
    assert names[0].startswith("monday-evening-")
    assert names[1].startswith("tuesday-")
    assert f"{second}, line 32" in ended.err
    assert embedded.done("device", "list", "--tenant", "roma", "--json").json == []


def test_a_ride_that_is_none_is_named_before_anybody_rides(embedded: Heard, tmp_path: Path) -> None:
    embedded.done("tenant", "add", "roma")
    file = tmp_path / "ride.csv"
    file.write_text("a,b\n1,2\n")
    refused = embedded("track", "replay", str(file), "--tenant", "roma")
    assert refused.code == 1
    assert "is no track" in refused.complaint
