"""How a device or a tenant leaves: its rows go, and what stands retained of it is cleared."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.devices import DevicePresence, DeviceState
from services.people import store
from services.runtime.context import Outgoing, clearing
from services.runtime.outbox import enclose
from services.runtime.tables import METADATA


async def dismiss_device(connection: AsyncConnection, tenant: str, device: str) -> None:
    """Remove a device with what was believed of it, and clear its topics.

    The broker must have put it out before: its last will is then said already.

    Raises:
        Unknown: there is none.
    """
    await store.remove_device(connection, tenant, device)
    for name in ("presence", "vehicles"):
        believed = METADATA.tables.get(name)
        if believed is not None:
            await connection.execute(
                delete(believed).where(believed.c.tenant == tenant, believed.c.device == device)
            )
    await enclose(connection, _of_device(tenant, device))


async def dismiss_tenant(
    connection: AsyncConnection, tenant: str, standing: Sequence[str]
) -> list[store.Device]:
    """Remove a tenant with everything that is kept of it, and clear its topics.

    Args:
        connection: a transaction that writes.
        tenant: its name.
        standing: the topics of its retained states.

    Returns:
        The devices it had.

    Raises:
        Unknown: there is none.
    """
    had = await store.devices(connection, tenant)
    await store.remove_tenant(connection, tenant)
    messages = [clearing_of(tenant, topic) for topic in standing]
    for each in had:
        messages += _of_device(tenant, each.device)
    await enclose(connection, messages)
    return had


def clearing_of(tenant: str, topic: str) -> Outgoing:
    """The empty retained message on a topic that is known as a whole."""
    return Outgoing(tenant, topic, b"", 1, retain=True)


def _of_device(tenant: str, device: str) -> list[Outgoing]:
    return [
        clearing(DeviceState, tenant=tenant, device=device),
        clearing(DevicePresence, tenant=tenant, device=device),
    ]
