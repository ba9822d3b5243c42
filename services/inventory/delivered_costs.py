"""What items cost when they were delivered last."""

from __future__ import annotations

from fractions import Fraction

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.inventory.costing import ItemCost
from services.inventory.tables import LOTS


async def delivered_costs(connection: AsyncConnection, tenant: str) -> dict[str, ItemCost]:
    """What items cost by the last delivery that says what it cost."""
    told = LOTS.c.tenant == tenant, LOTS.c.cost_minor.is_not(None)
    last = (
        select(LOTS.c.item, func.max(LOTS.c.received_at).label("at"))
        .where(*told)
        .group_by(LOTS.c.item)
        .subquery()
    )
    query = (
        select(LOTS.c.item, LOTS.c.received, LOTS.c.cost_minor, LOTS.c.reference)
        .join(last, (LOTS.c.item == last.c.item) & (LOTS.c.received_at == last.c.at))
        .where(*told)
        .order_by(LOTS.c.item, LOTS.c.lot_id)
    )
    return {
        row.item: ItemCost(Fraction(row.cost_minor, row.received), f"delivery {row.reference}")
        for row in await connection.execute(query)
    }
