"""What an order took from the shelves, for whoever tells its story."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.inventory import BaseUnit, MovementKind
from services.inventory.tables import STOCK_ITEMS, STOCK_MOVEMENTS
from services.inventory.units import text
from services.runtime.among import among


@dataclass(frozen=True, slots=True)
class MovedForOrder:
    """One entry of the ledger that belongs to an order.

    Attributes:
        at: when.
        kind: reserved, taken, given back.
        amounts: by the item's name, as people say it: ``{"Beef": "250 g"}``.
        device: who asked for what caused it.
    """

    at: datetime
    kind: MovementKind
    amounts: dict[str, str]
    device: str


async def moved_for_order(
    connection: AsyncConnection, tenant: str, order_id: UUID
) -> list[MovedForOrder]:
    """All that moved for an order, the oldest first."""
    moved = STOCK_MOVEMENTS.c
    query = select(moved.kept_at, moved.kind, moved.amounts, moved.device).where(
        moved.order_id == order_id, moved.tenant == tenant
    )
    rows = (await connection.execute(query.order_by(moved.movement_id))).all()
    names = {item for row in rows for item in row.amounts}
    if not names:
        return []
    chosen = among(STOCK_ITEMS.c.item, sorted(names), connection.dialect.name)
    items = select(STOCK_ITEMS.c.item, STOCK_ITEMS.c.name, STOCK_ITEMS.c.unit)
    found = await connection.execute(items.where(STOCK_ITEMS.c.tenant == tenant).where(chosen))
    known = {row.item: (row.name, BaseUnit(row.unit)) for row in found}
    return [
        MovedForOrder(
            row.kept_at,
            MovementKind(row.kind),
            # What is on the book no more has no unit that could be said.
            {
                known[item][0]: text(amount, known[item][1])
                for item, amount in sorted(row.amounts.items())
                if item in known
            },
            row.device,
        )
        for row in rows
    ]
