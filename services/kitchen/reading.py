"""Reading tickets, for whoever looks at them: nothing here changes a row."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.kitchen import Ticket
from services.kitchen.store import TICKETS, to_ticket


async def tickets_of_order(
    connection: AsyncConnection, tenant: str, order_id: UUID
) -> list[Ticket]:
    """The tickets of one order, by station and time."""
    query = (
        select(TICKETS)
        .where(TICKETS.c.tenant == tenant, TICKETS.c.order_id == order_id)
        .order_by(TICKETS.c.station, TICKETS.c.placed_at)
    )
    return [to_ticket(dict(row)) for row in (await connection.execute(query)).mappings()]
