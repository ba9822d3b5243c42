"""Staff come and go, are given tickets, and tell each other what must be read: kept and shown."""

from __future__ import annotations

from uuid import UUID

import pytest

from schemas.identifiers import new_id
from schemas.kitchen import Ticket
from schemas.kitchen_requests import BumpTicket, MoveTicket, RecallTicket
from schemas.orders import CancelOrder
from schemas.refusals import RefusalCode
from schemas.replies import DutyReceipt, StaffPage, TaskReceipt
from schemas.staff import (
    AcknowledgeTask,
    Addressee,
    AssignPerson,
    EndDuty,
    ReadStaff,
    SendTask,
    StartDuty,
)
from services.runtime.database import Database
from services.runtime.names import SCREEN as SCREEN_OF
from services.runtime.tables import DEVICES
from services.staff import rules
from services.staff.forgetting import KEPT, StaffTidying
from services.staff.store import DUTIES, TASKS
from tests.services.floor_world import MANAGER, SCREEN, TILL, Floor


@pytest.fixture
async def floor(database: Database) -> Floor:
    """A restaurant with ada at the grill and bob at the bar."""
    made = Floor(database)
    await made.open()
    await made.accepted(StartDuty(person="ada", station="grill"))
    await made.accepted(StartDuty(person="bob", station="bar"), TILL)
    return made


def tell(
    to: str = "all", addressee: Addressee = Addressee.ALL, *, must_read: bool = True
) -> SendTask:
    return SendTask(addressee=addressee, to=to, text="table 4: no nuts", must_read=must_read)


async def waits(floor: Floor, task_id: UUID) -> tuple[str, ...] | None:
    """Whom a task waits for, as screens show it; None once it is gone."""
    task = floor.tasks().get(task_id)
    return None if task is None else task.waits_for


async def test_who_is_on_duty_stands_retained_until_they_go(floor: Floor) -> None:
    assert {p: d.station for p, d in floor.on_duty().items()} == {"ada": "grill", "bob": "bar"}
    gone = await floor.accepted(EndDuty(person="bob"))
    assert gone == DutyReceipt(person="bob", on_duty=False)
    assert set(floor.on_duty()) == {"ada"}
    floor.wait(3600)
    await floor.accepted(StartDuty(person="bob"))
    assert floor.on_duty()["bob"].since == floor.world.now
    ((ada, bob),) = await floor.world.rows(DUTIES)
    assert (ada["until"], bob["until"], bob["version"]) == (None, None, 3)


async def test_what_cannot_be_is_refused_with_how_the_duty_stands(floor: Floor) -> None:
    twice = await floor.refused(
        StartDuty(person="ada", station="bar"), RefusalCode.WRONG_STATE, "at grill already"
    )
    assert twice.result == DutyReceipt(person="ada", on_duty=True, station="grill")
    never = await floor.refused(EndDuty(person="cleo"), RefusalCode.WRONG_STATE, "not on duty")
    assert never.result == DutyReceipt(person="cleo", on_duty=False)
    await floor.refused(
        AssignPerson(person="cleo", station="bar"), RefusalCode.WRONG_STATE, "not on duty"
    )
    await floor.refused(AssignPerson(person="ada"), RefusalCode.INVALID, "name the station")
    await floor.refused(
        AssignPerson(person="ada", ticket_id=new_id()), RefusalCode.NOT_FOUND, "no ticket"
    )
    await floor.refused(
        tell("zoe", Addressee.PERSON), RefusalCode.NOT_FOUND, "nobody called zoe was ever"
    )
    await floor.refused(
        AcknowledgeTask(task_id=new_id(), person="ada"), RefusalCode.NOT_FOUND, "no task"
    )


async def test_a_must_read_task_waits_for_everybody_and_ends_with_the_last(floor: Floor) -> None:
    sent = await floor.accepted(tell(), TILL)
    assert sent.waits_for == ("ada", "bob")
    await floor.accepted(StartDuty(person="cleo", station="grill"))
    assert await waits(floor, sent.task_id) == ("ada", "bob", "cleo")
    await floor.accepted(AcknowledgeTask(task_id=sent.task_id, person="ada"))
    again = await floor.accepted(AcknowledgeTask(task_id=sent.task_id, person="ada"))
    assert again == TaskReceipt(task_id=sent.task_id, waits_for=("bob", "cleo"))
    assert floor.tasks()[sent.task_id].version == 3, "reading twice changes nothing"
    stranger = await floor.refused(
        AcknowledgeTask(task_id=sent.task_id, person="dora"),
        RefusalCode.NOT_ALLOWED,
        "but for bob, cleo",
    )
    assert stranger.result == again
    await floor.accepted(EndDuty(person="cleo"))
    await floor.accepted(AcknowledgeTask(task_id=sent.task_id, person="bob"))
    assert floor.tasks() == {}
    late = await floor.ask(AcknowledgeTask(task_id=sent.task_id, person="cleo"))
    assert (late.code, late.message) == (RefusalCode.WRONG_STATE, "everybody has read it")
    ((row,),) = await floor.world.rows(TASKS)
    assert [each["person"] for each in row["read_by"]] == ["ada", "bob"]
    assert row["ended_at"] == floor.world.now


