"""What a device leaves retained where nothing may stand is taken once, and taken away."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import pytest

from schemas.devices import Role
from schemas.limits import Limits
from schemas.orders import PlaceOrder
from schemas.replies import Outcome
from services.orders.store import ORDERS
from services.runtime.bus import Delivery
from services.runtime.context import Outgoing
from services.runtime.database import Database
from services.runtime.guard import Guard
from services.runtime.limits import Gate
from services.runtime.relay import HIGH_WATER, Relay
from tests.brokers import PrivateMosquitto
from tests.mqtt_client import MqttClient
from tests.spoken import order
from tests.system import RunningTenant, running_system, until


def standing(tenant: RunningTenant, eye: str) -> list[str]:
    """What one who comes now is sent as retained of requests and readings."""
    broker, own = tenant.system.broker, f"heard/v1/{tenant.name}"
    marker = f"{own}/telemetry/{eye}/marker"
    with MqttClient(broker.address, broker.login(tenant.name, eye)) as reader:
        for plane in ("request", "telemetry"):
            reader.subscribe(f"{own}/{plane}/#")
        reader.publish(marker, b"here")
        return [one.topic for one in reader.until(marker) if one.retain]


def test_a_retained_request_that_comes_at_a_connect_is_done_once_and_cleared(
    mosquitto_broker: PrivateMosquitto, sqlite_url: str
) -> None:
    with running_system(mosquitto_broker, sqlite_url) as system:
        tenant = system.add_tenant()
        eye = tenant.add_device(Role.MANAGER, "eye")
        with tenant.speaker() as pos:
            name = f"heard/v1/{tenant.name}"
            pos.accepted(order("ale"))
            system.stop()
            pos.mqtt.publish(pos.topic(PlaceOrder), pos.wire(order("burger")), retain=True)
            for number in range(20):
                pos.mqtt.publish(f"{name}/telemetry/{pos.device}/s{number}", b"x", retain=True)
            assert len(standing(tenant, eye)) == 21
            replies = len([m for m in pos.mqtt.messages if m.topic == pos.reply_topic])
            system.start()
            assert pos.next_reply().outcome is Outcome.ACCEPTED
            until(lambda: not standing(tenant, eye), "everything to be cleared")
            # Clearing is no request: nobody answers it.
            pos.accepted(order("fries"))
            answers = [m for m in pos.mqtt.messages if m.topic == pos.reply_topic]
            assert len(answers) - replies <= 1
        assert tenant.count(ORDERS) == 3
        system.restart()
        assert tenant.count(ORDERS) == 3


NOW = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
PLACE = "heard/v1/roma/request/pos-1/orders/place"
READING = "heard/v1/roma/telemetry/pos-1/s1"


class ToldRelay(Relay):
    """A relay that writes down what it was told to say."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, lambda: NOW)
        self.told: list[Outgoing] = []
        self.waiting = 0

    def say(self, messages: Iterable[Outgoing]) -> None:
        self.told.extend(messages)

    @property
    def backlog(self) -> int:
        return self.waiting


@pytest.fixture
def relay(database: Database) -> ToldRelay:
    return ToldRelay(database)


def guard(relay: ToldRelay, limits: Limits = Limits()) -> Guard:  # noqa: B008 - it is frozen
    return Guard(Gate(limits, Limits()), relay, lambda: NOW, monotonic=lambda: 0.0)


def came(topic: str, payload: bytes, *, retain: bool) -> Delivery:
    return Delivery(topic, payload, retain, 1, 1)


@pytest.mark.parametrize("topic", [PLACE, READING])
def test_what_comes_retained_passes_once_and_is_cleared_and_the_echo_is_not_heard(
    topic: str, relay: ToldRelay
) -> None:
    made = guard(relay)
    standing = came(topic, b"x", retain=True)
    assert made.sieve([standing]) == [standing]
    assert relay.told == [Outgoing("roma", topic, b"", 1, retain=True)]
    echo = came(topic, b"", retain=False)
    assert made.sieve([echo]) == []
    assert made.sieve([echo]) == [echo], "a second one is the device's own"


def test_what_is_over_the_limit_is_cleared_too_and_what_may_stand_is_not(
    relay: ToldRelay,
) -> None:
    made = guard(relay, Limits(messages_per_s=0.001, messages_burst=1))
    assert len(made.sieve([came(READING, b"x", retain=True)])) == 1
    assert made.sieve([came(f"{READING}2", b"x", retain=True)]) == []
    assert [each.topic for each in relay.told] == [READING, f"{READING}2"]
    birth = came("heard/v1/roma/presence/pos-1", b"{}", retain=True)
    assert made.sieve([birth, came("heard/v1/roma/state/x/y", b"{}", retain=True)])[0] == birth
    assert len(relay.told) == 2


def test_a_million_retained_topics_do_not_fill_the_memory_with_their_clearing(
    relay: ToldRelay,
) -> None:
    relay.waiting = HIGH_WATER + 1
    guard(relay).sieve([came(READING, b"x", retain=True)])
    assert relay.told == [], "the rest comes again at the next connect, or the warden finds it"
