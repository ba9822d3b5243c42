"""What was cooked for orders in a span of time, order by order, as the ledger and the holds say."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import and_, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.inventory import MovementKind
from services.inventory.tables import STOCK_HOLDS, STOCK_MOVEMENTS
from services.runtime.among import among

PAGE: Final = 500

Taken = Mapping[int, Mapping[str, int]]
"""By the number of an order's line, what it took of each item in thousandths of its base unit."""


async def cooked_orders(
    connection: AsyncConnection, tenant: str, since: datetime, until: datetime
) -> AsyncIterator[dict[UUID, Taken]]:
    """What each order took of which the first was cooked in a span of time, page by page.

    An order belongs to the time at which its first line was begun, with all of its lines that are
    cooked by now: so that each is in one span and in no other. What is only promised is not there,
    nor are lines that take nothing. What a line took is as the recipes were when it was promised.

    Args:
        connection: one consistent view of the rows.
        tenant: whose.
        since: from then on.
        until: before then.
    """
    after: tuple[datetime, UUID] | None = None
    while True:
        page = await _begun(connection, tenant, since, until, after)
        if page:
            after = page[-1][1:]
            yield await _taken(connection, tenant, [order_id for order_id, _, _ in page])
        if len(page) < PAGE:
            return


async def _begun(
    connection: AsyncConnection,
    tenant: str,
    since: datetime,
    until: datetime,
    after: tuple[datetime, UUID] | None,
) -> list[tuple[UUID, datetime, UUID]]:
    """The next orders that were begun, with the time and id of the entry that says so."""
    took, before = STOCK_MOVEMENTS.c, STOCK_MOVEMENTS.alias("before").c
    begun_before = exists().where(
        before.order_id == took.order_id,
        before.tenant == took.tenant,
        before.kind == MovementKind.CONSUME.value,
        or_(
            before.at < took.at,
            and_(before.at == took.at, before.movement_id < took.movement_id),
        ),
    )
    query = (
        select(took.order_id, took.at, took.movement_id)
        .where(
            took.tenant == tenant,
            took.kind == MovementKind.CONSUME.value,
            took.order_id.is_not(None),
            took.at >= (since if after is None else after[0]),
            took.at < until,
            ~begun_before,
        )
        .order_by(took.at, took.movement_id)
        .limit(PAGE)
    )
    if after is not None:
        at, movement_id = after
        query = query.where(or_(took.at > at, took.movement_id > movement_id))
    return [(row[0], row[1], row[2]) for row in await connection.execute(query)]


async def _taken(
    connection: AsyncConnection, tenant: str, order_ids: list[UUID]
) -> dict[UUID, Taken]:
    holds = STOCK_HOLDS.c
    query = select(holds.order_id, holds.lines).where(
        holds.tenant == tenant, among(holds.order_id, order_ids, connection.dialect.name)
    )
    return {
        row.order_id: {
            int(number): line["takes"] for number, line in row.lines.items() if line["cooked"]
        }
        for row in await connection.execute(query.order_by(holds.order_id))
    }
