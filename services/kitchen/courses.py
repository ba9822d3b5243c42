"""When the tickets of an order are to be begun: at once, in courses, or to end together."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.kitchen import Ticket
from schemas.kitchen_rules import KitchenRules
from schemas.orders import Order
from services.runtime.context import Context


async def arrange(
    _context: Context, _book: KitchenRules, _order: Order, tickets: Sequence[Ticket]
) -> Sequence[Ticket]:
    """Hold what is not to be begun yet; everything else is sent as it is."""
    return tickets
