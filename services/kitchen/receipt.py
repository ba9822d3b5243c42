"""Proof of receipt: whom a ticket was sent to, who heard it, and who is asked next."""

from __future__ import annotations

from schemas.kitchen import Ticket
from schemas.kitchen_rules import KitchenRules
from services.runtime.context import Context


async def address(_context: Context, _book: KitchenRules, ticket: Ticket) -> Ticket:
    """Say whom the ticket is sent to, and until when they have to hear it."""
    return ticket
