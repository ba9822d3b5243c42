"""A kitchen with staff, on a real database: whoever is asked answers through the real worker."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from schemas.alerts import Alert, AlertState
from schemas.house_rules import OrderRules
from schemas.identifiers import new_id
from schemas.kitchen import Ticket, TicketState
from schemas.kitchen_requests import HearTickets
from schemas.kitchen_rules import KitchenRules
from schemas.menu import MenuItem
from schemas.message import Message, Request
from schemas.orders import LineRequest, PlaceOrder
from schemas.refusals import RefusalCode
from schemas.replies import Outcome, Reply
from schemas.staff import DutyState, OnDuty, Task, TaskState
from services.kitchen.store import TICKETS, to_ticket
from services.runtime import house_rules
from services.runtime.database import Database
from tests.services.order_world import MANAGER, OURSELVES, SCREEN, TILL, Asked, OrderWorld

MENU: Final = tuple(
    MenuItem(item=item, name=item.title(), station=station, price_minor=900, currency="GBP")
    for item, station in (("burger", "grill"), ("fries", "fry"), ("ale", "bar"))
)


class Floor:
    """One restaurant, asked one thing at a time."""

    def __init__(self, database: Database) -> None:
        self.world: Final = OrderWorld(database, OrderRules(), MENU)

    async def open(self, kitchen: KitchenRules | None = None) -> None:
        """Let everybody in."""
        await self.world.open()
        if kitchen is not None:
            await self.set(kitchen)

    async def set(self, kitchen: KitchenRules) -> None:
        """Change the kitchen's rules."""
        async with self.world.database.write() as connection:
            await house_rules.write(connection, self.world.tenant, kitchen=kitchen)

    async def ask(self, message: Request, device: str = SCREEN, id_: UUID | None = None) -> Reply:
        """Ask, now; what stands retained afterwards must be what follows from the rows."""
        asked = Asked(device, message, id_ or new_id(), self.world.now)
        (reply,) = await self.world.say(asked)
        await self.check()
        return reply

    async def accepted(self, message: Request, device: str = SCREEN) -> Any:
        """Ask for what must be done; returns the result."""
        reply = await self.ask(message, device)
        assert reply.outcome is Outcome.ACCEPTED, f"{reply.code}: {reply.message}"
        return reply.result

    async def refused(
        self, message: Request, code: RefusalCode, saying: str = "", device: str = SCREEN
    ) -> Reply:
        """Ask for what must be refused; nothing changes."""
        before = self.standing()
        reply = await self.ask(message, device)
        assert (reply.outcome, reply.code) == (Outcome.REJECTED, code), reply.message
        assert saying in (reply.message or "")
        assert self.standing() == before
        return reply

    async def together(self, *asked: tuple[Request, str]) -> list[Reply]:
        """Ask several things as one batch."""
        replies = await self.world.say(
            *(Asked(device, message, new_id(), self.world.now) for message, device in asked)
        )
        await self.check()
        return replies

    async def check(self) -> None:
        """What stands on the broker of tickets, staff and alerts is what the database says."""
        assert self.standing() == _of_floor(await self.world.expected())

    def standing(self) -> dict[str, Message]:
        """What stands retained of tickets, staff and alerts."""
        return _of_floor(self.world.standing())

    async def ticket(self, *items: str) -> Ticket:
        """Order these; the heard ticket of the first item's station."""
        lines = tuple(LineRequest(item=each, quantity=1) for each in items)
        receipt = await self.accepted(PlaceOrder(lines=lines), TILL)
        station = next(each.station for each in MENU if each.item == items[0])
        tickets = [
            each
            for each in (await self.tickets()).values()
            if (each.order_id, each.station) == (receipt.order_id, station)
        ]
        (ticket,) = tickets
        await self.accepted(HearTickets(ticket_ids=(ticket.ticket_id,), sequence=ticket.sequence))
        return (await self.tickets())[ticket.ticket_id]

    async def tickets(self) -> dict[UUID, Ticket]:
        """All tickets, as they are kept."""
        (rows,) = await self.world.rows(TICKETS)
        return {row["ticket_id"]: to_ticket(row) for row in rows}

    def on_duty(self) -> dict[str, OnDuty]:
        """Who is on duty, as every screen is told."""
        return {each.person: each for each in self._told("duty")}

    def tasks(self) -> dict[UUID, Task]:
        """What is to be read, as every screen is told."""
        return {each.task_id: each for each in self._told("task")}

    def alerts(self) -> dict[str, Alert]:
        """What stands as an alert, by its name."""
        return {each.alert: each for each in self._told("alert")}

    def _told(self, what: str) -> list[Any]:
        return [getattr(each, what) for each in self.standing().values() if hasattr(each, what)]

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.world.wait(timedelta(seconds=seconds))

    async def ask_of_ourselves(self, _tenant: str, message: Request, id_: UUID) -> Reply:
        """What a timer asks: see `services.runtime.intake.Intake`."""
        return await self.ask(message, OURSELVES, id_)


def _of_floor(standing: dict[str, Message]) -> dict[str, Message]:
    mine = TicketState | DutyState | TaskState | AlertState
    return {topic: said for topic, said in standing.items() if isinstance(said, mine)}


__all__ = ["MANAGER", "SCREEN", "TILL", "Floor"]
