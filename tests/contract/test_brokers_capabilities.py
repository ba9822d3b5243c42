"""Each value of `Capabilities` is true: what a broker lacks is shown, not skipped."""

from __future__ import annotations

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from broker_config.access import Identity
from broker_config.embedded import EmbeddedBroker, NotLoopback
from broker_config.mosquitto_conf import MosquittoSettings
from broker_config.secret import new_secret
from broker_config.settings import BrokerLogin
from schemas.devices import Role
from schemas.topics import Plane, plane_filter
from tests.brokers import EmbeddedInTest, PrivateMosquitto, RunningBroker
from tests.mqtt_client import REFUSED_FILTER, ConnectionRefused, MqttClient, NotInTime, Will

TENANT = "roma"
ORDERS = plane_filter(Plane.REQUEST, tenant=TENANT, tail="pos-1/orders/place")
MENU = plane_filter(Plane.STATE, tenant=TENANT, tail="menu/burger")
ANY_REQUEST = plane_filter(Plane.REQUEST)


@pytest.fixture
def broker(any_broker: RunningBroker) -> RunningBroker:
    any_broker.add_device(TENANT, "pos-1", Role.POS)
    return any_broker


def till(broker: RunningBroker, **options: object) -> MqttClient:
    return MqttClient(broker.address, broker.login(TENANT, "pos-1"), **options)  # type: ignore[arg-type]  # handed on as they are


def services(broker: RunningBroker, *, clean: bool = True) -> MqttClient:
    return MqttClient(broker.address, broker.services, clean=clean)


def test_mqtt5(broker: RunningBroker) -> None:
    attempt = till(broker, protocol=MQTTProtocolVersion.MQTTv5)
    try:
        attempt.connect()
    except ConnectionRefused:
        accepted = False
    else:
        accepted = True
        attempt.disconnect()
    assert accepted is broker.capabilities.mqtt5


def test_qos2(broker: RunningBroker) -> None:
    with services(broker) as back, till(broker) as pos:
        granted = back.subscribe(ANY_REQUEST, qos=2)
        assert granted == (2 if broker.capabilities.qos2 else 1)
        if broker.capabilities.qos2:
            pos.publish(ORDERS, b"once", qos=2)
            assert back.next_message().qos == 2
        else:
            pos.publish_unanswered(ORDERS, b"once", qos=2)
            pos.wait_until_gone()


def test_shared_subscriptions(broker: RunningBroker) -> None:
    shared = f"$share/workers/{ANY_REQUEST}"
    worker, secret = Identity.service("heard-worker-2"), new_secret()
    broker.add_device_with(worker, secret)
    second = MqttClient(broker.address, BrokerLogin(username=worker.client_id, secret=secret))
    with services(broker) as one, second as other, till(broker) as pos:
        if not broker.capabilities.shared_subscriptions:
            assert one.subscribe(shared) == REFUSED_FILTER
            return
        assert one.subscribe(shared) == other.subscribe(shared) == 1
        pos.publish_all([(ORDERS, b"%d" % number) for number in range(100)])
        shares = (one.take(50), other.take(50))
        assert len({message.payload for share in shares for message in share}) == 100


def test_sessions_survive_restart(broker: RunningBroker) -> None:
    keeping = services(broker, clean=False).connect()
    keeping.subscribe(ANY_REQUEST)
    keeping.disconnect()
    with till(broker) as pos:
        pos.publish(ORDERS, b"kept")
    broker.stop()
    broker.restart()
    again = services(broker, clean=False).connect()
    survived = again.session_present
    assert survived is broker.capabilities.sessions_survive_restart
    if survived:
        assert again.next_message().payload == b"kept"
    with till(broker) as pos:
        again.subscribe(ANY_REQUEST)
        pos.publish(ORDERS, b"goes on")
        assert again.until(ORDERS, b"goes on") == []
    again.disconnect()


