"""The presence rows: only changes are kept."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import CheckConstraint, Column, String, Table, Uuid, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.devices import DeviceState, PresenceStatus, Role
from services.runtime.moment import Moment
from services.runtime.tables import DEVICES, METADATA, SLUG

_STATUSES = ", ".join(f"'{status}'" for status in PresenceStatus)

PRESENCE: Final = Table(
    "presence",
    METADATA,
    Column("tenant", SLUG, primary_key=True),
    Column("device", SLUG, primary_key=True),
    Column("status", String(16), nullable=False),
    Column("epoch", Uuid, nullable=False),
    Column("since", Moment, nullable=False),
    CheckConstraint(f"status in ({_STATUSES})", name="status"),
)


async def keep(connection: AsyncConnection, row: dict[str, Any]) -> None:
    """Keep the newest word on a device."""
    key = (PRESENCE.c.tenant == row["tenant"]) & (PRESENCE.c.device == row["device"])
    changed = await connection.execute(PRESENCE.update().where(key).values(**row))
    if changed.rowcount == 0:
        await connection.execute(PRESENCE.insert().values(**row))


async def role_of(connection: AsyncConnection, tenant: str, device: str) -> Role | None:
    """The role of a device, if it exists."""
    query = select(DEVICES.c.role).where(DEVICES.c.tenant == tenant, DEVICES.c.device == device)
    role = await connection.scalar(query)
    return None if role is None else Role(role)


async def states(connection: AsyncConnection, tenant: str) -> list[DeviceState]:
    """What is believed of every device of a tenant."""
    query = (
        select(PRESENCE, DEVICES.c.role)
        .join(
            DEVICES,
            (DEVICES.c.tenant == PRESENCE.c.tenant) & (DEVICES.c.device == PRESENCE.c.device),
        )
        .where(PRESENCE.c.tenant == tenant)
        .order_by(PRESENCE.c.device)
    )
    return [
        DeviceState.model_validate({name: row[name] for name in DeviceState.model_fields})
        for row in (await connection.execute(query)).mappings()
    ]


async def last_epochs(connection: AsyncConnection) -> list[dict[str, Any]]:
    """Every row, to begin from after a start."""
    return [dict(row) for row in (await connection.execute(select(PRESENCE))).mappings()]
