"""The menu on the broker: each item retained, so that every POS shows it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.menu import MenuItem
from services.menu import availability, store
from services.runtime.context import Outgoing, clearing, outgoing
from services.runtime.outbox import enclose
from services.runtime.router import Router

router: Final = Router()


@router.state
async def menu_items(connection: AsyncConnection, tenant: str, now: datetime) -> list[Outgoing]:
    """What stands retained on the broker: every item of the menu."""
    items = await store.menu_of(connection, tenant)
    shown = await store.offered_of(connection, tenant, items, now)
    return [outgoing(item, tenant=tenant, now=now) for item in shown]


async def put_menu(
    connection: AsyncConnection,
    tenant: str,
    items: Sequence[MenuItem],
    now: datetime,
    *,
    replace: bool,
) -> tuple[int, int]:
    """Put items on the menu; with `replace` take off what is not among them.

    What changes is written together with the messages that tell everyone.

    Returns:
        How many items were put (new or changed), and how many were taken off.
    """
    before = {item.item: item for item in await store.menu_of(connection, tenant)}
    changed = [item for item in items if before.get(item.item) != item]
    gone = sorted(before.keys() - {item.item for item in items}) if replace else []
    shown = await store.offered_of(connection, tenant, changed, now)
    messages = [outgoing(item, tenant=tenant, now=now) for item in shown]
    messages += [clearing(MenuItem, tenant=tenant, item=item) for item in gone]
    await store.write(connection, tenant, changed, gone)
    await enclose(connection, messages)
    return len(changed), len(gone)


router.include(availability.router)
