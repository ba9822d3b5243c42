"""What every broker does with messages: one set of cases, run on each."""

from __future__ import annotations

import pytest

from broker_config.limits import BrokerLimits
from schemas.devices import Role
from schemas.topics import ROOT, Plane, plane_filter
from tests.brokers import RunningBroker
from tests.mqtt_client import MqttClient, Will

TENANT = "roma"


def topic(plane: Plane, tail: str) -> str:
    return plane_filter(plane, tenant=TENANT, tail=tail)


ORDERS = topic(Plane.REQUEST, "pos-1/orders/place")
REPLY = topic(Plane.REPLY, "pos-1")
PRESENCE = topic(Plane.PRESENCE, "pos-1")
MENU = topic(Plane.STATE, "menu/burger")
BEAT = topic(Plane.TELEMETRY, "pos-1/heartbeat")


@pytest.fixture
def broker(any_broker: RunningBroker) -> RunningBroker:
    any_broker.add_device(TENANT, "pos-1", Role.POS)
    any_broker.add_device(TENANT, "pos-2", Role.POS)
    return any_broker


def till(broker: RunningBroker, name: str = "pos-1", **options: object) -> MqttClient:
    return MqttClient(broker.address, broker.login(TENANT, name), **options)  # type: ignore[arg-type]  # handed on as they are


def services(broker: RunningBroker, **options: object) -> MqttClient:
    return MqttClient(broker.address, broker.services, **options)  # type: ignore[arg-type]  # handed on as they are


def test_a_request_reaches_the_services_whole_and_its_reply_the_device(
    broker: RunningBroker,
) -> None:
    with services(broker) as back, till(broker) as pos:
        assert back.subscribe(plane_filter(Plane.REQUEST)) == 1
        assert pos.subscribe(REPLY) == 1
        pos.publish(ORDERS, b"two burgers")
        heard = back.next_message()
        assert (heard.topic, heard.payload, heard.qos, heard.retain) == (
            ORDERS, b"two burgers", 1, False
        )  # fmt: skip
        back.publish(REPLY, b"heard")
        assert pos.next_message().payload == b"heard"


def test_messages_come_in_the_order_in_which_they_were_sent(broker: RunningBroker) -> None:
    wanted = [b"%d" % number for number in range(500)]
    with services(broker) as back, till(broker) as pos:
        back.subscribe(plane_filter(Plane.REQUEST))
        pos.publish_all([(ORDERS, payload) for payload in wanted])
        assert [one.payload for one in back.take(500)] == wanted


def test_a_message_goes_out_with_the_lower_of_the_two_qualities(broker: RunningBroker) -> None:
    with services(broker) as back, till(broker) as pos:
        back.subscribe(plane_filter(Plane.REQUEST), qos=0)
        back.subscribe(plane_filter(Plane.TELEMETRY), qos=1)
        pos.publish(ORDERS, b"at one", qos=1)
        assert back.next_message().qos == 0
        pos.publish(BEAT, b"at none", qos=0)
        assert back.next_message().qos == 0


