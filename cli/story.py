"""The whole story of an order: read from all areas, and put into the order of its times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.house_rules import OrderRules
from schemas.kitchen import Ticket, TicketStatus
from schemas.kitchen_rules import KitchenRules
from schemas.orders import Order, OrderChange
from services.inventory.of_orders import MovedForOrder, moved_for_order
from services.kitchen.reading import tickets_of_order
from services.notices.reading import notices_of_order
from services.orders import history
from services.orders.journal import Entry
from services.orders.ledger import NOTHING, Posting
from services.runtime import house_rules
from services.runtime.answers import Answer, answers_about


class Kind(StrEnum):
    """What kind of thing happened."""

    REQUEST = "request"
    REFUSED = "refused"
    CHANGE = "change"
    TICKET = "ticket"
    STOCK = "stock"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that happened.

    Attributes:
        at: when.
        kind: what kind of thing.
        text: in words.
        by: who did it; None where nobody did.
        more: what follows from it or explains it, a line each.
        details: the same for programs.
    """

    at: datetime
    kind: Kind
    text: str
    by: str | None = None
    more: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


SKEW: Final = timedelta(days=1)
"""So far a device's clock, by which ids are made, may be off."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What is kept of one order, everywhere.

    Attributes:
        order: as it stands.
        entries: its journal, version by version.
        tickets: the kitchen's.
        answers: what was asked about it and its tickets, with the answers.
        notices: whom the house told, as rows.
        house: its rules of now.
        kitchen: how its kitchen works now.
        stock: what it took from the shelves, and gave back.
    """

    order: Order
    entries: Sequence[Entry]
    tickets: Sequence[Ticket]
    answers: Sequence[Answer]
    notices: Sequence[Mapping[str, Any]]
    house: OrderRules
    kitchen: KitchenRules
    stock: Sequence[MovedForOrder] = ()


async def gather(connection: AsyncConnection, tenant: str, order: Order, now: datetime) -> Sources:
    """Read all that is kept of an order, from one consistent view."""
    entries = await history.of_order(connection, tenant, order.order_id)
    tickets = await tickets_of_order(connection, tenant, order.order_id)
    answers = await answers_about(
        connection,
        tenant,
        things=[order.order_id, *(each.ticket_id for each in tickets)],
        requests={each.request_id for each in entries},
        since=order.placed_at - SKEW,
        until=now + SKEW,
    )
    notices = await notices_of_order(connection, tenant, order.order_id)
    books_ = await house_rules.read(connection, tenant)
    stock = await moved_for_order(connection, tenant, order.order_id)
    return Sources(order, entries, tickets, answers, notices, books_.orders, books_.kitchen, stock)


@dataclass(frozen=True, slots=True)
class Promise:
    """A time that was promised, and what came of it.

    Attributes:
        what: what was promised or awaited.
        promised: for when; None where only the real time is known.
        real: when it came true; None where it has not.
    """

    what: str
    promised: datetime | None
    real: datetime | None

    @property
    def late_s(self) -> float | None:
        """How late it was in seconds; below zero, how early."""
        if self.promised is None or self.real is None:
            return None
        return (self.real - self.promised).total_seconds()


@dataclass(slots=True)
class Books:
    """What every account of the order has come to; together it is nothing.

    Attributes:
        postings: each change that moved money, and what it moved.
        total: all of them together.
    """

    postings: list[tuple[Entry, Posting]] = field(default_factory=list)
    total: Posting = NOTHING


def books(entries: Sequence[Entry]) -> Books:
    """Add the journal's money up."""
    kept = Books()
    for entry in entries:
        if entry.posting.moves:
            kept.postings.append((entry, entry.posting))
            kept.total = kept.total + entry.posting
    return kept


def promises(sources: Sources) -> list[Promise]:
    """Times promised, and real ones."""
    order = sources.order
    real: dict[OrderChange, datetime] = {each.change: each.at for each in sources.entries}
    placed = sources.entries[0] if sources.entries else None
    accepted = real.get(OrderChange.ACCEPTED)
    if accepted is None and placed is not None and placed.status == "accepted":
        accepted = placed.at
    release = None
    if order.due_at is not None:
        release = order.due_at - timedelta(seconds=sources.house.lead_s)
        if release <= order.placed_at:
            release = None
    heard = [each.heard_at for each in sources.tickets if each.heard_at is not None]
    told = [
        Promise("with the kitchen", release, accepted),
        Promise(
            "heard by every station",
            None,
            max(heard) if sources.tickets and len(heard) == len(sources.tickets) else None,
        ),
        Promise("ready", order.due_at, real.get(OrderChange.READY)),
        *(each for ticket in sources.tickets for each in _predicted(ticket)),
    ]
    for what, change in (
        ("served", OrderChange.SERVED),
        ("out for delivery", OrderChange.OUT_FOR_DELIVERY),
        ("delivered", OrderChange.DELIVERED),
    ):
        if change in real:
            promised = order.due_at if change is not OrderChange.OUT_FOR_DELIVERY else None
            told.append(Promise(what, promised, real[change]))
    if order.closed_at is not None:
        told.append(Promise(order.status.value, None, order.closed_at))
    return told


def _predicted(ticket: Ticket) -> Iterator[Promise]:
    """When a ticket was predicted to be ready, and when it was."""
    if ticket.ready_p50_at is None or ticket.status is TicketStatus.MOVED:
        return
    done = ticket.ended_at if ticket.status is TicketStatus.BUMPED else None
    course = f", course {ticket.course}" if ticket.course > 1 else ""
    yield Promise(f"ready at {ticket.station}{course}", ticket.ready_p50_at, done)
    if ticket.ready_p90_at is not None:
        what = f"ready at {ticket.station}{course}, nine times of ten"
        yield Promise(what, ticket.ready_p90_at, done)


def asked_at(request_id: UUID) -> datetime | None:
    """When a request was made by the clock of its device; None where its id tells no time."""
    if request_id.version != 7:
        return None
    return _EPOCH + timedelta(milliseconds=request_id.int >> 80)


_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
