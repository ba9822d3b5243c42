"""What a house used in a span of time, and what that cost."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.inventory import StockItem
from services.inventory.costing import ItemCost, pack_costs
from services.inventory.delivered_costs import delivered_costs
from services.inventory.reading import levels
from services.inventory.tables import STOCK_USAGE
from services.inventory.usage import Usage
from services.runtime.among import among

_USED: Final = STOCK_USAGE.c


@dataclass(frozen=True, slots=True)
class ItemUsage:
    """What became of one item, and what that cost.

    Attributes:
        item: which.
        usage: in thousandths of its base unit.
        cost: of a thousandth; None where neither a delivery nor a pack tells.
    """

    item: StockItem
    usage: Usage
    cost: ItemCost | None

    def minor(self, amount: int) -> int | None:
        """What so much of it costs, in the currency's minor unit."""
        return None if self.cost is None else round(self.cost.minor * amount)

    @property
    def unexplained(self) -> Fraction | None:
        """Which share of what recipes say was missing when it was counted; below 0 is too much."""
        if not self.usage.consumed:
            return None
        return Fraction(-self.usage.counted, self.usage.consumed)


async def used_between(
    connection: AsyncConnection,
    tenant: str,
    since: datetime,
    until: datetime,
    *,
    items: Collection[str] | None = None,
) -> list[ItemUsage]:
    """What became of each item of which anything moved, by name.

    Args:
        connection: reads.
        tenant: whose.
        since: from the beginning of which hour on.
        until: to the beginning of which hour.
        items: those alone; None is all.
    """
    sums = [func.sum(_USED[name]).label(name) for name in Usage._fields]
    query = select(_USED.item, *sums).where(
        _USED.tenant == tenant, _USED.hour >= since, _USED.hour < until
    )
    if items is not None:
        query = query.where(among(_USED.item, items, connection.dialect.name))
    rows = (await connection.execute(query.group_by(_USED.item))).mappings()
    # PostgreSQL adds whole numbers up to decimals.
    used = {row["item"]: Usage(*(int(row[name]) for name in Usage._fields)) for row in rows}
    known = {each.item.item: each.item for each in await levels(connection, tenant, until)}
    costs = await costs_of(connection, tenant, known)
    return [
        ItemUsage(known[name], usage, costs.get(name))
        for name, usage in sorted(used.items())
        if name in known and usage
    ]


async def costs_of(
    connection: AsyncConnection, tenant: str, items: Mapping[str, StockItem]
) -> dict[str, ItemCost]:
    """What items cost: as they were delivered last, else as the first of their packs."""
    return pack_costs(items) | await delivered_costs(connection, tenant)
