"""What cooks and the expo do with tickets besides hearing, starting and bumping them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import select

from schemas.kitchen import (
    HoldReason,
    PrintTicket,
    Priority,
    Ticket,
    TicketStatus,
    TicketStep,
)
from schemas.kitchen_requests import (
    BumpLines,
    MoveTicket,
    PrioritiseOrder,
    RecallTicket,
    ReprintTicket,
)
from schemas.kitchen_rules import KitchenRules, StationKind
from schemas.orders import Order
from schemas.refusals import RefusalCode
from schemas.replies import PrintReceipt
from services.kitchen import (
    by_line,
    courses,
    expo,
    leaving,
    marks,
    moving,
    pace,
    rules,
    showing,
    stations,
    store,
)
from services.kitchen.store import TICKETS
from services.runtime.context import Context
from services.runtime.facts import TicketRecalled
from services.runtime.house_rules import kitchen_rules
from services.runtime.refusal import Refusal
from services.runtime.router import Router

router: Final = Router()


@router.on(BumpLines)
async def bump_lines(request: BumpLines, context: Context) -> None:
    """Some lines are done; with the last of them the ticket is."""
    before = await showing.the_ticket(context, request.ticket_id, request.station)
    expo.check_makes(before, "bump lines of")
    rules.check_seen(before, TicketStep.BUMP, request.sequence)
    ticket = by_line.bump(
        before,
        set(request.lines),
        sequence=1 + await store.sequence_of(context.draft, context.tenant, before.station),
        at=context.now,
        by=context.device,
        seen=request.sequence,
    )
    book = await kitchen_rules(context.draft, context.tenant)
    ticket = pace.with_done(context, book, ticket)
    if ticket.status is TicketStatus.BUMPED:
        await leaving.check(context, before)
    await store.next_sequence(context.draft, context.tenant, ticket.station)
    await showing.show_step(context, before, ticket, TicketStep.BUMP)
    begun = ticket.status is TicketStatus.STARTED and before.status is not TicketStatus.STARTED
    if ticket.status is TicketStatus.BUMPED or begun:
        await leaving.tell_the_order(context, ticket, started=begun)
    else:
        await courses.look_together(context, ticket.order_id)
    context.answer(rules.receipt(ticket))


@router.on(RecallTicket)
async def recall_ticket(request: RecallTicket, context: Context) -> None:
    """It was bumped too early: back on the screen; what was ready is so no more."""
    before = await showing.the_ticket(context, request.ticket_id, request.station)
    ticket = by_line.recall(
        before,
        None if request.lines is None else set(request.lines),
        sequence=1 + await store.sequence_of(context.draft, context.tenant, before.station),
        at=context.now,
        by=context.device,
        restart=request.restart,
    )
    book = await kitchen_rules(context.draft, context.tenant)
    if before.status is TicketStatus.BUMPED:
        await _check_last(context, book, before)
        await context.tell(TicketRecalled(order_id=ticket.order_id))
    if not expo.is_expo(ticket):
        ticket = pace.weighed(context, book, ticket)
    if request.why is not None:
        ticket = ticket.model_copy(update={"why": request.why})
    await store.next_sequence(context.draft, context.tenant, ticket.station)
    await showing.show(context, ticket)
    ticket = await _catch_up(context, book, before, ticket)
    await courses.follow(context, book, ticket.order_id)
    context.answer(rules.receipt(ticket))


@router.on(MoveTicket)
async def move_ticket(request: MoveTicket, context: Context) -> None:
    """Another station makes it, on a ticket of its own."""
    ticket = await showing.the_ticket(context, request.ticket_id)
    expo.check_makes(ticket, TicketStep.MOVE)
    book = await kitchen_rules(context.draft, context.tenant)
    if rules.may(ticket, TicketStep.MOVE):
        await _check_takes(context, book, ticket, request.station)
    # Whoever moves it by hand has seen to it: those who are asked next are asked anew.
    fresh = ticket.model_copy(update={"asked": ()})
    there = await moving.pass_on(context, book, fresh, request.station, request.why)
    await courses.look_together(context, there.order_id)
    context.answer(rules.receipt(there))


@router.on(PrioritiseOrder)
async def prioritise_order(request: PrioritiseOrder, context: Context) -> None:
    """Put all open tickets of an order before others, or back in the row."""
    draft, tenant = context.draft, context.tenant
    order = await context.ports.orders.order(draft, tenant, request.order_id)
    tickets = await store.tickets_of(draft, tenant, request.order_id)
    open_ = [each for each in tickets if rules.is_open(each)]
    if order is None or not open_:
        raise await courses.not_in_the_kitchen(context, request.order_id)
    book = await kitchen_rules(draft, tenant)
    for each in open_:
        # Looked at anew: an expo's ticket has followed those before it.
        ticket = await showing.the_ticket(context, each.ticket_id)
        if ticket.priority is not request.priority:
            await _prioritise(context, book, ticket, request.priority)
    context.answer(context.ports.orders.receipt(order))


@router.on(ReprintTicket)
async def reprint_ticket(request: ReprintTicket, context: Context) -> None:
    """Once more on paper: what is open, or was made."""
    ticket = await showing.the_ticket(context, request.ticket_id)
    if ticket.status in {TicketStatus.CANCELLED, TicketStatus.MOVED}:
        raise rules.wrong_state(ticket, "nobody is to make it here")
    ticket = ticket.model_copy(update={"prints": ticket.prints + 1})
    if rules.is_open(ticket):
        ticket = await showing.again(context, ticket)
    else:  # it stands on no screen: its station has nothing to count
        ticket = ticket.model_copy(update={"version": ticket.version + 1})
        await store.save(context.draft, context.tenant, ticket)
    await context.emit(
        PrintTicket(
            station=ticket.station,
            ticket_id=ticket.ticket_id,
            prints=ticket.prints,
            ticket=ticket,
        )
    )
    there = await store.station_now(context.draft, context.tenant, ticket.station)
    context.answer(
        PrintReceipt(
            ticket_id=ticket.ticket_id,
            station=ticket.station,
            printers=stations.that_print(there),
        )
    )


async def _prioritise(
    context: Context, book: KitchenRules, ticket: Ticket, priority: Priority
) -> None:
    ticket = ticket.model_copy(update={"priority": priority})
    rush = priority is Priority.RUSH
    if rush and ticket.held_for is HoldReason.TOGETHER:
        await courses.fire(context, book, ticket)  # it waits for nobody
        return
    if rush and ticket.status is TicketStatus.SENT and not expo.is_expo(ticket):
        ticket = await pace.anew(context, book, ticket)
    await showing.again(context, ticket)


async def _check_takes(context: Context, book: KitchenRules, ticket: Ticket, station: str) -> None:
    """See that a station can be given a ticket.

    Raises:
        Refusal: `wrong-station`, saying why not.
    """
    now = await store.station_now(context.draft, context.tenant, station)
    why: str | None = None
    if station == ticket.station:
        why = "it stands there already"
    elif station not in book.stations and not now.version:
        why = f"there is no station {station}"
    elif book.station(station).kind is StationKind.EXPO:
        why = f"{station} is an expo: it makes nothing"
    elif now.closed is not None:
        why = f"{station} is closed: {now.closed}"
    if why is not None:
        raise Refusal(
            RefusalCode.WRONG_STATION,
            f"the ticket of {ticket.order_number} at {ticket.station} cannot go to "
            f"{station}: {why}",
            state=rules.receipt(ticket),
        )


async def _check_last(context: Context, book: KitchenRules, ticket: Ticket) -> None:
    """See that a ticket is among the last that its station bumped.

    Raises:
        Refusal: `not-the-last`.
    """
    later = (
        select(TICKETS.c.ticket_id)
        .where(
            TICKETS.c.tenant == context.tenant,
            TICKETS.c.station == ticket.station,
            TICKETS.c.status == TicketStatus.BUMPED.value,
            TICKETS.c.ended_at > ticket.ended_at,
        )
        .limit(book.recall_last)
    )
    found = (await context.draft.work.connection.scalars(later)).all()
    if len(found) == book.recall_last:
        raise Refusal(
            RefusalCode.NOT_THE_LAST,
            f"the ticket of {ticket.order_number} is not among the last {book.recall_last} "
            f"that {ticket.station} bumped: order it again",
            state=rules.receipt(ticket),
        )


async def _catch_up(context: Context, book: KitchenRules, before: Ticket, ticket: Ticket) -> Ticket:
    """Strike out of a recalled ticket what was voided while it was bumped.

    Raises:
        Refusal: `wrong-state`, where that is all there is on it.
    """
    order = await context.ports.orders.order(context.draft, context.tenant, ticket.order_id)
    voided = set() if order is None else _voided(order)
    gone = [each.line for each in ticket.lines if each.line in voided]
    if order is None or not gone:
        return ticket
    coming = 1 + await store.sequence_of(context.draft, context.tenant, ticket.station)
    after = rules.follow(ticket, order, gone, marks.cancelled, sequence=coming, at=context.now)
    if after is None:
        return ticket
    if not rules.is_open(after):
        raise rules.wrong_state(before, "nothing of it is wanted any more")
    if not expo.is_expo(after):
        after = pace.weighed(context, book, after)
    await store.next_sequence(context.draft, context.tenant, ticket.station)
    await showing.show(context, after)
    return after


def _voided(order: Order) -> set[int]:
    return {each.line for each in order.lines if each.voided}
