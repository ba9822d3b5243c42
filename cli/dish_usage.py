"""What dishes sold in a period, what went into them, and what is left.

The stock knows what was cooked and what that took; the orders know what it brought. Neither
knows the other: they are joined here, page by page, in one view of the rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction

from sqlalchemy.ext.asyncio import AsyncConnection

from services.inventory.cooked_orders import Taken, cooked_orders
from services.inventory.costing import ItemCost
from services.inventory.reading import levels
from services.inventory.usage_reading import costs_of
from services.orders.sold_lines import SoldLine, sold_lines


@dataclass(slots=True)
class DishUsage:
    """What became of one dish of the menu.

    Attributes:
        item: which.
        name: what guests call it.
        sold: how many were cooked and sold.
        called_off: how many were cooked and called off: they cost, and bring nothing.
        cost_minor: what went into all of them, as far as it is known, in the currency's minor unit.
        net_minor: what they brought without tax.
        unknown: the ingredients of which nothing tells what they cost.
    """

    item: str
    name: str
    sold: int = 0
    called_off: int = 0
    cost_minor: Fraction = field(default_factory=Fraction)
    net_minor: Fraction = field(default_factory=Fraction)
    unknown: set[str] = field(default_factory=set)

    @property
    def margin_minor(self) -> Fraction | None:
        """What is left; None where not all of the cost is known."""
        return None if self.unknown else self.net_minor - self.cost_minor

    @property
    def margin_share(self) -> Fraction | None:
        """The same, as a share of what they brought."""
        margin = self.margin_minor
        return None if margin is None or not self.net_minor else margin / self.net_minor


async def dish_usage(
    connection: AsyncConnection, tenant: str, since: datetime, until: datetime
) -> list[DishUsage]:
    """What became of each dish of which any was cooked, by name.

    Args:
        connection: one consistent view of the rows.
        tenant: whose.
        since: from then on.
        until: before then.
    """
    known = {each.item.item: each.item for each in await levels(connection, tenant, until)}
    costs = await costs_of(connection, tenant, known)
    dishes: dict[str, DishUsage] = {}
    async for page in cooked_orders(connection, tenant, since, until):
        sold = await sold_lines(connection, tenant, page)
        for order_id, lines in sold.items():
            _add(dishes, page[order_id], lines, costs)
    return [dishes[item] for item in sorted(dishes)]


def _add(
    dishes: dict[str, DishUsage],
    taken: Taken,
    lines: Sequence[SoldLine],
    costs: Mapping[str, ItemCost],
) -> None:
    """Add one order's lines to their dishes, as far as they were cooked."""
    for each in lines:
        line = each.line
        if line.line not in taken:
            continue
        dish = dishes.setdefault(line.item, DishUsage(line.item, line.name))
        # The menu may have renamed it since: the newest order says what it is called now.
        dish.name = line.name
        dish.sold += each.sold
        dish.called_off += each.called_off
        dish.net_minor += each.net_minor
        for item, amount in taken[line.line].items():
            if item in costs:
                dish.cost_minor += costs[item].minor * amount
            else:
                dish.unknown.add(item)
