"""Finding the orders of a guest, to forget them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.orders import Guest, Order
from services.orders.store import NAMES_SOMEBODY, ORDERS, to_order

PAGE: Final = 500
_NO_DIGITS: Final = re.compile(r"[^0-9]")


async def orders_with_guests(
    connection: AsyncConnection, tenant: str
) -> AsyncIterator[list[Order]]:
    """Every order of which is kept whom it was for, page by page."""
    after: UUID | None = None
    while True:
        query = (
            select(ORDERS)
            .where(ORDERS.c.tenant == tenant, NAMES_SOMEBODY)
            .order_by(ORDERS.c.order_id)
            .limit(PAGE)
        )
        if after is not None:
            query = query.where(ORDERS.c.order_id > after)
        orders = [to_order(dict(row)) for row in (await connection.execute(query)).mappings()]
        if orders:
            after = orders[-1].order_id
            yield orders
        if len(orders) < PAGE:
            return


def has_email(guest: Guest, email: str) -> bool:
    """Tell whether it is this guest's email, however it is capitalised."""
    return guest.email is not None and guest.email.casefold() == email.casefold()


def has_phone(guest: Guest, phone: str) -> bool:
    """Tell whether it is this guest's telephone, however it is spaced; +44 is 0044."""
    return guest.phone is not None and _digits(guest.phone) == _digits(phone)


def _digits(phone: str) -> str:
    stripped = phone.strip()
    digits = _NO_DIGITS.sub("", stripped)
    return f"00{digits}" if stripped.startswith("+") else digits


def is_personal(order: Order) -> bool:
    """Tell whether anything is kept of who its guests were."""
    if order.guest is not None or order.participants:
        return True
    return any(line.note for line in order.lines)
