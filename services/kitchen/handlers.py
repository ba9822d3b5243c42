"""What the kitchen does with messages."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.kitchen import (
    SNAPSHOT_BYTES,
    SNAPSHOT_PAGE,
    LineMark,
    StationHead,
    Ticket,
    TicketStatus,
    TicketStep,
)
from schemas.kitchen_requests import BumpLines, BumpTicket, HearTickets, ReadStation, StartTicket
from schemas.order_changes import ChangeLine, VoidLines, VoidOrder
from schemas.orders import (
    AddLines,
    CancelOrder,
    Order,
    OrderChange,
    OrderChanged,
    OrderPlaced,
    OrderStatus,
    PlaceOrder,
)
from schemas.replies import HeardReceipt, StationPage
from services.kitchen import (
    courses,
    cutting,
    expo,
    hearing,
    leaving,
    marks,
    pace,
    rules,
    showing,
    steps,
    store,
    unheard,
    waking,
)
from services.runtime.context import Context, Outgoing, outgoing
from services.runtime.house_rules import kitchen_rules
from services.runtime.ports import Ports
from services.runtime.router import Asking, Router
from services.runtime.work import Draft

BEAT_S: Final = 2.0
router: Final = Router()

_WITHDRAWN: Final = frozenset(
    {OrderChange.CANCELLED, OrderChange.VOIDED, OrderChange.REJECTED},
)
"""Nothing of the order is to be made any more."""


async def read_stations_ahead(
    draft: Draft, ports: Ports, asked: Sequence[tuple[str, PlaceOrder | AddLines]]
) -> None:
    """Read the stations of the whole batch, known from the menu, in one query."""
    wanted: dict[str, set[str]] = {}
    for tenant, request in asked:
        wanted.setdefault(tenant, set()).update(line.item for line in request.lines)
    keys: set[tuple[str, str]] = set()
    for tenant, items in wanted.items():
        menu = await ports.menu.items(draft, tenant, items)
        keys |= {(tenant, item.station) for item in menu.values()}
    await store.prepare_stations(draft, keys)


router.prepare(PlaceOrder)(read_stations_ahead)
router.prepare(AddLines)(read_stations_ahead)


async def read_tickets_of_orders_ahead(
    draft: Draft,
    _ports: Ports,
    asked: Sequence[tuple[str, AddLines | ChangeLine | VoidLines | CancelOrder | VoidOrder]],
) -> None:
    """Read all tickets of the orders in question, and their stations."""
    await store.prepare_orders(draft, {(tenant, request.order_id) for tenant, request in asked})


router.prepare(AddLines)(read_tickets_of_orders_ahead)
router.prepare(ChangeLine)(read_tickets_of_orders_ahead)
router.prepare(VoidLines)(read_tickets_of_orders_ahead)
router.prepare(CancelOrder)(read_tickets_of_orders_ahead)
router.prepare(VoidOrder)(read_tickets_of_orders_ahead)


@router.prepare(HearTickets)
async def read_tickets_ahead(
    draft: Draft, _ports: Ports, asked: Sequence[tuple[str, HearTickets]]
) -> None:
    """Read all tickets of the batch in one query, and their stations."""
    await store.prepare_tickets(
        draft, {(tenant, each) for tenant, request in asked for each in request.ticket_ids}
    )


async def read_ticket_to_move_ahead(
    draft: Draft, _ports: Ports, asked: Sequence[tuple[str, StartTicket | BumpTicket | BumpLines]]
) -> None:
    """Read all tickets of the orders in question, since these move with them."""
    await store.prepare_siblings(draft, {(tenant, request.ticket_id) for tenant, request in asked})


router.prepare(StartTicket)(read_ticket_to_move_ahead)
router.prepare(BumpTicket)(read_ticket_to_move_ahead)
router.prepare(BumpLines)(read_ticket_to_move_ahead)


@router.during(OrderPlaced)
async def cut_tickets(placed: OrderPlaced, context: Context) -> None:
    """An order becomes one ticket per station, in the transaction that accepts it."""
    if placed.order.status is OrderStatus.ACCEPTED:
        await cutting.cut(placed.order, context)


@router.during(OrderChanged)
async def follow_the_order(changed: OrderChanged, context: Context) -> None:
    """The tickets say what the order says, from the same transaction on."""
    order = changed.order
    if changed.change is OrderChange.ACCEPTED:
        await cutting.cut(order, context)
    elif changed.change is OrderChange.LINES_ADDED:
        if order.status is not OrderStatus.PLACED:  # else it is all cut when it is accepted
            await cutting.cut(order, context, changed.lines, mark=LineMark.NEW)
    elif changed.change is OrderChange.LINES_CHANGED:
        await _follow(context, order, changed.lines, marks.changed)
    elif changed.change is OrderChange.LINES_VOIDED:
        await _follow(context, order, changed.lines, marks.cancelled)
    elif changed.change in _WITHDRAWN:
        tickets = await store.tickets_of(context.draft, context.tenant, order.order_id)
        # The expo first: it need not follow each of its plates.
        for ticket in sorted(tickets, key=lambda each: not expo.is_expo(each)):
            if rules.is_open(ticket):
                await showing.move(context, ticket, TicketStep.CANCEL)
    elif changed.change is OrderChange.GUEST_FORGOTTEN:
        await _forget_guest(context, order)


@router.on(HearTickets)
async def hear_tickets(request: HearTickets, context: Context) -> None:
    """The display has them on its screen, with every change up to the sequence it names.

    Hearing again what was heard changes nothing.
    """
    known: list[UUID] = []
    # One request may name many: those of a batch of one were not read ahead.
    keys = {(context.tenant, each) for each in request.ticket_ids}
    await store.prepare_tickets(context.draft, keys)
    for ticket_id in request.ticket_ids:
        ticket = await showing.the_ticket(context, ticket_id)
        if not rules.is_open(ticket):
            continue
        seen = request.sequence
        if ticket.status is TicketStatus.SENT:
            await showing.move(context, ticket, TicketStep.HEAR, seen)
        elif seen is not None and rules.has_unheard(ticket, seen):
            sequence = await store.next_sequence(context.draft, context.tenant, ticket.station)
            heard = rules.hear_change(
                ticket, seen, sequence=sequence, at=context.now, by=context.device
            )
            heard = hearing.after_step(
                ticket, heard, TicketStep.HEAR, at=context.now, by=context.device
            )
            await showing.show(context, heard)
        elif hearing.hears_now(ticket, context.device):
            await showing.again(context, hearing.hear(ticket, at=context.now, by=context.device))
        await unheard.display_heard(context, ticket.station, context.device)
        known.append(ticket_id)
    context.answer(HeardReceipt(ticket_ids=tuple(known)))


@router.on(StartTicket)
async def start_ticket(request: StartTicket, context: Context) -> None:
    """A cook begins with what stands on the screen."""
    ticket = await showing.the_ticket(context, request.ticket_id, request.station)
    expo.check_makes(ticket, TicketStep.START)
    rules.check_seen(ticket, TicketStep.START, request.sequence)
    ticket = await showing.move(context, ticket, TicketStep.START, request.sequence)
    await showing.tell_the_order(context, ticket, started=True)


@router.on(BumpTicket)
async def bump_ticket(request: BumpTicket, context: Context) -> None:
    """The food is ready; with the last ticket the whole order is."""
    ticket = await showing.the_ticket(context, request.ticket_id, request.station)
    rules.check_seen(ticket, TicketStep.BUMP, request.sequence)
    await leaving.check(context, ticket)
    ticket = await showing.move(context, ticket, TicketStep.BUMP, request.sequence)
    await leaving.tell_the_order(context, ticket, started=False)


@router.answer(ReadStation)
async def read_station(query: ReadStation, asking: Asking) -> StationPage:
    """One page of a station's open tickets."""
    heads = await store.heads(asking.connection, asking.tenant, query.station)
    now = heads[0][1] if heads else store.StationNow(query.station)
    tickets = await store.open_page(
        asking.connection, asking.tenant, query.station, after=query.after, limit=SNAPSHOT_PAGE + 1
    )
    page = tuple(_of_one_message(tickets[:SNAPSHOT_PAGE]))
    return StationPage(
        station=query.station,
        sequence=now.sequence,
        open=now.open,
        tickets=page,
        more=len(tickets) > len(page),
    )


