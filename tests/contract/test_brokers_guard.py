"""What every broker refuses: one set of cases, run on each."""

from __future__ import annotations

import pytest

from broker_config.settings import BrokerLogin
from schemas.devices import Role
from schemas.topics import ROOT, Plane, plane_filter
from tests.brokers import RunningBroker
from tests.mqtt_client import REFUSED_FILTER, ConnectionRefused, MqttClient, Will

TENANTS = ("roma", "napoli")


@pytest.fixture
def broker(any_broker: RunningBroker) -> RunningBroker:
    for tenant in TENANTS:
        any_broker.add_device(tenant, "pos-1", Role.POS)
        any_broker.add_device(tenant, "grill-1", Role.KITCHEN_DISPLAY)
        any_broker.add_device(tenant, "boss-1", Role.MANAGER)
    return any_broker


def client(broker: RunningBroker, tenant: str, device: str) -> MqttClient:
    return MqttClient(broker.address, broker.login(tenant, device))


def services(broker: RunningBroker) -> MqttClient:
    return MqttClient(broker.address, broker.services)


def topic(tenant: str, plane: Plane, tail: str) -> str:
    return plane_filter(plane, tenant=tenant, tail=tail)


def refused(attempt: MqttClient) -> bool:
    with pytest.raises(ConnectionRefused):
        attempt.connect()
    return True


def test_a_wrong_secret_is_refused(broker: RunningBroker) -> None:
    login = broker.login("roma", "pos-1")
    for wrong in ("wrong", login.secret + "x", login.secret[:-1], "é" * 1000):
        assert refused(
            MqttClient(broker.address, BrokerLogin(username=login.username, secret=wrong))
        )


def test_nobody_comes_in_without_a_name(broker: RunningBroker) -> None:
    login = broker.login("roma", "pos-1")
    assert refused(MqttClient(broker.address, login, anonymous=True))


@pytest.mark.parametrize(
    "name", ["roma:pos-9", "milano:pos-1", "roma", "roma:", ":", "heard-admin", "é:é", "a" * 5000]
)
def test_a_name_that_nobody_gave_is_refused(broker: RunningBroker, name: str) -> None:
    login = broker.login("roma", "pos-1")
    assert refused(MqttClient(broker.address, BrokerLogin(username=name, secret=login.secret)))


def test_a_client_id_that_is_not_the_user_name_is_refused(broker: RunningBroker) -> None:
    login = broker.login("roma", "pos-1")
    for client_id in ("roma:grill-1", "napoli:pos-1", "heard-services", "x"):
        assert refused(MqttClient(broker.address, login, client_id=client_id))


def test_a_failed_attempt_leaves_the_devices_own_connection_and_session_alone(
    broker: RunningBroker,
) -> None:
    login = broker.login("roma", "pos-1")
    reply = topic("roma", Plane.REPLY, "pos-1")
    wrong = BrokerLogin(username=login.username, secret="guess")
    with services(broker) as back:
        till = MqttClient(broker.address, login, clean=False).connect()
        till.subscribe(reply)
        for clean in (True, False):
            assert refused(MqttClient(broker.address, wrong, clean=clean))
            back.publish(reply, b"still here")
            assert till.next_message().payload == b"still here"
        till.disconnect()
        for clean in (True, False):
            assert refused(MqttClient(broker.address, wrong, clean=clean))
        back.publish(reply, b"kept for you")
        again = MqttClient(broker.address, login, clean=False).connect()
        assert again.session_present
        assert again.next_message().payload == b"kept for you"
        again.disconnect()


@pytest.mark.parametrize(
    "filter_",
    [
        "#",
        "+/#",
        "$SYS/#",
        "$CONTROL/#",
        f"{ROOT}/#",
        f"{ROOT}/roma/#",
        f"{ROOT}/+/reply/pos-1",
        f"{ROOT}/roma/reply/+",
        f"{ROOT}/roma/reply/grill-1",
        f"{ROOT}/roma/state/+",
        f"{ROOT}/roma/state/kitchen/#",
        f"{ROOT}/napoli/state/menu/#",
        f"$share/tills/{ROOT}/napoli/state/menu/#",
    ],
)
def test_a_filter_wider_than_the_role_is_refused_openly(
    broker: RunningBroker, filter_: str
) -> None:
    with client(broker, "roma", "pos-1") as till:
        assert till.subscribe(filter_) == REFUSED_FILTER
        assert till.subscribe(topic("roma", Plane.STATE, "menu/#")) == 1


def test_a_publish_that_is_not_allowed_goes_nowhere(broker: RunningBroker) -> None:
    allowed = topic("roma", Plane.REQUEST, "pos-1/orders/place")
    with (
        services(broker) as back,
        client(broker, "roma", "pos-1") as till,
        client(broker, "roma", "boss-1") as boss,
    ):
        boss.subscribe(f"{ROOT}/roma/#")
        for plane in (Plane.REQUEST, Plane.TELEMETRY, Plane.PRESENCE, Plane.STATE, Plane.EVENT):
            back.subscribe(plane_filter(plane))
        for forbidden in (
            topic("roma", Plane.REQUEST, "grill-1/kitchen/bump"),
            topic("roma", Plane.REQUEST, "pos-1/kitchen/bump"),
            topic("napoli", Plane.REQUEST, "pos-1/orders/place"),
            topic("roma", Plane.TELEMETRY, "grill-1/heartbeat"),
            topic("roma", Plane.PRESENCE, "grill-1"),
            topic("roma", Plane.STATE, "menu/burger"),
            topic("roma", Plane.EVENT, "orders/placed"),
            topic("roma", Plane.REPLY, "pos-1"),
            f"{ROOT}/roma",
            "anything",
        ):
            till.publish(forbidden, b"forbidden")
            till.publish(forbidden, b"forbidden", retain=True)
        till.publish(allowed, b"marker")
        assert back.until(allowed, b"marker") == []
        assert boss.until(allowed, b"marker") == []
        # Nor was any of it retained.
        boss.unsubscribe(f"{ROOT}/roma/#")
        boss.subscribe(f"{ROOT}/roma/#")
        till.publish(allowed, b"marker")
        assert boss.until(allowed, b"marker") == []


