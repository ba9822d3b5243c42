"""The rows of tenants and devices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Delete, RowMapping, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from broker_config.access import Identity
from schemas.devices import Role
from services.people.tables import CLAIMS
from services.runtime.audit import AUDIT
from services.runtime.house_rules import HOUSE_RULES, first_row, no_such_house
from services.runtime.names import RESERVED
from services.runtime.tables import DEVICES, METADATA, NO_TENANT, TENANTS


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
    person: str | None = None
    """Whose screen it is; None for a device that stands for itself."""
    limits: Mapping[str, Any] | None = None
    """Its own limits, instead of its role's."""

    @property
    def identity(self) -> Identity:
        """Who it is to a broker."""
        return Identity(self.tenant, self.device, self.role)

    @property
    def shown(self) -> str:
        """Its name for people."""
        return f"{self.tenant}/{self.device}"


async def add_tenant(connection: AsyncConnection, tenant: Tenant) -> bool:
    """Add a tenant; False where the very same one exists.

    Raises:
        Taken: one of that name exists, with another currency.
    """
    if tenant.tenant == NO_TENANT:
        raise Taken(f"no tenant may be called {NO_TENANT!r}: it stands for what belongs to none")
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
        await connection.execute(HOUSE_RULES.insert().values(**first_row(tenant.tenant)))
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
        raise Unknown(no_such_house(tenant))
    for table in reversed(METADATA.sorted_tables):
        if table is not AUDIT:  # who did what outlives the tenant
            await connection.execute(delete(table).where(table.c.tenant == tenant))


async def put_devices(connection: AsyncConnection, devices: Sequence[Device]) -> None:
    """Add devices of one tenant, or put them in the place of those of their names.

    They have no secrets yet.

    Raises:
        Unknown: there is no such tenant.
        Taken: the services go by that name themselves.
    """
    tenant = devices[0].tenant
    if reserved := RESERVED & {each.device for each in devices}:
        raise Taken(f"no device may be called {min(reserved)}: the services go by that name")
    if await find_tenant(connection, tenant) is None:
        raise Unknown(no_such_house(tenant))
    names = [each.device for each in devices]
    await connection.execute(
        delete(DEVICES).where(DEVICES.c.tenant == tenant, DEVICES.c.device.in_(names))
    )
    await connection.execute(
        DEVICES.insert(),
        [
            {
                "tenant": tenant,
                "device": each.device,
                "role": each.role.value,
                "station": each.station,
                "created_at": each.created_at,
                "expires_at": each.expires_at,
                "person": each.person,
                "limits": each.limits,
            }
            for each in devices
        ],
    )


async def change_role(
    connection: AsyncConnection, tenant: str, device: str, role: Role, station: str | None
) -> None:
    """Give a device that stays another role.

    Raises:
        Unknown: there is none.
    """
    wanted = (DEVICES.c.tenant == tenant) & (DEVICES.c.device == device)
    changed = await connection.execute(
        DEVICES.update().where(wanted).values(role=role.value, station=station)
    )
    if changed.rowcount == 0:
        raise await no_such_device(connection, tenant, device)


async def end_at(
    connection: AsyncConnection, tenant: str, devices: Sequence[str], at: datetime
) -> None:
    """Let devices end at a time, or earlier where they did so already."""
    later = DEVICES.c.expires_at.is_(None) | (DEVICES.c.expires_at > at)
    chosen = DEVICES.c.device.in_(devices)
    await connection.execute(
        DEVICES.update().where(DEVICES.c.tenant == tenant, chosen, later).values(expires_at=at)
    )


async def remove_device(connection: AsyncConnection, tenant: str, device: str) -> None:
    """Remove a device.

    Raises:
        Unknown: there is none.
    """
    removed = await connection.execute(_just(tenant, device))
    if removed.rowcount == 0:
        raise await no_such_device(connection, tenant, device)


async def hold(connection: AsyncConnection, tenant: str, devices: Sequence[str]) -> None:
    """Let nobody else change these devices, nor give them accounts, until the transaction ends.

    Raises:
        Unknown: one of them is gone.
    """
    query = (
        select(DEVICES.c.device)
        .where(DEVICES.c.tenant == tenant, DEVICES.c.device.in_(devices))
        .order_by(DEVICES.c.device)
        .with_for_update()
    )
    there = set(await connection.scalars(query))
    for device in devices:
        if device not in there:
            raise Unknown(f"there is no device {tenant}/{device}")


async def forget_claims(connection: AsyncConnection, tenant: str, devices: Sequence[str]) -> None:
    """Expect these devices no longer: no code makes anybody one of them."""
    await connection.execute(
        delete(CLAIMS).where(CLAIMS.c.tenant == tenant, CLAIMS.c.device.in_(devices))
    )


async def seek_device(connection: AsyncConnection, tenant: str, device: str) -> Device | None:
    """One device, or None."""
    query = select(DEVICES).where(DEVICES.c.tenant == tenant, DEVICES.c.device == device)
    row = (await connection.execute(query)).mappings().first()
    return None if row is None else _device(row)


async def find_device(connection: AsyncConnection, tenant: str, device: str) -> Device:
    """One device.

    Raises:
        Unknown: there is none.
    """
    found = await seek_device(connection, tenant, device)
    if found is None:
        raise await no_such_device(connection, tenant, device)
    return found


async def no_such_device(connection: AsyncConnection, tenant: str, device: str) -> Unknown:
    """What is said of a device that is not there: that its house is not, where that is so."""
    if await find_tenant(connection, tenant) is None:
        return Unknown(no_such_house(tenant))
    return Unknown(f"there is no device {tenant}/{device}: heard device list --tenant {tenant}")


async def devices(connection: AsyncConnection, tenant: str | None = None) -> list[Device]:
    """All devices, or those of one tenant, by name."""
    query = select(DEVICES).order_by(DEVICES.c.tenant, DEVICES.c.device)
    if tenant is not None:
        query = query.where(DEVICES.c.tenant == tenant)
    return [_device(row) for row in (await connection.execute(query)).mappings()]


async def expired(connection: AsyncConnection, now: datetime) -> list[Device]:
    """Every device whose time is up."""
    query = select(DEVICES).where(DEVICES.c.expires_at <= now)
    return [_device(row) for row in (await connection.execute(query)).mappings()]


async def screens(
    connection: AsyncConnection, person: str, tenant: str | None = None
) -> list[Device]:
    """The devices that stand for a person, oldest first; in one restaurant, or in any."""
    query = select(DEVICES).where(DEVICES.c.person == person)
    if tenant is not None:
        query = query.where(DEVICES.c.tenant == tenant)
    query = query.order_by(DEVICES.c.created_at, DEVICES.c.device)
    return [_device(row) for row in (await connection.execute(query)).mappings()]


def _device(row: RowMapping) -> Device:
    values = {str(name): value for name, value in row.items()}
    return Device(**{**values, "role": Role(row["role"])})


def _just(tenant: str, device: str) -> Delete:
    return delete(DEVICES).where(DEVICES.c.tenant == tenant, DEVICES.c.device == device)
