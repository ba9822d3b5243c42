"""Which vehicles there are: they go with their device or their rule, and come anew with another."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from broker_config.secret import SecretHash
from schemas.delivery_rules import DeliveryRules, Vehicle
from schemas.devices import Role
from schemas.positions import Fix, TravelMode, VehicleState
from services.delivery.tables import COURIERS
from services.people.credentials import place
from services.people.leaving import dismiss_device
from services.people.store import Device
from services.runtime import house_rules
from services.runtime.moment import system_clock
from services.runtime.tables import QUARANTINE
from services.tracking.arriving import Teller
from services.tracking.line import PositionLine
from services.tracking.nameless import advice
from services.tracking.tables import FIXES, VEHICLES
from services.tracking.verdicts import Verdict
from tests.running import StartSystem
from tests.spoken import Speaker
from tests.system import RunningTenant, until

LAT, LON = 60.17, 24.94
BIKE = "bike-1"


def fix(ago_s: float = 0.0, *, north_m: float = 0.0) -> Fix:
    at = datetime.now(UTC) - timedelta(seconds=ago_s)
    return Fix(at=at, lat=LAT + north_m / 111_195, lon=LON, accuracy_m=5.0)


def line_of(tenant: RunningTenant) -> PositionLine:
    return tenant.system.served.line


def row_of(tenant: RunningTenant, vehicle: str) -> dict[str, Any] | None:
    return next((row for row in tenant.rows(VEHICLES) if row["vehicle"] == vehicle), None)


def counted(tenant: RunningTenant, vehicle: str) -> dict[str, int]:
    row = row_of(tenant, vehicle)
    return {} if row is None else row["counts"]


def is_gone(tenant: RunningTenant, vehicle: str) -> bool:
    return line_of(tenant).book.find((tenant.name, vehicle)) is None


def remove(tenant: RunningTenant, device: str) -> None:
    """As `heard device remove` does, once the broker has put it out."""
    tenant.system.writing(lambda c: dismiss_device(c, tenant.name, device))


def add_again(tenant: RunningTenant, device: str) -> None:
    """Another device under the name of one that was there; the broker lets it in still."""
    secret = tenant.system.broker.login(tenant.name, device).secret
    row = Device(tenant.name, device, Role.TRACKER, None, system_clock())
    hashed = SecretHash.of(secret)
    tenant.system.writing(lambda c: place(c, row, hashed, system_clock()))


def say_rules(tenant: RunningTenant, **vehicles: Vehicle) -> None:
    """The house's rules name these vehicles, and no others."""
    named = {name.replace("_", "-"): each for name, each in vehicles.items()}
    rules = DeliveryRules(vehicles=named)
    tenant.system.writing(lambda c: house_rules.write(c, tenant.name, delivery=rules))


def forward(bridge: Speaker, unique: str, ago_s: float = 0.0) -> None:
    """Traccar forwards where one of its devices is."""
    at = (datetime.now(UTC) - timedelta(seconds=ago_s)).isoformat()
    position = {"fixTime": at, "latitude": LAT, "longitude": LON, "valid": True, "speed": 0}
    document = {"position": position, "device": {"uniqueId": unique}}
    topic = bridge.topic(Fix).replace("/fix", "/traccar")
    bridge.mqtt.publish(topic, json.dumps(document).encode(), qos=1)


@contextmanager
def bridge(tenant: RunningTenant) -> Iterator[Speaker]:
    with tenant.speaker(Role.TRACKER, "vans") as speaking:
        yield speaking


def test_a_vehicles_row_goes_with_its_device_and_stays_away(tenant: RunningTenant) -> None:
    with tenant.speaker(Role.TRACKER, BIKE) as bike:
        bike.say(fix(10))
        until(lambda: counted(tenant, BIKE) == {"ok": 1}, "its row")
        remove(tenant, BIKE)
        assert row_of(tenant, BIKE) is None
        # What was on its way is kept, perhaps; a row of it does not come of it.
        bike.say(fix(5))
        until(lambda: is_gone(tenant, BIKE), "its end")
        of_none = line_of(tenant).counts["of no vehicle"]
        bike.say(fix(0))
        until(lambda: line_of(tenant).counts["of no vehicle"] > of_none, "a fix of nobody")
    assert tenant.rows(VEHICLES) == []