async def test_a_note_for_a_station_goes_to_who_comes_next_there(floor: Floor) -> None:
    await floor.accepted(EndDuty(person="ada", note="fryer 2 is slow"))
    (note,) = floor.tasks().values()
    assert (note.hand_over, note.to, note.waits_for) == (True, "grill", ())
    await floor.accepted(AssignPerson(person="bob", station="grill"))
    assert await waits(floor, note.task_id) == ("bob",)
    await floor.accepted(AssignPerson(person="bob", station="bar"))
    assert await waits(floor, note.task_id) == (), "bob left it unread: it stands"
    await floor.accepted(StartDuty(person="cleo", station="grill"))
    await floor.accepted(AcknowledgeTask(task_id=note.task_id, person="cleo"))
    assert floor.tasks() == {}


async def test_what_one_person_is_to_read_waits_over_their_night(floor: Floor) -> None:
    await floor.accepted(EndDuty(person="ada"))
    sent = await floor.accepted(tell("ada", Addressee.PERSON))
    assert sent.waits_for == ()
    await floor.accepted(StartDuty(person="ada"))
    assert await waits(floor, sent.task_id) == ("ada",)
    await floor.accepted(EndDuty(person="ada"))
    assert await waits(floor, sent.task_id) == ()
    await floor.accepted(AcknowledgeTask(task_id=sent.task_id, person="ada"))
    assert floor.tasks() == {}, "read at home"


async def test_what_need_not_be_read_is_said_and_does_not_stand(floor: Floor) -> None:
    sent = await floor.accepted(tell(must_read=False))
    assert (sent.waits_for, floor.tasks()) == ((), {})
    await floor.refused(
        AcknowledgeTask(task_id=sent.task_id, person="ada"),
        RefusalCode.WRONG_STATE,
        "need not be answered",
    )


async def test_a_ticket_is_given_by_name_and_leaves_when_it_ends(floor: Floor) -> None:
    bumped, cancelled = await floor.ticket("burger"), await floor.ticket("burger")
    for ticket in (bumped, cancelled):
        await floor.accepted(AssignPerson(person="ada", ticket_id=ticket.ticket_id))
        await floor.accepted(AssignPerson(person="ada", ticket_id=ticket.ticket_id))
    given = (await floor.tickets())[bumped.ticket_id]
    assert (given.given_to, given.version) == (("ada",), bumped.version + 1)
    assert floor.on_duty()["ada"].tickets == (bumped.ticket_id, cancelled.ticket_id)
    await floor.accepted(BumpTicket(ticket_id=bumped.ticket_id, sequence=given.sequence))
    assert floor.on_duty()["ada"].tickets == (cancelled.ticket_id,)
    await floor.accepted(CancelOrder(order_id=cancelled.order_id, reason="they left"), TILL)
    assert floor.on_duty()["ada"].tickets == ()
    await floor.refused(
        AssignPerson(person="ada", ticket_id=bumped.ticket_id), RefusalCode.WRONG_STATE, "bumped"
    )


async def test_a_ticket_of_another_station_takes_its_station_too(floor: Floor) -> None:
    ticket = await floor.ticket("burger")
    await floor.refused(
        AssignPerson(person="bob", ticket_id=ticket.ticket_id),
        RefusalCode.WRONG_STATION,
        "bob is at bar",
    )
    await floor.accepted(AssignPerson(person="bob", station="grill", ticket_id=ticket.ticket_id))
    await floor.accepted(AssignPerson(person="ada", ticket_id=ticket.ticket_id))
    assert await given_to(floor, ticket) == ("bob", "ada")
    await floor.accepted(AssignPerson(person="bob", station="bar"))
    assert await given_to(floor, ticket) == ("ada",)
    assert floor.on_duty()["bob"].tickets == ()
    await floor.accepted(EndDuty(person="ada"))
    assert await given_to(floor, ticket) == ()


async def given_to(floor: Floor, ticket: Ticket) -> tuple[str, ...]:
    return (await floor.tickets())[ticket.ticket_id].given_to