def test_the_largest_payload_that_is_taken_passes_whole(broker: RunningBroker) -> None:
    payload = bytes(range(256)) * (BrokerLimits().payload_bytes // 256)
    with services(broker) as back, till(broker) as pos:
        back.subscribe(plane_filter(Plane.REQUEST))
        pos.publish(ORDERS, payload)
        assert back.next_message().payload == payload


def test_a_retained_message_greets_whoever_subscribes_later(broker: RunningBroker) -> None:
    with services(broker) as back, till(broker) as pos:
        back.publish(MENU, b"7.50", retain=True)
        pos.subscribe(topic(Plane.STATE, "menu/#"))
        greeting = pos.next_message()
        assert (greeting.topic, greeting.payload, greeting.retain) == (MENU, b"7.50", True)
        back.publish(MENU, b"8.00", retain=True)
        change = pos.next_message()
        assert (change.payload, change.retain) == (b"8.00", False)


def test_an_empty_retained_message_clears_and_is_passed_on(broker: RunningBroker) -> None:
    with services(broker) as back, till(broker) as pos, till(broker, "pos-2") as late:
        back.publish(MENU, b"7.50", retain=True)
        pos.subscribe(topic(Plane.STATE, "menu/#"))
        pos.until(MENU, b"7.50")
        back.publish(MENU, b"", retain=True)
        assert pos.next_message().payload == b""
        late.subscribe(topic(Plane.STATE, "menu/#"))
        back.publish(MENU, b"marker")
        assert late.until(MENU, b"marker") == []


def test_retained_messages_come_again_to_who_subscribes_again(broker: RunningBroker) -> None:
    with services(broker) as back, till(broker) as pos:
        back.publish(MENU, b"7.50", retain=True)
        for _ in range(2):
            pos.subscribe(topic(Plane.STATE, "menu/#"))
            greeting = pos.next_message()
            assert (greeting.payload, greeting.retain) == (b"7.50", True)


def test_a_will_is_published_when_the_link_is_cut(broker: RunningBroker) -> None:
    will = Will(PRESENCE, b"offline", retain=True)
    with services(broker) as back:
        back.subscribe(plane_filter(Plane.PRESENCE))
        till(broker, will=will).connect().cut()
        assert back.next_message().payload == b"offline"
        back.unsubscribe(plane_filter(Plane.PRESENCE))
        back.subscribe(plane_filter(Plane.PRESENCE))
        kept = back.next_message()
        assert (kept.payload, kept.retain) == (b"offline", True)


def test_a_will_is_not_published_when_the_device_says_goodbye(broker: RunningBroker) -> None:
    with services(broker) as back:
        back.subscribe(plane_filter(Plane.PRESENCE))
        till(broker, will=Will(PRESENCE, b"offline")).connect().disconnect()
        with till(broker) as again:
            again.publish(PRESENCE, b"online")
        assert back.until(PRESENCE, b"online") == []


def test_a_second_connection_under_a_name_puts_out_the_first_and_says_its_will(
    broker: RunningBroker,
) -> None:
    with services(broker) as back:
        back.subscribe(plane_filter(Plane.PRESENCE))
        first = till(broker, will=Will(PRESENCE, b"first is gone")).connect()
        with till(broker) as second:
            first.wait_until_gone()
            assert back.next_message().payload == b"first is gone"
            second.publish(PRESENCE, b"second")
            assert back.next_message().payload == b"second"
        first.disconnect()


def test_a_silent_client_is_given_up_and_its_will_said(broker: RunningBroker) -> None:
    with services(broker) as back:
        back.subscribe(plane_filter(Plane.PRESENCE))
        silent = till(broker, will=Will(PRESENCE, b"silent"), keepalive_s=1).connect()
        silent.freeze()
        assert back.next_message().payload == b"silent"
        silent.thaw()


def test_a_kept_session_gets_what_came_while_it_was_away_once_and_in_order(
    broker: RunningBroker,
) -> None:
    wanted = [b"%d" % number for number in range(50)]
    services(broker, clean=False).connect().disconnect()
    away = services(broker, clean=False).connect()
    away.subscribe(plane_filter(Plane.REQUEST))
    away.disconnect()
    with till(broker) as pos:
        pos.publish_all([(ORDERS, payload) for payload in wanted])
        pos.publish(BEAT, b"nobody keeps this", qos=0)
        back = services(broker, clean=False).connect()
        assert back.session_present
        pos.publish(ORDERS, b"marker")
        came = back.until(ORDERS, b"marker")
        assert [one.payload for one in came] == wanted
        assert {one.retain for one in came} == {False}
        back.disconnect()


def test_a_clean_session_forgets_subscriptions_and_messages(broker: RunningBroker) -> None:
    kept = services(broker, clean=False).connect()
    kept.subscribe(plane_filter(Plane.REQUEST))
    kept.disconnect()
    with till(broker) as pos, services(broker, clean=True) as back:
        assert not back.session_present
        pos.publish(ORDERS, b"not subscribed any more")
        back.subscribe(plane_filter(Plane.REQUEST))
        pos.publish(ORDERS, b"marker")
        assert back.until(ORDERS, b"marker") == []
    again = services(broker, clean=False).connect()
    assert not again.session_present
    again.disconnect()


def test_what_was_not_acknowledged_comes_again_and_the_rest_does_not(
    broker: RunningBroker,
) -> None:
    back = services(broker, clean=False, manual_ack=True).connect()
    back.subscribe(plane_filter(Plane.REQUEST))
    with till(broker) as pos:
        pos.publish_all([(ORDERS, b"%d" % number) for number in range(20)])
        for message in back.take(20)[:7]:
            back.acknowledge(message)
        # A ping behind the acknowledgements: when a marker has come, they were read.
        pos.publish(ORDERS, b"marker")
        back.acknowledge(back.next_message())
        back.subscribe(plane_filter(Plane.TELEMETRY))
        back.cut()
        pos.publish(ORDERS, b"while away")
        again = services(broker, clean=False).connect()
        came = again.until(ORDERS, b"while away")
        assert [one.payload for one in came] == [b"%d" % number for number in range(7, 20)]
        assert {one.dup for one in came} == {True}
        again.disconnect()


def test_unsubscribing_ends_what_comes(broker: RunningBroker) -> None:
    with services(broker) as back, till(broker) as pos:
        back.subscribe(plane_filter(Plane.REQUEST))
        back.subscribe(plane_filter(Plane.TELEMETRY))
        back.unsubscribe(plane_filter(Plane.REQUEST))
        pos.publish(ORDERS, b"unheard")
        pos.publish(BEAT, b"marker")
        assert back.until(BEAT, b"marker") == []


@pytest.mark.parametrize(
    ("filter_", "matching", "other"),
    [
        (f"{ROOT}/+/request/#", ORDERS, BEAT),
        (f"{ROOT}/{TENANT}/request/+/orders/place", ORDERS, ORDERS.replace("place", "cancel")),
        (f"{ROOT}/{TENANT}/request/pos-1/+/+", ORDERS, BEAT),
        (ORDERS, ORDERS, f"{ORDERS}/more"),
        (f"{ORDERS}/#", ORDERS, BEAT),
    ],
)
def test_wildcards_match_as_the_standard_says(
    broker: RunningBroker, filter_: str, matching: str, other: str
) -> None:
    with services(broker) as back, till(broker) as pos:
        assert back.subscribe(filter_) == 1
        pos.publish(other, b"other")
        pos.publish(matching, b"matching")
        assert [one.payload for one in back.take(1)] == [b"matching"]