def test_a_device_of_an_old_name_begins_anew(tenant: RunningTenant) -> None:
    with tenant.speaker(Role.TRACKER, BIKE) as bike:
        for ago_s in (40, 30, 20):
            bike.say(fix(ago_s))
        until(lambda: counted(tenant, BIKE).get("ok") == 3, "the old one's row")
        # Within one look of the line: it never sees that there was none.
        remove(tenant, BIKE)
        add_again(tenant, BIKE)
        line = line_of(tenant)

        def is_new() -> bool:
            number = line.book.find((tenant.name, BIKE))
            return number is None

        until(is_new, "the old one to be forgotten")
        bike.say(fix(0, north_m=30_000))
        until(lambda: row_of(tenant, BIKE), "the new one's row")
    row = row_of(tenant, BIKE)
    assert row is not None
    assert row["counts"] == {"ok": 1}, "it begins where it is first seen"
    assert row["lat"] == pytest.approx(LAT + 30_000 / 111_195, abs=1e-6)


def test_a_row_of_another_device_of_that_name_is_not_gone_on_from(
    start_system: StartSystem,
) -> None:
    system = start_system()
    tenant = system.add_tenant()
    with (
        tenant.speaker(Role.TRACKER, BIKE) as bike,
        tenant.speaker(Role.TRACKER, "after") as after,
    ):
        bike.say(fix(10))
        until(lambda: counted(tenant, BIKE) == {"ok": 1}, "its row")
        # What is kept and not acknowledged yet comes once more, to whoever bears the name then.
        after.say(fix(10))
        until(lambda: counted(tenant, "after") == {"ok": 1}, "the one before to be acknowledged")
        system.stop()
        # While nothing serves, it is put in the place of the one before: the row stays behind.
        add_again(tenant, BIKE)
        system.start()
        bike.say(fix(0, north_m=30_000))
        until(lambda: tenant.count(FIXES) == 3, "the new one's fix")

        def row_is_its_own() -> bool:
            row = row_of(tenant, BIKE)
            there = pytest.approx(LAT + 30_000 / 111_195, abs=1e-6)
            return row is not None and row["lat"] == there

        until(row_is_its_own, "its row")
    assert counted(tenant, BIKE) == {"ok": 1}


def test_a_vehicle_that_no_rule_names_any_more_goes(tenant: RunningTenant) -> None:
    named = Vehicle(name="Van", device="vans", below="7")
    say_rules(tenant, van_1=named, van_2=named.model_copy(update={"below": "8"}))
    with tenant.speaker(Role.POS) as screen, bridge(tenant) as vans:
        screen.mqtt.subscribe(VehicleState.route.filter(tenant=tenant.name))
        forward(vans, "7")
        forward(vans, "8")
        until(lambda: tenant.count(VEHICLES) == 2, "both rows")
        say_rules(tenant, van_2=named.model_copy(update={"below": "8"}))
        until(lambda: [row["vehicle"] for row in tenant.rows(VEHICLES)] == ["van-2"], "one to go")
        topic = VehicleState.route.topic(tenant=tenant.name, vehicle="van-1")
        while (message := screen.mqtt.next_message()).topic != topic or message.payload:
            pass
        # Named again, it is a new one.
        say_rules(tenant, van_1=named)
        until(lambda: is_gone(tenant, "van-2"), "the other one to go")
        forward(vans, "7")
        until(lambda: counted(tenant, "van-1") == {"ok": 1}, "its new row")


