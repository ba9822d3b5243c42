"""What runs stand on: brokers that can be killed, databases that can be stopped."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import time
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeVar
from uuid import uuid4

import uvloop

from broker_config.access import SERVICES_USERNAME, Identity
from broker_config.secret import SecretHash, new_secret
from broker_config.settings import BrokerAddress, BrokerLogin, BrokerSettings
from schemas.devices import Role
from schemas.house_rules import OrderRules, PaymentRule
from schemas.menu import MenuItem
from services.menu.handlers import put_menu
from services.migrations.upgrade import upgrade
from services.orders import providers
from services.people.credentials import place
from services.people.store import Device, Tenant, add_tenant
from services.runtime import house_rules
from services.runtime.database import Database
from services.runtime.moment import system_clock
from services.runtime.signatures import new_signing_secret
from tests.brokers import BrokerDidNotStart, PrivateMosquitto
from tests.faults.cut import Link
from tests.faults.plan import MENU, PROVIDER, Stack
from tests.patience import PATIENCE_S
from tests.ports import quiet_port
from tests.postgres import PostgresCluster

TENANT: Final = "roma"
TILL: Final = "till"
WITNESS: Final = "witness"
INSPECTOR: Final = "heard-inspector"
STATIONS: Final = tuple(sorted({station for station, _ in MENU.values()}))
DEVICES: Final[Mapping[str, Role]] = {
    TILL: Role.POS,
    WITNESS: Role.MANAGER,
    **dict.fromkeys((f"screen-{station}" for station in STATIONS), Role.KITCHEN_DISPLAY),
}

T = TypeVar("T")


def run(doing: Coroutine[Any, Any, T]) -> T:
    """Do something asynchronous on a loop of its own, leaving pytest's alone."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(doing)


class Ground:
    """What all runs of a worker share: secrets, furnished databases to copy, a PostgreSQL.

    Args:
        directory: for its files.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._stack = ExitStack()
        self.signing_secret: Final = new_signing_secret()
        self.secrets: Final = {
            name: new_secret() for name in (*DEVICES, SERVICES_USERNAME, INSPECTOR)
        }

    def close(self) -> None:
        """Stop what was started."""
        self._stack.close()

    @cached_property
    def cluster(self) -> PostgresCluster:
        """A cluster of this worker's own, which runs may stop: they come one after another."""
        return self._stack.enter_context(PostgresCluster.running())

    @cached_property
    def furnished_file(self) -> Path:
        """An SQLite database with the restaurant in it, to be copied."""
        path = self._directory / "furnished.db"
        run(self._furnish(f"sqlite:///{path}"))
        return path

    @cached_property
    def furnished_name(self) -> str:
        """The same on PostgreSQL."""
        name = "furnished"
        self.cluster.execute(f"CREATE DATABASE {name}")
        run(self._furnish(self.cluster.url(name)))
        return name

    async def _furnish(self, url: str) -> None:
        database = Database(url)
        now = system_clock()
        items = [
            MenuItem(
                item=item, name=item.title(), station=station, price_minor=price, currency="GBP"
            )
            for item, (station, price) in MENU.items()
        ]
        try:
            await upgrade(database)
            async with database.write() as connection:
                await add_tenant(connection, Tenant(TENANT, "Roma", "GBP", now))
                await put_menu(connection, TENANT, items, now, replace=True)
                await providers.add(
                    connection, TENANT, PROVIDER, self.signing_secret,
                    seal_it=bytes.decode, actor="tests", now=now,
                )  # fmt: skip
                for name, role in DEVICES.items():
                    secret = SecretHash.of(self.secrets[name])
                    await place(connection, Device(TENANT, name, role, None, now), secret, now)
        finally:
            await database.close()


class Store(ABC):
    """A database of one run's own, and what can be done to it.

    Attributes:
        url: its address, for whoever looks at it.
        link: the services' way to it, if it is not a file.
    """

    url: str
    link: Link | None = None

    @property
    def services_url(self) -> str:
        """Its address for the services."""
        return self.url

    @abstractmethod
    def stop(self) -> None:
        """Take it away: nobody can read or write."""

    @abstractmethod
    def start(self) -> None:
        """Bring it back; if it is there, nothing happens."""

    @abstractmethod
    def drop_all(self) -> None:
        """Break every connection to it, where it has any."""

    @abstractmethod
    def close(self) -> None:
        """Remove it."""


class SqliteStore(Store):
    """An SQLite file; it goes away when another process writes, and does not end."""

    def __init__(self, ground: Ground, directory: Path) -> None:
        path = directory / "heard.db"
        shutil.copy(ground.furnished_file, path)
        self.url = f"sqlite:///{path}"
        self._path = path
        self._writer: sqlite3.Connection | None = None

    def stop(self) -> None:
        if self._writer is None:
            self._writer = sqlite3.connect(self._path, timeout=PATIENCE_S, isolation_level=None)
            self._writer.execute("BEGIN IMMEDIATE")

    def start(self) -> None:
        if self._writer is not None:
            self._writer.execute("ROLLBACK")
            self._writer.close()
            self._writer = None

    def drop_all(self) -> None:
        return  # a file: there is nothing between it and its readers

    def close(self) -> None:
        self.start()


