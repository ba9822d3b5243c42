"""Profiles of what a house uses, from the hours that are kept."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.inventory.forecast import HISTORY, Profile, Used, profiles
from services.inventory.tables import STOCK_USAGE
from services.runtime import house_rules
from services.runtime.among import among
from services.runtime.wall_clock import zone_of

_USED: Final = STOCK_USAGE.c
_PAGE: Final = 2_000


async def read_profiles(
    connection: AsyncConnection,
    tenant: str,
    now: datetime,
    *,
    items: Collection[str] | None = None,
) -> dict[str, Profile]:
    """How much of each item a house uses, in each hour of a week.

    Args:
        connection: reads.
        tenant: whose usage.
        now: the hours that have ended by now count.
        items: those alone; None is all of which anything was used.

    Returns:
        By item; an item of which nothing was used is absent where none was asked for by name.
    """
    zone = zone_of((await house_rules.read(connection, tenant)).orders.time_zone)
    used = await read_used(connection, tenant, now - HISTORY, now, items=items)
    for item in items or ():
        used.setdefault(item, {})
    begun = await first_used(connection, tenant)
    return profiles(used, now if begun is None else begun, now, zone)


async def read_used(
    connection: AsyncConnection,
    tenant: str,
    since: datetime,
    until: datetime,
    *,
    items: Collection[str] | None = None,
) -> dict[str, Used]:
    """What dishes took of each item, by the hour; the end is not in it."""
    query = select(_USED.item, _USED.hour, _USED.consumed).where(
        _USED.tenant == tenant, _USED.hour >= since, _USED.hour < until, _USED.consumed > 0
    )
    if items is not None:
        query = query.where(among(_USED.item, items, connection.dialect.name))
    found: dict[str, dict[datetime, int]] = {}
    stream = await connection.stream(query.execution_options(yield_per=_PAGE))
    async for rows in stream.partitions():
        for item, hour, consumed in rows:
            found.setdefault(item, {})[hour] = consumed
    return dict(found)


async def first_used(connection: AsyncConnection, tenant: str) -> datetime | None:
    """The first hour in which a dish took anything; None before that."""
    query = select(func.min(_USED.hour)).where(_USED.tenant == tenant, _USED.consumed > 0)
    first: datetime | None = await connection.scalar(query)
    return first
