"""What Mosquitto, as rendered, lets nobody take: shown on the wire."""

from __future__ import annotations

import os
import re
import socket
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from paho.mqtt.enums import MQTTProtocolVersion
from pydantic import ValidationError

from broker_config.dynamic_security import RESPONSE_TOPIC, Command, acl
from broker_config.mosquitto_conf import LEAST_PAYLOAD_BYTES, LIMITS, MosquittoSettings, conf
from broker_config.settings import BrokerAddress, PlaintextRefused
from schemas.devices import Role
from schemas.topics import MAX_TOPIC_BYTES, Plane, plane_filter
from tests.brokers import PrivateMosquitto
from tests.mqtt_client import REFUSED_FILTER, ConnectionRefused, MqttClient
from tests.patience import PATIENCE_S
from tests.ports import quiet_port
from tests.system import until

COUNTS_WELL: Final = (2, 0, 12)
"""From here on Mosquitto counts connections, and bounds the silence of MQTT 3.1.1 clients."""
Running = Callable[..., PrivateMosquitto]

REQUESTS: Final = plane_filter(Plane.REQUEST)
ORDERS: Final = plane_filter(Plane.REQUEST, tenant="roma", tail="pos-1/orders/place")
SERVER_KEEPALIVE: Final = 0x13
TOPIC_ALIAS_MAXIMUM: Final = 0x22
WIDTHS: Final = {SERVER_KEEPALIVE: 2, TOPIC_ALIAS_MAXIMUM: 2, 0x21: 2, 0x24: 1, 0x27: 4}
"""Of the properties of a CONNACK that Mosquitto sends, the bytes of their values."""


@cache
def version() -> tuple[int, ...]:
    """The installed Mosquitto's, as 2, 0, 11."""
    said = subprocess.run(
        ["mosquitto", "-h"],
        capture_output=True,
        check=False,
        text=True,
        env=os.environ | {"PATH": f"{os.environ.get('PATH', '')}:/usr/sbin"},
    ).stdout
    return tuple(int(part) for part in re.findall(r"\d+", said.splitlines()[0]))


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Running]:
    """Start a Mosquitto with limits of the test's own."""
    with ExitStack() as stack:

        def start(**settings: Any) -> PrivateMosquitto:
            broker = PrivateMosquitto(tmp_path / "mosquitto", **settings)
            stack.callback(broker.kill)
            broker.add_device("roma", "pos-1", Role.POS)
            return broker

        yield start


def services_address(broker: PrivateMosquitto) -> BrokerAddress:
    """The services' own listener."""
    return BrokerAddress(port=broker.mosquitto_settings.services_port or 0)


def till(broker: PrivateMosquitto, **options: Any) -> MqttClient:
    return MqttClient(broker.address, broker.login("roma", "pos-1"), **options)


@contextmanager
def services(broker: PrivateMosquitto) -> Iterator[MqttClient]:
    with MqttClient(broker.address, broker.services) as client:
        client.subscribe(REQUESTS)
        yield client


def test_a_payload_that_is_too_large_reaches_nobody_and_a_packet_ends_the_connection(
    mosquitto: Running,
) -> None:
    broker = mosquitto(max_payload_bytes=LEAST_PAYLOAD_BYTES)
    with services(broker) as back:
        with till(broker) as pos:
            pos.publish(ORDERS, b"x" * LEAST_PAYLOAD_BYTES)
            pos.publish(ORDERS, b"y" * (LEAST_PAYLOAD_BYTES + 1))
            pos.publish(ORDERS, b"z")
            assert [len(each.payload) for each in back.take(2)] == [LEAST_PAYLOAD_BYTES, 1]
        with till(broker) as pos:
            pos.publish_unanswered(ORDERS, b"x" * (2 * LEAST_PAYLOAD_BYTES + MAX_TOPIC_BYTES))
            pos.wait_until_gone()
        assert back.connected


def test_a_length_of_256_mb_is_not_waited_for(mosquitto: Running) -> None:
    broker = mosquitto()
    with socket.create_connection((broker.host, broker.port), timeout=PATIENCE_S) as link:
        link.sendall(b"\x10\xff\xff\xff\x7f")
        assert link.recv(16) == b""


def is_closed(link: socket.socket) -> bool:
    """Whether the broker has closed it; it never says anything first."""
    link.settimeout(0)
    try:
        return link.recv(1) == b""
    except BlockingIOError:
        return False


