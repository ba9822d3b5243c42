"""What orders sold: their lines, and what each brought."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.orders import OrderLine, OrderStatus
from services.orders.store import ORDERS, to_order
from services.runtime.among import among

_CALLED_OFF: Final = frozenset({OrderStatus.REJECTED, OrderStatus.CANCELLED, OrderStatus.VOIDED})


@dataclass(frozen=True, slots=True)
class SoldLine:
    """One line of an order.

    Attributes:
        line: as it is now.
        sold: how many of it; 0 where it was called off.
        called_off: how many of it were.
        net_minor: what it brought without tax, in the currency's minor unit; what was given back
            of this line is taken off, and of its tax as much.
    """

    line: OrderLine
    sold: int
    called_off: int
    net_minor: Fraction


async def sold_lines(
    connection: AsyncConnection, tenant: str, order_ids: Collection[UUID]
) -> dict[UUID, list[SoldLine]]:
    """The lines of each of these orders, by order.

    Args:
        connection: reads.
        tenant: whose.
        order_ids: of a page; one that is not there is left out.
    """
    chosen = among(ORDERS.c.order_id, order_ids, connection.dialect.name)
    query = select(ORDERS).where(ORDERS.c.tenant == tenant, chosen).order_by(ORDERS.c.order_id)
    orders = [to_order(dict(row)) for row in (await connection.execute(query)).mappings()]
    return {
        order.order_id: [
            sold_line(line, called_off=order.status in _CALLED_OFF) for line in order.lines
        ]
        for order in orders
    }


def sold_line(line: OrderLine, *, called_off: bool = False) -> SoldLine:
    """Tell what one line brought.

    Args:
        line: as it is now.
        called_off: whether its whole order was.
    """
    if called_off or line.voided:
        return SoldLine(line, 0, line.quantity, Fraction(0))
    net = Fraction(line.total_minor - line.tax_minor)
    if line.refunded_minor:
        net *= Fraction(line.total_minor - line.refunded_minor, line.total_minor)
    return SoldLine(line, line.quantity, 0, net)