def test_a_bridge_makes_no_vehicle_without_a_rule_and_is_told_which_is_missing(
    tenant: RunningTenant,
) -> None:
    with bridge(tenant) as vans:
        for ago_s in (20, 10):
            for unique in ("7", "8 or 9"):
                forward(vans, unique, ago_s)
        until(lambda: tenant.count(QUARANTINE) == 2, "the advice")
        of_none = line_of(tenant).counts["of no vehicle"]
        forward(vans, "7", 5)
        until(lambda: line_of(tenant).counts["of no vehicle"] > of_none, "one more of no vehicle")
        assert tenant.count(FIXES) == tenant.count(VEHICLES) == 0
        rows = tenant.rows(QUARANTINE)
        assert {row["reason"].partition(": ")[2] for row in rows} == {
            advice(Teller(tenant.name, "vans", each)) for each in ("7", "8 or 9")
        }
        told = next(row for row in rows if "8 or 9" in row["reason"])
        assert f"--tenant {tenant.name} 'vehicles.NAME=vans/8 or 9'" in told["reason"]
        assert json.loads(told["payload"])["device"]["uniqueId"] == "8 or 9"
        say_rules(tenant, van_1=Vehicle(name="Van", device="vans", below="7"))
        until(lambda: _is_known(tenant, vans), "the vehicle that is named now")
    assert {row["vehicle"] for row in tenant.rows(FIXES)} == {"van-1"}


def _is_known(tenant: RunningTenant, vans: Speaker) -> bool:
    forward(vans, "7")
    return tenant.count(FIXES) > 0


def test_what_came_last_is_in_the_row_soon_though_nobody_says_more(tenant: RunningTenant) -> None:
    with tenant.speaker(Role.TRACKER, BIKE) as bike:
        bike.say(fix(10))
        until(lambda: counted(tenant, BIKE) == {"ok": 1}, "its row")
        last = fix(0)
        bike.say(last)
        until(lambda: tenant.count(FIXES) == 2, "its fix")
        until(lambda: counted(tenant, BIKE) == {"ok": 2}, "its row as it is now")
    row = row_of(tenant, BIKE)
    assert row is not None
    assert row["at"] == last.at


def test_what_a_courier_goes_by_decides_what_is_believed(tenant: RunningTenant) -> None:
    courier = {
        "tenant": tenant.name, "courier": "anna", "version": 1, "name": "Anna", "device": BIKE,
        "mode": TravelMode.FOOT.value, "stops": [],
    }  # fmt: skip
    with tenant.speaker(Role.TRACKER, BIKE) as bike:
        bike.say(fix(30))
        bike.say(fix(20, north_m=200))
        until(lambda: tenant.count(FIXES) == 2, "twenty metres a second")
        tenant.system.writing(lambda c: c.execute(COURIERS.insert().values(courier)))

        def is_on_foot() -> bool:
            book = line_of(tenant).book
            number = book.find((tenant.name, BIKE))
            return number is not None and book.of(number).mode is TravelMode.FOOT

        until(is_on_foot, "the courier's mode")
        bike.say(fix(10, north_m=400))
        until(lambda: tenant.count(FIXES) == 3, "as fast again")
    verdicts = [row["verdict"] for row in tenant.rows(FIXES)]
    assert verdicts == [Verdict.OK, Verdict.OK, Verdict.JUMP]


def test_one_that_sent_garbage_alone_was_heard_and_never_had_a_place(
    tenant: RunningTenant,
) -> None:
    began = system_clock()
    with tenant.speaker(Role.TRACKER, BIKE) as bike:
        bike.mqtt.publish(bike.topic(Fix), b"garbage", qos=1)
        until(lambda: row_of(tenant, BIKE), "its row")
    row = row_of(tenant, BIKE)
    assert row is not None
    assert began - timedelta(seconds=1) <= row["heard_at"] <= system_clock()
    assert (row["at"], row["lat"], row["lon"], row["since"]) == (None, None, None, None)
    assert row["counts"] == {"unreadable": 1}
