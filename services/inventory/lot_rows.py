"""The deliveries as they are kept, and what should be left of them."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.inventory import Lot
from services.inventory.lots import KeptLot, left_of
from services.inventory.tables import LOTS, STOCK_LEVELS
from services.runtime.among import among
from services.runtime.work import Row


def to_lot(row: Row) -> KeptLot:
    """Read a row."""
    names = KeptLot.__dataclass_fields__
    return KeptLot(**{name: row[name] for name in names})


async def lots_of(
    connection: AsyncConnection, tenant: str, items: Collection[str]
) -> dict[str, list[Lot]]:
    """The lots of these items of which something is left, what is to be used first first."""
    on_hand = dict.fromkeys(items, 0)
    dialect = connection.dialect.name
    levels = select(STOCK_LEVELS.c.item, STOCK_LEVELS.c.on_hand)
    levels = levels.where(STOCK_LEVELS.c.tenant == tenant)
    chosen = levels.where(among(STOCK_LEVELS.c.item, list(on_hand), dialect))
    for item, held in await connection.execute(chosen):
        on_hand[item] = held
    names = [item for item, held in on_hand.items() if held > 0]
    mine = select(LOTS).where(LOTS.c.tenant == tenant, LOTS.c.gone < LOTS.c.received)
    kept: dict[str, list[KeptLot]] = {}
    if names:
        query = mine.where(among(LOTS.c.item, names, dialect))
        for row in (await connection.execute(query)).mappings():
            kept.setdefault(row["item"], []).append(to_lot(dict(row)))
    return {
        item: [lot for lot in left_of(on_hand[item], lots) if lot.left]
        for item, lots in kept.items()
    }
