"""Reading orders, for whoever looks at them: nothing here changes a row."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.orders import Order, OrderKind, OrderStatus
from schemas.refusals import RefusalCode
from services.orders.store import OPEN, ORDERS, to_order
from services.runtime.refusal import Refusal


async def one(connection: AsyncConnection, tenant: str, order_id: UUID) -> Order:
    """One order by its id.

    Raises:
        Refusal: `not-found`.
    """
    query = select(ORDERS).where(ORDERS.c.tenant == tenant, ORDERS.c.order_id == order_id)
    row = (await connection.execute(query)).mappings().one_or_none()
    if row is None:
        raise Refusal(RefusalCode.NOT_FOUND, f"there is no order {order_id}")
    return to_order(dict(row))


async def open_orders(connection: AsyncConnection, tenant: str) -> list[Order]:
    """Every open order of a tenant, in the order of their times."""
    query = (
        select(ORDERS)
        .where(ORDERS.c.tenant == tenant, ORDERS.c.status.in_(OPEN))
        .order_by(ORDERS.c.placed_at)
    )
    return [to_order(dict(row)) for row in (await connection.execute(query)).mappings()]


async def newest(
    connection: AsyncConnection,
    tenant: str,
    *,
    statuses: Collection[OrderStatus] = (),
    kinds: Collection[OrderKind] = (),
    unpaid: bool = False,
    since: datetime | None = None,
    limit: int,
) -> list[Order]:
    """A tenant's orders, those that were placed last first.

    Args:
        connection: a view of the rows.
        tenant: whose.
        statuses: only these; none named is all.
        kinds: only these; none named is all.
        unpaid: only where guests still owe something.
        since: only those placed then or later.
        limit: at most so many.
    """
    query = select(ORDERS).where(ORDERS.c.tenant == tenant)
    if statuses:
        query = query.where(ORDERS.c.status.in_([status.value for status in statuses]))
    if kinds:
        query = query.where(ORDERS.c.kind.in_([kind.value for kind in kinds]))
    if unpaid:
        query = query.where(ORDERS.c.due_minor > 0)
    if since is not None:
        query = query.where(ORDERS.c.placed_at >= since)
    query = query.order_by(ORDERS.c.placed_at.desc(), ORDERS.c.number.desc()).limit(limit)
    return [to_order(dict(row)) for row in (await connection.execute(query)).mappings()]


async def find(connection: AsyncConnection, tenant: str, name: str) -> list[Order]:
    """Orders by their number, the end of their number, their id, or the sender's reference."""
    mine = select(ORDERS).where(ORDERS.c.tenant == tenant)
    try:
        wanted = mine.where(ORDERS.c.order_id == UUID(name))
    except ValueError:
        text = name.upper()
        wanted = mine.where(
            (ORDERS.c.number == text)
            | ORDERS.c.number.endswith(text, autoescape=True)
            | (ORDERS.c.reference == name)
        )
    rows = (await connection.execute(wanted.order_by(ORDERS.c.placed_at).limit(10))).mappings()
    return [to_order(dict(row)) for row in rows]
