"""`heard track show|watch` and `heard fixes export|prune`, as they are typed."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import gpxpy
import pytest

from schemas.identifiers import new_id
from services.delivery.tables import DELIVERIES
from services.runtime.database import Database
from services.runtime.moment import system_clock
from services.tracking.tables import CROSSINGS, FIXES, TRACKER_FINDINGS, VEHICLES
from services.tracking.verdicts import Verdict
from tests.cli.conftest import Heard, until, up_beside
from tests.patience import PATIENCE_S

T = TypeVar("T")

AT = ("--tenant", "roma")
NOW = system_clock().replace(microsecond=0)
DAY = timedelta(days=1)
ORDER = new_id()
PLACES = ("came to the door of ORD-261122094726-J7TH", "left the restaurant")


@pytest.fixture
def house(heard: Heard, sqlite_template: Path) -> Heard:
    """A restaurant with a bicycle that has been riding; nothing of it runs."""
    heard.home.mkdir(mode=0o700)
    shutil.copyfile(sqlite_template, heard.home / "heard.db")
    heard.done("tenant", "add", "roma")
    call(heard, ridden)
    return heard


def call(heard: Heard, do: Callable[[Database], Awaitable[T]]) -> T:
    """Do something with the rows from outside."""

    async def inside() -> T:
        database = Database(f"sqlite+aiosqlite:///{heard.home / 'heard.db'}")
        try:
            return await do(database)
        finally:
            await database.close()

    return asyncio.run(inside())


async def ridden(database: Database) -> None:
    vehicle = {
        "tenant": "roma", "vehicle": "bike-1", "device": "bike-1", "at": NOW, "lat": 60.17,
        "lon": 24.94, "moving": True, "since": NOW - timedelta(minutes=5), "heard_at": NOW,
        "battery": 0.04, "state": {}, "counts": {"ok": 90, "jump": 2},
    }  # fmt: skip
    finding = {
        "tenant": "roma", "vehicle": "bike-1", "kind": "low-battery", "since": NOW,
        "amount": 0.04, "about": None,
    }  # fmt: skip
    crossing = {
        "tenant": "roma", "crossing_id": new_id(), "fence": "depot", "vehicle": "bike-1",
        "what": "exit", "at": NOW, "kept_at": NOW, "followed": True,
    }  # fmt: skip
    at_a_door = crossing | {"crossing_id": new_id(), "fence": f"stop:{ORDER}", "what": "enter"}
    at_home = crossing | {"crossing_id": new_id(), "fence": "house"}
    delivery = {
        "tenant": "roma", "order_id": ORDER, "version": 1, "number": "ORD-261122094726-J7TH",
        "status": "delivered", "lat": 60.17, "lon": 24.94, "placed_at": NOW, "ended_at": NOW,
        "items": 1, "document": {},
    }  # fmt: skip
    async with database.write() as connection:
        await connection.execute(VEHICLES.insert().values(vehicle))
        await connection.execute(TRACKER_FINDINGS.insert().values(finding))
        await connection.execute(CROSSINGS.insert(), [crossing, at_a_door, at_home])
        await connection.execute(DELIVERIES.insert().values(delivery))
        # Of today a minute, and of long ago another one with a jump in it.
        await connection.execute(FIXES.insert(), [*fixes(0), *fixes(400)])


def fixes(days_ago: int) -> list[dict[str, Any]]:
    begin = NOW - days_ago * DAY - timedelta(minutes=1)
    return [
        {
            "tenant": "roma", "vehicle": "bike-1", "at": begin + timedelta(seconds=second),
            "received_at": begin, "lat": 60.17 + second / 20_000, "lon": 24.94,
            "verdict": int(Verdict.JUMP if days_ago and second == 30 else Verdict.OK),
        }
        for second in range(60)
    ]  # fmt: skip


def kept(heard: Heard) -> int:
    async def count(database: Database) -> int:
        async with database.read() as connection:
            return len((await connection.execute(FIXES.select())).all())

    return call(heard, count)


# -- heard track show ---------------------------------------------------------------------------


def test_a_vehicle_is_shown_with_what_is_wrong_and_what_it_crossed(house: Heard) -> None:
    (listed,) = house.done("track", "show", *AT, "--json").json
    assert (listed["vehicle"], listed["battery"], list(listed["wrong"])) == (
        "bike-1",
        0.04,
        ["low-battery"],
    )
    one = house.done("track", "show", "bike-1", *AT, "--json").json
    assert one["counts"] == {"ok": 90, "jump": 2}
    assert ("depot", "exit") in [(each["fence"], each["what"]) for each in one["crossings"]]
    told = house.done("track", "show", "bike-1", *AT).out
    for words in ("60.17000, 24.94000", "low-battery", "left depot", "jump: 2", "4%", *PLACES):
        assert words in told
    assert "bike-1" in house.done("track", "show", *AT).out


def test_a_vehicle_that_was_never_heard_of_is_named(house: Heard) -> None:
    ended = house("track", "show", "car-9", *AT)
    assert ended.code == 1
    assert "car-9 was never heard of in roma" in ended.complaint
    assert "nowhere" in house("track", "show", "--tenant", "nowhere").complaint


# -- heard fixes export -------------------------------------------------------------------------


def test_ways_are_exported_as_the_name_of_the_file_says(house: Heard, tmp_path: Path) -> None:
    gpx, geojson = tmp_path / "ride.gpx", tmp_path / "ride.geojson"
    house.done("fixes", "export", *AT, "--since", "1d", "--out", str(gpx))
    read = gpxpy.parse(gpx.read_text())
    points = [point for track in read.tracks for part in track.segments for point in part.points]
    assert len(points) == 60
    assert points[0].time == NOW - timedelta(minutes=1)
    house.done("fixes", "export", *AT, "--out", str(geojson))
    document = json.loads(geojson.read_text())
    assert document["type"] == "FeatureCollection"
    assert {each["properties"]["vehicle"] for each in document["features"]} == {"bike-1"}
    good = house.done("fixes", "export", *AT, "--format", "gpx").out
    every = house.done("fixes", "export", *AT, "--format", "gpx", "--all").out
    assert (good.count("<trkpt"), every.count("<trkpt")) == (119, 120)


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (("--vehicle", "car-9"), "roma has no vehicle car-9, nor a position of one"),
        (("--since", "2030-01-01"), "no good position of roma is of that time"),
        (("--since", "2030-01-01", "--all"), "those kept are from"),
        (("--vehicle", "bike-1", "--until", "2001-01-01"), "no good position of bike-1"),
    ],
)
def test_where_there_is_nothing_to_export_nothing_is_written_and_it_says_why(
    house: Heard, tmp_path: Path, wanted: tuple[str, ...], says: str
) -> None:
    out = tmp_path / "nothing.gpx"
    for to in ((), ("--out", str(out))):
        ended = house("fixes", "export", *AT, *wanted, *to)
        assert (ended.code, ended.out) == (1, "")
        assert says in ended.complaint
    assert not out.exists()


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (("--out", "ride.kml"), "ride.kml does not say what to write"),
        (("--out", "ride"), "add --format gpx or --format geojson"),
        (("--since", "1h", "--until", "2h"), "the other way round?"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_a_file_is_made(
    house: Heard, wanted: tuple[str, ...], says: str
) -> None:
    ended = house("fixes", "export", *AT, *wanted)
    assert ended.code == 2
    assert says in " ".join(ended.err.split())
    assert not list(house.home.glob("ride*"))
    named = house.done("fixes", "export", *AT, "--out", "ride.kml", "--format", "gpx")
    assert "119 positions written" in named.err


def test_a_folder_that_is_not_there_is_named(house: Heard, tmp_path: Path) -> None:
    ended = house("fixes", "export", *AT, "--out", str(tmp_path / "no" / "ride.gpx"))
    assert ended.complaint == f"there is no folder {tmp_path / 'no'}: mkdir -p {tmp_path / 'no'}"


# -- heard fixes prune --------------------------------------------------------------------------


def test_a_prune_takes_what_its_dry_run_has_said(house: Heard) -> None:
    tried = house.done("fixes", "prune", "--dry-run", "--json").json
    assert tried["expired"] == 60
    assert kept(house) == 120
    assert "would go" in house.done("fixes", "prune", "--dry-run").out
    assert house.done("fixes", "prune", *AT, "--json").json == tried
    assert kept(house) == 60
    assert house.done("fixes", "prune", "--json").json["expired"] == 0
    assert house("fixes", "prune", "--tenant", "nowhere").code == 1


# -- heard track watch --------------------------------------------------------------------------


def test_a_piped_watch_tells_of_a_vehicle_line_by_line(embedded: Heard, tmp_path: Path) -> None:
    embedded.done("tenant", "add", "roma")
    ride = tmp_path / "ride.csv"
    begin = system_clock()
    rows = [
        f"{(begin + timedelta(seconds=second)).isoformat()},{60.17 + second * 1e-4:.4f},24.94"
        for second in range(30)
    ]
    ride.write_text("recorded_at,lat,lon\n" + "\n".join(rows) + "\n")
    told: list[dict[str, Any]] = []

    with embedded.running("track", "watch", *AT, "--json") as watching:
        lines = watching.stdout
        assert lines is not None
        reading = threading.Thread(target=lambda: told.extend(map(json.loads, lines)), daemon=True)
        reading.start()

        def of_a_ride() -> list[dict[str, Any]]:
            return [
                each
                for each in list(told)
                if each["about"].startswith("positions/ride-") and each["says"]
            ]

        deadline = time.monotonic() + PATIENCE_S
        while not of_a_ride():  # it may have been ridden before the watch was there
            assert watching.poll() is None
            assert time.monotonic() < deadline, told
            embedded.done("track", "replay", str(ride), *AT, "--speed", "20x", "--json")
        watching.send_signal(signal.SIGINT)
        watching.wait(PATIENCE_S)
        reading.join(PATIENCE_S)
    said = of_a_ride()[0]["says"]
    assert 60.169 < said["lat"] < 60.175
    assert said["vehicle"].startswith("ride-")


def test_a_watch_goes_on_where_the_services_come_back_on_another_port(
    heard: Heard, sqlite_template: Path
) -> None:
    heard.home.mkdir(mode=0o700)
    shutil.copyfile(sqlite_template, heard.home / "heard.db")
    told: list[str] = []

    def says(words: str, times: int = 1) -> Callable[[], bool]:
        return lambda: sum(words in line for line in told) >= times

    with ExitStack() as opened:
        with up_beside(heard):
            heard.done("tenant", "add", "roma")
            heard.done("device", "add", "bike-1", *AT, "--role", "tracker")
            heard.done("courier", "add", "anna", *AT, "--device", "bike-1")
            opened.enter_context(watched(heard, told))
            until(says("couriers\tanna"), "the courier is seen")
            first = port_of(heard)
        until(says("no connection"), "the watch says that nobody is there")
        # The system would hand the same port out again: somebody else has it meanwhile.
        opened.enter_context(socket.create_server(("127.0.0.1", first)))
        opened.enter_context(up_beside(heard))
        assert port_of(heard) != first
        until(says("connected again"), "the watch has found it")
        until(says("couriers\tanna", times=2), "the courier is seen again")


@contextmanager
def watched(heard: Heard, told: list[str]) -> Iterator[None]:
    """A watch beside the test; what it says on either stream is put where it can be looked at."""
    with heard.start("track", "watch", *AT) as process:
        readers = [
            threading.Thread(target=told.extend, args=(stream,), daemon=True)
            for stream in (process.stdout, process.stderr)
        ]
        for each in readers:
            each.start()
        try:
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(PATIENCE_S)
            for each in readers:
                each.join(PATIENCE_S)


def port_of(heard: Heard) -> int:
    return int(json.loads((heard.home / "run.json").read_text())["port"])
