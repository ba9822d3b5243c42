"""One device says as much as it can: others are answered meanwhile, and it is put out."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from itertools import cycle, islice, takewhile
from uuid import UUID

import pytest
from sqlalchemy import select

from broker_config.secret import SecretHash
from broker_config.settings import BrokerLogin
from devices.pos import PointOfSale
from schemas.devices import Role
from schemas.identifiers import new_id
from schemas.limits import ReadLimits
from schemas.orders import LineRequest, PlaceOrder
from services.migrations.upgrade import upgrade
from services.orders.store import ORDERS
from services.people.credentials import place
from services.people.store import Device, Tenant, add_tenant
from services.people.suspension import Suspensions
from services.people.sweeping import Sweeper
from services.people.tables import SUSPENSIONS
from services.runtime import audit
from services.runtime.audit import AUDIT
from services.runtime.database import Database
from services.runtime.moment import system_clock
from services.runtime.tables import QUARANTINE
from tests.abuse import packets
from tests.abuse.link import Link
from tests.brokers import PrivateMosquitto
from tests.mqtt_client import ConnectionRefused, MqttClient
from tests.patience import PATIENCE_S
from tests.running import StartSystem
from tests.spoken import Speaker, order
from tests.system import RunningTenant, running_system, until

ALE = LineRequest(item="ale", quantity=1)
FLOOD_S = 2 * PATIENCE_S
"""How long it floods at most; it ends when a test has seen enough, or it is put out."""
CHUNK, CHUNKS = 100, 1_000
MANY = 20


class Flooder:
    """A device with valid credentials that neither waits nor listens."""

    def __init__(self, tenant: RunningTenant) -> None:
        self.tenant = tenant
        self.device = tenant.add_device(Role.POS)
        self.login: BrokerLogin = tenant.system.broker.login(tenant.name, self.device)
        self.sent = 0
        self.put_out = False
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        # Made beforehand: what is measured shares this process, and its interpreter.
        flood = (
            packets.publish(topic, payload, mid=1 + number % 60_000, retain=True)
            for number, (topic, payload) in enumerate(self.messages())
        )
        self._chunks = [b"".join(islice(flood, CHUNK)) for _ in range(CHUNKS)]

    def messages(self) -> Iterator[tuple[str, bytes]]:
        """Readings of no kind, nonsense as requests, and orders as good as any."""
        speaker = Speaker(
            self.tenant.system.broker.address, self.login, self.tenant.name, self.device
        )
        place, own = speaker.topic(PlaceOrder), f"heard/v1/{self.tenant.name}/telemetry"
        good, number = order("ale"), 0
        while True:
            number += 1
            yield f"{own}/{self.device}/s{number}", b"junk"
            yield place, b"junk"
            yield speaker.topic(ReadLimits), speaker.wire(ReadLimits(), new_id())
            yield place, speaker.wire(good, new_id())

    def start(self) -> None:
        self._thread.start()

    @property
    def floods(self) -> bool:
        return self._thread.is_alive()

    def end(self) -> None:
        self._enough.set()
        self._thread.join(FLOOD_S)
        assert not self.floods

    def _run(self) -> None:
        with Link(self.tenant.system.broker.address) as link:
            link.send(
                packets.connect(
                    self.login.client_id, username=self.login.username, password=self.login.secret
                )
            )
            answer = link.connack()
            assert answer is not None
            assert answer.code == 0
            flood = takewhile(lambda _: not self._enough.is_set(), cycle(self._chunks))
            self.sent = CHUNK * link.send_while(flood, FLOOD_S)
            self.put_out = link.ended


class Customer:
    """Somebody at the victim's till, who orders again as soon as an order is answered."""

    def __init__(self, till: PointOfSale) -> None:
        self.placed: list[UUID] = []
        self._till = till
        self._enough = threading.Event()
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def order(self) -> None:
        receipt = self._till.place_order([ALE]).result(PATIENCE_S)
        self.placed.append(receipt.order_id)

    def _run(self) -> None:
        try:
            while not self._enough.wait(0.02):
                self.order()
        except BaseException as error:  # noqa: BLE001 - raised where the test waits
            self._failed = error

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._enough.set()
        self._thread.join(2 * PATIENCE_S)
        if self._failed is not None:
            raise AssertionError("an order was not answered") from self._failed


