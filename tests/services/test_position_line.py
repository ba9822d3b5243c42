"""Positions: from what a tracker says to rows and to what stands retained."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.delivery_rules import DeliveryRules
from schemas.devices import Role
from schemas.envelope import envelope_of
from schemas.positions import (
    Fix,
    Fixes,
    OneFix,
    Place,
    ReportingTaken,
    ReportingWish,
    VehicleState,
)
from services.runtime import house_rules
from services.tracking import tracker_telling
from services.tracking.tables import FIXES, VEHICLES
from services.tracking.verdicts import Verdict
from tests.patience import PATIENCE_S
from tests.running import StartSystem
from tests.spoken import Speaker
from tests.system import RunningSystem, RunningTenant, until

LAT, LON = 60.17, 24.94


def now() -> datetime:
    return datetime.now(UTC)


def ride(count: int, *, since: datetime | None = None, every_s: float = 1.0) -> list[OneFix]:
    """A bicycle's ride to the north, at 5 m/s; the last fix is of now, or as told."""
    begin = since or now() - timedelta(seconds=every_s * (count - 1))
    return [
        OneFix(
            at=begin + timedelta(seconds=every_s * number),
            lat=LAT + 5.0 * every_s * number / 111_195,
            lon=LON,
            accuracy_m=5.0,
            battery=0.8,
        )
        for number in range(count)
    ]


@contextmanager
def tracker(tenant: RunningTenant, name: str = "bike-1") -> Iterator[Speaker]:
    with tenant.speaker(Role.TRACKER, name) as speaking:
        yield speaking


def say_raw(speaker: Speaker, stream: str, document: Any) -> None:
    """Say whatever on a stream of one's own."""
    topic = speaker.topic(Fix).replace("/fix", f"/{stream}")
    payload = document if isinstance(document, bytes) else json.dumps(document).encode()
    speaker.mqtt.publish(topic, payload, qos=1)


def state_of(screen: Speaker, vehicle: str) -> dict[str, Any]:
    """The next state of a vehicle that a screen is shown."""
    topic = VehicleState.route.topic(tenant=screen.tenant, vehicle=vehicle)
    while True:
        message = screen.mqtt.next_message()
        if message.topic == topic and message.payload:
            told: dict[str, Any] = json.loads(message.payload)["data"]
            return told


def kept(tenant: RunningTenant, count: int) -> list[dict[str, Any]]:
    """The rows of fixes, once there are so many."""
    until(lambda: tenant.count(FIXES) >= count, f"{count} fixes")
    return tenant.rows(FIXES)


def test_a_fix_becomes_a_row_and_a_state(tenant: RunningTenant) -> None:
    fix = ride(1)[0]
    with tenant.speaker(Role.POS) as screen, tracker(tenant) as bike:
        screen.mqtt.subscribe(VehicleState.route.filter(tenant=tenant.name))
        bike.say(Fix(**fix.model_dump()))
        row = kept(tenant, 1)[0]
        state = state_of(screen, "bike-1")
    assert row["at"] == fix.at
    assert (row["lat"], row["lon"], row["accuracy_m"]) == (fix.lat, fix.lon, 5.0)
    assert row["verdict"] == Verdict.OK
    assert state["vehicle"] == "bike-1"
    assert (state["lat"], state["lon"]) == (LAT, LON)
    assert state["battery"] == 0.8
    assert not state["silent"]


def test_a_batch_is_kept_whole_and_the_vehicle_is_where_it_ends(tenant: RunningTenant) -> None:
    fixes = ride(60)
    with tracker(tenant) as bike:
        bike.say(Fixes(fixes=tuple(fixes)))
        rows = kept(tenant, 60)
    assert [row["at"] for row in rows] == [each.at for each in fixes]
    until(lambda: tenant.count(VEHICLES) == 1, "the vehicle's row")
    row = tenant.rows(VEHICLES)[0]
    assert row["device"] == "bike-1"
    assert row["at"] == fixes[-1].at
    assert row["moving"]
    assert row["counts"] == {"ok": 60}


def test_who_is_no_tracker_has_no_positions(tenant: RunningTenant, system: RunningSystem) -> None:
    before = system.served.line.counts["of no vehicle"]
    with tenant.speaker(Role.POS) as till:
        till.say(Fix(**ride(1)[0].model_dump()))
        until(lambda: system.served.line.counts["of no vehicle"] > before, "the fix of no vehicle")
    assert tenant.count(FIXES) == 0
    assert tenant.count(VEHICLES) == 0