def test_however_many_connect_the_services_get_in_on_their_own_port(mosquitto: Running) -> None:
    broker = mosquitto(max_connections=8, services_port=quiet_port())
    # 2.0.11 counts one too few for each that has gone: the first look at it, and its administrator.
    most = 8 if version() >= COUNTS_WELL else 10
    with ExitStack() as stack:
        # They say nothing at all, and so have shown no secret either.
        held = [
            stack.enter_context(
                socket.create_connection((broker.host, broker.port), timeout=PATIENCE_S)
            )
            for _ in range(30)
        ]
        until(lambda: sum(map(is_closed, held)) >= 30 - most, "those too many to be closed")
        assert sum(map(is_closed, held)) <= 30 - 8
        with MqttClient(services_address(broker), broker.services) as back:
            assert back.subscribe(REQUESTS) == 1
            with MqttClient(services_address(broker), broker.admin) as admin:
                assert admin.subscribe(RESPONSE_TOPIC) == 1
    until(lambda: comes_in(broker), "the till to get in when the others have gone")


def comes_in(broker: PrivateMosquitto) -> bool:
    try:
        with till(broker):
            return True
    except (ConnectionRefused, OSError):
        return False


def test_the_services_listener_is_on_this_machine_alone(tmp_path: Path) -> None:
    settings = MosquittoSettings(
        directory=tmp_path,
        host="0.0.0.0",  # noqa: S104 - asked for by name
        plaintext=True,
        services_port=1884,
    )
    lines = conf(settings).splitlines()
    assert [line for line in lines if line.startswith("listener ")] == [
        "listener 1883 0.0.0.0",
        "listener 1884 127.0.0.1",
    ]


def connack(broker: PrivateMosquitto, *, keepalive_s: int) -> dict[int, int]:
    """Connect with MQTT 5; returns the properties of the answer."""
    login = broker.login("roma", "pos-1")
    strings = (login.client_id, login.username, login.secret)
    body = struct.pack("!H4sBBHB", 4, b"MQTT", 5, 0b11000010, keepalive_s, 0)
    body += b"".join(struct.pack("!H", len(each)) + each.encode() for each in strings)
    with socket.create_connection((broker.host, broker.port), timeout=PATIENCE_S) as link:
        link.sendall(bytes([0x10, len(body)]) + body)
        answer = link.recv(256)
    assert answer[0] == 0x20
    assert answer[3] == 0, "let in"
    found, rest = {}, answer[5 : 5 + answer[4]]
    while rest:
        width = WIDTHS[rest[0]]
        found[rest[0]] = int.from_bytes(rest[1 : 1 + width], "big")
        rest = rest[1 + width :]
    return found


@pytest.mark.parametrize("keepalive_s", [0, 61, 65535])
def test_a_longer_silence_than_the_longest_is_shortened(
    mosquitto: Running, keepalive_s: int
) -> None:
    broker = mosquitto(max_keepalive_s=60)
    assert connack(broker, keepalive_s=keepalive_s)[SERVER_KEEPALIVE] == 60
    assert SERVER_KEEPALIVE not in connack(broker, keepalive_s=60)


def test_mqtt_3_1_1_has_no_word_for_it_so_such_a_client_is_refused_by_newer_ones(
    mosquitto: Running,
) -> None:
    broker = mosquitto(max_keepalive_s=60)
    try:
        with till(broker, keepalive_s=61):
            let_in = True
    except ConnectionRefused:
        let_in = False
    assert let_in is (version() < COUNTS_WELL)
    with till(broker, keepalive_s=60):
        pass


def test_an_mqtt_5_client_may_abbreviate_so_many_topics(mosquitto: Running) -> None:
    broker = mosquitto(max_topic_alias=3)
    assert connack(broker, keepalive_s=30)[TOPIC_ALIAS_MAXIMUM] == 3


@pytest.mark.parametrize("limit", [{"max_queued_messages": 10}, {"max_queued_bytes": 1024}])
def test_a_queue_of_somebody_who_is_away_has_an_end(
    mosquitto: Running, limit: dict[str, int]
) -> None:
    broker = mosquitto(**limit)
    back = MqttClient(broker.address, broker.services, clean=False)
    with back:
        back.subscribe(REQUESTS)
    with till(broker) as pos:
        pos.publish_all([(ORDERS, b"%0100d" % number) for number in range(100)])
    again = MqttClient(broker.address, broker.services, clean=False).connect()
    try:
        with till(broker) as pos:
            pos.publish(ORDERS, b"last")
        kept = again.until(ORDERS, b"last")
        assert 5 <= len(kept) <= 11
        assert [int(each.payload) for each in kept] == list(range(len(kept)))
    finally:
        again.disconnect()


