"""What the kitchen does with messages."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.identifiers import new_id
from schemas.kitchen import (
    SNAPSHOT_BYTES,
    SNAPSHOT_PAGE,
    BumpTicket,
    HearTickets,
    ReadStation,
    StartTicket,
    StationHead,
    Ticket,
    TicketEnded,
    TicketState,
    TicketStatus,
    TicketStep,
)
from schemas.orders import Order, OrderChange, OrderChanged, OrderPlaced, PlaceOrder
from schemas.refusals import RefusalCode
from schemas.replies import HeardReceipt, StationPage, TicketReceipt
from services.kitchen import rules, store
from services.runtime.context import Context, Outgoing, outgoing
from services.runtime.facts import TicketMoved
from services.runtime.ports import Ports
from services.runtime.refusal import Refusal
from services.runtime.router import Asking, Router
from services.runtime.work import Draft

BEAT_S: Final = 2.0
router: Final = Router()


@router.prepare(PlaceOrder)
async def read_stations_ahead(
    draft: Draft, ports: Ports, asked: Sequence[tuple[str, PlaceOrder]]
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


@router.prepare(HearTickets)
async def read_tickets_ahead(
    draft: Draft, _ports: Ports, asked: Sequence[tuple[str, HearTickets]]
) -> None:
    """Read all tickets of the batch in one query, and their stations."""
    await store.prepare_tickets(
        draft, {(tenant, each) for tenant, request in asked for each in request.ticket_ids}
    )


@router.prepare(StartTicket)
async def read_ticket_to_start_ahead(
    draft: Draft, _ports: Ports, asked: Sequence[tuple[str, StartTicket]]
) -> None:
    """Read all tickets of the orders in question, since these move with them."""
    await store.prepare_orders(draft, {(tenant, request.ticket_id) for tenant, request in asked})


@router.prepare(BumpTicket)
async def read_ticket_to_bump_ahead(
    draft: Draft, _ports: Ports, asked: Sequence[tuple[str, BumpTicket]]
) -> None:
    """Read all tickets of the orders in question, since these move with them."""
    await store.prepare_orders(draft, {(tenant, request.ticket_id) for tenant, request in asked})


@router.during(OrderPlaced)
async def cut_tickets(placed: OrderPlaced, context: Context) -> None:
    """An order becomes one ticket per station, in the transaction that accepts it."""
    await _cut(placed.order, context)


@router.during(OrderChanged)
async def follow_the_order(changed: OrderChanged, context: Context) -> None:
    """New lines get tickets of their own; the tickets of a cancelled order go away."""
    if changed.change is OrderChange.LINES_ADDED:
        await _cut(changed.order, context, changed.added)
    elif changed.change is OrderChange.CANCELLED:
        for ticket in await store.tickets_of(context, changed.order_id):
            if rules.is_open(ticket):
                await _move(context, ticket, TicketStep.CANCEL)


@router.on(HearTickets)
async def hear_tickets(request: HearTickets, context: Context) -> None:
    """The display has them on its screen. Hearing again what was heard changes nothing."""
    known: list[UUID] = []
    for ticket_id in request.ticket_ids:
        ticket = await store.ticket_of(context, ticket_id)
        if ticket is None:
            raise Refusal(RefusalCode.NOT_FOUND, f"there is no ticket {ticket_id}")
        if not rules.is_open(ticket):
            continue
        if ticket.status is TicketStatus.SENT:
            await _move(context, ticket, TicketStep.HEAR)
        known.append(ticket_id)
    context.answer(HeardReceipt(ticket_ids=tuple(known)))


@router.on(StartTicket)
async def start_ticket(request: StartTicket, context: Context) -> None:
    """A cook begins."""
    ticket = await _move(context, await _ticket(context, request.ticket_id), TicketStep.START)
    await _tell_the_order(context, ticket, started=True)


@router.on(BumpTicket)
async def bump_ticket(request: BumpTicket, context: Context) -> None:
    """The food is ready; with the last ticket the whole order is."""
    ticket = await _move(context, await _ticket(context, request.ticket_id), TicketStep.BUMP)
    await _tell_the_order(context, ticket, started=False)


@router.answer(ReadStation)
async def read_station(query: ReadStation, asking: Asking) -> StationPage:
    """One page of a station's open tickets."""
    heads = await store.heads(asking.connection, asking.tenant, query.station)
    sequence, open_ = (heads[0][2], heads[0][3]) if heads else (0, 0)
    tickets = await store.open_page(
        asking.connection, asking.tenant, query.station, after=query.after, limit=SNAPSHOT_PAGE + 1
    )
    page = tuple(_of_one_message(tickets[:SNAPSHOT_PAGE]))
    return StationPage(
        station=query.station,
        sequence=sequence,
        open=open_,
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
        outgoing(_state(ticket), tenant=tenant, now=now)
        for ticket in await store.open_tickets(connection, tenant)
    ]
    return tickets + await beats(connection, now, tenant)


async def beats(
    connection: AsyncConnection, now: datetime, tenant: str | None = None
) -> list[Outgoing]:
    """The heads of all stations, by which displays know whether they are current."""
    return [
        outgoing(
            StationHead(station=station, sequence=sequence, open=open_, every_s=BEAT_S),
            tenant=whose,
            now=now,
        )
        for whose, station, sequence, open_ in await store.heads(connection, tenant)
    ]


async def _cut(order: Order, context: Context, chosen: Collection[int] | None = None) -> None:
    shared = rules.lines_by_station(order, chosen)
    for station in sorted(shared):
        ticket = rules.cut(
            new_id(),
            order,
            station,
            shared[station],
            sequence=await store.next_sequence(context, station),
            at=context.now,
        )
        store.save(context, ticket)
        await context.emit(_state(ticket))


async def _ticket(context: Context, ticket_id: UUID) -> Ticket:
    ticket = await store.ticket_of(context, ticket_id)
    if ticket is None:
        raise Refusal(RefusalCode.NOT_FOUND, f"there is no ticket {ticket_id}")
    return ticket


async def _move(context: Context, ticket: Ticket, step: TicketStep) -> Ticket:
    """Move a ticket, keep it, and show it: an open one retained, an ended one no more."""
    sequence = ticket.sequence
    if rules.may(ticket, step):
        sequence = await store.next_sequence(context, ticket.station)
    ticket = rules.move(ticket, step, sequence=sequence, at=context.now, by=context.device)
    store.save(context, ticket)
    if rules.is_open(ticket):
        await context.emit(_state(ticket))
    else:
        await context.emit(TicketEnded(station=ticket.station, ticket=ticket))
        context.clear(TicketState, station=ticket.station, ticket_id=str(ticket.ticket_id))
    return ticket


async def _tell_the_order(context: Context, ticket: Ticket, *, started: bool) -> None:
    still_open = sum(
        rules.is_open(each) for each in await store.tickets_of(context, ticket.order_id)
    )
    await context.tell(
        TicketMoved(order_id=ticket.order_id, started=started, open_tickets=still_open)
    )
    context.answer(
        TicketReceipt(ticket_id=ticket.ticket_id, status=ticket.status, version=ticket.version)
    )


def _state(ticket: Ticket) -> TicketState:
    return TicketState(station=ticket.station, ticket_id=ticket.ticket_id, ticket=ticket)
