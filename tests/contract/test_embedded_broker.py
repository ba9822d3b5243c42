"""The embedded broker's own ways: its door, its thread, its end."""

from __future__ import annotations

import asyncio
import logging
import random
import socket
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from broker_config.access import Credential, Identity
from broker_config.embedded import BrokerNotStarted, EmbeddedBroker
from broker_config.embedded_refusals import Kind
from broker_config.limits import BrokerLimits
from broker_config.secret import SecretHash
from broker_config.settings import BrokerAddress, BrokerLogin
from schemas.devices import Role
from schemas.topics import Plane, plane_filter
from tests.brokers import EmbeddedInTest
from tests.mqtt_client import ConnectionRefused, MqttClient
from tests.patience import PATIENCE_S

TENANT = "roma"
ORDERS = plane_filter(Plane.REQUEST, tenant=TENANT, tail="pos-1/orders/place")
REPLY = plane_filter(Plane.REPLY, tenant=TENANT, tail="pos-1")
CONNACK_OK = b"\x20\x02\x00\x00"


@pytest.fixture
def broker(embedded_broker: EmbeddedInTest) -> EmbeddedInTest:
    embedded_broker.add_device(TENANT, "pos-1", Role.POS)
    return embedded_broker


def till(broker: EmbeddedInTest, *, clean: bool = True) -> MqttClient:
    return MqttClient(broker.address, broker.login(TENANT, "pos-1"), clean=clean)


def services(broker: EmbeddedInTest) -> MqttClient:
    return MqttClient(broker.address, broker.services)


def raw(broker: EmbeddedInTest) -> socket.socket:
    link = socket.create_connection((broker.host, broker.port), timeout=PATIENCE_S)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return link


def text(value: str) -> bytes:
    return len(value.encode()).to_bytes(2, "big") + value.encode()


def connect_packet(login: BrokerLogin) -> bytes:
    body = b"\x00\x04MQTT\x04\xc2\x00\x1e" + text(login.client_id)
    body += text(login.username) + text(login.secret)
    assert len(body) < 128
    return bytes([0x10, len(body)]) + body


def is_closed(link: socket.socket) -> bool:
    """Read whatever still comes, until the broker closes."""
    try:
        while link.recv(4096):
            pass
    except ConnectionError:
        pass
    return True


def works(broker: EmbeddedInTest) -> bool:
    with services(broker) as back, till(broker) as pos:
        pos.subscribe(REPLY)
        back.publish(REPLY, b"heard")
        return pos.next_message().payload == b"heard"


STRANGERS = [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"\x30\x05\x00\x01ahi",
    b"\x10\xff\xff\xff\xff\x7f",
    b"\x10\xff\xff\xff\x7f",
    b"\x10\x80\x80\x80\x01",
    b"\x10\x00",
    b"\x10\x0c\x00\x04MQTT\x04\xc2\x00\x1e\xff\xff",
    b"\x10\x0c\x00\x06MQIsdp\x03\xc2\x00\x1e",
    b"\xc0\x00",
    b"\xe0\x00",
    b"\x00\x00",
    b"\xf0\x00",
]


@pytest.mark.parametrize("sent", STRANGERS)
def test_a_stranger_is_put_out_and_disturbs_nobody(broker: EmbeddedInTest, sent: bytes) -> None:
    with closing(raw(broker)) as link:
        link.sendall(sent)
        assert is_closed(link)
    assert works(broker)


