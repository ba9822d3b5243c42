"""Plain amqtt fails what the embedded broker passes: each hole is one check, run on both."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterator

import pytest

from broker_config.limits import BrokerLimits
from schemas.devices import Role
from schemas.topics import ROOT, Plane, plane_filter
from tests.abuse import packets
from tests.abuse.link import Link, NoAnswer
from tests.abuse.packets import RawWill
from tests.brokers import EmbeddedInTest
from tests.contract.limited import opening, topic, until
from tests.contract.plain_amqtt import PlainAmqtt, Reachable
from tests.mqtt_client import MqttClient

ROMA, NAPOLI = "roma", "napoli"
ROOM = 4
REPLY = topic(Plane.REPLY, "pos-1", ROMA)
BIRTH = topic(Plane.PRESENCE, "pos-1", ROMA)
MENU = topic(Plane.STATE, "menu/burger", ROMA)


class Hole(AssertionError):
    """A broker did what it must not; the text says what."""


def client(broker: Reachable, tenant: str, device: str, **options: bool) -> MqttClient:
    return MqttClient(broker.address, broker.login(tenant, device), **options)  # type: ignore[arg-type]  # handed on as they are


def services(broker: Reachable) -> MqttClient:
    return MqttClient(broker.address, broker.services)


def is_away(broker: Reachable, client_id: str) -> bool:
    """Whether the broker knows that a client with a session has left."""
    if isinstance(broker, PlainAmqtt):
        sessions = broker.sessions
    else:
        assert isinstance(broker, EmbeddedInTest)
        assert broker.broker._door is not None
        sessions = broker.broker._door.engine.sessions
    return bool(sessions[client_id][0].transitions.state == "disconnected")


def retained_messages_are_sent_to_who_asked_alone(broker: Reachable) -> None:
    with services(broker) as back, client(broker, ROMA, "boss-1") as boss:
        back.publish(MENU, b"roma's alone", retain=True)
        boss.subscribe(f"{ROOT}/{ROMA}/#")
        with Link(broker.address) as stranger:
            stranger.send(opening(broker.login(NAPOLI, "pos-1")))
            assert stranger.connack() is not None
            assert stranger.subscribe(topic(Plane.REPLY, "pos-1", NAPOLI)) == [1]
            for message in stranger.messages():
                raise Hole(f"{NAPOLI} was sent {message.topic}")


def a_will_is_said_only_where_its_device_may_speak(broker: Reachable) -> None:
    with client(broker, ROMA, "boss-1") as boss, Link(broker.address) as liar:
        boss.subscribe(f"{ROOT}/{ROMA}/#")
        liar.send(opening(broker.login(NAPOLI, "pos-1"), will=RawWill(BIRTH, b"planted")))
        answer = liar.connack()
        assert answer is not None
        if answer.code == 0:
            liar.cut()
            planted = boss.next_message()
            raise Hole(f"{NAPOLI} has planted {planted.payload!r} on {planted.topic}")


def a_wrong_secret_puts_nobody_out(broker: Reachable) -> None:
    login = broker.login(ROMA, "pos-1")
    with Link(broker.address) as owner, Link(broker.address) as guesser:
        owner.send(opening(login, clean=False))
        assert owner.connack() is not None
        guesser.send(packets.connect(login.client_id, login.username, "wrong", clean=False))
        answer = guesser.connack()
        assert answer is None or answer.code != 0
        if not owner.ping():
            raise Hole("the owner was put out by a guess")


def a_wrong_secret_takes_no_subscription_away(broker: Reachable) -> None:
    login = broker.login(ROMA, "pos-1")
    with client(broker, ROMA, "pos-1", clean=False) as owner:
        owner.subscribe(REPLY)
    with Link(broker.address) as guesser:
        guesser.send(packets.connect(login.client_id, login.username, "wrong", clean=True))
        answer = guesser.connack()
        assert answer is None or answer.code != 0
    with services(broker) as back, client(broker, ROMA, "pos-1", clean=False) as owner:
        owner.subscribe(MENU)
        back.publish(REPLY, b"for its owner")
        back.publish(MENU, b"marker")
        if [each.payload for each in owner.until(MENU)] != [b"for its owner"]:
            raise Hole("the owner's subscriptions were wiped by a guess")


def what_waits_for_a_device_is_given_to_it_alone(broker: Reachable) -> None:
    thief, owner_login = broker.login(NAPOLI, "pos-1"), broker.login(ROMA, "pos-1")
    with client(broker, ROMA, "pos-1", clean=False) as owner:
        owner.subscribe(REPLY)
    until(lambda: is_away(broker, owner_login.client_id), "the owner to be away")
    with services(broker) as back:
        back.publish(REPLY, b"for its owner")
    if isinstance(broker, PlainAmqtt):
        kept = broker.sessions[owner_login.client_id][0].retained_messages
        until(lambda: kept.qsize() == 1, "the message to be kept")
    with Link(broker.address) as link:
        link.send(packets.connect(owner_login.client_id, thief.username, thief.secret, clean=False))
        answer = link.connack()
        if answer is not None and answer.code == 0:
            stolen = link.next()
            assert stolen is not None
            raise Hole(f"{NAPOLI} was given {stolen.body[-13:]!r} from {stolen.topic}")
    with client(broker, ROMA, "pos-1", clean=False) as owner:
        assert owner.next_message().payload == b"for its owner"


def silence_beyond_the_keepalive_counts_as_leaving(broker: Reachable) -> None:
    with client(broker, ROMA, "boss-1") as boss, Link(broker.address) as silent:
        boss.subscribe(BIRTH)
        will = RawWill(BIRTH, b"offline")
        silent.send(opening(broker.login(ROMA, "pos-1"), keepalive_s=1, will=will))
        assert silent.connack() is not None
        try:
            assert silent.end(5.0)
        except NoAnswer:
            raise Hole("after five times its keepalive a silent client is still in") from None
        assert boss.next_message().payload == b"offline"


def what_is_in_flight_comes_again(broker: Reachable) -> None:
    login = broker.login(ROMA, "pos-1")
    with services(broker) as back:
        holding = MqttClient(broker.address, login, clean=False, manual_ack=True).connect()
        holding.subscribe(REPLY)
        back.publish(REPLY, b"unacknowledged")
        assert holding.next_message().payload == b"unacknowledged"
        holding.cut()
        with MqttClient(broker.address, login, clean=False) as again:
            again.subscribe(REPLY)
            back.publish(REPLY, b"marker")
            came = [each.payload for each in again.until(REPLY, b"marker")]
            if came != [b"unacknowledged"]:
                raise Hole(f"what was in flight is lost: {came} came")


def silent_sockets_take_nobodys_place(broker: Reachable) -> None:
    silent = [Link(broker.address) for _ in range(ROOM)]
    try:
        with Link(broker.address) as newcomer:
            newcomer.send(opening(broker.login(ROMA, "pos-1")))
            try:
                answer = newcomer.next(6.0)
            except NoAnswer:
                raise Hole("a device waits for strangers who say nothing") from None
            assert answer is not None
            assert answer.code == 0
    finally:
        for each in silent:
            each.close()


def a_device_leaves_nothing_behind_but_its_presence(broker: Reachable) -> None:
    request, marker = (
        topic(Plane.REQUEST, f"pos-1/orders/{verb}", ROMA) for verb in ("place", "cancel")
    )
    with client(broker, ROMA, "pos-1") as pos, client(broker, ROMA, "boss-1") as boss:
        pos.publish(request, b"for ever", retain=True)
        boss.subscribe(f"{ROOT}/{ROMA}/#")
        pos.publish(marker, b"marker")
        for message in boss.until(marker, b"marker"):
            if message.retain:
                raise Hole(f"{message.topic} stands retained")


HOLES: dict[Callable[[Reachable], None], str] = {
    retained_messages_are_sent_to_who_asked_alone: (
        r"^napoli was sent heard/v1/roma/state/menu/burger$"
    ),
    a_will_is_said_only_where_its_device_may_speak: (
        r"^napoli has planted b'planted' on heard/v1/roma/presence/pos-1$"
    ),
    a_wrong_secret_puts_nobody_out: r"^the owner was put out by a guess$",
    a_wrong_secret_takes_no_subscription_away: (
        r"^the owner's subscriptions were wiped by a guess$"
    ),
    what_waits_for_a_device_is_given_to_it_alone: (
        r"^napoli was given b'for its owner' from heard/v1/roma/reply/pos-1$"
    ),
    silence_beyond_the_keepalive_counts_as_leaving: (
        r"^after five times its keepalive a silent client is still in$"
    ),
    what_is_in_flight_comes_again: r"^what was in flight is lost: \[\] came$",
    silent_sockets_take_nobodys_place: r"^a device waits for strangers who say nothing$",
    a_device_leaves_nothing_behind_but_its_presence: (
        r"^heard/v1/roma/request/pos-1/orders/place stands retained$"
    ),
}


def peopled(broker: Reachable) -> Reachable:
    for tenant in (ROMA, NAPOLI):
        broker.add_device(tenant, "pos-1", Role.POS)
        broker.add_device(tenant, "boss-1", Role.MANAGER)
    return broker


@pytest.fixture
def plain() -> Iterator[Reachable]:
    broker = PlainAmqtt(max_connections=ROOM)
    yield peopled(broker)
    broker.stop()


@pytest.fixture
def ours() -> Iterator[Reachable]:
    broker = EmbeddedInTest(BrokerLimits(connections=ROOM))
    yield peopled(broker)
    broker.close()


@pytest.mark.parametrize("check", HOLES, ids=lambda check: check.__name__)
def test_the_embedded_broker_has_no_such_hole(
    ours: Reachable, check: Callable[[Reachable], None]
) -> None:
    check(ours)


@pytest.mark.parametrize(
    ("check", "effect"), HOLES.items(), ids=lambda one: getattr(one, "__name__", "")
)
def test_plain_amqtt_has_it(
    plain: Reachable, check: Callable[[Reachable], None], effect: str
) -> None:
    with pytest.raises(Hole, match=effect):
        check(plain)


def test_the_holes_are_those_of_the_version_that_is_pinned() -> None:
    assert importlib.metadata.version("amqtt") == "0.12.1"
    assert "amqtt==0.12.1" in (importlib.metadata.requires("heard") or [])


def test_plain_amqtt_checks_names_secrets_and_topics_rightly(plain: Reachable) -> None:
    """Else the holes might be the access list's."""
    with services(plain) as back, client(plain, ROMA, "pos-1") as pos:
        assert pos.subscribe(plane_filter(Plane.STATE, tenant=NAPOLI)) == 0x80
        assert pos.subscribe(REPLY) == 1
        back.subscribe(plane_filter(Plane.PRESENCE))
        pos.publish(topic(Plane.PRESENCE, "pos-1", NAPOLI), b"not its own")
        pos.publish(BIRTH, b"its own")
        assert [each.topic for each in (back.next_message(),)] == [BIRTH]
