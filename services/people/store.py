"""The rows of tenants and devices."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Delete, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from broker_config.access import Credential, Identity
from broker_config.secret import SecretHash
from schemas.devices import Role
from schemas.identifiers import is_slug
from services.runtime.database import Database
from services.runtime.moment import Clock, system_clock
from services.runtime.tables import DEVICES, METADATA, TENANTS


class Unknown(LookupError):
    """There is no such tenant or device; the message names it."""


class Taken(ValueError):
    """There is one of that name already, and it is another; the message names it."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """One restaurant."""

    tenant: str
    name: str
    currency: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Device:
    """Anything with credentials of its own."""

    tenant: str
    device: str
    role: Role
    station: str | None
    created_at: datetime
    expires_at: datetime | None = None


async def add_tenant(connection: AsyncConnection, tenant: Tenant) -> bool:
    """Add a tenant; False where the very same one exists.

    Raises:
        Taken: one of that name exists, with another currency.
    """
    existing = await find_tenant(connection, tenant.tenant)
    if existing is None:
        await connection.execute(
            TENANTS.insert().values(
                tenant=tenant.tenant,
                name=tenant.name,
                currency=tenant.currency,
                created_at=tenant.created_at,
            )
        )
        return True
    if existing.currency != tenant.currency:
        raise Taken(f"tenant {tenant.tenant} exists, with {existing.currency}")
    return False


async def find_tenant(connection: AsyncConnection, tenant: str) -> Tenant | None:
    """One tenant."""
    query = select(TENANTS).where(TENANTS.c.tenant == tenant)
    row = (await connection.execute(query)).first()
    return None if row is None else Tenant(row.tenant, row.name, row.currency, row.created_at)


async def tenants(connection: AsyncConnection) -> list[Tenant]:
    """All tenants, by name."""
    rows = await connection.execute(select(TENANTS).order_by(TENANTS.c.tenant))
    return [Tenant(row.tenant, row.name, row.currency, row.created_at) for row in rows]


async def remove_tenant(connection: AsyncConnection, tenant: str) -> None:
    """Remove a tenant with everything that is kept of it.

    Raises:
        Unknown: there is none.
    """
    if await find_tenant(connection, tenant) is None:
        raise Unknown(f"there is no tenant {tenant}")
    for table in reversed(METADATA.sorted_tables):
        await connection.execute(delete(table).where(table.c.tenant == tenant))


async def put_device(connection: AsyncConnection, device: Device, secret: SecretHash) -> None:
    """Add a device, or replace what is known of it.

    Raises:
        Unknown: there is no such tenant.
    """
    if await find_tenant(connection, device.tenant) is None:
        raise Unknown(
            f"there is no tenant {device.tenant}: add it with `heard tenant add {device.tenant}`"
        )
    await connection.execute(_just(device.tenant, device.device))
    await connection.execute(
        DEVICES.insert().values(
            tenant=device.tenant,
            device=device.device,
            role=device.role.value,
            station=device.station,
            secret=secret.text,
            created_at=device.created_at,
            expires_at=device.expires_at,
        )
    )


async def remove_device(connection: AsyncConnection, tenant: str, device: str) -> None:
    """Remove a device.

    Raises:
        Unknown: there is none.
    """
    removed = await connection.execute(_just(tenant, device))
    if removed.rowcount == 0:
        raise Unknown(f"there is no device {tenant}/{device}")


async def find_device(connection: AsyncConnection, tenant: str, device: str) -> Device:
    """One device.

    Raises:
        Unknown: there is none.
    """
    for each in await devices(connection, tenant):
        if each.device == device:
            return each
    raise Unknown(f"there is no device {tenant}/{device}")


async def devices(connection: AsyncConnection, tenant: str | None = None) -> list[Device]:
    """All devices, or those of one tenant, by name."""
    query = select(DEVICES).order_by(DEVICES.c.tenant, DEVICES.c.device)
    if tenant is not None:
        query = query.where(DEVICES.c.tenant == tenant)
    return [
        Device(
            row.tenant,
            row.device,
            Role(row.role),
            row.station,
            row.created_at,
            row.expires_at,
        )
        for row in await connection.execute(query)
    ]


async def credentials(connection: AsyncConnection) -> list[Credential]:
    """What a broker has to know of every device."""
    rows = await connection.execute(select(DEVICES).order_by(DEVICES.c.tenant, DEVICES.c.device))
    return [
        Credential(Identity(row.tenant, row.device, Role(row.role)), SecretHash.parse(row.secret))
        for row in rows
    ]


class DatabaseDirectory:
    """The devices' credentials as the embedded broker asks for them.

    Args:
        database: where devices are kept.
        services: the account of the services themselves, which is in no table.
        clock: tells when a device's time is up.
    """

    def __init__(
        self, database: Database, services: Credential, clock: Clock = system_clock
    ) -> None:
        self._database: Final = database
        self._clock: Final = clock
        self._services: Final = services

    async def find(self, username: str) -> Credential | None:
        """See `broker_config.access.Directory.find`."""
        if username == self._services.identity.username:
            return self._services
        tenant, _, device = username.partition(":")
        if not (is_slug(tenant) and is_slug(device)):
            return None
        async with self._database.read() as connection:
            query = select(DEVICES).where(DEVICES.c.tenant == tenant, DEVICES.c.device == device)
            row = (await connection.execute(query)).first()
        if row is None or (row.expires_at is not None and row.expires_at <= self._clock()):
            return None
        identity = Identity(row.tenant, row.device, Role(row.role))
        return Credential(identity, SecretHash.parse(row.secret))


def _just(tenant: str, device: str) -> Delete:
    return delete(DEVICES).where(DEVICES.c.tenant == tenant, DEVICES.c.device == device)