def test_noise_before_and_after_coming_in_disturbs_nobody(broker: EmbeddedInTest) -> None:
    chance = random.Random(20240115)  # noqa: S311 - noise, no secret
    opening = connect_packet(broker.login(TENANT, "pos-1"))
    for _ in range(150):
        with closing(raw(broker)) as link:
            link.sendall(opening if chance.random() < 0.7 else b"")
            noise = chance.randbytes(chance.randrange(1, 200))
            link.sendall(noise)
            link.shutdown(socket.SHUT_WR)
            assert is_closed(link)
    assert works(broker)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x30\x04\x00\xff" + b"ab",
        b"\x32\x04\x00\x02ab",
        b"\x30\x04\x00\x02\xff\xfe",
        b"\x34\x06\x00\x02ab\x00\x01",
        b"\x36\x06\x00\x02ab\x00\x01",
        b"\x82\x02\x00\x01",
        b"\x82\x05\x00\x01\x00\xffa",
        b"\x30" + b"\xff\xff\xff\xff\x01",
        b"\x32\xff\xff\xff\x7f",
    ],
)
def test_a_device_that_breaks_the_protocol_is_put_out_alone(
    broker: EmbeddedInTest, sent: bytes
) -> None:
    with closing(raw(broker)) as link:
        link.sendall(connect_packet(broker.login(TENANT, "pos-1")))
        assert link.recv(4) == CONNACK_OK
        link.sendall(sent)
        link.shutdown(socket.SHUT_WR)
        assert is_closed(link)
    assert works(broker)


def test_a_payload_beyond_the_limit_ends_the_connection(broker: EmbeddedInTest) -> None:
    with services(broker) as back, till(broker) as pos:
        back.subscribe(plane_filter(Plane.REQUEST))
        pos.publish(ORDERS, b"x" * BrokerLimits().payload_bytes)
        assert len(back.next_message().payload) == BrokerLimits().payload_bytes
        pos.publish_unanswered(ORDERS, b"x" * (BrokerLimits().payload_bytes + 4096))
        pos.wait_until_gone()
    assert works(broker)


def test_a_client_that_says_all_at_once_is_served(broker: EmbeddedInTest) -> None:
    with services(broker) as back:
        back.subscribe(plane_filter(Plane.REQUEST))
        with closing(raw(broker)) as link:
            publish = b"\x00" + bytes([len(ORDERS)]) + ORDERS.encode() + b"\x00\x07" + b"at once"
            link.sendall(
                connect_packet(broker.login(TENANT, "pos-1"))
                + bytes([0x32, len(publish)])
                + publish
                + b"\xe0\x00"
            )
            assert is_closed(link)
        assert back.next_message().payload == b"at once"
    assert works(broker)


def test_services_that_compute_do_not_keep_the_broker_from_answering(
    broker: EmbeddedInTest,
) -> None:
    gate = threading.Event()
    with services(broker) as back, till(broker) as pos:
        pos.subscribe(REPLY)
        broker._home.call_soon_threadsafe(gate.wait)
        try:
            back.publish(REPLY, b"while the services' loop stands still")
            assert pos.next_message().payload.startswith(b"while")
        finally:
            gate.set()


def test_it_stops_with_clients_connected(broker: EmbeddedInTest) -> None:
    for number in range(20):
        broker.add_device(TENANT, f"display-{number}", Role.KITCHEN_DISPLAY)
    displays = [
        MqttClient(broker.address, broker.login(TENANT, f"display-{number}")).connect()
        for number in range(20)
    ]
    silent = raw(broker)
    broker.stop()
    assert is_closed(silent)
    silent.close()
    for display in displays:
        display.wait_until_gone()
        display.disconnect()


def test_a_leftover_of_another_role_is_not_even_kept(broker: EmbeddedInTest) -> None:
    first = till(broker, clean=False).connect()
    first.subscribe(plane_filter(Plane.STATE, tenant=TENANT, tail="orders/#"))
    first.disconnect()
    broker.add_device(TENANT, "pos-1", Role.KITCHEN_DISPLAY)
    again = till(broker, clean=False).connect()
    assert not again.session_present
    again.disconnect()


class BrokenDirectory:
    async def find(self, username: str) -> Credential | None:
        raise ConnectionError(f"the database is away; {username} must wait")


class OneAccount:
    def __init__(self, identity: Identity, secret: str) -> None:
        self._credential = Credential(identity, SecretHash.of(secret))

    async def find(self, username: str) -> Credential | None:
        return self._credential if username == self._credential.username else None


