"""A kitchen with an order world around it: who asks what, and how all of it stands afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from schemas.house_rules import OrderRules
from schemas.identifiers import derived_id, new_id
from schemas.kitchen import ON_THE_LINE, OPEN_TICKET, HoldReason, Ticket, TicketState, TicketStatus
from schemas.kitchen_requests import (
    BumpTicket,
    HearTickets,
)
from schemas.kitchen_rules import KitchenRules
from schemas.menu import MenuItem
from schemas.message import Request
from schemas.orders import LineRequest, Order, OrderStatus, PlaceOrder
from schemas.refusals import RefusalCode
from schemas.replies import OrderReceipt, Outcome, Reply, TicketReceipt
from services.kitchen.inside import WakeTicket
from services.kitchen.store import STATIONS, TICKETS, to_ticket
from services.orders.store import ORDERS, to_order
from services.runtime import house_rules
from services.runtime.database import Database
from tests.services.order_world import OURSELVES, SCREEN, TILL, Asked, OrderWorld

MENU = [
    MenuItem(
        item=item,
        name=item.title(),
        station=station,
        price_minor=500,
        currency="GBP",
        course=course,
    )
    for item, station, course in (
        ("soup", "grill", 1),
        ("bread", "bar", 1),
        ("steak", "grill", 2),
        ("chips", "fry", 2),
        ("cake", "bar", 3),
    )
]


class KitchenFloor(OrderWorld):
    """A restaurant whose kitchen is asked by a till and displays.

    Args:
        database: at its newest version.
        book: the kitchen's rules.
    """

    def __init__(self, database: Database, book: KitchenRules | None = None) -> None:
        super().__init__(database, OrderRules(), MENU)
        self.book = book

    async def open(self) -> None:
        await super().open()
        if self.book is not None:
            await self.rule(self.book)

    async def rule(self, book: KitchenRules) -> None:
        """Change the kitchen's rules from outside."""
        async with self.database.write() as connection:
            await house_rules.write(connection, self.tenant, kitchen=book)

    async def ask(self, request: Request, device: str = SCREEN) -> Reply:
        """Ask one thing; whatever came of it, what stands retained follows from the rows."""
        (reply,) = await self.say(Asked(device, request, at=self.now))
        await self.check()
        return reply

    async def do(self, request: Request, device: str = SCREEN) -> Reply:
        """Ask what must be accepted."""
        reply = await self.ask(request, device)
        assert reply.outcome is Outcome.ACCEPTED, reply.message
        return reply

    async def refused(
        self, request: Request, code: RefusalCode, says: str, device: str = SCREEN
    ) -> Reply:
        """Ask what must be refused by name, with how the thing stands; it changes nothing."""
        before = await self.kept()
        reply = await self.ask(request, device)
        assert (reply.outcome, reply.code) == (Outcome.REJECTED, code), reply
        assert says in (reply.message or ""), reply.message
        assert reply.result is not None, "how it stands"
        assert await self.kept() == before
        if isinstance(reply.result, TicketReceipt):
            stands = before[reply.result.ticket_id]
            assert (reply.result.status, reply.result.version) == (stands.status, stands.version)
        return reply

    async def order(self, *items: str) -> UUID:
        """Place an order of one of each."""
        lines = tuple(LineRequest(item=item, quantity=1) for item in items)
        asked = Asked(TILL, PlaceOrder(lines=lines), at=self.now)
        (reply,) = await self.say(asked)
        assert isinstance(reply.result, OrderReceipt), reply
        await self.check()
        return reply.result.order_id

    async def status(self, order_id: UUID) -> OrderStatus:
        """How an order stands."""
        return (await self.orders())[order_id].status

    async def orders(self) -> dict[UUID, Order]:
        (rows,) = await self.rows(ORDERS)
        return {row["order_id"]: to_order(row) for row in rows}

    async def kept(self) -> dict[UUID, Ticket]:
        """All tickets."""
        (rows,) = await self.rows(TICKETS)
        return {row["ticket_id"]: to_ticket(row) for row in rows}

    async def at(self, station: str, order_id: UUID | None = None) -> Ticket:
        """The one ticket that a station has open, or of an order."""
        (found,) = [
            each
            for each in (await self.kept()).values()
            if each.station == station
            and each.status in OPEN_TICKET
            and order_id in {None, each.order_id}
        ]
        return found

    async def standing_of(self, order_id: UUID) -> Mapping[tuple[str, int], TicketStatus]:
        """How each ticket of an order stands that was not moved, by station and course."""
        return {
            (each.station, each.course): each.status
            for each in (await self.kept()).values()
            if each.order_id == order_id and each.status is not TicketStatus.MOVED
        }

    async def make(self, station: str, order_id: UUID) -> Ticket:
        """Hear and bump what a station has open of an order."""
        ticket = await self.at(station, order_id)
        await self.do(HearTickets(ticket_ids=(ticket.ticket_id,)))
        await self.do(BumpTicket(ticket_id=ticket.ticket_id))
        return ticket

    async def pass_time(self, seconds: float) -> int:
        """Let time pass, and wake what is due, as the timer does; returns how many were."""
        self.wait(timedelta(seconds=seconds))
        woken = 0
        while due := [
            each
            for each in (await self.kept()).values()
            if each.wake_at is not None and each.wake_at <= self.now
        ]:
            for ticket in due:
                assert ticket.wake_at is not None
                at = ticket.wake_at
                key = derived_id(at, "wake ticket", str(ticket.ticket_id), at.isoformat())
                wake = WakeTicket(ticket_id=ticket.ticket_id, wake_at=at)
                (reply,) = await self.say(Asked(OURSELVES, wake, key, at=self.now))
                assert reply.outcome is Outcome.ACCEPTED, reply.message
                await self.check()
                woken += 1
            assert woken < 200, "the same time is due for ever"
        return woken

    async def check(self) -> None:
        """See that rows, counts and what stands retained tell the same."""
        kept = await self.kept()
        shown = {
            said.ticket_id: said.ticket
            for said in self.standing().values()
            if isinstance(said, TicketState)
        }
        assert shown == {id_: each for id_, each in kept.items() if each.status in OPEN_TICKET}
        (stations,) = await self.rows(STATIONS)
        for row in stations:
            mine = [each for each in kept.values() if each.station == row["station"]]
            assert row["open"] == sum(each.status in OPEN_TICKET for each in mine)
            line = [each for each in mine if each.status in ON_THE_LINE]
            assert row["work_s"] == sum(each.work_s - each.done_s for each in line)
            sequences = [each.sequence for each in mine]
            assert len(set(sequences)) == len(sequences)
            assert max(sequences, default=0) <= row["sequence"]
        for each in kept.values():
            for at_expo in kept.values():
                for plate in at_expo.plates:
                    if plate.ticket_id == each.ticket_id and at_expo.status in OPEN_TICKET:
                        assert plate.status is each.status, "the expo sees what is so"
            assert (each.held_for is HoldReason.COURSE) <= (each.sent_at is None)


def some_id() -> UUID:
    """An id that nothing has."""
    return new_id()