@pytest.mark.timeout(600)
def test_a_flood_of_one_device_does_not_keep_another_restaurant_from_its_orders(
    start_system: StartSystem,
) -> None:
    system = start_system()
    attacker, victim = system.add_tenant(), system.add_tenant()
    flooder = Flooder(attacker)
    with victim.till() as till:
        customer = Customer(till)
        customer.order()
        flooder.start()
        until(lambda: system.counts["limited"] > 1_000, "the flood")
        customer.start()
        # While it goes on, or until it is put out for it.
        until(lambda: len(customer.placed) >= MANY, "their orders' answers")
        assert flooder.floods or flooder.put_out
        flooder.end()
        customer.stop()
        assert till.counts.connections == 1
    kept = Counter(row["order_id"] for row in victim.rows(ORDERS))
    assert kept == Counter(customer.placed), "every order was answered, and kept once"
    assert attacker.count(QUARANTINE) < 50
    assert victim.count(QUARANTINE) == 0


@pytest.mark.timeout(600)
def test_mosquitto_puts_a_flooder_out_for_a_while_and_what_it_left_standing_is_cleared(
    mosquitto_broker: PrivateMosquitto, sqlite_url: str
) -> None:
    with running_system(mosquitto_broker, sqlite_url) as system:
        attacker = system.add_tenant()
        flooder = Flooder(attacker)
        flooder.start()
        until(lambda: not flooder.floods, "that it is put out", FLOOD_S)
        assert flooder.put_out
        (row,) = attacker.rows(SUSPENSIONS)
        assert row["device"] == flooder.device
        (entry,) = attacker.rows(AUDIT)
        assert (entry["actor"], entry["action"]) == ("heard", "device.suspended")
        assert entry["subject"] == f"{attacker.name}/{flooder.device}"
        with pytest.raises(ConnectionRefused), MqttClient(system.broker.address, flooder.login):
            pass
        manager = system.broker.login(attacker.name, attacker.add_device(Role.MANAGER))

        def standing() -> list[str]:
            own = f"heard/v1/{attacker.name}"
            with MqttClient(system.broker.address, manager) as reader:
                reader.subscribe(f"{own}/telemetry/#")
                reader.subscribe(f"{own}/request/#")
                reader.publish(f"{own}/request/{manager.username.partition(':')[2]}/x/y", b"")
                time.sleep(0.2)
                return [m.topic for m in reader.messages if m.retain]

        until(lambda: not standing(), "everything to be cleared")


async def test_who_was_put_out_is_let_in_again_though_the_services_have_died(
    mosquitto_broker: PrivateMosquitto, sqlite_url: str
) -> None:
    mosquitto_broker.add_device("roma", "pos-1", Role.POS)
    login = mosquitto_broker.login("roma", "pos-1")
    database = Database(sqlite_url)
    await upgrade(database)
    now = system_clock()
    async with database.write() as connection:
        await add_tenant(connection, Tenant("roma", "Roma", "EUR", now))
        hashed = SecretHash.of(login.secret)
        await place(connection, Device("roma", "pos-1", Role.POS, None, now), hashed, now)

    later = now

    def services() -> Suspensions:
        address, secret = mosquitto_broker.address, mosquitto_broker.services.secret
        sweeper = Sweeper(address, secret)
        admin = mosquitto_broker.admin.secret
        return Suspensions(database, address, admin, sweeper, lambda: later)

    def comes_in() -> bool:
        try:
            with MqttClient(mosquitto_broker.address, login):
                return True
        except ConnectionRefused:
            return False

    try:
        assert comes_in()
        await services().suspend("roma", "pos-1", 60.0)
        assert not comes_in()
        assert await services().let_in() == []
        assert not comes_in(), "its time is not over"
        later = now + timedelta(seconds=61)
        assert await services().let_in() == [("roma", "pos-1")], "the next to serve know of it"
        assert comes_in()
        assert await services().let_in() == []
        await services().suspend("roma", "nobody", 60.0)
        async with database.read() as connection:
            assert (await connection.execute(select(SUSPENSIONS))).all() == []
            assert await audit.verify(connection, "roma") == 1
        later = now + timedelta(seconds=120)
        await services().suspend("roma", "pos-1", 60.0)
        mosquitto_broker.revoke("roma", "pos-1")
        later = now + timedelta(seconds=300)
        assert await services().let_in() == [("roma", "pos-1")], "though its account is gone"
    finally:
        await database.close()