@pytest.mark.parametrize("version", [MQTTProtocolVersion.MQTTv311, MQTTProtocolVersion.MQTTv5])
@pytest.mark.parametrize("role", [each for each in Role if each is not Role.SERVICE])
def test_no_device_sees_the_brokers_own_topics(
    mosquitto_broker: PrivateMosquitto, role: Role, version: MQTTProtocolVersion
) -> None:
    mosquitto_broker.add_device("roma", "curious", role)
    login = mosquitto_broker.login("roma", "curious")
    with MqttClient(mosquitto_broker.address, login, protocol=version) as curious:
        for filter_ in ("$SYS/#", "$SYS/broker/version", "$CONTROL/#", RESPONSE_TOPIC, "+/#"):
            assert curious.subscribe(filter_) >= REFUSED_FILTER, filter_


def test_the_broker_says_nothing_of_itself_even_to_who_may_hear_it(
    mosquitto_broker: PrivateMosquitto,
) -> None:
    """One that may subscribe to $SYS is made for this test: there is nothing to be heard."""
    mosquitto_broker.add_device("roma", "pos-1", Role.POS)
    may = [acl(kind, "$SYS/#") for kind in ("subscribePattern", "publishClientReceive")]
    mosquitto_broker.command(
        *(Command({"command": "addRoleACL", "rolename": "roma:pos-1", **each}) for each in may)
    )
    with till(mosquitto_broker) as pos:
        assert pos.subscribe("$SYS/#") == 1
        reply = plane_filter(Plane.REPLY, tenant="roma", tail="pos-1")
        assert pos.subscribe(reply) == 1
        with MqttClient(mosquitto_broker.address, mosquitto_broker.services) as back:
            back.publish(reply, b"marker")
        assert pos.until(reply, b"marker") == []


def test_who_came_and_who_was_refused_is_in_the_log(mosquitto: Running, tmp_path: Path) -> None:
    broker = mosquitto()
    with till(broker):
        pass
    wrong = broker.login("roma", "pos-1").model_copy(update={"secret": "a guess"})
    with pytest.raises(ConnectionRefused):
        MqttClient(broker.address, wrong).connect()

    def logged() -> str:
        return (tmp_path / "mosquitto" / "mosquitto.log").read_text()

    until(lambda: "not authorised" in logged(), "the refusal in the log")
    assert "as roma:pos-1" in logged()
    assert "a guess" not in logged()
    assert broker.login("roma", "pos-1").secret not in logged()


# What cannot be rendered


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "mqtt.example"])  # noqa: S104 - shown to be refused
def test_no_configuration_listens_plainly_to_other_machines_unless_by_name(
    tmp_path: Path, host: str
) -> None:
    with pytest.raises(PlaintextRefused, match="--plaintext"):
        MosquittoSettings(directory=tmp_path, host=host)
    assert MosquittoSettings(directory=tmp_path, host=host, plaintext=True).host == host


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"certificate": "a.crt"}, "both"),
        ({"mutual_tls": True}, "authority"),
        ({"certificate": "a.crt", "key": "a.key", "mutual_tls": True}, "authority"),
        ({"port": 1883, "services_port": 1883}, "another"),
        ({"host": "127.0.0.1\nallow_anonymous true", "plaintext": True}, "line break"),
        ({"user": "root\nallow_anonymous true"}, "line break"),
        ({"session_expiry": "14d\nallow_anonymous true"}, "pattern"),
        ({"max_keepalive_s": 5}, "greater"),
        ({"max_connections": 0}, "greater"),
    ],
)
def test_what_makes_no_sense_is_not_rendered(
    tmp_path: Path, given: dict[str, Any], why: str
) -> None:
    with pytest.raises(ValidationError, match=why):
        MosquittoSettings(directory=tmp_path, **given)


def test_every_limit_that_can_be_named_is_a_setting() -> None:
    assert set(LIMITS) <= MosquittoSettings.model_fields.keys()
