"""Which lots expire, and how much of each should be left: reckoned where the lots are.

A house that has bought for years has a hundred thousand lots, of which next to none is left.
So the database follows them, last expiring first, until what is on hand lies in them.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import BigInteger, Select, case, cast, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.alerts import Alert, AlertKind
from services.inventory.tables import LOTS, STOCK_LEVELS
from services.runtime.alerts import ALERTS, to_alert
from services.runtime.among import among

KINDS: Final = (AlertKind.EXPIRING, AlertKind.EXPIRED)


class OldLot(NamedTuple):
    """A lot of which something should be left, and that does not keep much longer."""

    lot_id: UUID
    item: str
    place: str
    left: int
    """Thousandths of the item's base unit."""
    expires_on: date


async def old_lots(
    connection: AsyncConnection,
    tenant: str,
    until: date,
    items: Collection[str] | None = None,
) -> list[OldLot]:
    """What is left of the lots that expire until a day, the earliest first.

    Args:
        connection: to the database.
        tenant: whose.
        until: the last day of interest.
        items: of which items; None is all.
    """
    if items is not None and not items:
        return []
    own = LOTS.c.received - LOTS.c.gone
    # What expires first is used first: what is left lies in what expires last.
    last_first = (
        case((LOTS.c.expires_on.is_(None), 0), else_=1),
        LOTS.c.expires_on.desc(),
        LOTS.c.received_at.desc(),
        LOTS.c.lot_id.desc(),
    )
    running = func.sum(own).over(partition_by=LOTS.c.item, order_by=last_first, rows=(None, 0))
    same = (STOCK_LEVELS.c.tenant == LOTS.c.tenant) & (STOCK_LEVELS.c.item == LOTS.c.item)
    query: Select[Any] = (
        select(
            LOTS.c.lot_id,
            LOTS.c.item,
            LOTS.c.place,
            LOTS.c.expires_on,
            own.label("own"),
            cast(running, BigInteger).label("upto"),
            STOCK_LEVELS.c.on_hand,
        )
        .select_from(LOTS.join(STOCK_LEVELS, same))
        .where(LOTS.c.tenant == tenant, STOCK_LEVELS.c.on_hand > 0)
    )
    if items is not None:
        query = query.where(among(LOTS.c.item, sorted(items), connection.dialect.name))
    found = query.subquery()
    standing = (
        select(found)
        .where(found.c.expires_on <= until, found.c.own > 0)
        .where(found.c.upto - found.c.own < found.c.on_hand)
        .order_by(found.c.expires_on, found.c.item, found.c.lot_id)
    )
    return [
        OldLot(
            row.lot_id,
            row.item,
            row.place,
            min(row.own, row.on_hand - (row.upto - row.own)),
            row.expires_on,
        )
        for row in await connection.execute(standing)
    ]


async def standing_alerts(
    connection: AsyncConnection, tenant: str, items: Collection[str] | None = None
) -> list[Alert]:
    """The alerts of lots that stand; of some items, or of all."""
    query = select(ALERTS).where(
        ALERTS.c.tenant == tenant,
        ALERTS.c.cleared_at.is_(None),
        ALERTS.c.kind.in_([each.value for each in KINDS]),
    )
    if items is not None:
        query = query.where(among(ALERTS.c.about, sorted(items), connection.dialect.name))
    rows = (await connection.execute(query)).mappings()
    return [to_alert(dict(row)) for row in rows]


async def changed_items(connection: AsyncConnection, tenant: str, since: datetime) -> set[str]:
    """The items whose level is another than at a time."""
    levels = STOCK_LEVELS.c
    query = select(levels.item).where(levels.tenant == tenant, levels.changed_at >= since)
    return set(await connection.scalars(query))
