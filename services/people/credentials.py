"""The secrets of devices: only their hashes, and more than one while a device changes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from broker_config.access import Credential, Identity, parse_username, username_of
from broker_config.secret import SecretHash
from schemas.devices import Role
from services.people import store
from services.people.store import Device
from services.runtime.database import Database
from services.runtime.moment import Clock, system_clock
from services.runtime.tables import CREDENTIALS, DEVICES

_OF_ITS_DEVICE: Final = (CREDENTIALS.c.tenant == DEVICES.c.tenant) & (
    CREDENTIALS.c.device == DEVICES.c.device
)


@dataclass(frozen=True, slots=True)
class Held:
    """One secret of a device."""

    tenant: str
    device: str
    serial: int
    created_at: datetime
    expires_at: datetime | None

    @property
    def username(self) -> str:
        """The account that it opens."""
        return username_of(self.tenant, self.device, self.serial)


async def place(
    connection: AsyncConnection, device: Device, secret: SecretHash, now: datetime
) -> None:
    """Write a device with its first secret; whatever bore its name before is gone.

    Raises:
        Unknown: there is no such tenant.
    """
    await place_all(connection, [(device, secret)], now)


async def place_all(
    connection: AsyncConnection, placed: Sequence[tuple[Device, SecretHash]], now: datetime
) -> None:
    """Write devices of one tenant, each with its first secret.

    Raises:
        Unknown: there is no such tenant.
    """
    await store.put_devices(connection, [device for device, _ in placed])
    await connection.execute(
        CREDENTIALS.insert(),
        [
            {
                "tenant": device.tenant,
                "device": device.device,
                "serial": 1,
                "secret": secret.text,
                "created_at": now,
                "expires_at": device.expires_at,
            }
            for device, secret in placed
        ],
    )


async def add(
    connection: AsyncConnection,
    tenant: str,
    device: str,
    secret: SecretHash,
    *,
    now: datetime,
    expires_at: datetime | None = None,
) -> int:
    """Give a device one more secret; returns its serial."""
    query = select(func.max(CREDENTIALS.c.serial)).where(_of(tenant, device))
    serial = int(await connection.scalar(query) or 0) + 1
    await connection.execute(
        CREDENTIALS.insert().values(
            tenant=tenant,
            device=device,
            serial=serial,
            secret=secret.text,
            created_at=now,
            expires_at=expires_at,
        )
    )
    return serial


async def end(
    connection: AsyncConnection, tenant: str, device: str, *, before: int, at: datetime
) -> None:
    """Let all secrets before a serial end at a time, or earlier where they did so already."""
    later = CREDENTIALS.c.expires_at.is_(None) | (CREDENTIALS.c.expires_at > at)
    await connection.execute(
        CREDENTIALS.update()
        .where(_of(tenant, device), CREDENTIALS.c.serial < before, later)
        .values(expires_at=at)
    )


async def remove(connection: AsyncConnection, held: Iterable[Held]) -> None:
    """Forget these."""
    for each in held:
        await connection.execute(
            delete(CREDENTIALS).where(
                _of(each.tenant, each.device), CREDENTIALS.c.serial == each.serial
            )
        )


async def of_device(connection: AsyncConnection, tenant: str, device: str) -> list[Held]:
    """A device's secrets, oldest first."""
    query = select(CREDENTIALS).where(_of(tenant, device)).order_by(CREDENTIALS.c.serial)
    return [_held(row) for row in await connection.execute(query)]


async def of_devices(
    connection: AsyncConnection, tenant: str, devices: Sequence[str]
) -> dict[str, list[int]]:
    """The serials of some devices' secrets, by device; those without any are left out."""
    query = select(CREDENTIALS.c.device, CREDENTIALS.c.serial).where(
        CREDENTIALS.c.tenant == tenant, CREDENTIALS.c.device.in_(devices)
    )
    found: dict[str, list[int]] = {}
    for row in await connection.execute(query.order_by(CREDENTIALS.c.serial)):
        found.setdefault(row.device, []).append(row.serial)
    return found


async def expired(connection: AsyncConnection, now: datetime) -> list[Held]:
    """Every secret whose time is up."""
    query = select(CREDENTIALS).where(CREDENTIALS.c.expires_at <= now)
    return [_held(row) for row in await connection.execute(query)]


async def find(connection: AsyncConnection, username: str, now: datetime) -> Credential | None:
    """The credential of a user name that a stranger sent; None where it opens nothing now."""
    parsed = parse_username(username)
    if parsed is None:
        return None
    tenant, device, serial = parsed
    query = (
        select(DEVICES.c.role, DEVICES.c.created_at, DEVICES.c.expires_at, CREDENTIALS.c.secret)
        .add_columns(CREDENTIALS.c.expires_at.label("ends_at"))
        .where(_of(tenant, device), CREDENTIALS.c.serial == serial, _OF_ITS_DEVICE)
    )
    row = (await connection.execute(query)).first()
    if row is None or any(at is not None and at <= now for at in (row.expires_at, row.ends_at)):
        return None
    identity = Identity(tenant, device, Role(row.role), row.created_at)
    return Credential(identity, SecretHash.parse(row.secret), serial)


async def every(connection: AsyncConnection, now: datetime) -> list[Credential]:
    """What a broker has to know of every device."""
    query = (
        select(DEVICES.c.role, CREDENTIALS)
        .where(_OF_ITS_DEVICE)
        .order_by(CREDENTIALS.c.tenant, CREDENTIALS.c.device, CREDENTIALS.c.serial)
    )
    return [
        Credential(
            Identity(row.tenant, row.device, Role(row.role)),
            SecretHash.parse(row.secret),
            row.serial,
        )
        for row in await connection.execute(query)
        if row.expires_at is None or row.expires_at > now
    ]


class DatabaseDirectory:
    """The devices' credentials as the embedded broker asks for them.

    Args:
        database: where devices are kept.
        services: the accounts of the services themselves, which are in no table.
        clock: tells when a secret's time is up.
    """

    def __init__(
        self, database: Database, services: Iterable[Credential], clock: Clock = system_clock
    ) -> None:
        self._database: Final = database
        self._clock: Final = clock
        self._services: Final = {each.username: each for each in services}

    async def find(self, username: str) -> Credential | None:
        """See `broker_config.access.Directory.find`."""
        if (ours := self._services.get(username)) is not None:
            return ours
        if parse_username(username) is None:
            return None
        async with self._database.read() as connection:
            return await find(connection, username, self._clock())


def _of(tenant: str, device: str) -> ColumnElement[bool]:
    return (CREDENTIALS.c.tenant == tenant) & (CREDENTIALS.c.device == device)


def _held(row: Row[Any]) -> Held:
    return Held(row.tenant, row.device, row.serial, row.created_at, row.expires_at)
