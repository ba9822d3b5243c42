"""What must be true in the end: the database against the list, the wire against the database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from cli.compose import state_router
from cli.recount import Bill, House
from devices.outbox import Outbox
from devices.station_view import Freshness
from schemas.kitchen import OPEN_TICKET, Ticket, TicketStatus
from schemas.orders import Order, OrderStatus
from schemas.refusals import RefusalCode
from schemas.replies import OrderReceipt, Outcome, Reply
from services.kitchen.store import STATIONS, TICKETS, to_ticket
from services.orders.inside import Said, SettlePayment
from services.orders.journal import JOURNAL
from services.orders.store import ORDERS, to_order
from services.presence.store import PRESENCE
from services.runtime import retained
from services.runtime.database import Database
from services.runtime.moment import system_clock
from services.runtime.mqtt_bus import MqttBus
from services.runtime.tables import INBOX, OUTBOX, QUARANTINE
from tests.faults.evening import Evening
from tests.faults.ground import TENANT, run
from tests.faults.ordering import Answer
from tests.faults.plan import MENU, PROVIDER, TIP, Step, Wanted, Word
from tests.faults.provider import settling_id
from tests.services.order_checks import Row, by_order, history, money, on_tickets


@dataclass
class Kept:
    """What the database has."""

    orders: dict[UUID, Order] = field(default_factory=dict)
    tickets: list[Ticket] = field(default_factory=list)
    sequences: dict[str, int] = field(default_factory=dict)
    journal: dict[UUID, list[Row]] = field(default_factory=dict)
    replies: dict[UUID, Reply] = field(default_factory=dict)
    presence: dict[str, str] = field(default_factory=dict)
    outbox: int = 0
    quarantine: list[str] = field(default_factory=list)

    def tickets_of(self, order_id: UUID) -> list[Ticket]:
        """The tickets of one order."""
        return [ticket for ticket in self.tickets if ticket.order_id == order_id]


def wrongs(evening: Evening, *, wire_is_whole: bool = False) -> list[str]:
    """Everything that is not as it must be, each in a line."""
    kept, retained_wrongs = run(_read(evening))
    till = {answer.request: answer for answer in evening.till.answers()}
    return [
        *retained_wrongs,
        *_household(evening, kept),
        *_orders(evening, kept, till),
        *_sequences(kept),
        *_till(evening, kept, till),
        *_screens(evening, kept),
        *_cooks(evening, kept),
        *_words(evening, kept, whole=wire_is_whole),
    ]


def read_kept(evening: Evening) -> Kept:
    """What the database has now."""
    return run(_read(evening))[0]


async def _read(evening: Evening) -> tuple[Kept, list[str]]:
    database = Database(evening.footing.store.url)
    kept = Kept()
    try:
        async with database.read() as connection:
            for row in await _rows(connection, ORDERS):
                order = to_order(row)
                kept.orders[order.order_id] = order
            kept.tickets = [to_ticket(row) for row in await _rows(connection, TICKETS)]
            kept.journal = by_order(await _rows(connection, JOURNAL))
            for row in await _rows(connection, STATIONS):
                kept.sequences[row["station"]] = row["sequence"]
            for row in await _rows(connection, INBOX):
                kept.replies[row["request_id"]] = Reply.model_validate_json(row["reply"])
            for row in await _rows(connection, PRESENCE):
                kept.presence[row["device"]] = row["status"]
            kept.outbox = len(await _rows(connection, OUTBOX))
            kept.quarantine = [row["reason"] for row in await _rows(connection, QUARANTINE)]
        bus = MqttBus(evening.footing.inspector, clean=True)
        async with bus.session() as session:
            standing = await retained.listen(session)
        wanted = await retained.expected(database, state_router(), system_clock)
    finally:
        await database.close()
    difference = retained.compare(standing, wanted)
    found = [f"not retained as the database says: {each.topic}" for each in difference.missing]
    found += [f"retained and should not be: {topic}" for topic in difference.stray]
    return kept, found


async def _rows(connection: AsyncConnection, table: Table) -> list[dict[str, Any]]:
    query = select(table).where(table.c.tenant == TENANT)
    return [dict(row) for row in (await connection.execute(query)).mappings()]


def _household(evening: Evening, kept: Kept) -> Iterator[str]:
    if kept.outbox:
        yield f"{kept.outbox} parcels are left in the outbox"
    yield from (f"in quarantine: {reason}" for reason in kept.quarantine)
    for server in evening.servers:
        for life in server.lives:
            if life.has_said("Traceback"):
                yield f"{life.log.name} has a traceback: {life.last_words()}"


def _orders(evening: Evening, kept: Kept, till: dict[UUID, Answer]) -> Iterator[str]:
    listed = {order.order_id for order in evening.orders}
    yield from (f"an order that nobody placed: {id_}" for id_ in kept.orders.keys() - listed)
    yield from evening.provider.contradictions
    for wanted in evening.orders:
        order = kept.orders.get(wanted.order_id)
        if order is None:
            yield f"order {wanted.number} is not kept"
            continue
        tickets = kept.tickets_of(order.order_id)
        entries = kept.journal.get(order.order_id, [])
        found = [
            *_order(wanted, order, till),
            *_money(wanted, order, entries, kept),
            *on_tickets(order, tickets),
            *_cut(order, tickets),
        ]
        if evening.footing.pays_first:
            found += _paid_first(wanted, order, entries, kept)
        yield from (f"order {wanted.number}: {wrong}" for wrong in found)


def _order(wanted: Wanted, order: Order, till: dict[UUID, Answer]) -> Iterator[str]:
    def accepted(step: Step) -> bool:
        answer = till.get(wanted.request(step))
        return step in wanted.steps and answer is not None and answer.accepted

    lines = [[item, quantity, False] for item, quantity in wanted.lines]
    lines += [[item, quantity, False] for item, quantity in wanted.added if accepted(Step.ADD)]
    if accepted(Step.CHANGE):
        lines[0][1] = wanted.changed
    if accepted(Step.VOID):
        lines[len(wanted.lines) - 1][2] = True
    if [[line.item, line.quantity, line.voided] for line in order.lines] != lines:
        yield f"its lines are {order.lines}, asked were {lines}"
    if accepted(Step.CANCEL) is not (order.status is OrderStatus.CANCELLED):
        yield f"it is {order.status}, and its cancelling was accepted: {accepted(Step.CANCEL)}"
    if accepted(Step.CLOSE) is not (order.status is OrderStatus.CLOSED):
        yield f"it is {order.status}, and its closing was accepted: {accepted(Step.CLOSE)}"


def _money(wanted: Wanted, order: Order, entries: Sequence[Row], kept: Kept) -> Iterator[str]:
    """Its money by its row and its journal, against a recount from what was said alone."""
    said = []
    for step in wanted.steps:
        reply = kept.replies.get(wanted.request(step))
        message = wanted.message(step)
        if reply is not None:
            said.append((wanted.request(step), message.type_name, message, reply))
    for word in wanted.words:
        id_ = settling_id(TENANT, wanted, word)
        reply = kept.replies.get(id_)
        if reply is not None:
            said.append((id_, SettlePayment.type_name, _settlement(wanted, word), reply))
    bill = Bill(House({item: {"price_minor": price} for item, (_, price) in MENU.items()}))
    done = [
        (id_, name, message, reply.result)
        for id_, name, message, reply in said
        if reply.outcome is Outcome.ACCEPTED and isinstance(reply.result, OrderReceipt)
    ]
    for id_, name, message, receipt in sorted(done, key=lambda each: each[3].version):
        bill.accept(
            name, str(id_), message.model_dump(mode="json"), receipt.model_dump(mode="json")
        )
    yield from money(order, entries, bill)
    yield from history(order, entries, None)


def _settlement(wanted: Wanted, word: Word) -> SettlePayment:
    return SettlePayment(
        provider=PROVIDER,
        order_id=wanted.order_id,
        payment_id=wanted.request(Step.CARD),
        said=Said(word.value.removeprefix("payment.")),
        amount_minor=wanted.placed_minor + TIP,
        currency="GBP",
    )


def _paid_first(wanted: Wanted, order: Order, entries: Sequence[Row], kept: Kept) -> Iterator[str]:
    """What is not paid never reaches the kitchen; what is, always does."""
    promised = {
        Word.AUTHORISED: wanted.placed_minor,
        Word.PAID: 0,  # the journal has it
        Word.FAILED: 0,
    }
    due = 0
    for entry in entries:
        due += entry["guest_minor"]
        if entry["change"] == "accepted":
            said = [
                promised[word]
                for word in wanted.words
                if (reply := kept.replies.get(settling_id(TENANT, wanted, word))) is not None
                and reply.outcome is Outcome.ACCEPTED
            ]
            if due > sum(said):
                yield f"the kitchen got it while {due} were due, of which {said} were promised"
    if order.status is OrderStatus.PLACED:
        standing = sum(x.amount_minor for x in order.payments if x.status == "authorised")
        if order.due_minor <= standing:
            yield f"{order.due_minor} of it are due, {standing} promised, and it still waits"


def _cut(order: Order, tickets: list[Ticket]) -> Iterator[str]:
    # Those of the order's beginning, and those of added lines, stand on tickets of their own.
    for numbers in _together(order, tickets):
        if len(numbers) != len(set(numbers)):
            yield f"more than one ticket for one station: {numbers}"


def _together(order: Order, tickets: list[Ticket]) -> Iterator[list[str]]:
    by_time: dict[object, list[str]] = {}
    for ticket in tickets:
        by_time.setdefault(ticket.placed_at, []).append(ticket.station)
    yield from by_time.values()
    if len(by_time) > 2:
        yield [order.number, order.number]


def _sequences(kept: Kept) -> Iterator[str]:
    """Dense: every change of a ticket took the next number of its station, and no other."""
    for station, sequence in kept.sequences.items():
        mine = [ticket for ticket in kept.tickets if ticket.station == station]
        if sum(ticket.version for ticket in mine) != sequence:
            yield f"{station} is at {sequence}, after {sum(t.version for t in mine)} changes"
        numbers = [ticket.sequence for ticket in mine]
        if len(set(numbers)) != len(numbers) or max(numbers, default=0) != sequence:
            yield f"{station} is at {sequence}, its tickets at {sorted(numbers)}"


def _till(evening: Evening, kept: Kept, till: dict[UUID, Answer]) -> Iterator[str]:
    for wanted in evening.orders:
        for step in wanted.steps:
            request = wanted.request(step)
            answer, reply = till.get(request), kept.replies.get(request)
            if answer is None or reply is None:
                yield f"order {wanted.number}, {step}: answered {answer}, kept {reply}"
            elif answer.accepted is not (reply.outcome is Outcome.ACCEPTED):
                yield f"order {wanted.number}, {step}: the till was told {answer}, kept is {reply}"
            elif step is Step.PLACE and not answer.accepted:
                yield f"order {wanted.number} was refused: {answer.code}"
    told: dict[UUID, Answer] = {}
    for answer in evening.till.answers():
        if told.setdefault(answer.request, answer) != answer:
            yield f"the till was told {told[answer.request]}, and later {answer}"
    with Outbox(evening.till.papers.outbox) as outbox:
        if left := outbox.waiting():
            yield f"{len(left)} requests are left in the till's outbox"


def _screens(evening: Evening, kept: Kept) -> Iterator[str]:
    for cook in evening.cooks:
        screen, station = cook.screen, cook.station
        if screen.freshness is not Freshness.CURRENT:
            yield f"the screen at {station} is {screen.freshness}"
        shown = {ticket.ticket_id: ticket for ticket in screen.tickets}
        open_ = {
            ticket.ticket_id: ticket
            for ticket in kept.tickets
            if ticket.station == station and ticket.status in OPEN_TICKET
        }
        if shown != open_:
            apart = [id_ for id_ in shown.keys() | open_.keys() if shown.get(id_) != open_.get(id_)]
            yield f"the screen at {station} shows other than is kept: {apart}"
        unheard = [ticket for ticket in open_.values() if ticket.heard_at is None]
        if unheard:
            yield f"{len(unheard)} tickets at {station} are not heard"
        if any(line.unheard for ticket in open_.values() for line in ticket.lines):
            yield f"changes of tickets at {station} are not heard"
        if kept.presence.get(screen.device) != "online":
            yield f"{screen.device} is there, and believed {kept.presence.get(screen.device)}"


def _cooks(evening: Evening, kept: Kept) -> Iterator[str]:
    tickets = {ticket.ticket_id: ticket for ticket in kept.tickets}
    for cook in evening.cooks:
        for request, (what, ticket_id, pending) in cook.asked.items():
            reply = kept.replies.get(request)
            if reply is None:
                yield f"a {what} at {cook.station} is not kept"
                continue
            accepted = reply.outcome is Outcome.ACCEPTED
            if accepted is not (pending.error is None):
                yield f"a {what} at {cook.station} was told {pending.error}, kept is {reply}"
            if reply.code is RefusalCode.STALE_VERSION and tickets[ticket_id].changed_sequence:
                continue  # the cook's hand crossed a change
            if not accepted and tickets[ticket_id].status is not TicketStatus.CANCELLED:
                yield f"a {what} at {cook.station} was refused: {reply.message}"


def _words(evening: Evening, kept: Kept, *, whole: bool) -> Iterator[str]:
    """What was said on the wire never contradicted itself, nor what is kept."""
    witness = evening.witness
    yield from witness.contradictions
    for request, reply in dict(witness.replies).items():
        if kept.replies.get(request) != reply:
            yield f"the wire says {reply}, kept is {kept.replies.get(request)}"
    for (order_id, version), order in dict(witness.orders).items():
        mine = kept.orders.get(order_id)
        if mine is None or mine.version < version or (mine.version == version and mine != order):
            yield f"the wire says {order}, kept is {mine}"
    if whole:
        for station, sequence in kept.sequences.items():
            if missing := witness.missing(station, sequence):
                yield f"changes of {station} were never said: {missing}"
