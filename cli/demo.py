"""The demonstration: a small restaurant with tills, displays, guests and cooks.

All of it is real: the devices have credentials of their own and speak MQTT.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Final, Self
from uuid import UUID

from broker_config.private_files import write_private
from broker_config.settings import BrokerAddress
from cli import demo_couriers
from cli.admission import Admitted, a_device, admit
from cli.application import Application
from cli.files import make_home
from devices.client import DeviceClient
from devices.kitchen_display import KitchenDisplay
from devices.options import OnReply
from devices.pos import PointOfSale
from devices.simulated_line import SimulatedExpo
from devices.simulated_storekeeper import SimulatedStorekeeper
from devices.simulated_waiter import SimulatedWaiter
from devices.simulator import SimulatedCook, SimulatedGuests
from devices.station_view import Changes, Freshness
from devices.stock_tablet import StockTablet
from schemas.delivery_rules import DeliveryRules
from schemas.devices import Role
from schemas.house_rules import STANDARD_TAX, OrderRules
from schemas.kitchen import TicketStatus
from schemas.kitchen_rules import KitchenRules, StationKind, StationRules
from schemas.menu import MenuItem
from schemas.replies import OrderReceipt, Outcome, Reply
from services.inventory.book_files import Source
from services.inventory.book_reading import read_book
from services.inventory.importing import import_book, standing
from services.inventory.written import Written
from services.menu.handlers import put_menu
from services.menu.importing import read_menu
from services.people import credentials, store
from services.people.store import Tenant
from services.runtime import house_rules
from services.runtime.database import Database
from services.runtime.moment import system_clock

TENANT: Final = demo_couriers.TENANT
CURRENCY: Final = "GBP"
TAX_PPM: Final = 200_000
"""In millionths; the prices of the menu include it."""
SECRETS_NAME: Final = "demo.json"
TILLS: Final = ("pos-1", "pos-2")
WAITER: Final = "waiter-1"
TABLET: Final = "storeroom"
EXPO: Final = "pass"
SPEED: Final = 10.0
"""The cooks' minutes pass ten times as fast: a visitor watches for half a minute."""
SECOND_THOUGHTS: Final = 0.2
"""So many guests want something else once the kitchen has their order."""
BROUGHT_AFTER_S: Final = 60.0
"""What is low is brought so long afterwards."""
LATE_S: Final = 45
"""After so many seconds a ticket is late: the cooks are quick."""
LAST: Final = 8
IN_A_HURRY_S: Final = 2.5
"""Whoever pressed Ctrl-C does not wait."""
BY_ITSELF_S: Final = 15.0
"""An evening that ends by itself is seen to its end."""


@dataclass(frozen=True, slots=True)
class Placed:
    """One order that was answered."""

    receipt: OrderReceipt
    device: str
    at: float


