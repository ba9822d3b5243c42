"""Houses that commands are asked about."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from services.people import store
from services.people.store import Unknown
from services.runtime import house_rules
from services.runtime.wall_clock import zone_of


async def must_be_there(connection: AsyncConnection, tenant: str) -> None:
    """See that a house is there.

    Raises:
        Unknown: there is none of that name.
    """
    if await store.find_tenant(connection, tenant) is None:
        raise Unknown(house_rules.no_such_house(tenant))


async def the_house(connection: AsyncConnection, tenant: str) -> ZoneInfo:
    """See that a house is there, and by which clock it lives.

    Raises:
        Unknown: there is none of that name.
    """
    await must_be_there(connection, tenant)
    return zone_of((await house_rules.read(connection, tenant)).orders.time_zone)
