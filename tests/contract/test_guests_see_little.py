"""A guest's phone on each real broker: its own party and the menu, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from schemas.devices import Role
from schemas.topics import Plane, plane_filter
from tests.brokers import RunningBroker
from tests.mqtt_client import REFUSED_FILTER, MqttClient

GUEST = "guest-k3f79qxm"
OTHER = "guest-0a1b2c3d"


def topic(plane: Plane, tail: str, tenant: str = "roma") -> str:
    return plane_filter(plane, tenant=tenant, tail=tail)


@pytest.fixture
def floor(any_broker: RunningBroker) -> Iterator[dict[str, MqttClient]]:
    """A guest and the services, connected; and others who are not."""
    any_broker.add_device("roma", GUEST, Role.GUEST)
    any_broker.add_device("roma", OTHER, Role.GUEST)
    any_broker.add_device("roma", "pos-1", Role.POS)
    logins = {GUEST: any_broker.login("roma", GUEST), "services": any_broker.services}
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(MqttClient(any_broker.address, login))
            for name, login in logins.items()
        }


def test_a_guest_is_refused_every_filter_but_those_of_its_own(
    floor: dict[str, MqttClient],
) -> None:
    guest = floor[GUEST]
    for mine in (
        topic(Plane.STATE, "menu/#"),
        topic(Plane.STATE, f"party/{GUEST}"),
        topic(Plane.REPLY, GUEST),
    ):
        assert guest.subscribe(mine) == 1
    for plane in Plane:
        for tail in ("#", "+", OTHER, f"{OTHER}/#", "+/+", "pos-1", "orders/#", "party/#"):
            assert guest.subscribe(topic(plane, tail)) == REFUSED_FILTER, (plane, tail)
    for tail in (f"party/{OTHER}", "party/+", "kitchen/#", "devices/#", "orders/+", f"+/{GUEST}"):
        assert guest.subscribe(topic(Plane.STATE, tail)) == REFUSED_FILTER, tail
    assert guest.subscribe(topic(Plane.STATE, "menu/#", "napoli")) == REFUSED_FILTER


def test_a_guest_hears_its_own_party_and_not_that_of_another(
    floor: dict[str, MqttClient],
) -> None:
    guest, services = floor[GUEST], floor["services"]
    assert guest.subscribe(topic(Plane.STATE, f"party/{GUEST}")) == 1
    services.publish(topic(Plane.STATE, f"party/{OTHER}"), b"theirs", retain=True)
    services.publish(topic(Plane.STATE, f"party/{GUEST}"), b"mine", retain=True)
    assert guest.next_message().payload == b"mine"


def test_what_a_guest_says_elsewhere_reaches_nobody(floor: dict[str, MqttClient]) -> None:
    guest, services = floor[GUEST], floor["services"]
    assert services.subscribe(plane_filter(Plane.REQUEST)) == 1
    assert services.subscribe(plane_filter(Plane.STATE)) == 1
    for elsewhere in (
        topic(Plane.REQUEST, f"{GUEST}/orders/place"),
        topic(Plane.REQUEST, f"{GUEST}/kitchen/bump"),
        topic(Plane.REQUEST, f"{OTHER}/party/leave"),
        topic(Plane.REQUEST, "pos-1/party/send"),
        topic(Plane.STATE, f"party/{GUEST}"),
        topic(Plane.STATE, "party/pos-1"),
        topic(Plane.STATE, "menu/burger"),
    ):
        guest.publish(elsewhere, b"no")
    open_to_it = topic(Plane.REQUEST, f"{GUEST}/party/choose")
    guest.publish(open_to_it, b"yes")
    assert services.until(open_to_it, b"yes") == []