def _of_one_message(tickets: Sequence[Ticket]) -> Iterator[Ticket]:
    """As many as a message may hold: brokers take none that is larger."""
    left = SNAPSHOT_BYTES
    for number, ticket in enumerate(tickets):
        left -= len(ticket.model_dump_json().encode())
        if left < 0 and number:
            return
        yield ticket


@router.state
async def open_tickets(connection: AsyncConnection, tenant: str, now: datetime) -> list[Outgoing]:
    """What stands retained on the broker: every open ticket, and the head of each station."""
    tickets = [
        outgoing(showing.state(ticket), tenant=tenant, now=now)
        for ticket in await store.open_tickets(connection, tenant)
    ]
    return tickets + await beats(connection, now, tenant)


async def beats(
    connection: AsyncConnection, now: datetime, tenant: str | None = None
) -> list[Outgoing]:
    """The heads of all stations, by which displays know whether they are current."""
    return [
        outgoing(
            StationHead(
                station=each.station,
                sequence=each.sequence,
                open=each.open,
                every_s=BEAT_S,
                work_s=each.work_s,
                closed=each.closed,
                displays=tuple(sorted(each.displays)),
                printers=tuple(sorted(each.printers)),
            ),
            tenant=whose,
            now=now,
        )
        for whose, each in await store.heads(connection, tenant)
    ]


