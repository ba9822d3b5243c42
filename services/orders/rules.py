"""What may happen to an order. Pure: no clock, no database, no messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from schemas.menu import MenuItem
from schemas.money import MAX_MINOR
from schemas.orders import (
    MAX_LINES,
    OPEN_ORDER,
    ORDER_STEPS,
    LineRequest,
    Order,
    OrderLine,
    OrderStatus,
    OrderStep,
)
from schemas.refusals import RefusalCode
from services.runtime.refusal import Refusal

_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O or U, which people misread."""


def order_number(placed_at: datetime, ordinal: int) -> str:
    """Make the number that people use: ``ORD-240115103045-A1B2``, in UTC.

    The four letters are the ordinal, scattered (an odd factor permutes the residues of
    a power of two): they meet again only after 2**20 orders, never within a second.
    """
    value = ordinal * 0x9E375 & 0xFFFFF
    tail = "".join(_LETTERS[value >> shift & 31] for shift in (15, 10, 5, 0))
    return f"ORD-{placed_at.astimezone(UTC):%y%m%d%H%M%S}-{tail}"


def price_lines(
    lines: Iterable[LineRequest], menu: Mapping[str, MenuItem], *, first: int = 1
) -> tuple[OrderLine, ...]:
    """Put the menu's names, prices and stations on the lines asked for.

    Raises:
        Refusal: `unknown-item` or `item-unavailable`, naming every such item.
    """
    lines = tuple(lines)
    unknown = sorted({line.item for line in lines} - menu.keys())
    if unknown:
        raise Refusal(RefusalCode.UNKNOWN_ITEM, f"not on the menu: {', '.join(unknown)}"[:240])
    sold_out = sorted({line.item for line in lines if not menu[line.item].available})
    if sold_out:
        raise Refusal(RefusalCode.ITEM_UNAVAILABLE, f"sold out: {', '.join(sold_out)}"[:240])
    return tuple(
        OrderLine(
            line=number,
            item=line.item,
            name=menu[line.item].name,
            quantity=line.quantity,
            unit_minor=menu[line.item].price_minor,
            station=menu[line.item].station,
            note=line.note,
        )
        for number, line in enumerate(lines, first)
    )


def total(lines: Iterable[OrderLine]) -> int:
    """Add the lines up, in minor units.

    Raises:
        Refusal: `invalid`, when it is more than the contract's `Minor` can say.
    """
    together = sum(line.quantity * line.unit_minor for line in lines)
    if together > MAX_MINOR:
        raise Refusal(RefusalCode.INVALID, f"the total of {together} is beyond {MAX_MINOR}")
    return together


def place(
    *,
    order_id: UUID,
    number: str,
    device: str,
    lines: tuple[OrderLine, ...],
    currency: str,
    placed_at: datetime,
    reference: str | None,
    table: str | None,
) -> Order:
    """Make a new order.

    Raises:
        Refusal: `invalid`, when its total is out of range.
    """
    return Order(
        order_id=order_id,
        number=number,
        status=OrderStatus.PLACED,
        version=1,
        device=device,
        reference=reference,
        table=table,
        currency=currency,
        total_minor=total(lines),
        lines=lines,
        placed_at=placed_at,
    )


def step(order: Order, what: OrderStep, *, reason: str | None = None) -> Order:
    """Move the order one step.

    Raises:
        Refusal: `wrong-state`, when the table has no such step from here.
    """
    following = ORDER_STEPS.get((order.status, what))
    if following is None:
        raise Refusal(RefusalCode.WRONG_STATE, f"{order.number} is {order.status}: cannot {what}")
    return order.model_copy(
        update={"status": following, "version": order.version + 1, "reason": reason or order.reason}
    )


def add_lines(order: Order, lines: tuple[OrderLine, ...]) -> Order:
    """Put more lines on an open order; one that was ready is being prepared again.

    Raises:
        Refusal: `wrong-state` when it is not open, `too-many-lines`, `invalid` for its total.
    """
    if order.status not in OPEN_ORDER:
        raise Refusal(
            RefusalCode.WRONG_STATE, f"{order.number} is {order.status}: place a new order"
        )
    together = order.lines + lines
    if len(together) > MAX_LINES:
        raise Refusal(
            RefusalCode.TOO_MANY_LINES, f"{order.number} would have over {MAX_LINES} lines"
        )
    status = ORDER_STEPS.get((order.status, OrderStep.REOPEN), order.status)
    return order.model_copy(
        update={
            "status": status,
            "version": order.version + 1,
            "lines": together,
            "total_minor": total(together),
        }
    )
