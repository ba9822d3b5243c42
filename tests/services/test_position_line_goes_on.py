"""Positions go on: what fails is taken again, and what is wrong with one costs nobody else."""

from __future__ import annotations

import asyncio
import itertools
import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, update

from schemas.devices import Role
from schemas.positions import Fix, ReportingWish, VehicleState
from services.runtime.context import Outgoing
from services.runtime.house_rules import HOUSE_RULES
from services.runtime.tables import DEVICES
from services.tracking.arriving import Arrived
from services.tracking.line import PositionLine
from services.tracking.tables import FIXES, VEHICLES
from services.tracking.tick import Found, Tick
from tests.mqtt_client import MqttClient
from tests.patience import PATIENCE_S
from tests.running import StartSystem
from tests.services.test_position_line import delivers, kept, now, ride, say_raw, tracker
from tests.spoken import Speaker
from tests.system import RunningSystem, RunningTenant, until

BEGIN = now() - timedelta(seconds=60)
SECONDS = itertools.count()


def say_fix(speaker: Speaker) -> None:
    """Say where one is, a second later each time: what comes too often is not kept."""
    at = BEGIN + timedelta(seconds=next(SECONDS))
    speaker.say(Fix(**ride(1, since=at)[0].model_dump()))


def stands(tenant: RunningTenant) -> dict[str, bytes]:
    """All states that stand of a house's trackers and their places, as a new screen is shown."""
    system = tenant.system
    login = system.broker.login(tenant.name, tenant.add_device(Role.MANAGER))
    with MqttClient(system.broker.address, login) as reader:
        reader.subscribe(VehicleState.route.filter(tenant=tenant.name))
        return {each.topic: each.payload for each in reader.messages if each.retain}


def position_of(tenant: RunningTenant, vehicle: str) -> str:
    return VehicleState.route.topic(tenant=tenant.name, vehicle=vehicle)


def test_a_tracker_that_is_removed_on_the_road_costs_nobody_a_tick(
    tenant: RunningTenant, system: RunningSystem
) -> None:
    line = system.served.line
    failed = line.counts["ticks that failed"]
    with tracker(tenant) as bike, tracker(tenant, "bike-2") as other:
        for number in (1, 2):
            say_fix(bike)
            kept(tenant, number)
        mine = (DEVICES.c.tenant == tenant.name) & (DEVICES.c.device == "bike-1")
        system.writing(lambda connection: connection.execute(delete(DEVICES).where(mine)))
        until(lambda: line.book.find((tenant.name, "bike-1")) is None, "that it is gone")
        say_fix(other)
        kept(tenant, 3)
    assert line.counts["ticks that failed"] == failed


