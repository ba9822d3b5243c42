"""When the tickets of an order are to be begun: at once, in courses, or to end together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from schemas.kitchen import HoldReason, Ticket, TicketStatus, TicketStep
from schemas.kitchen_requests import FireCourse, FireTicket, HoldTicket
from schemas.kitchen_rules import KitchenRules
from schemas.orders import Order, OrderStatus
from schemas.refusals import RefusalCode
from services.kitchen import course_rules, expo, pace, receipt, rules, showing, store, together
from services.runtime.context import Context
from services.runtime.facts import TicketMoved
from services.runtime.house_rules import kitchen_rules
from services.runtime.refusal import Refusal
from services.runtime.router import Router

router: Final = Router()


async def arrange(
    context: Context, book: KitchenRules, order: Order, tickets: Sequence[Ticket]
) -> Sequence[Ticket]:
    """Hold what is not to be begun yet; everything else is sent as it is."""
    tickets = together.plan(book, tickets, context.now)
    if all(each.course == 1 for each in tickets):
        return tickets  # nothing comes before it
    known = await _of_order(context, order.order_id)
    return course_rules.hold(tickets, known, book.courses, context.now)


@router.on(HoldTicket)
async def hold_ticket(request: HoldTicket, context: Context) -> None:
    """Not to be begun yet; what is begun cannot be held."""
    ticket = await showing.the_ticket(context, request.ticket_id)
    expo.check_makes(ticket, TicketStep.HOLD)
    ticket = await showing.move(context, ticket, TicketStep.HOLD, why=request.why)
    context.answer(rules.receipt(ticket))


@router.on(FireTicket)
async def fire_ticket(request: FireTicket, context: Context) -> None:
    """To be begun now, whatever it was held for."""
    ticket = await showing.the_ticket(context, request.ticket_id)
    book = await kitchen_rules(context.draft, context.tenant)
    ticket = await fire(context, book, ticket)
    await follow(context, book, ticket.order_id)
    context.answer(rules.receipt(ticket))


@router.on(FireCourse)
async def fire_course(request: FireCourse, context: Context) -> None:
    """Begin a course at all its stations, whatever its tickets were held for."""
    tickets = await _of_order(context, request.order_id)
    if not tickets:
        raise await not_in_the_kitchen(context, request.order_id)
    stands = course_rules.receipt(tickets, request.course)
    number = tickets[0].order_number
    held = course_rules.to_fire(number, request.course, tickets, stands)
    book = await kitchen_rules(context.draft, context.tenant)
    for ticket in held:
        await fire(context, book, ticket)
    await follow(context, book, request.order_id)
    after = await _of_order(context, request.order_id)
    context.answer(course_rules.receipt(after, request.course))


async def fire(context: Context, book: KitchenRules, ticket: Ticket) -> Ticket:
    """Begin a ticket that is held; it is sent anew, and everybody has to hear it.

    Raises:
        Refusal: `wrong-state`, where it is not held.
    """
    sequence = ticket.sequence
    if rules.may(ticket, TicketStep.FIRE):
        sequence = await store.next_sequence(context.draft, context.tenant, ticket.station)
    ticket = rules.move(
        ticket, TicketStep.FIRE, sequence=sequence, at=context.now, by=context.device
    )
    ticket = await pace.anew(context, book, ticket)
    ticket = await receipt.address(context, book, ticket.model_copy(update={"asked": ()}))
    await showing.show(context, ticket)
    return ticket


async def wake(context: Context, book: KitchenRules, ticket: Ticket) -> None:
    """The time has come at which a ticket that is held was to begin."""
    # A clock that was set back must not make this the only answer that it ever gets.
    now = context.now if ticket.wake_at is None else max(context.now, ticket.wake_at)
    if ticket.held_for is HoldReason.TOGETHER:
        await _look(context, book, ticket, now)
    await follow(context, book, ticket.order_id, at=now)


async def follow(
    context: Context, book: KitchenRules, order_id: UUID, *, at: datetime | None = None
) -> None:
    """After a ticket of an order was fired, ended or recalled: what of it begins now, or when.

    It costs nothing where no course waits.
    """
    at = context.now if at is None else at
    while await _has_waiting(context, order_id):
        tickets = await _of_order(context, order_id)
        waiting = course_rules.waiting(tickets)
        begins = course_rules.begins_at(waiting[0].course, tickets, book.courses, at)
        if begins is None or begins > at:
            for ticket in waiting:
                if ticket.wake_at != begins:
                    after = ticket.model_copy(update={"wake_at": begins})
                    await showing.again(context, after)
            return
        await _begin(context, book, waiting)


@router.during(TicketMoved)
async def look_at_the_others(fact: TicketMoved, context: Context) -> None:
    """A ticket was begun or is done: what waits to be done with it is looked at again."""
    await look_together(context, fact.order_id)


async def look_together(context: Context, order_id: UUID) -> None:
    """Look again at what is held to be done with others of its order, since these have changed.

    It costs nothing where nothing is.
    """
    rows = await store.rows_of(context.draft, context.tenant, order_id)
    waiting = [row["ticket_id"] for row in rows if row["held_for"] == HoldReason.TOGETHER]
    if not waiting:
        return
    book = await kitchen_rules(context.draft, context.tenant)
    for ticket_id in waiting:
        ticket = await store.ticket_of(context.draft, context.tenant, ticket_id)
        if ticket is not None and ticket.held_for is HoldReason.TOGETHER:
            await _look(context, book, ticket, context.now)


async def _look(context: Context, book: KitchenRules, ticket: Ticket, at: datetime) -> None:
    """Begin what was held to be done together with others, or hold it for a while longer."""
    station = await store.station_now(context.draft, context.tenant, ticket.station)
    others = [
        each
        for each in await _of_order(context, ticket.order_id)
        if each.ticket_id != ticket.ticket_id
    ]
    held = together.still(book, ticket, others, station.work_s, at)
    if held is None:
        await fire(context, book, ticket)
    elif held != ticket:
        await showing.again(context, held)


async def _begin(context: Context, book: KitchenRules, waiting: Sequence[Ticket]) -> None:
    """Begin a course: all its tickets at once, or so that they are done together."""
    held: dict[UUID, Ticket] = {}
    if book.finish_together and len(waiting) > 1:
        begun = {"status": TicketStatus.SENT, "held_for": None, "sent_at": context.now}
        promised = [
            await pace.anew(context, book, each.model_copy(update=begun)) for each in waiting
        ]
        planned = together.plan(book, promised, context.now)
        held = {each.ticket_id: each for each in planned if each.status is TicketStatus.HELD}
    for ticket in waiting:
        if ticket.ticket_id in held:
            await showing.again(context, held[ticket.ticket_id])
        else:
            await fire(context, book, ticket)


async def not_in_the_kitchen(context: Context, order_id: UUID) -> Refusal:
    """Say why the kitchen has no ticket of an order."""
    order = await context.ports.orders.order(context.draft, context.tenant, order_id)
    if order is None:
        return Refusal(RefusalCode.NOT_FOUND, f"there is no order {order_id}")
    what = "nothing of it is open in the kitchen"
    if order.status is OrderStatus.PLACED:
        waits = ", ".join(order.waits_for) or "nothing"
        what = f"it was not sent to the kitchen yet, for it waits for {waits}"
    return Refusal(
        RefusalCode.WRONG_STATE,
        f"{order.number} is {order.status}: {what}",
        state=context.ports.orders.receipt(order),
    )


async def _has_waiting(context: Context, order_id: UUID) -> bool:
    rows = await store.rows_of(context.draft, context.tenant, order_id)
    return any(row["held_for"] == HoldReason.COURSE for row in rows)


async def _of_order(context: Context, order_id: UUID) -> list[Ticket]:
    """The tickets of an order that make something."""
    tickets = await store.tickets_of(context.draft, context.tenant, order_id)
    return [each for each in tickets if not expo.is_expo(each)]
