"""The victim at work while it is attacked: it must not notice.

Its till places orders the whole time and its display hears them. At the end every order
must be there once, and heard; nothing may have come that is not the victim's own; nobody
may have lost the connection; the broker must be alive, and no larger than before.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from typing import Any, Final
from uuid import UUID

from schemas.catalogue import locate
from schemas.kitchen import TicketStatus
from schemas.orders import LineRequest, OrderPlaced
from services.kitchen.store import TICKETS
from services.orders.store import ORDERS
from services.runtime.tables import QUARANTINE
from tests.abuse.stage import ITEM, MARK, STATION, VICTIM, Stage
from tests.mqtt_client import Received
from tests.patience import PATIENCE_S
from tests.system import MENU, until

PAUSE_S: Final = 0.1
MEMORY: Final = {"embedded": 64 * 2**20, "mosquitto": 32 * 2**20}
"""How much larger the broker's process may be afterwards; the embedded broker's is the
tests' own, with the services and all the clients in it."""

_OWN_PLANES: Final = {"request", "reply", "telemetry", "presence"}


class Witness:
    """Watches one attempt."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.orders: list[UUID] = []
        self.devices = {"pos-1", "kds-1", "ear"}
        """The victim's devices."""
        self.slowest_s = 0.0
        self._stop = threading.Event()
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="witness", daemon=True)
        self._log = {name: len(text) for name, text in stage.log().items()}
        self._connections = self._counted()
        self._ear_from = len(stage.ear.messages)
        self._attackers_from = len(stage.attackers_ear.messages)
        self._memory = stage.memory()
        self.may_grow = MEMORY[stage.kind]
        """Bytes; a case that lets it be more says so in its outcome."""
        self._process = stage.process

    def begin(self) -> None:
        """Place an order before, and others during, the attempt."""
        self.order()
        self._thread.start()

    def order(self) -> UUID:
        """Place an order, and wait until it is taken and the display has heard it."""
        order_id = self._order()
        until(lambda: self._heard(order_id), "the display to hear the order", PATIENCE_S)
        return order_id

    def _order(self) -> UUID:
        began = time.monotonic()
        line = LineRequest(item=ITEM, quantity=1)
        receipt = self._stage.till.place_order([line]).result(PATIENCE_S)
        self.slowest_s = max(self.slowest_s, time.monotonic() - began)
        self.orders.append(receipt.order_id)
        return receipt.order_id

    def _heard(self, order_id: UUID) -> bool:
        return any(
            ticket.order_id == order_id and ticket.status is TicketStatus.HEARD
            for ticket in self._stage.screen.tickets
        )

    def _work(self) -> None:
        try:
            while not self._stop.wait(PAUSE_S):
                self._order()
        except BaseException as error:  # noqa: BLE001 - raised again where the attempt ends
            self._failed = error

    def end(self) -> None:
        """Stop working: place the last order, and judge."""
        self.stop()
        if self._failed is not None:
            raise AssertionError("the victim could not go on working") from self._failed
        last = self.order()
        assert self._stage.alive, "the broker is dead"
        assert self._stage.process == self._process, "the broker is another process"
        assert self._counted() == self._connections, "a connection of the victim's was dropped"
        assert "broker away" not in self.log()["services"], "the services were put out"
        self._judge_orders(last)
        self._judge_what_came()
        self._judge_memory()

    def stop(self) -> None:
        """Stop working."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(2 * PATIENCE_S)

    def log(self) -> dict[str, str]:
        """What broker and services have logged since the beginning."""
        return {name: text[self._log.get(name, 0) :] for name, text in self._stage.log().items()}

    def heard_at_victims(self) -> list[Received]:
        """What came to the victim's ear since the beginning."""
        return self._stage.ear.messages[self._ear_from :]

    def heard_at_attackers(self) -> list[Received]:
        """What came to the attacker's own ear since the beginning."""
        return self._stage.attackers_ear.messages[self._attackers_from :]

    def _counted(self) -> tuple[object, ...]:
        stage = self._stage
        return (
            stage.till.counts.connections,
            stage.screen.counts.connections,
            stage.till.online,
            stage.screen.online,
            stage.ear.connected,
        )

    # The judgement

    def _judge_orders(self, last: UUID) -> None:
        rows = self._stage.victim.rows(ORDERS)
        kept = Counter(row["order_id"] for row in rows)
        assert all(kept[order_id] == 1 for order_id in self.orders), "an order was not kept once"
        mine = set(self.orders)

        def heard() -> bool:
            tickets = [row for row in self._stage.victim.rows(TICKETS) if row["order_id"] in mine]
            return len(tickets) == len(mine) and all(
                (row["status"], row["heard_by"]) == (TicketStatus.HEARD.value, "kds-1")
                for row in tickets
            )

        until(heard, "every order to be heard, each once", PATIENCE_S)
        placed = OrderPlaced.route.topic(tenant=VICTIM)

        def told() -> Counter[str]:
            # The same word may be said again, where its PUBACK is long in coming: by its id
            # whoever hears it knows that.
            documents = [
                json.loads(one.payload) for one in self.heard_at_victims() if one.topic == placed
            ]
            return Counter({each["id"]: each["subject"] for each in documents}.values())

        until(lambda: told()[str(last)], "the ear to hear of the last order", PATIENCE_S)
        wanted = Counter(str(order_id) for order_id in self.orders)
        amiss = {"not told": wanted - told(), "told too often": told() - wanted}
        assert not any(amiss.values()), amiss

    def _judge_what_came(self) -> None:
        foreign = [one for one in self.heard_at_victims() if not self._is_own(one)]
        assert foreign == [], "something foreign came to the victim"
        assert set(self._stage.till.menu) == set(MENU)
        assert self._stage.till.counts.undecodable == 0
        assert self._stage.screen.counts.undecodable == 0
        rows: list[dict[str, Any]] = self._stage.victim.rows(QUARANTINE)
        assert rows == [], "something of the attacker's was kept under the victim's name"
        placers = {row["device"] for row in self._stage.victim.rows(ORDERS)}
        assert placers <= self.devices

    def _is_own(self, message: Received) -> bool:
        if MARK in message.payload:
            return False
        _, _, tenant, plane, *rest = message.topic.split("/")
        if tenant != VICTIM:
            return False
        if plane in _OWN_PLANES:
            return rest[0] in self.devices
        if message.payload:
            locate(message.topic)  # raises on what stands in no contract
        return rest[0] != "kitchen" or rest[1] in {STATION, "fry", "bar"}

    def _judge_memory(self) -> None:
        grown = 0

        def bounded() -> bool:
            nonlocal grown
            grown = self._stage.memory() - self._memory
            return grown <= self.may_grow

        deadline = time.monotonic() + PATIENCE_S
        while not bounded():
            assert time.monotonic() < deadline, f"the broker grew by {grown / 2**20:.0f} MiB"
            time.sleep(0.2)
