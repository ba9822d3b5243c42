"""Proof of receipt: whom a ticket was sent to, who heard it, and who is asked next.

Each ticket carries its next time (`wake_at`). What is not heard by then goes one step further,
in the house's order; a step for which nobody is there is passed over at once.
"""

from __future__ import annotations

from schemas.kitchen import Asked, PrintTicket, Ticket, TicketStatus
from schemas.kitchen_rules import EscalationTarget, KitchenRules
from services.kitchen import expo, hearing, moving, showing, store, unheard
from services.runtime.context import Context


async def address(context: Context, book: KitchenRules, ticket: Ticket) -> Ticket:
    """Say whom the ticket is sent to, and until when they have to hear it."""
    now = await store.station_now(context.draft, context.tenant, ticket.station)
    return hearing.address(ticket, now.displays, book.escalation, context.now)


async def wake(context: Context, book: KitchenRules, ticket: Ticket) -> None:
    """The time has come at which a ticket should have been heard by everybody."""
    if ticket.status is TicketStatus.SENT:
        await _escalate(context, book, ticket)
        return
    for device in hearing.silent(ticket):
        await unheard.display_silent(context, ticket, device)
    await showing.again(context, ticket.model_copy(update={"wake_at": None}))


async def _escalate(context: Context, book: KitchenRules, ticket: Ticket) -> None:
    steps = book.escalation
    for following in range(hearing.next_step(steps, ticket.asked), len(steps)):
        target = steps[following].to
        to = await _whom(context, book, ticket, target)
        if to is None:
            continue
        asked = (*ticket.asked, Asked(step=target, to=to, at=context.now))
        ticket = ticket.model_copy(update={"asked": asked})
        if target is EscalationTarget.FALLBACK:
            await moving.pass_on(context, book, ticket, to, f"nobody at {ticket.station} heard it")
            return
        if target is EscalationTarget.PRINTER:
            ticket = ticket.model_copy(update={"prints": ticket.prints + 1})
        wake_at = hearing.patience(steps, following + 1, context.now)
        ticket = await showing.again(context, ticket.model_copy(update={"wake_at": wake_at}))
        if target is EscalationTarget.PRINTER:
            await context.emit(
                PrintTicket(
                    station=ticket.station,
                    ticket_id=ticket.ticket_id,
                    prints=ticket.prints,
                    ticket=ticket,
                )
            )
        return
    await showing.again(context, ticket.model_copy(update={"wake_at": None}))


async def _whom(
    context: Context, book: KitchenRules, ticket: Ticket, target: EscalationTarget
) -> str | None:
    """Who is there to be asked by a step; None where nobody is."""
    if target is EscalationTarget.MANAGER:
        return hearing.MANAGERS
    if target is EscalationTarget.POS:
        return ticket.placed_by
    if target is EscalationTarget.PRINTER:
        now = await store.station_now(context.draft, context.tenant, ticket.station)
        return ticket.station if now.printers else None
    if target is EscalationTarget.FALLBACK:
        return await _fallback(context, book, ticket)
    return await _expo(context, book, ticket)


async def _fallback(context: Context, book: KitchenRules, ticket: Ticket) -> str | None:
    other = book.station(ticket.station).fallback
    # Whoever makes things cannot see to whole orders.
    if other is None or expo.is_expo(ticket) or not await _is_there(context, other):
        return None
    return other


async def _expo(context: Context, book: KitchenRules, ticket: Ticket) -> str | None:
    for name in expo.expos(book):
        if name != ticket.station and await _is_there(context, name):
            return name
    return None


async def _is_there(context: Context, station: str) -> bool:
    now = await store.station_now(context.draft, context.tenant, station)
    return now.closed is None and bool(now.displays)