async def test_one_batch_sees_itself(floor: Floor) -> None:
    """Who comes in the same batch is waited for; who is refused in it is not."""
    ticket = await floor.ticket("burger")
    replies = await floor.together(
        (StartDuty(person="cleo", station="grill"), SCREEN),
        (StartDuty(person="ada"), SCREEN),
        (tell("grill", Addressee.STATION), TILL),
        (AssignPerson(person="cleo", ticket_id=ticket.ticket_id), SCREEN),
        (EndDuty(person="ada"), SCREEN),
        (BumpTicket(ticket_id=ticket.ticket_id, sequence=ticket.sequence), SCREEN),
        (tell(), TILL),
    )
    assert [each.code for each in replies] == [None, RefusalCode.WRONG_STATE, *[None] * 5]
    first, second = sorted(floor.tasks().values(), key=lambda task: task.to, reverse=True)
    assert (first.to, first.waits_for, second.waits_for) == ("grill", ("cleo",), ("bob", "cleo"))
    assert floor.on_duty()["cleo"].tickets == ()


async def test_a_snapshot_says_what_stands(floor: Floor) -> None:
    sent = await floor.accepted(tell())
    page = await floor.accepted(ReadStaff(), TILL)
    assert isinstance(page, StaffPage)
    assert [each.person for each in page.on_duty] == ["ada", "bob"]
    assert [(each.task_id, each.waits_for) for each in page.tasks] == [
        (sent.task_id, ("ada", "bob"))
    ]
    assert page.more == 0


async def test_nobody_speaks_for_others_at_a_screen_of_their_own(floor: Floor) -> None:
    phone = f"{SCREEN_OF}bob"
    async with floor.world.database.write() as connection:
        values = {"tenant": floor.world.tenant, "device": phone, "role": "kitchen-display"}
        row = DEVICES.insert().values(**values, person="bob", created_at=floor.world.now)
        await connection.execute(row)
    sent = await floor.accepted(tell())
    for request in (
        AcknowledgeTask(task_id=sent.task_id, person="ada"),
        EndDuty(person="ada"),
        StartDuty(person="cleo"),
    ):
        await floor.refused(
            request, RefusalCode.NOT_ALLOWED, "this is the screen of bob", device=phone
        )
    await floor.accepted(AcknowledgeTask(task_id=sent.task_id, person="bob"), phone)
    await floor.accepted(AcknowledgeTask(task_id=sent.task_id, person="ada"), MANAGER)
    assert floor.tasks() == {}


async def test_so_many_tasks_may_stand_and_no_more(
    floor: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "MAX_STANDING", 2)
    for _ in range(2):
        sent = await floor.accepted(tell())
    await floor.refused(tell(), RefusalCode.WRONG_STATE, "have some of them read first")
    await floor.accepted(tell(must_read=False))
    for person in ("ada", "bob"):
        await floor.accepted(AcknowledgeTask(task_id=sent.task_id, person=person))
    await floor.accepted(tell())


async def test_what_was_over_long_ago_is_thrown_away_and_nothing_else(floor: Floor) -> None:
    tidying = StaffTidying(floor.world.database, lambda: floor.world.now)
    await floor.accepted(tell(must_read=False))
    await floor.accepted(EndDuty(person="ada", note="unread, and so it stands"))
    floor.wait(KEPT.total_seconds())
    assert await tidying.tidy() == (0, 0)
    floor.wait(1)
    assert await tidying.tidy() == (1, 1)
    tasks, duties = await floor.world.rows(TASKS, DUTIES)
    assert [each["hand_over"] for each in tasks] == [True]
    assert [each["person"] for each in duties] == ["bob"]
    await floor.check()
    await floor.accepted(StartDuty(person="ada", station="grill"))
    assert [each.waits_for for each in floor.tasks().values()] == [("ada",)]


async def test_a_recalled_ticket_is_nobodys(floor: Floor) -> None:
    ticket = await floor.ticket("burger")
    await floor.accepted(AssignPerson(person="ada", ticket_id=ticket.ticket_id))
    await floor.accepted(BumpTicket(ticket_id=ticket.ticket_id, sequence=99))
    assert await given_to(floor, ticket) == ("ada",), "it says who has made it"
    await floor.accepted(RecallTicket(ticket_id=ticket.ticket_id))
    assert await given_to(floor, ticket) == ()
    await floor.accepted(AssignPerson(person="ada", ticket_id=ticket.ticket_id))
    await floor.ticket("fries")
    await floor.accepted(MoveTicket(ticket_id=ticket.ticket_id, station="fry"))
    assert await given_to(floor, ticket) == ("ada",)
    assert floor.on_duty()["ada"].tickets == ()
    (there,) = [t for t in (await floor.tickets()).values() if t.moved_from == "grill"]
    assert there.given_to == ()
