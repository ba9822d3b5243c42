"""All that is known of each item, for suggestions of what to buy."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from services.inventory.lot_rows import lots_of
from services.inventory.profiles import read_profiles
from services.inventory.purchase_rows import on_its_way
from services.inventory.reading import levels
from services.inventory.suggesting import Shelf


async def read_shelves(
    connection: AsyncConnection,
    tenant: str,
    currency: str,
    now: datetime,
    *,
    items: Collection[str] | None = None,
) -> list[Shelf]:
    """How each item stands, is used, and is on its way.

    Args:
        connection: reads.
        tenant: whose.
        currency: the house's.
        now: the time.
        items: those alone; None is all.
    """
    kept = await levels(connection, tenant, now, items=items)
    lots = await lots_of(connection, tenant, [each.item.item for each in kept])
    profiles = await read_profiles(connection, tenant, now, items=items)
    coming = await on_its_way(connection, tenant, currency)
    return [
        Shelf(
            item,
            level,
            lots.get(item.item, ()),
            profiles.get(item.item),
            coming.get(item.item, ()),
        )
        for item, level in kept
    ]
