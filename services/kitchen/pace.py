"""How much work a ticket is, and when it will be ready."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.kitchen import Ticket
from schemas.kitchen_rules import KitchenRules
from schemas.orders import Order
from services.runtime.context import Context


async def promise(
    _context: Context, _book: KitchenRules, _order: Order, tickets: Sequence[Ticket]
) -> Sequence[Ticket]:
    """Say of each ticket how much work it is and when it will be ready."""
    return tickets
