"""Reading the journal: of one order, or of a whole house, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.orders.journal import JOURNAL, Entry, to_entry
from services.orders.store import ORDERS
from services.runtime.housekeeping import first_id_at

PAGE: Final = 500
MARGIN: Final = timedelta(days=1)
"""An entry's id is made a moment after its time; more, where a clock was set meanwhile."""


@dataclass(frozen=True, slots=True)
class Written:
    """An entry with what people call its order.

    Attributes:
        entry: the entry.
        number: the order's number.
        currency: of all amounts.
    """

    entry: Entry
    number: str
    currency: str


async def of_order(connection: AsyncConnection, tenant: str, order_id: UUID) -> list[Entry]:
    """The entries of one order, version by version."""
    query = (
        select(JOURNAL)
        .where(JOURNAL.c.order_id == order_id, JOURNAL.c.tenant == tenant)
        .order_by(JOURNAL.c.version)
    )
    return [to_entry(row) for row in (await connection.execute(query)).mappings()]


async def of_tenant(
    connection: AsyncConnection,
    tenant: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    order_id: UUID | None = None,
) -> AsyncIterator[list[Written]]:
    """Every entry of a house in the order in which they were written, page by page.

    What the connection sees when it begins is what is read: a view that stays the same.

    Args:
        connection: one consistent view of the rows.
        tenant: whose.
        since: only what happened then or later.
        until: only what happened before.
        order_id: only of this order.
    """
    after = None if since is None else first_id_at(since - MARGIN)
    while True:
        query = (
            select(JOURNAL, ORDERS.c.number.label("number"), ORDERS.c.currency.label("currency"))
            .join(
                ORDERS,
                and_(ORDERS.c.tenant == JOURNAL.c.tenant, ORDERS.c.order_id == JOURNAL.c.order_id),
            )
            .where(JOURNAL.c.tenant == tenant)
            .order_by(JOURNAL.c.entry_id)
            .limit(PAGE)
        )
        if after is not None:
            query = query.where(JOURNAL.c.entry_id > after)
        if since is not None:
            query = query.where(JOURNAL.c.at >= since)
        if until is not None:
            query = query.where(JOURNAL.c.at < until)
        if order_id is not None:
            query = query.where(JOURNAL.c.order_id == order_id)
        rows = (await connection.execute(query)).mappings().all()
        if rows:
            after = rows[-1]["entry_id"]
            yield [Written(to_entry(row), row["number"], row["currency"]) for row in rows]
        if len(rows) < PAGE:
            return