@dataclass(slots=True)
class Tally:
    """What was placed and heard, as the devices saw it."""

    placed: int = 0
    refused: int = 0
    heard_ms: deque[float] = field(default_factory=lambda: deque(maxlen=500))
    last: deque[Placed] = field(default_factory=lambda: deque(maxlen=LAST))
    times: deque[float] = field(default_factory=lambda: deque(maxlen=2000))
    heard: set[UUID] = field(default_factory=set)
    later: set[UUID] = field(default_factory=set)
    """What was asked of orders that were placed already, and may come too late."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def listener(self, device: str) -> OnReply:
        """What counts one till's answers."""
        return lambda request_id, reply: self.replied(device, request_id, reply)

    def replied(self, device: str, request_id: UUID, reply: Reply) -> None:
        """A till got an answer."""
        with self.lock:
            if request_id in self.later:
                return
            if reply.outcome is Outcome.REJECTED:
                self.refused += 1
            elif isinstance(reply.result, OrderReceipt) and reply.result.order_id == request_id:
                # An order is called like the request that placed it.
                self.placed += 1
                now = time.monotonic()
                self.times.append(now)
                self.last.appendleft(Placed(reply.result, device, now))

    def changed(self, changes: Changes, _freshness: Freshness) -> None:
        """A display shows something new."""
        with self.lock:
            for ticket in changes.shown:
                if ticket.heard_at is not None and ticket.ticket_id not in self.heard:
                    self.heard.add(ticket.ticket_id)
                    took = ticket.heard_at - (ticket.sent_at or ticket.placed_at)
                    self.heard_ms.append(took.total_seconds() * 1000)

            self.heard.difference_update(changes.ended)

    def per_minute(self) -> int:
        """Orders of the last minute."""
        since = time.monotonic() - 60
        with self.lock:
            return sum(at >= since for at in self.times)

    def median_ms(self) -> float | None:
        """The middle time from placed to heard; None where nothing was heard."""
        with self.lock:
            took = sorted(self.heard_ms)
        return took[len(took) // 2] if took else None


def demo_menu() -> list[MenuItem]:
    """The menu that comes with the program."""
    text = resources.files("cli").joinpath("demo_menu.yaml").read_text(encoding="utf-8")
    return read_menu(text, kind="yaml", currency=CURRENCY)


def demo_book() -> Written:
    """What the kitchen buys, and how it makes what is on the menu."""
    text = resources.files("cli").joinpath("demo_recipes.yaml").read_text(encoding="utf-8")
    return read_book([Source("demo_recipes.yaml", text)], currency=CURRENCY)


def stations_of(menu: list[MenuItem]) -> list[str]:
    """The stations that the menu needs, by name."""
    return sorted({item.station for item in menu})


def demo_kitchen(menu: list[MenuItem]) -> KitchenRules:
    """How the kitchen works: a dessert waits for the main course, and the pass sees it all."""
    quick = StationRules(prep_s=20, warn_s=30, late_s=LATE_S)
    stations = dict.fromkeys(stations_of(menu), quick)
    stations["grill"] = quick.model_copy(update={"hands": 3, "merge": True})
    expo = StationRules(kind=StationKind.EXPO, warn_s=60, late_s=2 * LATE_S)
    return KitchenRules(stations=stations | {EXPO: expo})


def prepare(app: Application, address: BrokerAddress) -> dict[str, Admitted]:
    """Make sure that the tenant, its menu and its devices are there; twice does no harm.

    The devices' secrets stay in the home folder, so that the second time they are the same.
    """
    path = make_home(app.settings) / SECRETS_NAME
    menu = demo_menu()
    wanted = [a_device(TENANT, name, Role.POS) for name in (*TILLS, WAITER)]
    wanted.append(a_device(TENANT, TABLET, Role.POS))
    wanted += [
        a_device(TENANT, station, Role.KITCHEN_DISPLAY, station=station)
        for station in (*stations_of(menu), EXPO)
    ]
    wanted.append(a_device(TENANT, demo_couriers.DESK, Role.POS))
    wanted += [a_device(TENANT, name, Role.TRACKER) for name in demo_couriers.COURIERS.values()]
    known = _read_secrets(path)

    async def make(database: Database) -> dict[str, str]:
        now = system_clock()
        async with database.write() as connection:
            await store.add_tenant(connection, Tenant(TENANT, "The Demo Diner", CURRENCY, now))
            await put_menu(connection, TENANT, menu, now, replace=False)
            rules = await house_rules.read(connection, TENANT)
            if rules.orders == OrderRules():  # else somebody tries others
                taxed = OrderRules(taxes={STANDARD_TAX: TAX_PPM})
                await house_rules.write(connection, TENANT, orders=taxed)
            if rules.kitchen == KitchenRules():
                await house_rules.write(connection, TENANT, kitchen=demo_kitchen(menu))
            if rules.delivery == DeliveryRules():
                await house_rules.write(connection, TENANT, delivery=demo_couriers.RULES)
            if not (await standing(connection, TENANT)).book.items:
                await import_book(connection, TENANT, demo_book())
            stored = {each.identity.device: each.secret for each in
                      await credentials.every(connection, now)
                      if each.identity.tenant == TENANT and each.serial == 1}  # fmt: skip
        kept = {
            name: secret
            for name, secret in known.items()
            if name in stored and stored[name].verify(secret)
        }
        missing = [each for each in wanted if each.device not in kept]
        made = await admit(app, database, missing)
        return kept | {each.device: secret for each, secret in zip(missing, made, strict=True)}

    secrets = app.run(make)
    write_private(path, json.dumps(secrets, indent=1) + "\n")
    return {
        each.device: Admitted(TENANT, each.device, secrets[each.device], address) for each in wanted
    }


def _read_secrets(path: Path) -> Mapping[str, str]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


class Demo:
    """The restaurant while it is open.

    Args:
        app: where outboxes are kept.
        admitted: its devices, from `prepare`.
        rate_per_minute: how many guests order, at all tills together.
        seed: the same seed brings the same guests.
    """

    def __init__(
        self,
        app: Application,
        admitted: Mapping[str, Admitted],
        *,
        rate_per_minute: float,
        seed: int | None = None,
    ) -> None:
        self.tally: Final = Tally()
        self.patience_s = IN_A_HURRY_S
        """How long the last orders may take to be answered and heard."""
        self.began: Final = datetime.now(UTC)
        outboxes = make_home(app.settings) / "outboxes"
        outboxes.mkdir(mode=0o700, exist_ok=True)
        self.tills: Final = [
            PointOfSale(
                one.address.host,
                one.address.port,
                outbox=outboxes / f"{one.tenant}-{one.device}.outbox",
                on_reply=self.tally.listener(one.device),
                **one.options(),
            )
            for one in (admitted[name] for name in TILLS)
        ]
        self.displays: Final = [
            KitchenDisplay(
                one.address.host,
                one.address.port,
                station=one.device,
                on_change=self.tally.changed,
                **one.options(),
            )
            for one in (admitted[name] for name in (*stations_of(demo_menu()), EXPO))
        ]
        waits = admitted[WAITER]
        self.waiter_till: Final = PointOfSale(
            waits.address.host, waits.address.port, watch_orders=True, **waits.options()
        )
        self.waiter: Final = SimulatedWaiter(self.waiter_till, speed=SPEED)
        store_room = admitted[TABLET]
        self.tablet: Final = StockTablet(
            store_room.address.host, store_room.address.port, **store_room.options()
        )
        self.storekeeper: Final = SimulatedStorekeeper(
            self.tablet, demo_book().items, brought_after_s=BROUGHT_AFTER_S
        )
        self.couriers: Final = demo_couriers.DemoCouriers(
            admitted, outboxes, app.run(demo_couriers.last_seen), seed=seed
        )
        each = rate_per_minute / len(self.tills)
        menu = {item.item: item for item in demo_menu()}
        self._guests: Final[list[SimulatedGuests | demo_couriers.GuestsAtHome]] = [
            SimulatedGuests(
                till,
                menu=menu,
                rate_per_minute=each,
                second_thoughts=SECOND_THOUGHTS,
                before_change=self.tally.later.add,
                seed=None if seed is None else seed + number,
            )
            for number, till in enumerate(self.tills)
        ]
        self._guests.append(demo_couriers.GuestsAtHome(self.tills[0], menu, seed=seed))
        self._cooks: Final = [
            SimulatedExpo(display, speed=SPEED)
            if display.station == EXPO
            else SimulatedCook(display, speed=SPEED)
            for display in self.displays
        ]

    @property
    def devices(self) -> list[DeviceClient]:
        """All of them."""
        return [*self.tills, self.waiter_till, self.tablet, *self.displays, *self.couriers.devices]

    @property
    def sent(self) -> int:
        """How many orders the guests have asked for."""
        return sum(guests.orders for guests in self._guests)

    def start(self) -> Self:
        """Open: devices connect, guests come."""
        with ExitStack() as opened:
            for device in self.devices:
                device.start()
                opened.callback(device.close)
            for worker in (self.storekeeper, *self._guests, *self._cooks, self.waiter):
                worker.start()
                opened.callback(worker.stop)
            self.couriers.start()
            opened.pop_all()
        return self

    def stop(self) -> None:
        """Close: no more guests, the last orders are answered and heard, devices go."""
        for guests in self._guests:
            guests.stop()
        self.couriers.stop()
        self.waiter.stop()
        self.storekeeper.stop()
        for cook in self._cooks:  # before the last look: what is bumped may fire a course
            cook.stop()
        deadline = time.monotonic() + self.patience_s
        for device in (*self.tills, *self.displays):
            device.drain(max(0.0, deadline - time.monotonic()))
        while time.monotonic() < deadline and self.unheard:
            time.sleep(0.02)
        with ThreadPoolExecutor(len(self.devices)) as pool:  # together: each says goodbye
            list(pool.map(lambda device: device.close(), self.devices))

    @property
    def unheard(self) -> int:
        """How many tickets stand on screens that nobody is known to have heard."""
        return sum(
            ticket.status is TicketStatus.SENT
            for display in self.displays
            for ticket in display.tickets
        )

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
