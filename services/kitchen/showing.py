"""How a ticket's change is kept, counted and shown: the same way for every step."""

from __future__ import annotations

from uuid import UUID

from schemas.kitchen import Ticket, TicketEnded, TicketState, TicketStep
from schemas.refusals import RefusalCode
from services.kitchen import rules, store
from services.runtime.context import Context
from services.runtime.facts import TicketMoved
from services.runtime.refusal import Refusal


async def the_ticket(context: Context, ticket_id: UUID) -> Ticket:
    """One ticket.

    Raises:
        Refusal: `not-found`.
    """
    ticket = await store.ticket_of(context.draft, context.tenant, ticket_id)
    if ticket is None:
        raise Refusal(RefusalCode.NOT_FOUND, f"there is no ticket {ticket_id}")
    return ticket


async def move(
    context: Context, ticket: Ticket, step: TicketStep, seen: int | None = None
) -> Ticket:
    """Move a ticket and show it."""
    sequence = ticket.sequence
    if rules.may(ticket, step):
        sequence = await store.next_sequence(context.draft, context.tenant, ticket.station)
    ticket = rules.move(
        ticket, step, sequence=sequence, at=context.now, by=context.device, seen=seen
    )
    await show(context, ticket)
    return ticket


async def show(context: Context, ticket: Ticket) -> None:
    """Keep a ticket and show it: an open one retained, an ended one no more."""
    await store.save(context.draft, context.tenant, ticket)
    if rules.is_open(ticket):
        await context.emit(state(ticket))
    else:
        await context.emit(TicketEnded(station=ticket.station, ticket=ticket))
        context.clear(TicketState, station=ticket.station, ticket_id=str(ticket.ticket_id))


async def tell_the_order(context: Context, ticket: Ticket, *, started: bool) -> None:
    """Let the order go on with its tickets, and answer."""
    still_open = await store.open_tickets_of(context.draft, context.tenant, ticket.order_id)
    await context.tell(
        TicketMoved(order_id=ticket.order_id, started=started, open_tickets=still_open)
    )
    context.answer(rules.receipt(ticket))


def state(ticket: Ticket) -> TicketState:
    """What stands retained of an open ticket."""
    return TicketState(station=ticket.station, ticket_id=ticket.ticket_id, ticket=ticket)
