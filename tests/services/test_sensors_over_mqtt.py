"""Thermometers over real brokers: ours, a Zigbee bridge's, Tasmota's; and what they must not do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.alerts import AlertKind
from schemas.devices import Role
from schemas.sensors import SensorRules, SensorState, SensorStatus
from schemas.stock_rules import StockRules
from services.inventory.tables import SENSORS
from services.runtime import house_rules
from services.runtime.alerts import ALERTS
from services.runtime.tables import QUARANTINE
from tests.spoken import Speaker, read_message
from tests.system import RunningTenant, until

GARBAGE = (b"nonsense", b"\xff", b'{"temperature": "warm"}', b"[" * 5000, b'{"temperature": 1e999}')


def with_sensors(tenant: RunningTenant, **sensors: SensorRules) -> None:
    """Say which thermometers there are, as the command does; wait until they are listened to."""
    named = {name.replace("_", "-"): each for name, each in sensors.items()}
    rules = StockRules(sensors=named)
    tenant.system.writing(
        lambda connection: house_rules.write(connection, tenant.name, stock=rules)
    )
    until(lambda: set(rows(tenant)) == set(named), "the thermometers to be known")


def rows(tenant: RunningTenant) -> dict[str, dict[str, Any]]:
    return {row["sensor"]: row for row in tenant.rows(SENSORS)}


def reads(tenant: RunningTenant, sensor: str) -> float | None:
    celsius: float | None = rows(tenant)[sensor]["celsius"]
    return celsius


def standing(tenant: RunningTenant) -> list[str]:
    return sorted(row["kind"] for row in tenant.rows(ALERTS) if row["cleared_at"] is None)


def says(device: Speaker, tail: str, payload: dict[str, Any] | bytes) -> None:
    topic = f"heard/v1/{device.tenant}/telemetry/{device.device}/{tail}"
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    device.mqtt.publish(topic, raw)


def test_ours_a_bridges_and_tasmotas_are_heard(tenant: RunningTenant) -> None:
    with_sensors(
        tenant,
        walk_in=SensorRules(name="Walk-in", device="fridge-1", most=5),
        freezer=SensorRules(name="Freezer", device="zigbee", below="freezer", most=-15),
        hot_hold=SensorRules(name="Hot-hold", device="plug", least=63),
    )
    with (
        tenant.speaker(Role.SENSOR, "fridge-1") as own,
        tenant.speaker(Role.SENSOR, "zigbee") as bridge,
        tenant.speaker(Role.SENSOR, "plug") as plug,
        tenant.speaker(Role.POS) as till,
    ):
        says(own, "temperature", {"at": "2026-03-14T18:00:00Z", "celsius": 4.5})
        zigbee = {"battery": 93, "humidity": 40, "linkquality": 120, "temperature": -18.25}
        says(bridge, "zigbee/freezer", zigbee)
        chip = {"DS18B20": {"Id": "0", "Temperature": 70.1}, "TempUnit": "C"}
        says(plug, "SENSOR", {"Time": "2026-03-14T18:00:00", **chip})
        says(plug, "STATE", {"Time": "2026-03-14T18:00:00", "Wifi": {"RSSI": 78}})
        until(lambda: reads(tenant, "walk-in") == 4.5, "the fridge to be heard")
        until(lambda: reads(tenant, "freezer") == -18.25, "the bridge to be heard")
        until(lambda: reads(tenant, "hot-hold") == 70.1, "the plug to be heard")
        assert tenant.rows(QUARANTINE) == [], "what Tasmota says of itself is no riddle"
        till.mqtt.subscribe(SensorState.route.topic(tenant=tenant.name, sensor_id="freezer"))
        state: SensorState = read_message(till.mqtt.next_message())
        assert (state.celsius, state.humidity, state.name) == (-18.25, 40, "Freezer")
        assert state.status is SensorStatus.UNKNOWN, "one reading is no word"


def test_a_fridge_that_is_too_warm_is_told_over_the_broker_and_told_when_it_is_over(
    tenant: RunningTenant,
) -> None:
    fridge = SensorRules(name="Walk-in", device="fridge-1", most=5, may_exceed_s=0)
    with_sensors(tenant, walk_in=fridge)
    with tenant.speaker(Role.SENSOR, "fridge-1") as own:
        for _ in range(4):
            says(own, "temperature", {"at": "2026-03-14T18:00:00Z", "celsius": 9})
        until(lambda: standing(tenant) == [AlertKind.TEMPERATURE], "the alert")
        for _ in range(3):
            says(own, "temperature", {"at": "2026-03-14T18:00:00Z", "celsius": 4})
        until(lambda: standing(tenant) == [], "the end of it")


def test_garbage_is_kept_for_a_person_and_raises_nothing(tenant: RunningTenant) -> None:
    freezer = SensorRules(
        name="Freezer", device="zigbee", below="freezer", most=-15, may_exceed_s=0
    )
    with_sensors(tenant, freezer=freezer)
    with tenant.speaker(Role.SENSOR, "zigbee") as bridge:
        for payload in GARBAGE:
            says(bridge, "zigbee/freezer", payload)
        says(bridge, "zigbee/freezer", {"temperature": -327.68})
        says(bridge, "zigbee/freezer", {"temperature": -18.0})
        until(lambda: reads(tenant, "freezer") == -18.0, "the next good one to be heard")
    assert rows(tenant)["freezer"]["ignored"] == 1
    assert len(tenant.rows(QUARANTINE)) == len(GARBAGE)
    assert standing(tenant) == []


@pytest.mark.parametrize("role", [Role.POS, Role.TRACKER, Role.GUEST])
def test_nobody_but_a_sensor_speaks_for_a_bridge(tenant: RunningTenant, role: Role) -> None:
    freezer = SensorRules(name="Freezer", device="liar", below="freezer")
    with_sensors(tenant, freezer=freezer, other=SensorRules(name="Other", device="liar"))
    with tenant.speaker(role, "liar") as liar:
        topic = f"heard/v1/{tenant.name}/telemetry/liar/zigbee/freezer"
        liar.mqtt.publish_unanswered(topic, b'{"temperature": 4}')
        says(liar, "SENSOR", {"DS18B20": {"Temperature": 4}})
        until(lambda: reads(tenant, "other") == 4, "what was said later to be heard")
    assert reads(tenant, "freezer") is None


def test_a_bridge_may_listen_to_what_it_says_itself(tenant: RunningTenant) -> None:
    with tenant.speaker(Role.SENSOR, "zigbee") as bridge:
        base = f"heard/v1/{tenant.name}/telemetry/zigbee/zigbee"
        assert bridge.mqtt.subscribe(f"{base}/#") != 0x80
        says(bridge, "zigbee/freezer", {"temperature": -18})
        assert bridge.mqtt.next_message().topic == f"{base}/freezer"
