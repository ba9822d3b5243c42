"""Letting devices in and putting them out: in the database, and on a Mosquitto at once.

The embedded broker asks the database by itself; see `services.people.watch`.
"""

from __future__ import annotations

import getpass
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final, TypedDict

from broker_config.access import client_id_of
from broker_config.settings import BrokerAddress, BrokerLogin, BrokerSettings
from cli.application import Application
from cli.compose import state_router
from cli.failures import Failure
from cli.files import admin_secret, services_secret
from schemas.devices import Role
from schemas.identifiers import new_id
from services.people import store
from services.people.accounts import Accounts, EmbeddedAccounts, MosquittoAccounts
from services.people.admission import Admission
from services.people.credentials import of_device
from services.people.leaving import dismiss_tenant
from services.people.limits import UNLIMITED
from services.people.store import Device
from services.people.sweeping import Sweeper
from services.runtime.database import Database
from services.runtime.moment import system_clock

TRANSIENT: Final = timedelta(hours=12)
"""How long a device that a command makes for itself may live, should the command die."""


class Login(TypedDict):
    """Who a device is, as `devices.options.DeviceOptions` names it."""

    tenant: str
    device: str
    username: str | None
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
    username: str | None = None
    """Of the secret; None for a device's first."""

    def options(self) -> Login:
        """What `devices` take by name."""
        return {
            "tenant": self.tenant,
            "device": self.device,
            "username": self.username,
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
        username = self.username or client_id_of(self.tenant, self.device)
        login = BrokerLogin(username=username, secret=self.secret)
        return BrokerSettings(address=self.address, login=login)


def admission(app: Application, database: Database) -> Admission:
    """What lets devices in and puts them out, in the name of whoever runs this command."""
    accounts: Accounts = (
        EmbeddedAccounts()
        if app.embedded
        else MosquittoAccounts(app.address(), admin_secret(app.settings))
    )
    sweeper = None
    with suppress(Failure):  # no broker runs: nothing stands on it
        # Each command that asks is a device of its own: that it leaves nothing is no news.
        sweeper = Sweeper(app.address(), services_secret(app.settings), tells=False)
    return Admission(database, accounts, actor(), sweeper=sweeper)


def actor() -> str:
    """Who runs this command, for the audit."""
    return f"cli:{getpass.getuser()}@{socket.gethostname()}"


async def admit(
    app: Application,
    database: Database,
    wanted: Sequence[Device],
    secrets: Sequence[str] = (),
    *,
    action: str = "device.added",
) -> list[str]:
    """Let devices in, or in the place of those that exist; returns the secrets.

    Raises:
        Unknown: there is no such tenant.
        ConnectionLost: Mosquitto cannot be reached.
    """
    admitting = admission(app, database)
    await admitting.end_expired()
    return [each.secret for each in await admitting.admit(wanted, secrets, action=action)]


async def put_out(
    app: Application,
    database: Database,
    tenant: str,
    devices: Sequence[str],
    *,
    action: str | None = "device.revoked",
) -> None:
    """Revoke devices, and clear what they left standing on the broker.

    Raises:
        Unknown: there is no such device.
        ConnectionLost: Mosquitto cannot be reached.
    """
    await admission(app, database).revoke(tenant, devices, action=action)


def a_device(
    tenant: str, device: str, role: Role, *, station: str | None = None, transient: bool = False
) -> Device:
    """Describe a device that is made now; one that a command makes for itself has no limits."""
    now = system_clock()
    if not transient:
        return Device(tenant, device, role, station, now)
    return Device(tenant, device, role, station, now, now + TRANSIENT, limits=UNLIMITED)


@contextmanager
def visiting(
    app: Application,
    tenant: str,
    *roles: Role,
    station: str | None = None,
    names: Sequence[str] = (),
) -> Iterator[list[Admitted]]:
    """Devices of a command's own, let in for as long as the context lasts."""
    address = app.address()
    tail = new_id().hex[-6:]
    names = names or [
        f"cli-{tail}" if len(roles) == 1 else f"cli-{tail}-{n}" for n in range(len(roles))
    ]
    wanted = [
        a_device(tenant, name, role, station=station, transient=True)
        for name, role in zip(names, roles, strict=True)
    ]
    secrets = app.run(lambda database: admit(app, database, wanted, action="cli.visited"))
    try:
        yield [
            Admitted(tenant, name, secret, address)
            for name, secret in zip(names, secrets, strict=True)
        ]
    finally:
        app.run(lambda database: put_out(app, database, tenant, names, action=None))


@contextmanager
def as_device(
    app: Application,
    tenant: str | None,
    credentials: Path | None,
    role: Role,
    *,
    station: str | None = None,
) -> Iterator[Admitted]:
    """The device of a credentials file, or a visiting one of `tenant`.

    Raises:
        Failure: neither is given, or the device of the file is something else.
        CredentialsBroken: the file cannot be used.
    """
    if credentials is None:
        if tenant is None:
            raise Failure("say whose device it is: --tenant NAME, or --credentials FILE")
        with visiting(app, tenant, role, station=station) as (admitted,):
            yield admitted
        return
    from devices.enrolment import read_credentials  # noqa: PLC0415 - httpx is slow to import

    known = read_credentials(credentials)
    if known.role is not role:
        raise Failure(f"{credentials} is of a {known.role.value}, not of a {role.value}")
    broker = known.broker
    address = BrokerAddress(
        host=broker.host,
        port=broker.port,
        tls=broker.tls,
        ca_pem=broker.ca,
        plaintext=app.settings.plaintext,
    )
    yield Admitted(known.tenant, known.device, known.secret, address, known.username)


async def drop_tenant(app: Application, database: Database, tenant: str) -> int:
    """Remove a tenant with everything that is kept of it; returns how many devices it had.

    Raises:
        Unknown: there is no such tenant.
        ConnectionLost: Mosquitto cannot be reached.
    """
    admitting = admission(app, database)
    async with database.write() as connection:
        now = system_clock()
        standing = [
            message.topic
            for source in state_router().retained
            for message in await source(connection, tenant, now)
        ]
        held = [
            (
                each.identity,
                [one.serial for one in await of_device(connection, tenant, each.device)],
            )
            for each in await store.devices(connection, tenant)
        ]
        had = await dismiss_tenant(connection, tenant, standing)
        await admitting.note(connection, tenant, "tenant.removed", tenant, now, devices=len(had))
        await admitting.accounts.dismiss(held)
    return len(had)