@pytest.mark.parametrize(
    ("spoilt", "word"),
    [
        ({"lat": 91.0}, "invalid"),
        ({"lat": float("nan")}, "invalid"),
        ({"lat": 0.0, "lon": 0.0}, "null-island"),
        ({"lat": None}, "invalid"),
        ({"at": "1970-01-01T00:00:00Z"}, "stale"),
        ({"at": "2100-01-01T00:00:00Z"}, "future"),
        ({"at": "yesterday"}, "invalid"),
        ({"accuracy_m": 3000}, "inaccurate"),
    ],
)
def test_bad_fixes_are_counted_and_spoil_nothing(
    tenant: RunningTenant, spoilt: dict[str, Any], word: str
) -> None:
    good = [json.loads(each.model_dump_json()) for each in ride(3)]
    with tracker(tenant) as bike:
        say_raw(bike, "fixes", {"fixes": [good[0], good[1] | spoilt, good[2]]})
        until(lambda: tenant.count(VEHICLES) == 1, "the vehicle's row")
    row = tenant.rows(VEHICLES)[0]
    assert row["counts"] == {"ok": 2, word: 1}
    assert row["lat"] == pytest.approx(good[2]["lat"], abs=1e-4)


@pytest.mark.parametrize("payload", [b"", b"\xff\xfe", b"[]", b'{"fixes": 7}', b"{" * 5000])
def test_garbage_is_left_and_the_next_fix_is_kept(tenant: RunningTenant, payload: bytes) -> None:
    with tracker(tenant) as bike:
        say_raw(bike, "fixes", payload)
        say_raw(bike, "fix", payload)
        bike.say(Fix(**ride(1)[0].model_dump()))
        kept(tenant, 1)


def test_what_comes_twice_is_kept_once(tenant: RunningTenant) -> None:
    *first, last = ride(11)
    fixes = Fixes(fixes=tuple(first))
    with tracker(tenant) as bike:
        bike.say(fixes)
        kept(tenant, 10)
        bike.say(fixes)
        bike.say(Fix(**last.model_dump()))
        rows = kept(tenant, 11)
    assert len(rows) == 11


def test_what_comes_again_after_a_restart_is_kept_once(start_system: StartSystem) -> None:
    system = start_system()
    tenant = system.add_tenant()
    *first, last = ride(41)
    fixes = Fixes(fixes=tuple(first))
    with tracker(tenant) as bike:
        bike.say(fixes)
        kept(tenant, 40)
        system.restart()
        bike.say(fixes)
        bike.say(Fix(**last.model_dump()))
        rows = kept(tenant, 41)
    assert len(rows) == 41
    assert tenant.rows(VEHICLES)[0]["counts"]["ok"] >= 40


def test_nobody_speaks_for_another_restaurants_tracker(system: RunningSystem) -> None:
    mine, other = system.add_tenant(), system.add_tenant()
    with tracker(mine) as bike, tracker(other, "bike-2"):
        foreign = Fix.route.topic(tenant=other.name, device="bike-2")
        bike.mqtt.publish(foreign, Fix(**ride(1)[0].model_dump()).model_dump_json().encode())
        bike.say(Fix(**ride(1)[0].model_dump()))
        kept(mine, 1)
    assert other.count(FIXES) == 0


def test_ten_thousand_fixes_after_a_tunnel_are_taken_beside_others(tenant: RunningTenant) -> None:
    backlog = ride(10_000, every_s=2.0)
    with tracker(tenant) as bike, tracker(tenant, "bike-2") as other:
        for start in range(0, len(backlog), 100):
            bike.say(Fixes(fixes=tuple(backlog[start : start + 100])))
        other.say(Fix(**ride(1)[0].model_dump()))
        until(lambda: tenant.count(FIXES) >= 10_001, "all fixes", 3 * PATIENCE_S)
    assert tenant.count(FIXES) == 10_001


def test_a_fix_every_millisecond_is_thinned(tenant: RunningTenant) -> None:
    with tracker(tenant) as bike:
        bike.say(Fixes(fixes=tuple(ride(500, every_s=0.001))))
        until(lambda: tenant.count(VEHICLES) == 1, "the vehicle's row")
    row = tenant.rows(VEHICLES)[0]
    assert row["counts"]["too-often"] > 480
    assert tenant.count(FIXES) < 20


