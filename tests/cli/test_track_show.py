"""`heard track show`: what a tracker was asked for beside what it says it does."""

from __future__ import annotations

import asyncio
import re
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from services.runtime.database import Database
from services.runtime.moment import system_clock
from services.tracking.tables import VEHICLES
from tests.cli.conftest import Heard

AT = ("--tenant", "roma")
WISHED = {"number": 8, "every_s": 2.0, "still_s": 30.0, "least_m": 10.0, "together": 1, "why": ""}
TAKEN = {"number": 7, "every_s": 4.0, "still_s": 60.0, "least_m": 0.0, "together": 3}


@pytest.fixture
def house(heard: Heard, sqlite_template: Path) -> Heard:
    """A restaurant with two vehicles; nothing of it runs."""
    heard.home.mkdir(mode=0o700)
    shutil.copyfile(sqlite_template, heard.home / "heard.db")
    heard.done("tenant", "add", "roma")

    async def put(**rows: Any) -> None:
        database = Database(f"sqlite+aiosqlite:///{heard.home / 'heard.db'}")
        now = system_clock()
        usual = {"tenant": "roma", "moving": False, "heard_at": now, "state": {}, "counts": {}}
        async with database.write() as connection:
            for name, reporting in rows.items():
                values = usual | {"vehicle": name, "device": name, "reporting": reporting}
                await connection.execute(VEHICLES.insert().values(values))
        await database.close()

    asyncio.run(put(bike={"wished": WISHED, "taken": TAKEN}, phone=None))
    return heard


def test_what_a_tracker_was_asked_for_stands_beside_what_it_does(house: Heard) -> None:
    shown = house.done("track", "show", "bike", *AT).out
    assert "every 2 s, standing every 30 s, 10 m apart\n" in shown
    assert "every 4 s, standing every 60 s, 3 at once (as it was asked before)" in shown
    told = house.done("track", "show", "bike", *AT, "--json").json
    assert told["reporting"] == {"wished": WISHED, "taken": TAKEN}


def test_one_that_sent_nothing_right_never_had_a_place_and_was_heard_all_the_same(
    house: Heard,
) -> None:
    shown = house.done("track", "show", "phone", *AT).out
    assert "it never had a place" in shown
    assert re.search(r"heard\s+\d+\s*s ago", shown)
    told = house.done("track", "show", "phone", *AT, "--json").json
    assert (told["at"], told["lat"], told["lon"]) == (None, None, None)


def test_a_vehicle_that_is_silent_does_not_move_on(house: Heard) -> None:
    async def seen(seconds_ago: float, *, moving: bool) -> None:
        database = Database(f"sqlite+aiosqlite:///{house.home / 'heard.db'}")
        at = system_clock() - timedelta(seconds=seconds_ago)
        place = {"at": at, "since": at, "lat": 60.1, "lon": 24.9, "moving": moving}
        async with database.write() as connection:
            await connection.execute(VEHICLES.update().values(**place))
        await database.close()

    for seconds_ago, moving, does in (
        (5.0, True, r"moves for \d+s"),
        (374.0, True, r"silent for 6:\d\d, moved then"),
        (374.0, False, r"stands for 6:\d\d"),
    ):
        asyncio.run(seen(seconds_ago, moving=moving))
        for which in ((), ("bike",)):
            shown = house.done("track", "show", *which, *AT)
            assert re.search(does, shown.out), shown.out
            assert "nobody hears of vehicles at the moment: heard up" in shown.err


def test_the_hint_for_a_vehicle_that_is_not_there_can_be_typed(house: Heard) -> None:
    hint = re.search("`heard (.*)`", house("track", "show", "nix", *AT).complaint)
    assert hint is not None
    assert "bike" in house.done(*hint[1].split()).out


def test_one_that_was_never_asked_says_nothing_of_it(house: Heard) -> None:
    assert "every" not in house.done("track", "show", "phone", *AT).out
    assert house.done("track", "show", "phone", *AT, "--json").json["reporting"] is None
