"""The presence rows: only changes are kept."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import CheckConstraint, Column, String, Table, Uuid, select, tuple_
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


class LastWord(NamedTuple):
    """What is believed of a device.

    Attributes:
        offline: it has said goodbye, its connection broke, or it fell silent.
        epoch: the session that was heard last.
        since: when it was last found to be there, or not.
    """

    offline: bool
    epoch: UUID
    since: datetime


async def last_words(
    connection: AsyncConnection, devices: Collection[tuple[str, str]]
) -> dict[tuple[str, str], LastWord | None]:
    """What is believed of these devices, by tenant and device.

    None is for one that was never heard; one that is removed is absent.
    """
    same = (DEVICES.c.tenant == PRESENCE.c.tenant) & (DEVICES.c.device == PRESENCE.c.device)
    query = (
        select(DEVICES.c.tenant, DEVICES.c.device, PRESENCE.c.status, PRESENCE.c.epoch)
        .add_columns(PRESENCE.c.since)
        .select_from(DEVICES.outerjoin(PRESENCE, same))
        .where(tuple_(DEVICES.c.tenant, DEVICES.c.device).in_(devices))
    )
    found: dict[tuple[str, str], LastWord | None] = {}
    for row in await connection.execute(query):
        gone = row.status == PresenceStatus.OFFLINE.value
        word = None if row.status is None else LastWord(gone, row.epoch, row.since)
        found[row.tenant, row.device] = word
    return found


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
