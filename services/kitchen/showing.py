"""How a ticket's change is kept, counted and shown: the same way for every step."""

from __future__ import annotations

from uuid import UUID

from schemas.kitchen import (
    LineMark,
    Ticket,
    TicketEnded,
    TicketState,
    TicketStatus,
    TicketStep,
)
from schemas.refusals import RefusalCode
from services.kitchen import booking, expo, hearing, rules, store, unheard
from services.runtime.context import Context
from services.runtime.facts import TicketMoved
from services.runtime.refusal import Refusal


async def the_ticket(context: Context, ticket_id: UUID, station: str | None = None) -> Ticket:
    """The ticket that a request is about; refusals say from now on how it stands.

    Args:
        context: of the decision.
        ticket_id: which.
        station: where whoever asks believes it to be; None does not say.

    Raises:
        Refusal: `not-found`; `wrong-station`, where it is another's.
    """
    ticket = await store.ticket_of(context.draft, context.tenant, ticket_id)
    if ticket is None:
        raise Refusal(RefusalCode.NOT_FOUND, f"there is no ticket {ticket_id}")
    context.standing = rules.receipt(ticket)
    if station is not None and station != ticket.station:
        raise Refusal(
            RefusalCode.WRONG_STATION,
            f"the ticket of {ticket.order_number} is one of {ticket.station}, not of {station}",
        )
    return ticket


async def move(
    context: Context,
    ticket: Ticket,
    step: TicketStep,
    seen: int | None = None,
    *,
    why: str | None = None,
) -> Ticket:
    """Move a ticket and show it."""
    sequence = ticket.sequence
    if rules.may(ticket, step):
        sequence = await store.next_sequence(context.draft, context.tenant, ticket.station)
    after = rules.move(
        ticket, step, sequence=sequence, at=context.now, by=context.device, seen=seen
    )
    if why is not None:
        after = after.model_copy(update={"why": why})
    return await show_step(context, ticket, after, step)


async def show_step(context: Context, before: Ticket, after: Ticket, step: TicketStep) -> Ticket:
    """Show a ticket that has gone a step on, and who has heard it with that."""
    after = hearing.after_step(before, after, step, at=context.now, by=context.device)
    await show(context, after)
    return after


async def show(context: Context, ticket: Ticket) -> None:
    """Keep a ticket and show it: an open one retained, an ended one no more."""
    await unheard.follow(context, ticket)
    await booking.follow(context, ticket)
    await store.save(context.draft, context.tenant, ticket)
    if rules.is_open(ticket):
        await context.emit(state(ticket))
    else:
        await context.emit(TicketEnded(station=ticket.station, ticket=ticket))
        context.clear(TicketState, station=ticket.station, ticket_id=str(ticket.ticket_id))
    if ticket.expos and ticket.version > 1 and ticket.status is not TicketStatus.MOVED:
        await follow_at_expo(context, ticket, ticket.ticket_id)


async def follow_at_expo(context: Context, ticket: Ticket, instead_of: UUID) -> None:
    """Show the expo how a ticket of its order is now, in the place of what it had of it."""
    for each in await store.tickets_of(context.draft, context.tenant, ticket.order_id):
        if not expo.is_expo(each):
            continue
        after = expo.with_plate(
            each,
            ticket,
            instead_of,
            sequence=1 + await store.sequence_of(context.draft, context.tenant, each.station),
            at=context.now,
            by=context.device,
        )
        if after is not None:
            await store.next_sequence(context.draft, context.tenant, each.station)
            await show(context, after)


async def again(context: Context, ticket: Ticket) -> Ticket:
    """Show a ticket of which something else has changed than its step, under new numbers."""
    sequence = await store.next_sequence(context.draft, context.tenant, ticket.station)
    ticket = ticket.model_copy(update={"version": ticket.version + 1, "sequence": sequence})
    await show(context, ticket)
    return ticket


async def tell_the_order(context: Context, ticket: Ticket, *, started: bool) -> None:
    """Let the order go on with its tickets, and answer."""
    still_open = await store.open_tickets_of(context.draft, context.tenant, ticket.order_id)
    cooking: tuple[int, ...] = ()
    if ticket.status in {TicketStatus.STARTED, TicketStatus.BUMPED} and not ticket.plates:
        cooking = tuple(each.line for each in ticket.lines if each.mark is not LineMark.CANCELLED)
    await context.tell(
        TicketMoved(
            order_id=ticket.order_id, started=started, open_tickets=still_open, cooking=cooking
        )
    )
    context.answer(rules.receipt(ticket))


def state(ticket: Ticket) -> TicketState:
    """What stands retained of an open ticket."""
    return TicketState(station=ticket.station, ticket_id=ticket.ticket_id, ticket=ticket)
