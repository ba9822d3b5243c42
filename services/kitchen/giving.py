"""Whoever sees to a ticket stands on it, so that every screen of its station says so."""

from __future__ import annotations

from typing import Final

from services.kitchen import rules, showing
from services.runtime.context import Context
from services.runtime.facts import TicketGiven
from services.runtime.router import Router

router: Final = Router()


@router.during(TicketGiven)
async def give_ticket(fact: TicketGiven, context: Context) -> None:
    """Write the names on the ticket. Nothing that a cook must hear anew has changed."""
    ticket = await showing.the_ticket(context, fact.ticket_id)
    if not rules.is_open(ticket) or ticket.given_to == fact.people:
        return
    await showing.again(context, ticket.model_copy(update={"given_to": fact.people}))
