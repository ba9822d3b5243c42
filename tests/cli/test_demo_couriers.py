"""The demonstration's couriers bring what guests at home ordered, and are seen on their way."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

from cli import demo_couriers
from cli.demo_view import side_by_side
from devices.courier import CourierPhone
from devices.simulated_body import Town
from devices.simulated_courier import Job, SimulatedCourier
from schemas.positions import Place
from services.people import store
from services.people.store import Tenant
from services.runtime.database import Database
from services.runtime.moment import system_clock
from services.tracking.tables import VEHICLES
from tests.cli.conftest import Heard, until, up
from tests.patience import PATIENCE_S


def test_a_visitor_sees_couriers_ride_and_fetch_orders(heard: Heard) -> None:
    def told(*command: str) -> list[dict[str, Any]]:
        ended = heard(*command, "--tenant", "demo", "--json")
        return ended.json if ended.code == 0 else []  # it opens a moment after it is up

    # A whole house opens, orders and rides beside other tests: it takes as long as it takes.
    with up(heard, "--demo"):
        until(
            lambda: any(each["courier"] for each in told("delivery", "list")),
            "an order that a courier has",
            within=2 * PATIENCE_S,
        )
        until(
            lambda: (
                {"courier-1", "courier-2"} <= {each["vehicle"] for each in told("track", "show")}
            ),
            "couriers on the map",
            within=2 * PATIENCE_S,
        )


def test_who_was_at_a_door_when_it_ended_is_there_when_it_begins_again(
    tmp_path: Path, sqlite_template: Path
) -> None:
    file, door, now = tmp_path / "heard.db", Place(lat=60.169, lon=24.951), system_clock()
    shutil.copyfile(sqlite_template, file)

    async def seen() -> dict[str, Place]:
        database = Database(f"sqlite:///{file}")
        async with database.write() as connection:
            await store.add_tenant(connection, Tenant("demo", "Demo", "GBP", now))
            row: dict[str, Any] = {"tenant": "demo", "vehicle": "courier-1", "device": "courier-1"}
            row |= {"moving": False, "heard_at": now, "state": {}, "counts": {}}
            at = {"at": now, "since": now, "lat": door.lat, "lon": door.lon}
            await connection.execute(VEHICLES.insert().values(**row, **at))
        found = await demo_couriers.last_seen(database)
        await database.close()
        return found

    found = asyncio.run(seen())
    assert found == {"courier-1": door}
    town = Town(demo_couriers.HOUSE)
    phone = CourierPhone("127.0.0.1", 1, tenant="demo", device="courier-1", secret="s" * 32)
    with phone:
        courier = SimulatedCourier([Job(phone)], town, 1, begins_at=found["courier-1"])
        assert courier.body.is_at(town.point(door))


def test_what_finds_no_room_in_the_head_is_left_out_whole() -> None:
    facts = ["3:05 · mqtt://127.0.0.1:1883", "[bold]5[/] orders", "[bold]15[/]/15 devices online"]
    whole = "3:05 · mqtt://127.0.0.1:1883   5 orders   15/15 devices online"
    assert side_by_side(facts, 80).plain == whole
    assert side_by_side(facts, 50).plain == "3:05 · mqtt://127.0.0.1:1883   5 orders"
