"""A kitchen's rules that change while it works: what waits follows, and looking costs little."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from schemas.kitchen import TicketStatus
from schemas.kitchen_pace import ChannelState, Intake
from schemas.kitchen_rules import CourseRules, Firing, KitchenRules, ThrottleRules
from schemas.orders import OrderKind
from services.kitchen.course_timer import CourseTimer
from services.kitchen.intake_timer import IntakeTimer
from services.runtime.database import Database
from tests.services.asked_of_ourselves import AskedOfOurselves
from tests.services.kitchen_floor import KitchenFloor

HELD, SENT = TicketStatus.HELD, TicketStatus.SENT


def courses(firing: Firing, gap_s: int = 0) -> KitchenRules:
    return KitchenRules(escalation=(), courses=CourseRules(firing=firing, gap_s=gap_s))


def timer_of(floor: KitchenFloor) -> CourseTimer:
    intake: Any = AskedOfOurselves(floor)
    return CourseTimer(floor.database, intake, lambda: floor.now)


@contextmanager
def counted(database: Database, word: str) -> Iterator[list[str]]:
    """The statements that speak of something."""
    said: list[str] = []

    def hear(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if word in statement:
            said.append(statement)

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", hear)
    try:
        yield said
    finally:
        event.remove(engine, "before_cursor_execute", hear)


@pytest.mark.parametrize("waited_s", [0, 900], ids=["not yet", "long since"])
async def test_a_course_that_waits_for_a_word_begins_by_time_once_the_house_says_so(
    database: Database, waited_s: int
) -> None:
    floor = KitchenFloor(database, courses(Firing.BY_HAND))
    await floor.open()
    order_id = await floor.order("soup", "chips")
    timer = timer_of(floor)
    await timer.look()
    assert (await floor.at("fry")).wake_at is None
    began = floor.now
    floor.wait(timedelta(seconds=waited_s))
    await floor.rule(courses(Firing.BY_TIME, 600))
    assert await timer.look() == 1
    await floor.check()
    waits = await floor.at("fry")
    if waited_s:
        assert waits.status is SENT, "its time has come already"
    else:
        assert (waits.status, waits.wake_at) == (HELD, began + timedelta(seconds=600))
        await floor.pass_time(600)
        assert (await floor.standing_of(order_id))["fry", 2] is SENT


async def test_a_time_that_the_house_takes_back_does_not_come(database: Database) -> None:
    floor = KitchenFloor(database, courses(Firing.BY_TIME, 600))
    await floor.open()
    await floor.order("soup", "chips")
    timer = timer_of(floor)
    await timer.look()
    assert (await floor.at("fry")).wake_at is not None
    await floor.rule(courses(Firing.AFTER_PREVIOUS))
    await timer.look()
    await floor.check()
    assert (await floor.at("fry")).wake_at is None
    assert await floor.pass_time(3_600) == 0
    assert (await floor.at("fry")).status is HELD


async def test_rules_that_changed_while_nobody_served_hold_after_the_start(
    database: Database,
) -> None:
    floor = KitchenFloor(database, courses(Firing.BY_HAND))
    await floor.open()
    await floor.order("soup", "chips")
    await floor.rule(courses(Firing.BY_TIME, 60))
    await timer_of(floor).look()
    assert (await floor.at("fry")).wake_at == floor.now + timedelta(seconds=60)
    kept = await floor.kept()
    await timer_of(floor).look()
    assert await floor.kept() == kept, "looked at by the next process too, nothing changes"


async def test_where_no_rule_has_changed_no_ticket_is_looked_for(database: Database) -> None:
    floor = KitchenFloor(database, courses(Firing.BY_HAND))
    await floor.open()
    await floor.order("soup", "chips")
    timer = timer_of(floor)
    assert await timer.look() == 1
    with counted(database, "SELECT") as said:
        assert await timer.look() == 0
    assert len(said) == 1
    assert "house_rules.kitchen," not in said[0].partition("FROM")[0]


async def test_the_rules_of_a_house_are_read_again_only_where_they_are_others(
    database: Database,
) -> None:
    floor = KitchenFloor(database, KitchenRules(throttle=ThrottleRules()))
    await floor.open()
    asked: Any = AskedOfOurselves(floor)
    timer = IntakeTimer(database, asked, lambda: floor.now)
    assert await timer.look() == [floor.tenant], "nothing was ever told of its channels"
    await floor.order("soup", "soup")
    with counted(database, "house_rules") as said:
        assert await timer.look() == []
    assert [each.partition("FROM")[0].count("kitchen") for each in said] == [0]
    # Fuller than the new rules allow, it is told without any order that comes.
    tight = ThrottleRules(stretch_at=0.3, pause_at=0.4, resume_at=0.2)
    await floor.rule(KitchenRules(throttle=tight))
    floor.wait(timedelta(seconds=5))
    assert await timer.look() == [floor.tenant]
    channels = {
        each.channel: each.intake
        for each in floor.standing().values()
        if isinstance(each, ChannelState)
    }
    assert channels[OrderKind.DELIVERY] is Intake.PAUSED