def delivers(tenant: RunningTenant) -> None:
    """Have the house deliver: from then on its trackers are asked how often to tell."""
    rules = DeliveryRules(place=Place(lat=LAT, lon=LON))
    tenant.system.writing(lambda c: house_rules.write(c, tenant.name, delivery=rules))


def wish_for(speaker: Speaker) -> ReportingWish:
    """The next wish that a tracker is told."""
    topic = ReportingWish.route.topic(tenant=speaker.tenant, device=speaker.device)
    while True:
        message = speaker.mqtt.next_message()
        if message.topic == topic and message.payload:
            wish: ReportingWish = (
                envelope_of(ReportingWish).model_validate_json(message.payload).data
            )
            return wish


def follows(wish: ReportingWish, **other: Any) -> ReportingTaken:
    """What a tracker says that follows it."""
    told = wish.model_dump(include={"number", "every_s", "still_s", "least_m", "together"})
    return ReportingTaken(**{**told, **other})


def reporting_of(tenant: RunningTenant) -> dict[str, Any]:
    """Of its one vehicle; a tracker may be asked before the row of its first fix is there."""
    rows = tenant.rows(VEHICLES)
    assert len(rows) <= 1
    told: dict[str, Any] = (rows[0]["reporting"] if rows else None) or {}
    return told


def test_what_a_tracker_says_it_does_stands_beside_what_it_was_asked_for(
    start_system: StartSystem,
) -> None:
    system = start_system()
    tenant = system.add_tenant()
    delivers(tenant)
    with tracker(tenant) as bike, tracker(tenant, "bike-2") as other:
        bike.mqtt.subscribe(ReportingWish.route.topic(tenant=tenant.name, device="bike-1"))
        # One that tells no position has no row, whatever else it says; garbage spoils nothing.
        other.say(ReportingTaken(number=7, every_s=1, still_s=60))
        say_raw(bike, "reporting", {"number": "seven"})
        bike.say(Fix(**ride(1)[0].model_dump()))
        wish = wish_for(bike)
        bike.say(follows(wish, every_s=wish.every_s + 5))
        until(lambda: reporting_of(tenant).get("taken"), "what it does in its row")
    told = reporting_of(tenant)
    assert told["wished"]["number"] == told["taken"]["number"] == wish.number
    assert told["taken"]["every_s"] == wish.every_s + 5
    assert told["wished"]["every_s"] == wish.every_s
    assert [row["vehicle"] for row in tenant.rows(VEHICLES)] == ["bike-1"]
    assert tenant.rows(VEHICLES)[0]["counts"] == {"ok": 1, "unreadable": 1}
    # It is known after a restart, too.
    system.restart()
    until(system.served.line.ready.is_set, "the line's return")
    number = system.served.line.book.find((tenant.name, "bike-1"))
    assert number is not None
    assert system.served.line.book.of(number).taken == told["taken"]


def test_a_tracker_that_follows_another_wish_for_long_is_asked_once_more(
    tenant: RunningTenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracker_telling, "PATIENCE_S", 1.0)
    delivers(tenant)
    with tracker(tenant) as bike:
        bike.mqtt.subscribe(ReportingWish.route.topic(tenant=tenant.name, device="bike-1"))
        bike.say(Fix(**ride(1)[0].model_dump()))
        wish = wish_for(bike)
        bike.say(follows(wish, number=wish.number - 1))
        again = wish_for(bike)
        assert again == wish
        bike.say(follows(wish))
        until(
            lambda: reporting_of(tenant).get("taken", {}).get("number") == wish.number,
            "the answer in its row",
        )


def test_a_removed_trackers_state_is_cleared(tenant: RunningTenant, system: RunningSystem) -> None:
    from sqlalchemy import delete  # noqa: PLC0415 - this test alone

    from services.runtime.tables import DEVICES  # noqa: PLC0415 - the same

    with tenant.speaker(Role.POS) as screen, tracker(tenant) as bike:
        screen.mqtt.subscribe(VehicleState.route.filter(tenant=tenant.name))
        bike.say(Fix(**ride(1)[0].model_dump()))
        state_of(screen, "bike-1")
        mine = (DEVICES.c.tenant == tenant.name) & (DEVICES.c.device == "bike-1")
        system.writing(lambda connection: connection.execute(delete(DEVICES).where(mine)))
        message = screen.mqtt.next_message()
    assert message.payload == b""
