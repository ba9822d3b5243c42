from __future__ import annotations

import asyncio
import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from schemas.delivery_rules import DeliveryRules
from services.delivery.legs import ASSUMED, Leg, LegKind, Legs
from services.delivery.models import LEGS
from services.delivery.tables import DELIVERIES, ETA_MODELS
from services.migrations.upgrade import upgrade
from services.runtime import house_rules
from services.runtime.database import Database
from services.runtime.moment import system_clock
from tests.cli.conftest import Heard, until
from tests.cli.restaurant import AT, open_restaurant
from tests.services.eta_world import HOUSE, EtaWorld, north
from tests.webhook_server import Answer, webhook_server


@pytest.fixture
def house(tmp_path: Path) -> tuple[str, UUID]:
    """The address of a house's database, and an order that is on its way."""
    url = f"sqlite:///{tmp_path / 'house.db'}"

    async def make() -> UUID:
        database = Database(url)
        await upgrade(database)
        world = await EtaWorld(database).open()
        for hour in range(80):
            await world.deliver(
                north(1_000), status="delivered", courier="anna",
                placed_at=-16_000.0 * hour - 9_000, accepted_at=-16_000.0 * hour - 8_800,
                at_restaurant_at=-16_000.0 * hour - 8_000, ready_at=-16_000.0 * hour - 8_000,
                picked_up_at=-16_000.0 * hour - 7_700, set_out_at=-16_000.0 * hour - 7_700,
                arrived_at=-16_000.0 * hour - 7_400, ended_at=-16_000.0 * hour - 7_340,
            )  # fmt: skip
        order = await world.deliver(
            north(2_000), status="en-route", courier="anna", ready_at=0.0, picked_up_at=60.0,
            set_out_at=60.0, promised_at=3_600.0,
        )  # fmt: skip
        # The commands go by this machine's clock: the evening is now.
        shift = system_clock() - world.now
        async with database.write() as connection:
            columns = [each.name for each in DELIVERIES.c if each.name.endswith("_at")]
            rows = (await connection.execute(DELIVERIES.select())).mappings().all()
            for row in rows:
                moved: dict[str, Any] = {
                    name: row[name] + shift for name in columns if row[name] is not None
                }
                this = DELIVERIES.c.order_id == row["order_id"]
                await connection.execute(DELIVERIES.update().where(this).values(**moved))
        await database.close()
        return order

    return url, asyncio.run(make())


def test_a_house_is_learned_of_and_an_eta_explained(heard: Heard, house: tuple[str, UUID]) -> None:
    url, order = house
    at = ("--tenant", "demo", "--database", url)
    learned = heard.done("eta", "train", *at, "--json").json
    assert learned["orders"] == 80
    assert learned["legs"]["parts"]["hand-over"][0] == pytest.approx(300, rel=0.1)
    assert learned["whole"] is not None
    told = heard.done("eta", "explain", str(order), *at, "--json").json
    assert told["order_id"] == str(order)
    assert [each["part"] for each in told["reasons"]] == ["ride", "door"]
    assert told["stale"]  # its courier was never seen
    ended = heard.done("eta", "explain", str(order), *at)
    assert "nobody knows where its courier is" in ended.out
    assert "2.0 km in a straight line" in ended.out
    assert "likely kept" in ended.out


def test_where_nothing_serves_an_eta_is_not_well_known_and_says_so(
    heard: Heard, house: tuple[str, UUID]
) -> None:
    url, order = house
    at = (str(order), "--tenant", "demo", "--database", url)

    async def arrived() -> None:  # else known best of all: only the door is left
        database = Database(url)
        this = DELIVERIES.c.order_id == order
        async with database.write() as connection:
            values = {"status": "arrived", "arrived_at": system_clock()}
            await connection.execute(DELIVERIES.update().where(this).values(**values))
        await database.close()

    asyncio.run(arrived())
    told = heard.done("eta", "explain", *at, "--json").json
    assert (told["stale"], told["confidence"]) == (True, "low")
    assert (
        "nothing hears of couriers or kitchen at the moment: heard up"
        in heard.done("eta", "explain", *at).err
    )


