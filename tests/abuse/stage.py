"""Where the attempts take place: a broker, the real services, a victim and an attacker.

`tb` is the victim: a till and a kitchen display that are at work, and an ear, a manager's
device that hears all of its tenant. `ta` is the attacker's tenant, with an ear too, and
`ta2` is one whose name begins like it.
"""

from __future__ import annotations

import ctypes
import gc
import itertools
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self
from uuid import uuid4

import psutil
import structlog

from broker_config.settings import BrokerLogin
from cli.logs import configure
from cli.settings import LogFormat
from schemas.devices import Role
from tests.abuse.desk import Desk
from tests.abuse.embedded_house import EmbeddedOnDatabase
from tests.brokers import EmbeddedInTest, PrivateMosquitto, RunningBroker
from tests.mqtt_client import MqttClient
from tests.system import RunningSystem, RunningTenant

VICTIM: Final = "tb"
ATTACKER: Final = "ta"
LOOKALIKE: Final = "ta2"
STATION: Final = "grill"
ITEM: Final = "burger"

MARK: Final = b"planted by ta"
"""Stands in whatever the attacker sends: it must reach nobody of the victim's."""


@dataclass(frozen=True, slots=True)
class Account:
    """A device that may connect."""

    tenant: str
    device: str
    login: BrokerLogin


class Stage:
    """One broker with everything on it, until `close`.

    Args:
        kind: which broker.
        home: an empty folder.
    """

    def __init__(self, kind: str, home: Path) -> None:
        self.kind: Final = kind
        self._home = home
        self._numbers = itertools.count(1)
        self._desks: dict[float, Desk] = {}
        self._stack = ExitStack()
        self.broker: RunningBroker
        with self._stack, self.logging():
            url = f"sqlite+aiosqlite:///{home / 'heard.db'}"
            if kind == "embedded":
                embedded = EmbeddedOnDatabase(url)
                self._stack.callback(embedded.close)
                self.broker = embedded
            else:
                mosquitto = PrivateMosquitto(home / "mosquitto")
                self._stack.callback(mosquitto.kill)
                self.broker = mosquitto
            self.system = RunningSystem(self.broker, url)
            self._stack.callback(self._end_system)
            self.system.start()
            if isinstance(self.broker, EmbeddedOnDatabase):
                self.broker.watch()
            self.victim = self.system.add_tenant(VICTIM)
            self.attacker = self.system.add_tenant(ATTACKER)
            self.lookalike = self.system.add_tenant(LOOKALIKE)
            self.till = self._stack.enter_context(self.victim.till("pos-1"))
            self.screen = self._stack.enter_context(self.victim.display(STATION, "kds-1"))
            self.ear = self._ear(self.victim)
            self.attackers_ear = self._ear(self.attacker)
            self._kept = self._stack.pop_all()

    def _ear(self, tenant: RunningTenant) -> MqttClient:
        device = tenant.add_device(Role.MANAGER, "ear")
        login = self.broker.login(tenant.name, device)
        ear = self._stack.enter_context(MqttClient(self.broker.address, login))
        assert ear.subscribe(f"heard/v1/{tenant.name}/#") == 1
        return ear

    def _end_system(self) -> None:
        with suppress(TimeoutError):
            self.system.close()

    def close(self) -> None:
        """End everything."""
        with self.logging():
            for desk in self._desks.values():
                desk.close()
            self._kept.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Who there is

    def account(self, tenant: RunningTenant, role: Role, device: str | None = None) -> Account:
        """A new device of a tenant."""
        name = device or f"{role.value}-x{next(self._numbers)}"
        tenant.add_device(role, name)
        return Account(tenant.name, name, self.broker.login(tenant.name, name))

    def desk(self, token_s: float) -> Desk:
        """Where people log in, and get tokens of this lifetime."""
        if token_s not in self._desks:
            tenants = (VICTIM, ATTACKER)
            self._desks[token_s] = Desk(self.system, self._home, tenants, token_s)
        return self._desks[token_s]

    def revoke(self, *accounts: Account) -> None:
        """Put devices of one tenant out for good, as the services do."""
        (tenant,) = {each.tenant for each in accounts}
        admission = self.system.served.admission
        self.system.call(admission.revoke(tenant, [each.device for each in accounts]))

    # What is looked at

    @property
    def process(self) -> psutil.Process:
        """The process in which the broker runs."""
        pid = self.broker.pid if isinstance(self.broker, PrivateMosquitto) else None
        return psutil.Process(pid)

    @property
    def alive(self) -> bool:
        """Whether the broker runs."""
        if isinstance(self.broker, EmbeddedInTest):
            thread = self.broker.broker._thread
            return thread is not None and thread.is_alive()
        return bool(self.process.is_running()) and self.process.status() != psutil.STATUS_ZOMBIE

    def memory(self) -> int:
        """Bytes that the broker's process holds; what it could give back is given back."""
        if self.kind == "embedded":
            gc.collect()
            ctypes.CDLL(None).malloc_trim(0)
        return int(self.process.memory_info().rss)

    def log(self) -> dict[str, str]:
        """All that broker and services have logged, by the name of the log."""
        paths = {"services": self._home / "heard.log"}
        if self.kind == "mosquitto":
            paths["mosquitto"] = self._home / "mosquitto" / "mosquitto.log"
        return {
            name: path.read_text(errors="replace") if path.exists() else ""
            for name, path in paths.items()
        }

    @contextmanager
    def logging(self) -> Iterator[None]:
        """Log as `heard serve` does by default, into a file."""
        root = logging.getLogger()
        level = root.level
        configure("info", LogFormat.JSON, file=self._home / "heard.log")
        try:
            yield
        finally:
            for handler in list(root.handlers):
                if getattr(handler, "heard", False):
                    root.removeHandler(handler)
                    handler.close()
            root.setLevel(level)
            structlog.reset_defaults()


class Stages:
    """The stages that the cases of one worker share: each is built when it is first asked for.

    Args:
        home: an empty folder.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._built: dict[str, Stage] = {}
        self._failed: dict[str, Exception] = {}

    def get(self, kind: str) -> Stage:
        """The shared stage on a broker; one that could not be built is not tried again."""
        if kind in self._failed:
            raise self._failed[kind]
        if kind not in self._built:
            home = self._home / f"{kind}-{uuid4().hex[:6]}"
            home.mkdir()
            try:
                self._built[kind] = Stage(kind, home)
            except Exception as error:
                self._failed[kind] = error
                raise
        return self._built[kind]

    def close(self) -> None:
        """End them all."""
        for stage in self._built.values():
            stage.close()
