"""Real brokers for tests: the embedded one, and a private Mosquitto.

Fixtures (this module is a pytest plugin, see ``tests/conftest.py``):

- ``any_broker``: the test runs once on each;
- ``embedded_broker``, ``mosquitto_broker``: one of them.

All calls are plain, not async, and come back when what they say is so: an account that
was added can connect, a killed broker is dead, a restarted one takes connections (on
the same port, with the same accounts, and with what it kept). They may be used in
async tests as well: the embedded broker has event loops of its own.

    def test_a_till_is_answered(any_broker: RunningBroker) -> None:
        any_broker.add_device("roma", "pos-1", Role.POS)
        with MqttClient(any_broker.address, any_broker.login("roma", "pos-1")) as till:
            ...
        any_broker.kill()
        any_broker.restart()
"""

from __future__ import annotations

import asyncio
import atexit
import getpass
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from broker_config import dynamic_security
from broker_config.access import (
    ADMIN_USERNAME,
    SERVICES_USERNAME,
    Credential,
    Identity,
    service_credentials,
    username_of,
)
from broker_config.capabilities import MOSQUITTO, Capabilities
from broker_config.embedded import EmbeddedBroker
from broker_config.embedded_refusals import Kind
from broker_config.limits import BrokerLimits
from broker_config.mosquitto import render, write
from broker_config.mosquitto_conf import MosquittoSettings
from broker_config.secret import SecretHash, new_secret
from broker_config.settings import BrokerAddress, BrokerLogin, BrokerSettings
from schemas.devices import Role
from services.people.accounts import Account, Accounts, MosquittoAccounts
from tests.mqtt_client import MqttClient
from tests.patience import PATIENCE_S
from tests.ports import quiet_port


class BrokerDidNotStart(RuntimeError):
    """A broker that a test needs is missing, or took no connections in time."""


class RunningBroker(ABC):
    """A broker that runs, with the services' account in it."""

    capabilities: Capabilities

    def __init__(self) -> None:
        self._secrets = {SERVICES_USERNAME: new_secret()}

    @property
    @abstractmethod
    def port(self) -> int:
        """Where it listens; the same after a restart."""

    @property
    def host(self) -> str:
        """The address it listens on."""
        return "127.0.0.1"

    @property
    def address(self) -> BrokerAddress:
        """Host and port, as services and devices take them."""
        return BrokerAddress(host=self.host, port=self.port)

    @property
    def services(self) -> BrokerLogin:
        """The services' account, which sees every tenant."""
        return BrokerLogin(username=SERVICES_USERNAME, secret=self._secrets[SERVICES_USERNAME])

    @property
    @abstractmethod
    def accounts(self) -> Accounts:
        """By which the services change accounts."""

    def login(self, tenant: str, device: str) -> BrokerLogin:
        """The account of a device that was added."""
        name = username_of(tenant, device)
        return BrokerLogin(username=name, secret=self._secrets[name])

    def settings(self, login: BrokerLogin) -> BrokerSettings:
        """All that a client needs to connect with this account."""
        return BrokerSettings(address=self.address, login=login)

    def add_device(self, tenant: str, device: str, role: Role) -> str:
        """Let a device in, on the running broker; returns its secret."""
        secret = new_secret()
        self._add([(Identity(tenant, device, role), secret)])
        return secret

    def add_devices(self, identities: Iterable[Identity]) -> None:
        """Let many devices in at once."""
        self._add([(identity, new_secret()) for identity in identities])

    def add_device_with(self, identity: Identity, secret: str) -> None:
        """Let a device in whose secret was made elsewhere."""
        self._add([(identity, secret)])

    def _add(self, devices: list[tuple[Identity, str]]) -> None:
        self._do_add(devices)
        self._secrets |= {identity.client_id: secret for identity, secret in devices}

    @abstractmethod
    def _do_add(self, devices: list[tuple[Identity, str]]) -> None: ...

    @abstractmethod
    def rotate(self, tenant: str, device: str) -> str:
        """Give a device a new secret, and put out who holds the old one; returns the new one."""

    @abstractmethod
    def revoke(self, tenant: str, device: str) -> None:
        """Put a device out for good."""

    @abstractmethod
    def stop(self) -> None:
        """Stop cleanly."""

    @abstractmethod
    def kill(self) -> None:
        """End it as ``kill -9`` does: nothing is said, nothing is saved."""

    @abstractmethod
    def restart(self) -> None:
        """Start it again on the same port, after `stop` or `kill`; else stop it first."""