class Fault:
    """Ticks that fail, where they are told to; the book is read anew only when it is let."""

    def __init__(self, line: PositionLine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.times = 0
        self.about = ""
        self.failed = 0
        self.reads = threading.Event()
        self.goes_on = threading.Event()
        self.goes_on.set()
        judge, remembered = Tick.judge, line._remembered

        async def failing(tick: Tick, arrived: Arrived, *more: Any) -> Found:
            if self.times and any(each.device == self.about for each in arrived.tellers):
                self.times -= 1
                self.failed += 1
                raise ArithmeticError("ours")
            return await judge(tick, arrived, *more)

        async def waiting() -> Any:
            self.reads.set()
            await asyncio.get_running_loop().run_in_executor(None, self.goes_on.wait, PATIENCE_S)
            return await remembered()

        monkeypatch.setattr(Tick, "judge", failing)
        monkeypatch.setattr(line, "_remembered", waiting)


def test_a_tick_that_fails_once_is_kept_and_what_stands_is_put_right(
    start_system: StartSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = start_system()
    tenant, line = system.add_tenant(), system.served.line
    until(line.ready.is_set, "the line")
    delivers(tenant)
    fault = Fault(line, monkeypatch)
    with tracker(tenant) as bike, tracker(tenant, "bike-2") as other:
        wishes = ReportingWish.route.topic(tenant=tenant.name, device="bike-2")
        for speaker in (bike, other):
            say_fix(speaker)
        kept(tenant, 2)
        until(lambda: tenant.count(VEHICLES) == 2, "their rows")
        until(lambda: len(stands(tenant)) == 2, "their places")
        # One that should stand does not, and one does that should not.
        system.call(_say(line, Outgoing("", position_of(tenant, "bike-2"), b"", 1, retain=True)))
        system.call(_say(line, Outgoing("", position_of(tenant, "ghost"), b"{}", 1, retain=True)))
        fault.times, fault.about = 1, "bike-1"
        fault.goes_on.clear()
        say_fix(bike)
        assert fault.reads.wait(PATIENCE_S)
        # While the book is read anew nobody is told that there are no vehicles.
        assert not line.ready.is_set()
        assert line.book.find((tenant.name, "bike-2")) is not None
        fault.goes_on.set()
        kept(tenant, 3)
        until(line.ready.is_set, "that it is ready again")
        until(
            lambda: stands(tenant).keys() == {position_of(tenant, f"bike-{n}") for n in (1, 2)},
            "the places",
        )
        other.mqtt.subscribe(wishes)
        assert other.mqtt.next_message().topic == wishes
    assert (fault.failed, line.counts["given up"]) == (1, 0)


async def _say(line: PositionLine, message: Outgoing) -> None:
    line.announcer.say([message])


def test_what_makes_a_tick_fail_twice_is_given_up_and_nothing_else_is(
    start_system: StartSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = start_system()
    tenant, line = system.add_tenant(), system.served.line
    until(line.ready.is_set, "the line")
    fault = Fault(line, monkeypatch)
    with tracker(tenant, "poison") as bad, tracker(tenant) as bike:
        fault.times, fault.about = 2, "poison"
        say_fix(bad)
        until(lambda: line.counts["given up"] == 1, "that it is given up")
        assert fault.failed == 2
        for _ in range(3):
            say_fix(bike)
        kept(tenant, 3)
        say_fix(bad)
        kept(tenant, 4)
    assert line.counts["given up"] == 1
    assert line.counts["ticks that failed"] == 2


def test_whatever_a_tracker_says_costs_no_tick_and_is_told_as_unreadable(
    tenant: RunningTenant, system: RunningSystem
) -> None:
    line = system.served.line
    failed = line.counts["ticks that failed"]
    with tracker(tenant) as bike:
        for at in ("", "[]", "Z"):
            say_raw(bike, "fix", f'{{"at":{at or chr(34) * 2},"lat":60.1,"lon":24.9}}'.encode())
        say_raw(bike, "fixes", {"fixes": {}})
        say_fix(bike)
        kept(tenant, 1)
    assert line.counts["ticks that failed"] == failed


def test_a_house_whose_rules_nobody_can_read_stops_no_other(start_system: StartSystem) -> None:
    system = start_system()
    spoilt, other = system.add_tenant(), system.add_tenant()
    delivers(spoilt)
    delivers(other)
    odd = {"version": HOUSE_RULES.c.version + 1, "delivery": {"engine": "teleport"}}
    mine = update(HOUSE_RULES).where(HOUSE_RULES.c.tenant == spoilt.name).values(**odd)
    with tracker(spoilt) as bike, tracker(other) as scooter:
        for speaker in (bike, scooter):
            say_fix(speaker)
        kept(spoilt, 1)
        kept(other, 1)
        system.writing(lambda connection: connection.execute(mine))
        for life in (2, 3):
            begun = system.served.line.counts["ticks that failed"]
            for number, tenant in enumerate((spoilt, other)):
                say_fix((bike, scooter)[number])
                kept(tenant, life)
            assert system.served.line.counts["ticks that failed"] == begun
            if life == 2:
                system.restart()
                until(system.served.line.ready.is_set, "the line's return")
    assert other.count(FIXES) == 3