class PostgresStore(Store):
    """A database in the worker's own cluster; to take it away, the whole server is stopped."""

    def __init__(self, ground: Ground) -> None:
        self._cluster = ground.cluster
        self._name = f"heard_{uuid4().hex}"
        self._stopped = False
        self._cluster.execute(f"CREATE DATABASE {self._name} TEMPLATE {ground.furnished_name}")
        self.url = self._cluster.url(self._name)
        self.link = Link(self._cluster.directory / ".s.PGSQL.5432")
        self.link.__enter__()

    @property
    def services_url(self) -> str:
        assert self.link is not None
        return f"postgresql+asyncpg://heard@127.0.0.1:{self.link.port}/{self._name}"

    def stop(self) -> None:
        if not self._stopped:
            self._stopped = True
            self._cluster.stop("immediate")

    def start(self) -> None:
        if self._stopped:
            self._cluster.start()
            self._stopped = False

    def drop_all(self) -> None:
        if not self._stopped:
            self._cluster.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"  # noqa: S608 - our own name
                f" WHERE datname = '{self._name}'"
            )

    def close(self) -> None:
        if self.link is not None:
            self.link.__exit__()
        self.start()
        self._cluster.execute(f"DROP DATABASE {self._name} WITH (FORCE)")


class Footing:
    """One run's broker and database, and the ways to them.

    Args:
        kind: which.
        ground: what the worker's runs share.
        directory: of this run alone.
        pays_first: the house's rule: nothing is cooked that is not paid.
    """

    def __init__(
        self, kind: Stack, ground: Ground, directory: Path, *, pays_first: bool = False
    ) -> None:
        self.kind: Final = kind
        self.pays_first: Final = pays_first
        self.signing_secret: Final = ground.signing_secret
        self.secrets: Final = ground.secrets
        self.directory: Final = directory
        self.store: Final[Store] = (
            PostgresStore(ground) if kind is Stack.SERVERS else SqliteStore(ground, directory)
        )
        if pays_first:
            run(_ask_for_money_first(self.store.url))
        self.mosquitto: Final = None if kind is Stack.EMBEDDED else self._mosquitto()
        self.port: Final = quiet_port() if self.mosquitto is None else self.mosquitto.port
        """Where the broker itself listens."""
        self._down = False

    def _mosquitto(self) -> PrivateMosquitto:
        broker = PrivateMosquitto(self.directory / "mosquitto")
        for name, role in DEVICES.items():
            broker.add_device_with(Identity(TENANT, name, role), self.secrets[name])
        broker.add_device_with(Identity.service(INSPECTOR), self.secrets[INSPECTOR])
        return broker

    @property
    def services_secret(self) -> str:
        """The services' password at the broker."""
        if self.mosquitto is None:
            return self.secrets[SERVICES_USERNAME]
        return self.mosquitto.services.secret

    @property
    def inspector(self) -> BrokerSettings:
        """How a second account of services connects, which disturbs nobody."""
        login = BrokerLogin(username=INSPECTOR, secret=self.secrets[INSPECTOR])
        return BrokerSettings(address=BrokerAddress(port=self.port), login=login)

    def kill_broker(self, *, forget: bool = False) -> None:
        """Kill Mosquitto; with `forget` all that it kept is lost as well."""
        if self.mosquitto is None or self._down:
            return
        self._down = True
        self.mosquitto.kill()
        if forget:
            for kept in self.mosquitto.mosquitto_settings.directory.glob("mosquitto.db*"):
                kept.unlink()

    def restart_broker(self) -> None:
        """Start Mosquitto again, if it was killed, on the same port."""
        if self.mosquitto is None or not self._down:
            return
        deadline = time.monotonic() + PATIENCE_S
        while True:  # somebody's passing connection may hold the port for an instant
            try:
                self.mosquitto.restart()
            except BrokerDidNotStart:
                if time.monotonic() > deadline:
                    raise
            else:
                self._down = False
                return

    def close(self) -> None:
        """End all of it."""
        if self.mosquitto is not None:
            self.mosquitto.kill()
        self.store.close()


@contextmanager
def footing(
    kind: Stack, ground: Ground, directory: Path, *, pays_first: bool = False
) -> Iterator[Footing]:
    """A broker and a database for one run."""
    standing = Footing(kind, ground, directory, pays_first=pays_first)
    try:
        yield standing
    finally:
        standing.close()


async def _ask_for_money_first(url: str) -> None:
    database = Database(url)
    try:
        async with database.write() as connection:
            rules = OrderRules(payment=PaymentRule.BEFORE_KITCHEN)
            await house_rules.write(connection, TENANT, orders=rules)
    finally:
        await database.close()
