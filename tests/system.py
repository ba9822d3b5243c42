"""Heard as a whole, for tests: the real services on a real broker and a real database.

``system`` is shared by a worker's tests, each of which works with a tenant of its own
(``tenant``); ``own_system`` belongs to one test, which may stop it, or kill its broker.
The services run on a thread with an event loop of its own, so that a test can be as
plain as the devices it uses.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, Self, TypeVar
from uuid import uuid4

from sqlalchemy import Table, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from broker_config.access import Identity
from broker_config.secret import SecretHash
from cli.compose import Served, assemble
from devices.kitchen_display import KitchenDisplay
from devices.options import DeviceOptions
from devices.pos import PointOfSale
from devices.resending import Patience
from schemas.devices import Role
from schemas.menu import MenuItem
from services.menu.handlers import put_menu
from services.migrations.upgrade import upgrade
from services.people.credentials import place
from services.people.store import Device, Tenant, add_tenant
from services.people.suspension import Suspensions
from services.people.sweeping import Sweeper
from services.runtime.database import Database
from services.runtime.moment import Clock, system_clock
from tests.brokers import PrivateMosquitto, RunningBroker
from tests.patience import PATIENCE_S
from tests.spoken import Speaker

T = TypeVar("T")

HASTY: Final = Patience(
    first_s=0.5, longest_s=1.0, reconnect_first_s=0.05, reconnect_longest_s=0.2, refused_s=0.5
)
MENU: Final = {
    "burger": ("grill", 995),
    "fries": ("fry", 350),
    "ale": ("bar", 480),
}


def until(condition: Callable[[], object], what: str, within: float = PATIENCE_S) -> None:
    """Wait until the condition holds; fail when it does not in time."""
    deadline, pause = time.monotonic() + within, 0.005
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {within:.0f} s"
        time.sleep(pause)
        pause = min(0.02, pause * 1.2)  # to look is work for what is looked at, too


def menu_items(
    prices: Mapping[str, tuple[str, int]], *, sold_out: Iterable[str] = ()
) -> list[MenuItem]:
    """Items by name, each with its station and its price in pence."""
    return [
        MenuItem(
            item=item,
            name=item.title(),
            station=station,
            price_minor=price,
            currency="GBP",
            available=item not in set(sold_out),
        )
        for item, (station, price) in prices.items()
    ]


class RunningSystem:
    """The services, on a broker and a database that are there already.

    Args:
        broker: runs.
        database_url: empty, or of an earlier run.
        clock: the services' time.
        alter: called with the assembled pieces before they run.
    """

    def __init__(
        self,
        broker: RunningBroker,
        database_url: str,
        *,
        clock: Clock = system_clock,
        alter: Callable[[Served], None] | None = None,
    ) -> None:
        self.broker: Final = broker
        self.database_url: Final = database_url
        self.served: Served
        self._clock = clock
        self._alter = alter
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._serving: Future[None] | None = None
        # The tests' own connections: what they change comes from outside, as from the CLI.
        self._outside = Database(database_url)
        self.call(upgrade(self._outside))

    # The services

    def start(self, *, wait: bool = True) -> Self:
        """Start the services; on return requests are handled."""

        async def build() -> Served:
            database = Database(self.database_url)
            doorkeeper: Callable[[Sweeper], Suspensions] | None = None
            if isinstance(self.broker, PrivateMosquitto):
                secret = self.broker.admin.secret
                doorkeeper = partial(Suspensions, database, self.broker.address, secret)
            return assemble(
                database,
                self.broker.address,
                self.broker.services.secret,
                accounts=self.broker.accounts,
                doorkeeper=doorkeeper,
                clock=self._clock,
            )

        self.served = self.call(build())
        if self._alter is not None:
            self._alter(self.served)
        self._serving = asyncio.run_coroutine_threadsafe(self._run(), self._loop)
        if wait:
            self.wait_ready()
        return self

    async def _run(self) -> None:
        try:
            await self.served.backbone.run()
        finally:
            await self.served.worker._database.close()

    def wait_ready(self) -> None:
        """Wait until requests are handled."""

        def ready() -> bool:
            assert self._serving is not None
            if self._serving.done():
                self._serving.result()
            return self.served.backbone.ready.is_set()

        until(ready, "the services' start")

    def stop(self) -> None:
        """End the services gracefully; they may be started again."""
        if self._serving is not None:
            self._loop.call_soon_threadsafe(self.served.backbone.stop)
            serving, self._serving = self._serving, None
            try:
                serving.result(PATIENCE_S)
            finally:
                serving.cancel()  # where it does not end: else it is there for tests to come

    def restart(self) -> None:
        """Stop the services and start them anew: nothing stays in their memory."""
        self.stop()
        self.start()

    @property
    def counts(self) -> Mapping[str, int]:
        """What the worker has counted since its start."""
        return self.served.worker.counts

    def close(self) -> None:
        """End everything."""
        try:
            self.stop()
        finally:
            self.call(self._outside.close())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(PATIENCE_S)
            self._loop.close()

    def call(self, doing: Coroutine[Any, Any, T], within: float = PATIENCE_S) -> T:
        """Do something on the system's own event loop."""
        return asyncio.run_coroutine_threadsafe(doing, self._loop).result(within)

    # The database, from outside

    def reading(self, read: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Read through a connection of the test's own."""

        async def doing() -> T:
            async with self._outside.read() as connection:
                return await read(connection)

        return self.call(doing())

    def writing(self, write: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Write through a connection of the test's own."""

        async def doing() -> T:
            async with self._outside.write() as connection:
                return await write(connection)

        return self.call(doing())

    def rows(self, table: Table, tenant: str) -> list[dict[str, Any]]:
        """All rows of a tenant, in the order of their keys: a database promises none by itself."""

        async def read(connection: AsyncConnection) -> list[dict[str, Any]]:
            mine = select(table).where(table.c.tenant == tenant)
            found = await connection.execute(mine.order_by(*table.primary_key))
            return [dict(row) for row in found.mappings()]

        return self.reading(read)

    def count(self, table: Table, tenant: str) -> int:
        """How many rows of a tenant there are."""

        async def read(connection: AsyncConnection) -> int:
            counted = select(func.count()).select_from(table).where(table.c.tenant == tenant)
            return int(await connection.scalar(counted) or 0)

        return self.reading(read)

    # Who is there

    def add_tenant(
        self, name: str | None = None, menu: Mapping[str, tuple[str, int]] = MENU
    ) -> RunningTenant:
        """A restaurant with a menu; without a name, one that nobody else has."""
        tenant = name or f"t-{uuid4().hex[:12]}"
        row = Tenant(tenant, tenant.title(), "GBP", system_clock())
        self.writing(lambda connection: add_tenant(connection, row))
        running = RunningTenant(self, tenant)
        running.put_menu(menu)
        return running


@dataclass
class RunningTenant:
    """One restaurant of a running system."""

    system: RunningSystem
    name: str
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def put_menu(
        self,
        prices: Mapping[str, tuple[str, int]],
        *,
        sold_out: Iterable[str] = (),
        replace: bool = True,
    ) -> None:
        """Change the menu from outside, as ``heard menu import`` does."""
        items = menu_items(prices, sold_out=sold_out)
        self.system.writing(
            lambda connection: put_menu(
                connection, self.name, items, system_clock(), replace=replace
            )
        )

    def add_device(self, role: Role, name: str | None = None) -> str:
        """Let a device in, at the broker and in the database; returns its name."""
        device = name or f"{role.value}-{next(self._numbers)}"
        secret = self.system.broker.add_device(self.name, device, role)
        now = system_clock()
        row = Device(self.name, device, role, None, now)
        hashed = SecretHash.of(secret)
        self.system.writing(lambda connection: place(connection, row, hashed, now))
        return device

    @contextmanager
    def speaker(self, role: Role = Role.POS, name: str | None = None) -> Iterator[Speaker]:
        """A device that says whatever the test wants, and reads the replies."""
        device = self.add_device(role, name)
        login = self.system.broker.login(self.name, device)
        with Speaker(self.system.broker.address, login, self.name, device) as speaking:
            yield speaking

    def options(self, role: Role, name: str | None = None) -> DeviceOptions:
        """What a device of `devices` takes by name."""
        device = self.add_device(role, name)
        secret = self.system.broker.login(self.name, device).secret
        return {"tenant": self.name, "device": device, "secret": secret, "patience": HASTY}

    @contextmanager
    def till(self, name: str | None = None, outbox: Path | None = None) -> Iterator[PointOfSale]:
        """A till that is online, with the whole menu."""
        address = self.system.broker.address
        options = self.options(Role.POS, name)
        options["outbox"] = outbox
        with PointOfSale(address.host, address.port, **options) as pos:
            until(lambda: pos.online and len(pos.menu) >= 1, "the till's menu")
            yield pos

    @contextmanager
    def display(self, station: str, name: str | None = None) -> Iterator[KitchenDisplay]:
        """A kitchen display that is online."""
        address = self.system.broker.address
        options = self.options(Role.KITCHEN_DISPLAY, name)
        with KitchenDisplay(address.host, address.port, station=station, **options) as screen:
            assert screen.wait_online(PATIENCE_S)
            yield screen

    def rows(self, table: Table) -> list[dict[str, Any]]:
        """All rows of this tenant."""
        return self.system.rows(table, self.name)

    def count(self, table: Table) -> int:
        """How many rows of this tenant there are."""
        return self.system.count(table, self.name)

    def identity(self, device: str, role: Role) -> Identity:
        """Who a device of this tenant is."""
        return Identity(self.name, device, role)


@contextmanager
def running_system(
    broker: RunningBroker, database_url: str, **options: Any
) -> Iterator[RunningSystem]:
    """Services that handle requests, ended at the end of the context."""
    system = RunningSystem(broker, database_url, **options)
    try:
        yield system.start()
    finally:
        with suppress(TimeoutError):
            system.close()