class PrivateMosquitto(RunningBroker):
    """A Mosquitto process of the test's own, its data in `directory`."""

    capabilities = MOSQUITTO

    def __init__(self, directory: Path, **settings: Any) -> None:
        super().__init__()
        self._admin = BrokerLogin(username=ADMIN_USERNAME, secret=new_secret())
        self._directory = directory
        self._given = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0
        for _ in range(5):  # somebody else may take the free port before Mosquitto does
            self._port = quiet_port()
            self._render()
            with suppress(BrokerDidNotStart):
                self._start()
                return
        self._start()

    def _render(self) -> None:
        settings = MosquittoSettings(
            directory=self._directory,
            port=self._port,
            # Root's Mosquitto would become a user who may not enter the test's directory.
            user=getpass.getuser() if os.geteuid() == 0 else None,
            **self._given,
        )
        rendered = render(
            settings,
            admin=SecretHash.of(self._admin.secret),
            credentials=service_credentials(self.services.secret),
        )
        write(rendered, settings, replace_security=True)
        self.mosquitto_settings = settings

    def _start(self) -> None:
        binary = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if binary is None:
            raise BrokerDidNotStart("Mosquitto is not on this machine: `make test` brings it")
        with (self._directory / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen(
                [binary, "-c", str(self.mosquitto_settings.conf_path)],
                stdout=log,
                stderr=log,
            )
        atexit.register(self.kill)
        deadline = time.monotonic() + PATIENCE_S
        while not _takes_connections(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                said = (self._directory / "mosquitto.log").read_text()[-2000:]
                raise BrokerDidNotStart(f"Mosquitto did not start: {said}")
            time.sleep(0.005)

    @property
    def port(self) -> int:
        return self._port

    @property
    def pid(self) -> int:
        """The process, while it runs."""
        assert self._process is not None
        return self._process.pid

    @property
    def accounts(self) -> Accounts:
        return MosquittoAccounts(self.address, self._admin.secret)

    @property
    def admin(self) -> BrokerLogin:
        """The account that may change accounts."""
        return self._admin

    def command(self, *commands: dynamic_security.Command) -> list[dynamic_security.Json]:
        """Do dynamic security commands, as the services do; returns Mosquitto's answers."""
        found: list[dynamic_security.Json] = []
        with MqttClient(self.address, self._admin) as admin:
            admin.subscribe(dynamic_security.RESPONSE_TOPIC)
            for batch in dynamic_security.batches(commands, correlation=uuid4().hex):
                admin.publish(dynamic_security.REQUEST_TOPIC, batch.payload)
                answers = None
                while answers is None:
                    answers = dynamic_security.answers(batch, admin.next_message().payload)
                found += answers
        return found

    def _do_add(self, devices: list[tuple[Identity, str]]) -> None:
        self.command(
            *(
                one
                for identity, secret in devices
                for one in (
                    *dynamic_security.revoke(identity.client_id),
                    *dynamic_security.add(identity, secret),
                )
            )
        )

    def rotate(self, tenant: str, device: str) -> str:
        name, secret = username_of(tenant, device), new_secret()
        command = {"command": "setClientPassword", "username": name, "password": secret}
        self.command(dynamic_security.Command(command))
        self._secrets[name] = secret
        return secret

    def revoke(self, tenant: str, device: str) -> None:
        self.command(*dynamic_security.revoke(username_of(tenant, device)))

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        atexit.unregister(self.kill)
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(PATIENCE_S)
            self._process = None

    def restart(self) -> None:
        self.stop()
        self._start()


class AccountsByHand:
    """The embedded broker's accounts where its directory is a dictionary, not the database."""

    def __init__(self, running: EmbeddedInTest, accounts: dict[str, Credential]) -> None:
        self._running = running
        self._accounts = accounts

    async def admit(self, accounts: Sequence[Account], *, anew: bool) -> None:
        for each in accounts:
            if anew:
                await self.dismiss([(each.identity, range(1, 10))])
            secret = SecretHash.of(each.secret)
            self._accounts[each.username] = Credential(each.identity, secret, each.serial)

    async def withdraw(self, usernames: Iterable[str]) -> None:
        for each in usernames:
            self._accounts.pop(each, None)
            await asyncio.to_thread(self._running.withdraw, each)

    async def dismiss(self, devices: Iterable[tuple[Identity, Sequence[int]]]) -> None:
        for identity, serials in devices:
            for serial in serials:
                self._accounts.pop(identity.username(serial), None)
            await asyncio.to_thread(self._running.put_out, identity.client_id)

    async def change_rights(self, identity: Identity, serials: Sequence[int]) -> None:
        for serial in serials:
            known = self._accounts[identity.username(serial)]
            self._accounts[known.username] = replace(known, identity=identity)
        await asyncio.to_thread(self._running.put_out, identity.client_id)


class EmbeddedInTest(RunningBroker):
    """The embedded broker; its directory of accounts is a dictionary."""

    capabilities = EmbeddedBroker.capabilities

    def __init__(
        self,
        limits: BrokerLimits | None = None,
        on_exceeded: Callable[[str, Kind], None] | None = None,
    ) -> None:
        super().__init__()
        self._accounts: dict[str, Credential] = {}
        self._by_hand = AccountsByHand(self, self._accounts)
        self._home = asyncio.new_event_loop()
        self._home_thread = threading.Thread(target=self._home.run_forever, daemon=True)
        self._home_thread.start()
        ours = service_credentials(self.services.secret)
        self._accounts |= {each.username: each for each in ours}
        self._options: dict[str, Any] = {"limits": limits, "on_exceeded": on_exceeded}
        for _ in range(4):  # somebody else may take the port before it does
            with suppress(OSError):
                self._begin()
                return
        self._begin()

    def _begin(self) -> None:
        # A port that stays free while it is down, so that it can be had again.
        self._port = quiet_port()
        self.broker = EmbeddedBroker(self, port=self._port, **self._options)
        self._run(self.broker.start())

    def _run(self, doing: Coroutine[Any, Any, object]) -> None:
        asyncio.run_coroutine_threadsafe(doing, self._home).result(PATIENCE_S)

    @property
    def accounts(self) -> Accounts:
        return self._by_hand

    async def find(self, username: str) -> Credential | None:
        """Answer the embedded broker: who is this?"""
        return self._accounts.get(username)

    @property
    def port(self) -> int:
        return self._port

    def _do_add(self, devices: list[tuple[Identity, str]]) -> None:
        for identity, secret in devices:
            self._accounts[identity.client_id] = Credential(identity, SecretHash.of(secret))

    def rotate(self, tenant: str, device: str) -> str:
        name, secret = username_of(tenant, device), new_secret()
        self._accounts[name] = Credential(self._accounts[name].identity, SecretHash.of(secret))
        self._secrets[name] = secret
        self._run(self.broker.put_out(name))
        return secret

    def revoke(self, tenant: str, device: str) -> None:
        name = username_of(tenant, device)
        del self._accounts[name]
        self._run(self.broker.put_out(name))

    def put_out(self, client_id: str) -> None:
        """End a client's connection and session."""
        self._run(self.broker.put_out(client_id))

    def withdraw(self, username: str) -> None:
        """End the connection on one account."""
        self._run(self.broker.withdraw(username))

    def stop(self) -> None:
        self._run(self.broker.stop())

    def kill(self) -> None:
        # It keeps nothing and says nothing when it stops, so that both ends are one.
        self.stop()

    def restart(self) -> None:
        self.stop()
        self.broker = EmbeddedBroker(self, port=self._port, **self._options)
        self._run(self.broker.start())

    def close(self) -> None:
        """Stop it, and the loop on which its accounts are looked up."""
        self.stop()
        self._home.call_soon_threadsafe(self._home.stop)
        self._home_thread.join(PATIENCE_S)
        self._home.close()


def _takes_connections(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@pytest.fixture
def mosquitto_broker(tmp_path: Path) -> Iterator[PrivateMosquitto]:
    """A private Mosquitto on a free port."""
    try:
        broker = PrivateMosquitto(tmp_path / "mosquitto")
    except BrokerDidNotStart as error:
        pytest.fail(str(error), pytrace=False)
    yield broker
    broker.kill()


@pytest.fixture
def embedded_broker() -> Iterator[EmbeddedInTest]:
    """The embedded broker on a free port."""
    broker = EmbeddedInTest()
    yield broker
    broker.close()


@pytest.fixture(params=["embedded", "mosquitto"])
def any_broker(request: pytest.FixtureRequest) -> RunningBroker:
    """Each broker in turn."""
    broker: RunningBroker = request.getfixturevalue(f"{request.param}_broker")
    return broker
