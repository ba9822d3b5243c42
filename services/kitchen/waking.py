"""What happens to a ticket because time passes, with nobody asking."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from schemas.kitchen import TicketStatus
from services.kitchen import courses, receipt, rules, showing, store
from services.kitchen.inside import ReviewCourses, WakeTicket
from services.runtime.context import Context
from services.runtime.house_rules import kitchen_rules
from services.runtime.ports import Ports
from services.runtime.router import Router
from services.runtime.work import Draft

router: Final = Router()


@router.prepare(WakeTicket)
async def read_ahead(draft: Draft, _ports: Ports, asked: Sequence[tuple[str, WakeTicket]]) -> None:
    """Read all tickets of the batch in one query: of what nobody hears there may be thousands."""
    await store.prepare_tickets(draft, {(tenant, each.ticket_id) for tenant, each in asked})


@router.on(WakeTicket)
async def wake_ticket(request: WakeTicket, context: Context) -> None:
    """Look at a ticket again: it is to begin, or has not been heard; one that went on is left."""
    ticket = await showing.the_ticket(context, request.ticket_id)
    if ticket.wake_at == request.wake_at:
        book = await kitchen_rules(context.draft, context.tenant)
        if ticket.status is TicketStatus.HELD:
            await courses.wake(context, book, ticket)
        else:
            await receipt.wake(context, book, ticket)
        ticket = await showing.the_ticket(context, request.ticket_id)
        if ticket.status is TicketStatus.MOVED:  # whoever has it now takes another time
            await courses.look_together(context, ticket.order_id)
        if ticket.wake_at == request.wake_at:  # it would be asked for again, for ever
            ticket = await showing.again(context, ticket.model_copy(update={"wake_at": None}))
    context.answer(rules.receipt(ticket))


@router.prepare(ReviewCourses)
async def read_orders_ahead(
    draft: Draft, _ports: Ports, asked: Sequence[tuple[str, ReviewCourses]]
) -> None:
    """Read all tickets of the orders in question, and their stations."""
    await store.prepare_orders(draft, {(tenant, each.order_id) for tenant, each in asked})


@router.on(ReviewCourses)
async def review_courses(request: ReviewCourses, context: Context) -> None:
    """The rules have changed: what waits begins when they say so now."""
    book = await kitchen_rules(context.draft, context.tenant)
    await courses.follow(context, book, request.order_id)
