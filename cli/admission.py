"""Letting devices in and putting them out: in the database, and on a Mosquitto at once.

The embedded broker asks the database by itself; see `services.people.watch`.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, TypedDict

from broker_config import dynamic_security
from broker_config.access import Identity, username_of
from broker_config.dynamic_security import Command
from broker_config.secret import SecretHash, new_secret
from broker_config.settings import BrokerAddress, BrokerLogin, BrokerSettings
from cli.application import Application
from cli.compose import state_router
from cli.files import admin_secret
from schemas.devices import Role
from schemas.identifiers import new_id
from services.people import store
from services.people.control import command
from services.people.leaving import dismiss_device, dismiss_expired, dismiss_tenant
from services.people.store import Device
from services.runtime.database import Database
from services.runtime.moment import system_clock

TRANSIENT: Final = timedelta(hours=12)
"""How long a device that a command makes for itself may live, should the command die."""


class Login(TypedDict):
    """Who a device is, as `devices.options.DeviceOptions` names it."""

    tenant: str
    device: str
    secret: str
    tls: ssl.SSLContext | None
    plaintext: bool


@dataclass(frozen=True, slots=True)
class Admitted:
    """A device that may connect."""

    tenant: str
    device: str
    secret: str = field(repr=False)
    address: BrokerAddress

    def options(self) -> Login:
        """What `devices` take by name."""
        return {
            "tenant": self.tenant,
            "device": self.device,
            "secret": self.secret,
            "tls": self.tls,
            "plaintext": self.address.plaintext,
        }

    @property
    def tls(self) -> ssl.SSLContext | None:
        """What checks the broker's certificate."""
        return self.address.tls_context()

    def settings(self) -> BrokerSettings:
        """What the bus takes."""
        login = BrokerLogin(username=username_of(self.tenant, self.device), secret=self.secret)
        return BrokerSettings(address=self.address, login=login)


async def tell_broker(app: Application, commands: Iterable[Command]) -> None:
    """Change accounts on the running Mosquitto; nothing to do for the embedded broker."""
    wanted = tuple(commands)
    if not app.embedded and wanted:
        await command(app.address(), admin_secret(app.settings), wanted)


async def admit(
    app: Application, database: Database, wanted: Sequence[Device], secrets: Sequence[str] = ()
) -> list[str]:
    """Let devices in, or give those that exist a new secret; returns the secrets.

    The rows are kept only when the broker has taken the accounts too.

    Raises:
        Unknown: there is no such tenant.
        ConnectionLost: Mosquitto cannot be reached.
    """
    given = list(secrets) or [new_secret() for _ in wanted]
    commands: list[Command] = []
    async with database.write() as connection:
        gone = await dismiss_expired(connection, system_clock())
        for each in gone:
            commands += dynamic_security.revoke(username_of(each.tenant, each.device))
        for device, secret in zip(wanted, given, strict=True):
            await store.put_device(connection, device, SecretHash.of(secret))
            identity = Identity(device.tenant, device.device, device.role)
            commands += dynamic_security.add(identity, secret)
        await tell_broker(app, commands)
    return given


async def put_out(
    app: Application, database: Database, tenant: str, devices: Sequence[str]
) -> None:
    """Revoke devices, on the broker first.

    Raises:
        Unknown: there is no such device.
        ConnectionLost: Mosquitto cannot be reached.
    """
    async with database.write() as connection:
        for device in devices:
            await dismiss_device(connection, tenant, device)
        await tell_broker(
            app,
            (
                each
                for device in devices
                for each in dynamic_security.revoke(username_of(tenant, device))
            ),
        )


def a_device(
    tenant: str, device: str, role: Role, *, station: str | None = None, transient: bool = False
) -> Device:
    """Describe a device that is made now."""
    now = system_clock()
    return Device(tenant, device, role, station, now, now + TRANSIENT if transient else None)


@contextmanager
def visiting(
    app: Application, tenant: str, *roles: Role, station: str | None = None
) -> Iterator[list[Admitted]]:
    """Devices of a command's own, let in for as long as the context lasts."""
    address = app.address()
    tail = new_id().hex[-6:]
    names = [f"cli-{tail}" if len(roles) == 1 else f"cli-{tail}-{n}" for n in range(len(roles))]
    wanted = [
        a_device(tenant, name, role, station=station, transient=True)
        for name, role in zip(names, roles, strict=True)
    ]
    secrets = app.run(lambda database: admit(app, database, wanted))
    try:
        yield [
            Admitted(tenant, name, secret, address)
            for name, secret in zip(names, secrets, strict=True)
        ]
    finally:
        app.run(lambda database: put_out(app, database, tenant, names))


async def drop_tenant(app: Application, database: Database, tenant: str) -> int:
    """Remove a tenant with everything that is kept of it; returns how many devices it had.

    Raises:
        Unknown: there is no such tenant.
        ConnectionLost: Mosquitto cannot be reached.
    """
    async with database.write() as connection:
        standing = [
            message.topic
            for source in state_router().retained
            for message in await source(connection, tenant, system_clock())
        ]
        had = await dismiss_tenant(connection, tenant, standing)
        await tell_broker(
            app,
            (
                each
                for device in had
                for each in dynamic_security.revoke(username_of(tenant, device.device))
            ),
        )
    return len(had)