def test_a_will_on_anothers_topic_is_never_said(broker: RunningBroker) -> None:
    will = Will(topic("roma", Plane.PRESENCE, "grill-1"), b"a lie", retain=True)
    with services(broker) as back, client(broker, "roma", "pos-1") as _:
        back.subscribe(plane_filter(Plane.PRESENCE))
        liar = MqttClient(broker.address, broker.login("napoli", "pos-1"), will=will)
        try:
            liar.connect()
        except ConnectionRefused:
            pass  # one broker says so at once, the other when the will is due
        else:
            liar.cut()
        with client(broker, "roma", "grill-1") as display:
            own = topic("roma", Plane.PRESENCE, "grill-1")
            display.publish(own, b"the truth")
            assert back.until(own, b"the truth") == []


def test_nothing_of_one_tenant_is_read_or_written_by_devices_of_the_other(
    broker: RunningBroker,
) -> None:
    with services(broker) as back:
        for plane in (Plane.STATE, Plane.EVENT, Plane.REPLY, Plane.PRESENCE):
            for tail in ("pos-1", "menu/burger", "kitchen/grill", "orders/placed"):
                if plane in {Plane.STATE, Plane.EVENT} or "/" not in tail:
                    back.publish(topic("napoli", plane, tail), b"napoli's", retain=True)
        seen = [client(broker, "roma", name).connect() for name in ("pos-1", "grill-1", "boss-1")]
        for reader in seen:
            for plane in Plane:
                for tenant in ("napoli", "+"):
                    for tail in ("#", "+", "pos-1", "menu/#", "kitchen/#", "orders/#"):
                        code = reader.subscribe(topic(tenant, plane, tail))
                        assert code == REFUSED_FILTER
            for plane in Plane:
                reader.publish(topic("napoli", plane, "pos-1/orders/place"), b"roma's", retain=True)
                reader.publish(topic("napoli", plane, "pos-1"), b"roma's", retain=True)
        with client(broker, "napoli", "boss-1") as boss:
            boss.subscribe(f"{ROOT}/napoli/#")
            marker = topic("napoli", Plane.EVENT, "orders/placed")
            back.publish(marker, b"marker")
            assert {one.payload for one in boss.until(marker, b"marker")} == {b"napoli's"}
        seen[2].subscribe(f"{ROOT}/roma/#")
        marker = topic("roma", Plane.EVENT, "orders/placed")
        back.publish(marker, b"marker")
        assert seen[2].until(marker, b"marker") == []
        assert [reader.messages for reader in seen[:2]] == [[], []]
        for reader in seen:
            reader.disconnect()


def test_who_connects_again_is_told_nothing_of_others_subscriptions(
    broker: RunningBroker,
) -> None:
    reply = topic("roma", Plane.REPLY, "pos-1")
    with services(broker) as back, client(broker, "napoli", "pos-1") as other:
        other.subscribe(topic("napoli", Plane.STATE, "menu/#"))
        back.publish(topic("napoli", Plane.STATE, "menu/burger"), b"napoli's", retain=True)
        for clean in (False, False, True):
            login = broker.login("roma", "pos-1")
            till = MqttClient(broker.address, login, clean=clean).connect()
            till.subscribe(reply)
            back.publish(reply, b"marker")
            assert till.until(reply, b"marker") == []
            till.disconnect()


def test_a_revoked_device_is_put_out_and_stays_out(broker: RunningBroker) -> None:
    login = broker.login("roma", "pos-1")
    till = MqttClient(broker.address, login, clean=False).connect()
    with client(broker, "roma", "grill-1") as other:
        broker.revoke("roma", "pos-1")
        till.wait_until_gone()
        assert refused(MqttClient(broker.address, login))
        other.publish(topic("roma", Plane.PRESENCE, "grill-1"), b"others are left alone")
    till.disconnect()


def test_a_rotated_device_comes_in_with_its_new_secret_alone(broker: RunningBroker) -> None:
    old = broker.login("roma", "pos-1")
    till = MqttClient(broker.address, old).connect()
    broker.rotate("roma", "pos-1")
    till.wait_until_gone()
    till.disconnect()
    assert refused(MqttClient(broker.address, old))
    with client(broker, "roma", "pos-1") as again:
        assert again.subscribe(topic("roma", Plane.STATE, "menu/#")) == 1


def test_a_device_that_is_added_again_in_another_role_keeps_nothing_of_the_old(
    broker: RunningBroker,
) -> None:
    menu, kitchen = topic("roma", Plane.STATE, "orders/#"), topic("roma", Plane.STATE, "kitchen/#")
    was = MqttClient(broker.address, broker.login("roma", "pos-1"), clean=False).connect()
    was.subscribe(menu)
    was.disconnect()
    broker.add_device("roma", "pos-1", Role.KITCHEN_DISPLAY)
    with services(broker) as back:
        now = MqttClient(broker.address, broker.login("roma", "pos-1"), clean=False).connect()
        assert now.subscribe(menu) == REFUSED_FILTER
        now.subscribe(kitchen)
        back.publish(topic("roma", Plane.STATE, "orders/1"), b"not for a display")
        back.publish(topic("roma", Plane.STATE, "kitchen/grill"), b"marker")
        assert now.until(topic("roma", Plane.STATE, "kitchen/grill")) == []
        now.disconnect()
