"""A change of what is being cooked is made once, wherever the services die with it."""

from __future__ import annotations

from uuid import UUID

import pytest

from schemas.house_rules import OrderRules
from schemas.identifiers import new_id
from schemas.kitchen import LineMark, Ticket, TicketState, TicketStatus
from schemas.kitchen_requests import BumpTicket, HearTickets, StartTicket
from schemas.menu import MenuItem
from schemas.message import Request
from schemas.order_changes import ChangeLine, VoidLines
from schemas.orders import AddLines, LineRequest, PlaceOrder
from schemas.refusals import RefusalCode
from schemas.replies import Outcome
from services.kitchen.store import STATIONS, TICKETS, to_ticket
from services.runtime.database import Database
from tests.services.order_world import POINTS, SCREEN, TILL, Asked, OrderWorld

MENU = [
    MenuItem(item=item, name=item.title(), station="grill", price_minor=500, currency="GBP")
    for item in ("burger", "steak")
]
LINES = (
    LineRequest(item="burger", quantity=1, avoid=("nuts",)),
    LineRequest(item="steak", quantity=2, note="rare"),
)


async def kept(world: OrderWorld) -> list[Ticket]:
    return [to_ticket(row) for row in (await world.rows(TICKETS))[0]]


async def grill(world: OrderWorld) -> int:
    ((station,),) = await world.rows(STATIONS)
    return int(station["sequence"])


def on_the_wire(world: OrderWorld) -> dict[UUID, Ticket]:
    found = [said for said in world.standing().values() if isinstance(said, TicketState)]
    return {said.ticket_id: said.ticket for said in found}


@pytest.mark.parametrize("point", POINTS)
async def test_each_step_of_a_changed_ticket_is_made_once_through_a_death(
    database: Database, point: str
) -> None:
    world = OrderWorld(database, OrderRules(), MENU)
    await world.open()

    async def dying(device: str, request: Request, id_: UUID | None = None) -> None:
        """Ask it with a death on the way, and then once more."""
        asked = Asked(device, request, id_ or new_id(), world.now)
        world.die_at = point
        (first,) = await world.say(asked)
        assert first.outcome is Outcome.ACCEPTED, first.message
        before = await kept(world), await grill(world)
        (again,) = await world.say(asked)
        assert again == first
        assert (await kept(world), await grill(world)) == before
        open_ = {each.ticket_id: each for each in before[0] if each.ended_at is None}
        assert on_the_wire(world) == open_
        assert sum(each.version for each in before[0]) == before[1], "a number for each change"

    order_id = new_id()
    await dying(TILL, PlaceOrder(lines=LINES), order_id)
    (ticket,) = await kept(world)
    id_ = ticket.ticket_id
    await dying(SCREEN, HearTickets(ticket_ids=(id_,), sequence=1))
    await dying(SCREEN, StartTicket(ticket_id=id_, sequence=2))
    await dying(TILL, ChangeLine(order_id=order_id, line=1, quantity=3))
    await dying(TILL, ChangeLine(order_id=order_id, line=1, note="no salt"))
    await dying(TILL, VoidLines(order_id=order_id, lines=(2,), reason="none left"))
    (ticket,) = await kept(world)
    burger, steak = ticket.lines
    assert (burger.mark, steak.mark) == (LineMark.CHANGED, LineMark.CANCELLED)
    assert burger.was is not None
    assert (burger.was.quantity, burger.quantity, burger.avoid) == (1, 3, ("nuts",))
    stale = Asked(SCREEN, BumpTicket(ticket_id=id_, sequence=3), at=world.now)
    world.die_at = point
    (refused,) = await world.say(stale)
    assert refused.code is RefusalCode.STALE_VERSION
    await dying(TILL, AddLines(order_id=order_id, lines=LINES[:1]))
    await dying(SCREEN, HearTickets(ticket_ids=(id_,), sequence=await grill(world)))
    await dying(SCREEN, BumpTicket(ticket_id=id_, sequence=await grill(world)))
    tickets = await kept(world)
    assert [(each.status, [line.mark for line in each.lines]) for each in tickets] == [
        (TicketStatus.BUMPED, [LineMark.CHANGED, LineMark.CANCELLED]),
        (TicketStatus.SENT, [LineMark.NEW]),
    ]
    assert world.deaths >= 10