def test_an_eta_of_another_day_is_told_with_its_day(heard: Heard, house: tuple[str, UUID]) -> None:
    url, order = house
    at = (str(order), "--tenant", "demo", "--database", url)

    async def far_away() -> None:
        database = Database(url)
        this = DELIVERIES.c.order_id == order
        async with database.write() as connection:
            await connection.execute(DELIVERIES.update().where(this).values(lat=24.9, lon=60.1))
        await database.close()

    asyncio.run(far_away())
    expected = datetime.fromisoformat(heard.done("eta", "explain", *at, "--json").json["p50_at"])
    assert expected > system_clock() + timedelta(days=6)
    said = heard.done("eta", "explain", *at).out
    assert re.search(r"expected about \d+ [A-Z][a-z]{2} \d\d:\d\d, nine times of ten by \d+ ", said)


def test_what_has_no_eta_says_why(heard: Heard, house: tuple[str, UUID]) -> None:
    url, order = house
    at = ("--tenant", "demo", "--database", url)
    nobody = heard("eta", "explain", "01890a5d-ac96-774b-bcce-b302099a8057", *at)
    assert "has no order 01890a5d" in nobody.complaint
    nothing = heard("eta", "explain", str(order), *at[:1], "nix", *at[2:])
    assert nothing.complaint == "there is no tenant nix: heard tenant list"


def test_an_order_that_nobody_brings_says_what_it_is(embedded: Heard, tmp_path: Path) -> None:
    roma = open_restaurant(embedded, tmp_path)
    door = "60.1719,24.9414"
    to_home = ("--kind", "delivery", "--place", door, "--address", "Yrjönkatu 1", "--name", "Ada")
    eaten_here = roma.place("burger+rare=2")["number"]
    at_home = roma.place("burger+rare=2", *to_home)["number"]

    def why_not(number: str) -> str:
        return embedded("eta", "explain", number, *AT).complaint

    assert "is dine-in, nobody brings it: heard order show" in why_not(eaten_here)
    nowhere = why_not(at_home)
    assert "nobody has said where roma is: heard delivery rules set place=" in nowhere
    embedded.done("delivery", "rules", "set", "place=60.1699,24.9384", *AT)
    embedded.done("delivery", "place", at_home, door, *AT)
    assert "is expected about" in embedded.done("eta", "explain", at_home, *AT).out
    embedded.done("order", "cancel", at_home, "--reason", "too late", *AT)
    until(lambda: "is cancelled, and not waited for" in why_not(at_home), "it is cancelled")


def test_an_eta_is_explained_with_what_the_routing_engine_says(
    heard: Heard, house: tuple[str, UUID]
) -> None:
    url, order = house
    answer = Answer(200, {}, json.dumps({"code": "Ok", "routes": [{"duration": 2_700.0}]}).encode())

    async def ask(rules: DeliveryRules) -> None:
        database = Database(url)
        async with database.write() as connection:
            await house_rules.write(connection, "demo", delivery=rules)
            this = DELIVERIES.c.order_id == order
            nobody = {"status": "waiting", "courier": None, "device": None, "stop": None}
            nobody |= {"picked_up_at": None, "set_out_at": None}
            await connection.execute(DELIVERIES.update().where(this).values(**nobody))
        await database.close()

    with webhook_server(lambda _number, _arrival: answer) as server:
        engine = {"engine": "osrm", "engine_url": server.url.removesuffix("/hooks")}
        asyncio.run(ask(DeliveryRules.model_validate({"place": HOUSE, **engine})))
        said = heard.done("eta", "explain", str(order), "--tenant", "demo", "--database", url).out
        assert len(server.arrivals) == 1
    assert "as far as the router's way" in said
    assert "straight line" not in said


def test_a_fault_of_our_own_is_said_to_be_one(heard: Heard, house: tuple[str, UUID]) -> None:
    url, order = house
    endless = {**ASSUMED, LegKind.DOOR: Leg(1e18, 2e18)}

    async def spoil() -> None:
        database = Database(url)
        async with database.write() as connection:
            await connection.execute(
                ETA_MODELS.insert().values(
                    tenant="demo", kind=LEGS, version=1, trained_at=system_clock(),
                    document=Legs(endless).to_document(),
                )
            )  # fmt: skip
        await database.close()

    asyncio.run(spoil())
    ended = heard("eta", "explain", str(order), "--tenant", "demo", "--database", url)
    assert ended.code == 1
    assert "ETAs of demo fail" in ended.err