def _is_retained(broker: RunningBroker) -> bool:
    """Ask by a marker: what is retained comes before what is published after subscribing."""
    with services(broker) as back, till(broker) as pos:
        pos.subscribe(MENU)
        back.publish(MENU, b"marker")
        return [one.payload for one in pos.until(MENU, b"marker")] == [b"7.50"]


def test_retained_survive_restart(broker: RunningBroker) -> None:
    with services(broker) as back:
        back.publish(MENU, b"7.50", retain=True)
    assert _is_retained(broker)
    broker.stop()
    broker.restart()
    assert _is_retained(broker) is broker.capabilities.retained_survive_restart


def test_acknowledged_survives_kill(broker: RunningBroker) -> None:
    with services(broker) as back:
        back.publish(MENU, b"7.50", retain=True)
        broker.kill()
        back.wait_until_gone()
    broker.restart()
    assert _is_retained(broker) is broker.capabilities.acknowledged_survives_kill


def test_accounts_survive_a_kill(broker: RunningBroker) -> None:
    broker.add_device(TENANT, "pos-2", Role.POS)
    broker.kill()
    broker.restart()
    with MqttClient(broker.address, broker.login(TENANT, "pos-2")) as late:
        assert late.subscribe(MENU) == 1


def test_redelivers_in_flight(broker: RunningBroker) -> None:
    holding = MqttClient(broker.address, broker.services, clean=False, manual_ack=True).connect()
    holding.subscribe(ANY_REQUEST)
    with till(broker) as pos:
        pos.publish(ORDERS, b"unacknowledged")
        assert holding.next_message().dup is False
        holding.cut()
        again = services(broker, clean=False).connect()
        pos.publish(ORDERS, b"marker")
        came = [(one.payload, one.dup) for one in again.until(ORDERS, b"marker")]
        assert (came == [(b"unacknowledged", True)]) is broker.capabilities.redelivers_in_flight
        again.disconnect()


def test_refuses_publish_openly(broker: RunningBroker) -> None:
    with till(broker) as pos:
        try:
            pos.publish(MENU, b"a till sets no prices", qos=1)
        except NotInTime:
            acknowledged = False
        else:
            acknowledged = True
    assert acknowledged is not broker.capabilities.refuses_publish_openly


def test_refuses_will_at_connect(broker: RunningBroker) -> None:
    liar = till(broker, will=Will(MENU, b"free burgers", retain=True))
    try:
        liar.connect()
    except ConnectionRefused:
        refused = True
    else:
        refused = False
        liar.cut()
    assert refused is broker.capabilities.refuses_will_at_connect
    assert not _is_retained(broker)


def test_drops_retained(broker: RunningBroker) -> None:
    with services(broker) as back, till(broker) as pos:
        pos.publish(ORDERS, b"for ever", retain=True)
        back.subscribe(ANY_REQUEST)
        pos.publish(ORDERS, b"marker")
        stood = [(one.payload, one.retain) for one in back.until(ORDERS, b"marker")]
        assert stood == ([] if broker.capabilities.drops_retained else [(b"for ever", True)])
        # Whoever clears may do so on either.
        back.publish(ORDERS, b"", retain=True)
        back.unsubscribe(ANY_REQUEST)
        back.messages.clear()
        back.subscribe(ANY_REQUEST)
        pos.publish(ORDERS, b"marker")
        assert back.until(ORDERS, b"marker") == []


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.1", "kitchen.example"])  # noqa: S104 - shown to be refused
def test_loopback_only(
    embedded_broker: EmbeddedInTest, mosquitto_broker: PrivateMosquitto, host: str
) -> None:
    assert embedded_broker.capabilities.loopback_only
    with pytest.raises(NotLoopback, match="use Mosquitto"):
        EmbeddedBroker(embedded_broker, host=host)
    assert not mosquitto_broker.capabilities.loopback_only
    directory = mosquitto_broker.mosquitto_settings.directory
    asked = MosquittoSettings(directory=directory, host=host, plaintext=True)
    assert asked.host == host
