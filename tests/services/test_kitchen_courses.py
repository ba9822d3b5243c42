"""Courses, on both databases: each begins when it should, and none too early."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schemas.house_rules import Acceptance, OrderRules
from schemas.kitchen import Priority, TicketStatus
from schemas.kitchen_requests import (
    BumpTicket,
    FireCourse,
    HearTickets,
    PrioritiseOrder,
    RecallTicket,
)
from schemas.kitchen_rules import CourseRules, Firing, KitchenRules
from schemas.order_changes import AcceptOrder, VoidLines
from schemas.orders import AddLines, LineRequest, OrderStatus
from schemas.refusals import RefusalCode
from schemas.replies import CourseReceipt, OrderReceipt
from services.runtime.database import Database
from tests.services.kitchen_floor import KitchenFloor, some_id
from tests.services.order_world import TILL

HELD, SENT, STARTED, BUMPED = (
    TicketStatus.HELD,
    TicketStatus.SENT,
    TicketStatus.STARTED,
    TicketStatus.BUMPED,
)


@pytest.mark.parametrize("gap_s", [0, 300])
async def test_a_course_begins_when_the_one_before_is_bumped_everywhere(
    database: Database, gap_s: int
) -> None:
    floor = KitchenFloor(database, KitchenRules(escalation=(), courses=CourseRules(gap_s=gap_s)))
    await floor.open()
    order_id = await floor.order("soup", "bread", "steak", "chips", "cake")
    assert await floor.standing_of(order_id) == {
        ("grill", 1): SENT,
        ("bar", 1): SENT,
        ("grill", 2): HELD,
        ("fry", 2): HELD,
        ("bar", 3): HELD,
    }
    tickets = {(each.station, each.course): each for each in (await floor.kept()).values()}
    for place in (("grill", 1), ("bar", 1)):
        id_ = tickets[place].ticket_id
        await floor.do(HearTickets(ticket_ids=(id_,)))
        assert (await floor.standing_of(order_id))["fry", 2] is HELD
        await floor.do(BumpTicket(ticket_id=id_))
    if gap_s:
        # Called back in the meantime, the course is not done, and the next one waits on.
        await floor.do(RecallTicket(ticket_id=tickets["bar", 1].ticket_id))
        await floor.pass_time(gap_s)
        assert (await floor.standing_of(order_id))["fry", 2] is HELD
        await floor.do(BumpTicket(ticket_id=tickets["bar", 1].ticket_id))
        assert await floor.pass_time(gap_s - 1) == 0
        assert (await floor.standing_of(order_id))["fry", 2] is HELD
        assert await floor.pass_time(1) == 2
    standing = await floor.standing_of(order_id)
    assert (standing["grill", 2], standing["fry", 2], standing["bar", 3]) == (SENT, SENT, HELD)
    fired = (await floor.kept())[tickets["fry", 2].ticket_id]
    assert (fired.sent_at, fired.held_for) == (floor.now, None)
    # With the whole second course gone the third begins.
    lines = VoidLines(order_id=order_id, lines=(3, 4), reason="no appetite")
    await floor.do(lines, TILL)
    await floor.pass_time(gap_s)
    assert (await floor.standing_of(order_id))["bar", 3] is SENT
    await floor.make("bar", order_id)
    assert await floor.status(order_id) is OrderStatus.READY


async def test_a_course_begins_by_time_or_by_hand(database: Database) -> None:
    floor = KitchenFloor(
        database, KitchenRules(escalation=(), courses=CourseRules(firing=Firing.BY_TIME, gap_s=600))
    )
    await floor.open()
    order_id = await floor.order("soup", "steak", "chips", "cake")
    second = await floor.at("fry")
    assert second.wake_at == floor.now + timedelta(seconds=600)
    assert (await floor.at("bar")).wake_at is None, "it counts from the second course"
    assert await floor.pass_time(599) == 0
    assert await floor.pass_time(1) == 2
    assert (await floor.at("fry")).status is SENT
    assert (await floor.at("bar")).wake_at == floor.now + timedelta(seconds=600)
    # Rules that change meanwhile hold from then on.
    await floor.rule(KitchenRules(escalation=(), courses=CourseRules(firing=Firing.BY_HAND)))
    assert await floor.pass_time(600) == 1
    dessert = await floor.at("bar")
    assert (dessert.status, dessert.wake_at) == (HELD, None)
    assert await floor.pass_time(3600) == 0

    refusal = RefusalCode.NO_SUCH_COURSE
    no_such = await floor.refused(
        FireCourse(order_id=order_id, course=7), refusal, "it has 1, 2, 3"
    )
    assert isinstance(no_such.result, CourseReceipt)
    await floor.refused(
        FireCourse(order_id=order_id, course=2), RefusalCode.WRONG_STATE, "was fired already"
    )
    reply = await floor.do(FireCourse(order_id=order_id, course=3))
    assert isinstance(reply.result, CourseReceipt)
    assert reply.result.ticket_ids == (dessert.ticket_id,)
    await floor.refused(
        FireCourse(order_id=order_id, course=3), RefusalCode.WRONG_STATE, "bar is sent"
    )
    unknown = await floor.ask(FireCourse(order_id=some_id(), course=1))
    assert unknown.code is RefusalCode.NOT_FOUND


async def test_what_is_ordered_later_joins_its_course(database: Database) -> None:
    floor = KitchenFloor(
        database, KitchenRules(escalation=(), courses=CourseRules(firing=Firing.BY_HAND))
    )
    await floor.open()
    order_id = await floor.order("soup", "steak")

    async def add(item: str, course: int | None = None) -> TicketStatus:
        before = await floor.kept()
        line = LineRequest(item=item, quantity=1, course=course)
        await floor.do(AddLines(order_id=order_id, lines=(line,)), TILL)
        (new,) = [each for id_, each in (await floor.kept()).items() if id_ not in before]
        return new.status

    assert await add("chips") is HELD
    assert await add("bread") is SENT
    await floor.do(FireCourse(order_id=order_id, course=2))
    assert set((await floor.standing_of(order_id)).values()) == {SENT}
    assert await add("chips") is SENT, "its course is being made"
    assert await add("cake") is HELD
    # Alone, the last course is the first.
    only = await floor.order("cake", "cake")
    assert await floor.standing_of(only) == {("bar", 3): SENT}


async def test_a_course_of_an_order_that_was_not_sent_cannot_be_fired(database: Database) -> None:
    floor = KitchenFloor(database)
    floor.rules = OrderRules(acceptance=Acceptance.BY_HAND)
    await floor.open()
    order_id = await floor.order("soup", "steak")
    for request in (
        FireCourse(order_id=order_id, course=2),
        PrioritiseOrder(order_id=order_id, priority=Priority.RUSH),
    ):
        told = await floor.refused(
            request, RefusalCode.WRONG_STATE, "is placed: it was not sent to the kitchen yet"
        )
        assert isinstance(told.result, OrderReceipt)
        assert told.result.status is OrderStatus.PLACED
    await floor.do(AcceptOrder(order_id=order_id), TILL)
    await floor.do(FireCourse(order_id=order_id, course=2))
    assert set((await floor.standing_of(order_id)).values()) == {SENT}
