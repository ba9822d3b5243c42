"""A whole `heard` in this process, with its gateway, broker and database, for tests of screens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx
from pydantic import SecretStr

from broker_config.secret import new_secret
from broker_config.settings import BrokerLogin
from cli.settings import BrokerKind, Settings
from cli.system import System
from schemas.devices import Role
from schemas.gateway import Session
from schemas.people import PersonRole
from services.people import store
from services.people.accounts import Accounts, EmbeddedAccounts, MosquittoAccounts
from services.people.admission import Admission
from services.people.credentials import of_device
from services.people.passwords import Passwords
from services.people.seal import Seal
from services.people.staffing import Staffing
from services.people.store import Device, Tenant
from services.runtime.database import Database
from services.runtime.moment import system_clock
from services.runtime.tables import NO_TENANT
from tests.brokers import PrivateMosquitto
from tests.mqtt_client import ConnectionRefused, MqttClient
from tests.patience import PATIENCE_S

T = TypeVar("T")

PASSWORD: Final = "quiet lemon staircase"


class House:
    """`heard up` (or `heard serve` on a Mosquitto), two restaurants and their people.

    Args:
        home: an empty folder.
        mosquitto: None for the embedded broker.
        database_url: None for SQLite in the home folder.
        settings: others.
    """

    def __init__(
        self,
        home: Path,
        mosquitto: PrivateMosquitto | None = None,
        database_url: str | None = None,
        **settings: Any,
    ) -> None:
        seal = new_secret()
        of_broker: dict[str, Any] = {"broker_port": 0}
        if mosquitto is not None:
            of_broker = {
                "broker": BrokerKind.MOSQUITTO,
                "broker_port": mosquitto.port,
                "services_secret": SecretStr(mosquitto.services.secret),
                "admin_secret": SecretStr(mosquitto.admin.secret),
            }
        self.settings: Final = Settings.load(
            home=home, database=database_url, gateway_port=0, seal_key=SecretStr(seal),
            **{**of_broker, **settings},
        )  # fmt: skip
        self.system: Final = System(self.settings, migrate=True)
        self._seal: Final = Seal(seal)
        self._mosquitto: Final = mosquitto

    def start(self) -> House:
        """Start, with everybody there."""
        self.system.start()
        assert self.system.wait_serving(PATIENCE_S)

        async def people(database: Database) -> None:
            async with database.write() as connection:
                for tenant in ("napoli", "roma"):
                    now = system_clock()
                    await store.add_tenant(connection, Tenant(tenant, tenant.title(), "EUR", now))

        self.call(people)
        for tenant, person, role in (
            ("napoli", "ada", PersonRole.MANAGER),
            ("roma", "ada", PersonRole.MANAGER),
            ("roma", "bob", PersonRole.COOK),
            (NO_TENANT, "olga", PersonRole.OPERATOR),
        ):
            self.add_person(tenant, person, role)
        return self

    def add_person(self, tenant: str, person: str, role: PersonRole) -> None:
        """Let a person log in, with the password that all have."""
        self.staff(lambda s: s.add(tenant, person, f"{person} of {tenant}", role, PASSWORD))

    def call(self, do: Callable[[Database], Awaitable[T]]) -> T:
        """Do something from outside, as another process would."""

        async def inside() -> T:
            database = Database(self.settings.database_url)
            try:
                return await do(database)
            finally:
                await database.close()

        return asyncio.run(inside())

    def admission(self, database: Database) -> Admission:
        """What lets devices in from outside."""
        accounts: Accounts = EmbeddedAccounts()
        if self._mosquitto is not None:
            accounts = MosquittoAccounts(self.system.address, self._mosquitto.admin.secret)
        return Admission(database, accounts, "cli:test")

    def staff(self, do: Callable[[Staffing], Awaitable[T]]) -> T:
        """Do something with people from outside, as the command line does."""

        async def inside(database: Database) -> T:
            passwords = Passwords()
            try:
                return await do(Staffing(self.admission(database), passwords, self._seal))
            finally:
                passwords.close()

        return self.call(inside)

    def add_device(self, device: str, role: Role, tenant: str = "roma") -> BrokerLogin:
        """Let a device in that stands for itself."""

        async def admit(database: Database) -> BrokerLogin:
            row = Device(tenant, device, role, None, system_clock())
            (account,) = await self.admission(database).admit([row])
            return BrokerLogin(username=account.username, secret=account.secret)

        return self.call(admit)

    def http(self, token: str | None = None) -> httpx.Client:
        """A client of the gateway."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx.Client(base_url=self.system.gateway_url, headers=headers, timeout=PATIENCE_S)

    def log_in(
        self, person: str = "ada", tenant: str = "roma", *, operator: bool = False
    ) -> Session:
        """Log in over HTTP."""
        asked = {"tenant": tenant, "person": person, "password": PASSWORD, "operator": operator}
        with self.http() as client:
            answer = client.post("/v1/login", json=asked)
        assert answer.status_code == 200, answer.text
        return Session.model_validate_json(answer.content)

    def renew(self, session: Session) -> Session:
        """Renew over HTTP."""
        with self.http(session.token) as client:
            answer = client.post("/v1/renew")
        assert answer.status_code == 200, answer.text
        return Session.model_validate_json(answer.content)

    def serials(self, device: str, tenant: str = "roma") -> set[int]:
        """The secrets that a device has now; one that is gone has ended at the broker, too."""

        async def read(database: Database) -> set[int]:
            async with database.read() as connection:
                return {each.serial for each in await of_device(connection, tenant, device)}

        return self.call(read)

    def status(self, token: str) -> int:
        """What the gateway says to a token."""
        with self.http(token) as client:
            return client.get("/v1/me").status_code

    def screen(self, session: Session, **options: Any) -> MqttClient:
        """The screen at the broker, with its token for a password."""
        return self.client(session.username, session.token, **options)

    def client(self, username: str, secret: str, **options: Any) -> MqttClient:
        """Anybody at the broker."""
        login = BrokerLogin(username=username, secret=secret)
        return MqttClient(self.system.address, login, **options)

    def lets_in(self, username: str, secret: str, **options: Any) -> bool:
        """Whether the broker lets somebody in."""
        try:
            with self.client(username, secret, **options):
                return True
        except ConnectionRefused:
            return False


Start = Callable[..., House]
"""Starts a house with settings of the test's own: see the fixture `start_house`."""