async def _follow(
    context: Context,
    order: Order,
    lines: Collection[int],
    next_line: rules.NextLine,
) -> None:
    """Bring the open tickets that hold these lines to what the order says of them."""
    draft, tenant = context.draft, context.tenant
    book = await kitchen_rules(draft, tenant)
    for row in await store.rows_of(draft, tenant, order.order_id):
        # Looked at anew: an expo's ticket has followed those before it.
        ticket = await store.ticket_of(draft, tenant, row["ticket_id"])
        if ticket is None or not rules.is_open(ticket):
            continue
        coming = 1 + await store.sequence_of(draft, tenant, ticket.station)
        after = rules.follow(ticket, order, lines, next_line, sequence=coming, at=context.now)
        if after is not None:
            after = await leaving.stay(context, ticket, after)
            if rules.is_open(after) and not expo.is_expo(after):
                after = await pace.followed(context, book, ticket, after)
            elif after.status is TicketStatus.BUMPED and not expo.is_expo(after):
                after = pace.weighed(context, book, after)
            await store.next_sequence(draft, tenant, ticket.station)
            await showing.show(context, after)
    await courses.look_together(context, order.order_id)
    await courses.follow(context, book, order.order_id)


async def _forget_guest(context: Context, order: Order) -> None:
    """Take the names off all tickets, those too that ended long ago."""
    draft, tenant = context.draft, context.tenant
    for ticket in await store.tickets_of(draft, tenant, order.order_id):
        coming = 1 + await store.sequence_of(draft, tenant, ticket.station)
        after = rules.forget_guest(ticket, order, sequence=coming)
        if after is None:
            continue
        if rules.is_open(after):
            await store.next_sequence(draft, tenant, ticket.station)
            await showing.show(context, after)
        else:  # it stands on no screen: its station has nothing to count
            await store.save(draft, tenant, after.model_copy(update={"sequence": ticket.sequence}))


router.include(courses.router)
router.include(steps.router)
router.include(waking.router)