async def test_a_directory_that_fails_lets_nobody_in_and_ends_nothing() -> None:
    async with EmbeddedBroker(BrokenDirectory()) as broker:
        address = BrokerAddress(port=broker.port)
        for _ in range(2):
            client = MqttClient(address, BrokerLogin(username="roma:pos-1", secret="x"))
            with pytest.raises(ConnectionRefused):
                await asyncio.to_thread(client.connect)


class ChangingAccount:
    """An account that another process changes."""

    def __init__(self) -> None:
        self.credential: Credential | None = Credential(Identity.service(), SecretHash.of("secret"))
        self.is_away = False

    async def find(self, username: str) -> Credential | None:
        if self.is_away:
            raise ConnectionError(f"the database is away; {username} must wait")
        return self.credential


@pytest.mark.parametrize("changed", [None, Credential(Identity.service(), SecretHash.of("new"))])
async def test_who_is_revoked_or_rotated_by_another_process_is_put_out(
    changed: Credential | None,
) -> None:
    directory = ChangingAccount()
    async with EmbeddedBroker(directory, recheck_s=0.02) as broker:
        login = BrokerLogin(username=directory_name(directory), secret="secret")
        client = MqttClient(BrokerAddress(port=broker.port), login)
        await asyncio.to_thread(client.connect)
        directory.is_away = True
        assert await asyncio.to_thread(client.subscribe, plane_filter(Plane.REQUEST)) == 1
        directory.is_away, directory.credential = False, changed
        await asyncio.to_thread(client.wait_until_gone)
        client.disconnect()


def directory_name(directory: ChangingAccount) -> str:
    assert directory.credential is not None
    return directory.credential.username


async def test_it_takes_the_port_it_is_given_and_says_when_it_is_taken() -> None:
    directory = OneAccount(Identity.service(), "secret")
    async with EmbeddedBroker(directory) as first:
        second = EmbeddedBroker(directory, port=first.port)
        with pytest.raises(OSError, match="in use"):
            await second.start()
        port = first.port
    async with EmbeddedBroker(directory, port=port) as again:
        assert again.port == port


class SlowDirectory:
    """A directory that begins to look somebody up, and is not done before it is told so."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.ended = False

    async def find(self, username: str) -> Credential | None:
        self.asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.05)  # as a database that gives its connection back
            self.ended = True
        raise AssertionError(f"nobody answers about {username}")


async def test_once_it_has_stopped_no_question_to_its_directory_is_open() -> None:
    directory = SlowDirectory()
    async with EmbeddedBroker(directory) as broker:
        login = BrokerLogin(username="roma:pos-1", secret="x")
        client = MqttClient(BrokerAddress(port=broker.port), login)
        coming = asyncio.create_task(asyncio.to_thread(client.connect))
        await directory.asked.wait()
    with pytest.raises(ConnectionRefused):
        await coming
    assert directory.ended


async def test_it_has_no_port_before_it_has_started() -> None:
    broker = EmbeddedBroker(OneAccount(Identity.service(), "secret"))
    with pytest.raises(BrokerNotStarted):
        _ = broker.port
    await broker.stop()


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.INFO):
        yield caplog


def test_it_says_nothing_in_the_log_of_what_clients_do_rightly(
    log: pytest.LogCaptureFixture, broker: EmbeddedInTest
) -> None:
    assert works(broker)
    broker.stop()
    assert [one.getMessage() for one in log.records] == []


def test_what_a_stranger_does_wrongly_is_told_in_one_line(
    log: pytest.LogCaptureFixture, broker: EmbeddedInTest
) -> None:
    ports: list[int] = []
    for _ in range(5):
        with closing(raw(broker)) as link:
            ports.append(link.getsockname()[1])
            link.sendall(b"nonsense")
            assert is_closed(link)
    assert [one.getMessage() for one in log.records] == [
        f"protocol violation: 'somebody' from 127.0.0.1:{ports[0]}: its first packet is no CONNECT"
    ]
    assert broker.broker.counts[Kind.VIOLATION] == 5
