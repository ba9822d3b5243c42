"""The embedded broker with limits that a test can reach, and what its clients send."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from broker_config.embedded_refusals import Kind
from broker_config.limits import BrokerLimits
from broker_config.settings import BrokerLogin
from schemas.devices import Role
from schemas.topics import Plane, plane_filter
from tests.abuse import packets
from tests.abuse.link import Link
from tests.brokers import EmbeddedInTest, RunningBroker
from tests.mqtt_client import MqttClient
from tests.patience import PATIENCE_S

TENANT = "roma"
OTHER = "napoli"
ANY_TELEMETRY = plane_filter(Plane.TELEMETRY)


def topic(plane: Plane, tail: str, tenant: str = TENANT) -> str:
    return plane_filter(plane, tenant=tenant, tail=tail)


FIX = topic(Plane.TELEMETRY, "car-1/fix")
OTHERS_FIX = topic(Plane.TELEMETRY, "car-1/fix", OTHER)
MENU = topic(Plane.STATE, "menu/burger")


class Limited:
    """A broker with a tracker and a manager of each of two tenants."""

    def __init__(self, limits: BrokerLimits) -> None:
        self.exceeded: list[tuple[str, Kind]] = []
        self.broker = EmbeddedInTest(limits, lambda *both: self.exceeded.append(both))
        for tenant in (TENANT, OTHER):
            self.broker.add_device(tenant, "car-1", Role.TRACKER)
            self.broker.add_device(tenant, "car-2", Role.TRACKER)
            self.broker.add_device(tenant, "boss-1", Role.MANAGER)

    def login(self, device: str, tenant: str = TENANT) -> BrokerLogin:
        return self.broker.login(tenant, device)

    def client(self, device: str, tenant: str = TENANT, *, clean: bool = True) -> MqttClient:
        return MqttClient(self.broker.address, self.login(device, tenant), clean=clean)

    def services(self, *, clean: bool = True) -> MqttClient:
        return MqttClient(self.broker.address, self.broker.services, clean=clean)

    def link(self) -> Link:
        return Link(self.broker.address)

    def entered(self, device: str, tenant: str = TENANT, *, clean: bool = True) -> Link:
        """A plain socket that was let in as a device."""
        link = self.link()
        link.send(opening(self.login(device, tenant), clean=clean))
        answer = link.connack()
        assert answer is not None
        assert answer.code == 0
        return link

    def wait_until_away(self, device: str, tenant: str = TENANT) -> None:
        """Wait until the broker is done with a device that has left."""
        door = self.broker.broker._door
        assert door is not None
        until(lambda: f"{tenant}:{device}" not in door._live, f"{device} to be away")

    def count(self, kind: Kind) -> int:
        return self.broker.broker.counts[kind]


def opening(login: BrokerLogin, **options: object) -> bytes:
    return packets.connect(login.client_id, login.username, login.secret, **options)  # type: ignore[arg-type]  # handed on as they are


@contextmanager
def limited(**limits: object) -> Iterator[Limited]:
    made = Limited(BrokerLimits(**limits))  # type: ignore[arg-type]  # handed on as they are
    with ExitStack() as stack:
        stack.callback(made.broker.close)
        yield made


def works(broker: RunningBroker, tenant: str = OTHER) -> bool:
    """Whether a device is let in, and heard by the services."""
    fix = topic(Plane.TELEMETRY, "car-1/fix", tenant)
    with (
        MqttClient(broker.address, broker.services) as back,
        MqttClient(broker.address, broker.login(tenant, "car-1")) as car,
    ):
        back.subscribe(ANY_TELEMETRY)
        car.publish(fix, b"here")
        return back.until(fix, b"here") == []


def until(condition: Callable[[], object], what: str, within: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not in {within} s"
        time.sleep(0.005)
