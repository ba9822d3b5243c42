"""Each step of a kitchen is taken once, wherever the services die with it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schemas.identifiers import derived_id, new_id
from schemas.kitchen import Priority, TicketStatus
from schemas.kitchen_requests import (
    BumpLines,
    BumpTicket,
    FireCourse,
    FireTicket,
    HearTickets,
    HoldTicket,
    MoveTicket,
    PrioritiseOrder,
    RecallTicket,
    ReprintTicket,
)
from schemas.kitchen_rules import CourseRules, Firing, KitchenRules, StationKind, StationRules
from schemas.message import Request
from schemas.orders import LineRequest, OrderStatus, PlaceOrder
from schemas.replies import Outcome
from services.kitchen.inside import WakeTicket
from services.kitchen.store import STATIONS
from services.runtime.database import Database
from tests.services.kitchen_floor import KitchenFloor
from tests.services.order_world import OURSELVES, POINTS, SCREEN, TILL, Asked

BOOK = KitchenRules(
    stations={"pass": StationRules(kind=StationKind.EXPO)},
    courses=CourseRules(firing=Firing.BY_TIME, gap_s=600),
    escalation=(),
)


@pytest.mark.parametrize("point", POINTS)
async def test_each_step_is_taken_once_through_a_death(database: Database, point: str) -> None:
    floor = KitchenFloor(database, BOOK)
    await floor.open()

    async def dying(request: Request, device: str = SCREEN) -> None:
        """Ask it with a death on the way, and then once more."""
        id_ = new_id()
        if isinstance(request, WakeTicket):
            id_ = derived_id(request.wake_at, str(request.ticket_id))
        asked = Asked(device, request, id_, floor.now)
        floor.die_at = point
        (first,) = await floor.say(asked)
        assert first.outcome is Outcome.ACCEPTED, (request, first.message)
        before = await floor.kept()
        (again,) = await floor.say(asked)
        assert again == first
        assert await floor.kept() == before
        await floor.check()
        (stations,) = await floor.rows(STATIONS)
        numbers = {row["station"]: row["sequence"] for row in stations}
        for station, sequence in numbers.items():
            mine = [each for each in before.values() if each.station == station]
            counted = sum(each.version for each in mine)
            assert counted - sum(each.prints for each in mine) <= sequence <= counted

    items = ("soup", "soup", "bread", "steak", "chips")
    lines = tuple(LineRequest(item=item, quantity=1) for item in items)
    await dying(PlaceOrder(lines=lines), TILL)
    (order_id,) = await floor.orders()
    first = {(each.station, each.course): each.ticket_id for each in (await floor.kept()).values()}
    bread, id_ = first["bar", 1], first["grill", 1]
    await dying(HoldTicket(ticket_id=id_, why="late"))
    await dying(FireTicket(ticket_id=id_))
    await dying(HearTickets(ticket_ids=(id_, bread)))
    await dying(PrioritiseOrder(order_id=order_id, priority=Priority.HIGH))
    await dying(BumpLines(ticket_id=id_, lines=(1,)))
    await dying(RecallTicket(ticket_id=id_, lines=(1,)))
    await dying(BumpLines(ticket_id=id_, lines=(1, 2)))
    await dying(RecallTicket(ticket_id=id_, restart=True))
    await dying(BumpTicket(ticket_id=id_))
    await dying(ReprintTicket(ticket_id=id_))
    await dying(MoveTicket(ticket_id=bread, station="grill"))
    (moved,) = [each for each in (await floor.kept()).values() if each.moved_from == "bar"]
    floor.wait(timedelta(minutes=10))
    chips = await floor.at("fry")
    assert chips.wake_at is not None
    await dying(WakeTicket(ticket_id=chips.ticket_id, wake_at=chips.wake_at), OURSELVES)
    await dying(PlaceOrder(lines=lines[-2:], table="2"), TILL)
    await dying(PlaceOrder(lines=(lines[0], lines[3]), table="3"), TILL)
    third = max(await floor.orders())
    await dying(FireCourse(order_id=third, course=2))
    open_ = [
        each
        for each in (await floor.kept()).values()
        if each.order_id == order_id and each.ended_at is None and not each.plates
    ]
    assert moved.ticket_id in {each.ticket_id for each in open_}
    assert {each.status for each in open_} == {TicketStatus.SENT}
    for ticket in open_:
        await dying(HearTickets(ticket_ids=(ticket.ticket_id,)))
        await dying(BumpTicket(ticket_id=ticket.ticket_id))
    expo = await floor.at("pass", order_id)
    await dying(HearTickets(ticket_ids=(expo.ticket_id,)))
    assert await floor.status(order_id) is OrderStatus.PREPARING
    await dying(BumpTicket(ticket_id=expo.ticket_id))
    assert await floor.status(order_id) is OrderStatus.READY
    assert floor.deaths >= 20
