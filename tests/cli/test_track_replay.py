"""Recorded rides are ridden again, each file by a vehicle of its own, and every position kept."""

from __future__ import annotations

import re
import signal
from pathlib import Path

from cli.ridden import Account
from tests.cli.conftest import Heard, until
from tests.patience import PATIENCE_S

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
    # What was found of them is counted before the vehicles go.
    assert [sum(each["judged"].values()) for each in ended.json] == [30, 30]


def test_who_rides_where_it_can_be_found_and_what_became_of_it_is_told(
    embedded: Heard, tmp_path: Path
) -> None:
    embedded.done("tenant", "add", "roma")
    file = tmp_path / "ride.csv"
    file.write_text(RIDE)
    replay = ("track", "replay", str(file), "--tenant", "roma", "--speed", "max")
    ended = embedded.done(*replay)
    begun, found = ended.err.splitlines()
    name = begun.split()[0]
    assert begun == f"{name} rides now: heard track watch --tenant roma --vehicle {name}"
    assert re.fullmatch(rf"{name}: 30 positions of {file} sent; found: \d+ ok.*\n", ended.out)
    # The command that it names works as it stands.
    export = found.partition(": heard ")[2].split()
    assert "written" in embedded.done(*export).err
    assert (embedded.home / f"{name}.gpx").exists()

    old = embedded.done(*replay, "--times", "kept")
    assert "found: 30 stale" in old.out
    assert "none of them is kept" in old.err


def test_a_replay_that_is_stopped_says_how_far_it_came(embedded: Heard, tmp_path: Path) -> None:
    embedded.done("tenant", "add", "roma")
    file = tmp_path / "ride.csv"
    file.write_text(RIDE)
    with embedded.start("track", "replay", str(file), "--tenant", "roma") as process:
        assert process.stderr is not None
        assert process.stdout is not None
        begun = process.stderr.readline()
        name = begun.split()[0]
        until(lambda: fixes_of(embedded, name), "a position of it is kept")
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 130
        assert re.match(rf"{name}: \d+ positions? of .* sent until it was stopped",
                        process.stdout.read())  # fmt: skip
        assert f"heard fixes export --tenant roma --vehicle {name}" in process.stderr.read()


def test_what_a_tracker_was_asked_to_leave_out_is_counted_and_the_reason_told() -> None:
    told = Account(
        "bike-1", Path("ride.gpx"), sent=9, waiting=0, left_out=127,
        asked="every 20 s, standing every 60 s", unreadable=0,
    )  # fmt: skip
    assert told.in_words(whole=True) == (
        "bike-1: 9 positions of ride.gpx sent, "
        "127 left out, for it was asked to tell every 20 s, standing every 60 s"
    )


def fixes_of(heard: Heard, vehicle: str) -> bool:
    return heard("fixes", "export", "--tenant", "roma", "--vehicle", vehicle).code == 0


def test_a_ride_that_is_none_is_named_before_anybody_rides(embedded: Heard, tmp_path: Path) -> None:
    embedded.done("tenant", "add", "roma")
    file = tmp_path / "ride.csv"
    file.write_text("a,b\n1,2\n")
    refused = embedded("track", "replay", str(file), "--tenant", "roma")
    assert refused.code == 1
    assert "is no track" in refused.complaint
