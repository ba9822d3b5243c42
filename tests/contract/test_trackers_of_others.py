"""Trackers that were not made for us come in as they are documented to, on each broker."""

from __future__ import annotations

import json
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from schemas.devices import Role
from schemas.foreign_positions import OwnTracksBeside, OwnTracksSaid, TraccarForwarded
from schemas.topics import Plane, plane_filter
from tests.brokers import RunningBroker
from tests.devices.stage import Broker
from tests.mqtt_client import MqttClient, Will

TENANT = "roma"
VANS = "vans"
PHONE = "scooter-1"

BRIDGE = """allow_anonymous true
connection heard
address 127.0.0.1:{port}
remote_clientid {tenant}:{device}
remote_username {tenant}:{device}
remote_password {secret}
cleansession false
try_private false
notifications false
topic "" out 1 positions {topic}"""
"""As docs/trackers.md has it, but for TLS."""


def test_what_traccar_forwards_comes_through_a_bridge_under_its_trackers_name(
    any_broker: RunningBroker, tmp_path: Path
) -> None:
    secret = any_broker.add_device(TENANT, VANS, Role.TRACKER)
    topic = TraccarForwarded.route.topic(tenant=TENANT, device=VANS)
    told = {"tenant": TENANT, "device": VANS, "secret": secret, "topic": topic}
    config = BRIDGE.format(port=any_broker.port, **told)
    folder = tmp_path / "bridge"
    folder.mkdir()
    with (
        MqttClient(any_broker.address, any_broker.services) as back,
        Broker(folder, more=config) as beside,
    ):
        back.subscribe(plane_filter(Plane.TELEMETRY))
        # As Traccar does: under a name that it has drawn, at QoS 1.
        traccar = paho.Client(CallbackAPIVersion.VERSION2, client_id="traccar-0b6c")
        traccar.connect("127.0.0.1", beside.port)
        traccar.loop_start()
        try:
            forwarded = json.dumps({"position": {"latitude": 60.1}, "device": {"uniqueId": "7"}})
            traccar.publish("positions", forwarded, qos=1)
            heard = back.next_message()
            assert (heard.topic, heard.payload, heard.qos) == (topic, forwarded.encode(), 1)
        finally:
            traccar.disconnect()
            traccar.loop_stop()


def test_a_phone_says_all_that_owntracks_says_and_its_will(any_broker: RunningBroker) -> None:
    any_broker.add_device(TENANT, PHONE, Role.TRACKER)
    base = OwnTracksSaid.route.topic(tenant=TENANT, device=PHONE)
    event = OwnTracksBeside.route.topic(tenant=TENANT, device=PHONE, sub="event")
    gone = b'{"_type":"lwt","tst":1773511198}'
    login = any_broker.login(TENANT, PHONE)
    with MqttClient(any_broker.address, any_broker.services) as back:
        back.subscribe(plane_filter(Plane.TELEMETRY))
        phone = MqttClient(any_broker.address, login, will=Will(base, gone)).connect()
        phone.publish(base, b'{"_type":"location"}')
        phone.publish(event, b'{"_type":"transition"}')
        phone.cut()
        heard = [back.next_message() for _ in range(3)]
        assert [(each.topic, each.payload) for each in heard] == [
            (base, b'{"_type":"location"}'),
            (event, b'{"_type":"transition"}'),
            (base, gone),
        ]


@pytest.mark.parametrize("role", [Role.POS, Role.SENSOR])
def test_nobody_else_speaks_below_owntracks(any_broker: RunningBroker, role: Role) -> None:
    any_broker.add_device(TENANT, PHONE, role)
    event = OwnTracksBeside.route.topic(tenant=TENANT, device=PHONE, sub="event")
    beat = plane_filter(Plane.TELEMETRY, tenant=TENANT, tail=f"{PHONE}/heartbeat")
    with MqttClient(any_broker.address, any_broker.services) as back:
        back.subscribe(plane_filter(Plane.TELEMETRY))
        with MqttClient(any_broker.address, any_broker.login(TENANT, PHONE)) as other:
            other.publish_unanswered(event, b"{}")
        # Whether it was put out for that or not, it may come again and say what it may.
        with MqttClient(any_broker.address, any_broker.login(TENANT, PHONE)) as other:
            other.publish(beat, b"still here")
            assert back.next_message().payload == b"still here"
