"""What cooks do with tickets, on both databases: each step, and each refusal with the state."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import event

from schemas.kitchen import HoldReason, Priority, TicketStatus
from schemas.kitchen_requests import (
    Attendance,
    AttendStation,
    BumpLines,
    BumpTicket,
    CloseStation,
    FireTicket,
    HearTickets,
    HoldTicket,
    MoveTicket,
    PrioritiseOrder,
    RecallTicket,
    ReprintTicket,
    StartTicket,
)
from schemas.kitchen_rules import KitchenRules, StationKind, StationRules
from schemas.order_changes import ServeOrder, VoidLines
from schemas.orders import AddLines, CancelOrder, CloseOrder, LineRequest, OrderStatus
from schemas.refusals import RefusalCode
from schemas.replies import OrderReceipt, Outcome, PrintReceipt
from services.runtime.database import Database
from tests.services.kitchen_floor import KitchenFloor, some_id
from tests.services.order_world import MANAGER, OTHER, SCREEN, TILL, Asked

HELD, SENT, STARTED, BUMPED = (
    TicketStatus.HELD,
    TicketStatus.SENT,
    TicketStatus.STARTED,
    TicketStatus.BUMPED,
)
CANCELLED = TicketStatus.CANCELLED


async def test_a_ticket_is_held_fired_and_heard_anew(database: Database) -> None:
    floor = KitchenFloor(database)
    await floor.open()
    order_id = await floor.order("soup", "bread")
    ticket = await floor.at("grill")
    assert [(each.station, each.lines) for each in ticket.also_at] == [("bar", 1)]
    id_ = ticket.ticket_id
    await floor.refused(FireTicket(ticket_id=id_), RefusalCode.WRONG_STATE, "is sent: cannot fire")
    await floor.do(HearTickets(ticket_ids=(id_,)))
    await floor.do(HoldTicket(ticket_id=id_, why="guests are outside"))
    held = await floor.at("grill")
    assert (held.status, held.held_for, held.why) == (
        HELD,
        HoldReason.BY_HAND,
        "guests are outside",
    )
    await floor.refused(HoldTicket(ticket_id=id_), RefusalCode.WRONG_STATE, "is held: cannot hold")
    await floor.refused(StartTicket(ticket_id=id_), RefusalCode.WRONG_STATE, "cannot start")
    await floor.refused(BumpTicket(ticket_id=id_), RefusalCode.WRONG_STATE, "cannot bump")
    assert (await floor.do(HearTickets(ticket_ids=(id_,)))).result is not None
    assert (await floor.at("grill")).status is HELD, "hearing does not begin it"
    floor.wait(timedelta(minutes=5))
    await floor.do(FireTicket(ticket_id=id_))
    fired = await floor.at("grill")
    assert (fired.status, fired.sent_at, fired.heard_at, fired.why) == (SENT, floor.now, None, None)
    assert (fired.version, fired.held_for) == (held.version + 1, None)
    assert held.late_at is not None
    assert fired.late_at == held.late_at + timedelta(minutes=5), "its time counts anew"
    await floor.refused(BumpTicket(ticket_id=id_), RefusalCode.WRONG_STATE, "is sent: cannot bump")
    await floor.do(StartTicket(ticket_id=id_))
    await floor.refused(HoldTicket(ticket_id=id_), RefusalCode.WRONG_STATE, "is started")
    assert await floor.status(order_id) is OrderStatus.PREPARING


async def test_a_step_that_cannot_be_is_refused_by_name_with_how_it_stands(
    database: Database,
) -> None:
    floor = KitchenFloor(database)
    await floor.open()
    order_id = await floor.order("soup")
    ticket = await floor.at("grill")
    id_ = ticket.ticket_id
    nothing = await floor.ask(BumpTicket(ticket_id=some_id()))
    assert nothing.code is RefusalCode.NOT_FOUND
    wrong, away = RefusalCode.WRONG_STATE, RefusalCode.WRONG_STATION
    await floor.refused(RecallTicket(ticket_id=id_), wrong, "is sent: cannot recall")
    await floor.refused(BumpTicket(ticket_id=id_, station="fry"), away, "of grill, not of fry")
    await floor.refused(StartTicket(ticket_id=id_, station="bar"), away, "of grill, not of bar")
    await floor.make("grill", order_id)
    await floor.refused(BumpTicket(ticket_id=id_), wrong, "is bumped: cannot bump")
    await floor.refused(MoveTicket(ticket_id=id_, station="fry"), wrong, "cannot move")
    await floor.refused(FireTicket(ticket_id=id_), wrong, "is bumped: cannot fire")
    await floor.refused(BumpLines(ticket_id=id_, lines=(1,)), wrong, "cannot bump lines of it")


async def test_of_two_displays_that_bump_at_one_instant_one_is_accepted(
    database: Database,
) -> None:
    floor = KitchenFloor(database)
    await floor.open()
    for together in (True, False):
        order_id = await floor.order("soup")
        ticket = await floor.at("grill")
        await floor.do(HearTickets(ticket_ids=(ticket.ticket_id,)))
        asked = [
            Asked(device, BumpTicket(ticket_id=ticket.ticket_id), at=floor.now)
            for device in ("screen", OTHER)
        ]
        if together:
            replies = await floor.say(*asked)
        else:
            replies = [(await floor.say(each))[0] for each in asked]
        assert [each.outcome for each in replies] == [Outcome.ACCEPTED, Outcome.REJECTED]
        refused = replies[1]
        assert refused.code is RefusalCode.WRONG_STATE
        assert refused.result == replies[0].result, "it says how the ticket stands"
        assert await floor.say(*asked) == replies, "asked again, each gets its first answer"
        assert await floor.status(order_id) is OrderStatus.READY
        await floor.check()


async def test_lines_are_bumped_by_themselves_and_recalled(database: Database) -> None:
    floor = KitchenFloor(database)
    await floor.open()
    order_id = await floor.order("soup", "soup", "soup")
    id_ = (await floor.at("grill")).ticket_id
    wrong = RefusalCode.WRONG_STATE
    await floor.refused(BumpLines(ticket_id=id_, lines=(1,)), wrong, "is sent: cannot bump lines")
    await floor.do(HearTickets(ticket_ids=(id_,)))
    missing = await floor.refused(
        BumpLines(ticket_id=id_, lines=(1, 9)), RefusalCode.NOT_FOUND, "has no line 9"
    )
    assert missing.result is not None
    await floor.do(BumpLines(ticket_id=id_, lines=(2, 2)))
    ticket = await floor.at("grill")
    assert (ticket.status, ticket.started_at) == (STARTED, floor.now), "who has done one, began"
    assert [line.bumped_at for line in ticket.lines] == [None, floor.now, None]
    assert await floor.status(order_id) is OrderStatus.PREPARING
    await floor.refused(BumpLines(ticket_id=id_, lines=(2,)), wrong, "line 2 is bumped already")
    cooked = await floor.ask(CancelOrder(order_id=order_id, reason="gone"), TILL)
    assert cooked.code is RefusalCode.ALREADY_COOKED, "one of its lines is made"
    await floor.refused(RecallTicket(ticket_id=id_, lines=(1,)), wrong, "line 1 is not bumped")
    await floor.do(RecallTicket(ticket_id=id_, lines=(2,)))
    ticket = await floor.at("grill")
    assert (ticket.recalls, [line.bumped_at for line in ticket.lines]) == (1, [None] * 3)
    await floor.refused(RecallTicket(ticket_id=id_), wrong, "cannot recall")
    await floor.do(BumpLines(ticket_id=id_, lines=(1, 3)))
    await floor.do(VoidLines(order_id=order_id, lines=(2,), reason="none left"), TILL)
    assert (await floor.kept())[id_].status is BUMPED, "what is left of it is made"
    assert await floor.status(order_id) is OrderStatus.READY
    # Back comes what was asked for; the rest stays done.
    floor.wait(timedelta(seconds=30))
    await floor.do(RecallTicket(ticket_id=id_, lines=(3,), why="cold"))
    ticket = await floor.at("grill")
    assert (ticket.status, ticket.why) == (STARTED, "cold")
    assert [line.bumped_at is None for line in ticket.lines] == [False, True, True]
    assert await floor.status(order_id) is OrderStatus.PREPARING
    last = BumpLines(ticket_id=id_, lines=(3,))
    await floor.refused(last, RefusalCode.STALE_VERSION, "has changed")
    await floor.do(last.model_copy(update={"sequence": ticket.sequence}))
    assert await floor.status(order_id) is OrderStatus.READY


async def test_only_the_last_that_a_station_bumped_are_recalled_and_the_order_is_open_again(
    database: Database,
) -> None:
    floor = KitchenFloor(database, KitchenRules(recall_last=2))
    await floor.open()
    orders = []
    for _ in range(3):
        floor.wait(timedelta(seconds=1))
        orders.append(await floor.order("soup"))
        await floor.make("grill", orders[-1])
    by_order = {each.order_id: each for each in (await floor.kept()).values()}
    first, second, third = (by_order[each] for each in orders)
    await floor.refused(
        RecallTicket(ticket_id=first.ticket_id), RefusalCode.NOT_THE_LAST, "the last 2 that grill"
    )
    floor.wait(timedelta(minutes=1))
    await floor.do(RecallTicket(ticket_id=second.ticket_id))
    again = await floor.at("grill")
    assert (again.status, again.recalls, again.recalled_at) == (STARTED, 1, floor.now)
    assert (again.sent_at, again.ended_at) == (second.sent_at, None), "its time goes on"
    assert await floor.status(orders[1]) is OrderStatus.PREPARING
    await floor.do(BumpTicket(ticket_id=second.ticket_id))
    assert await floor.status(orders[1]) is OrderStatus.READY
    await floor.do(RecallTicket(ticket_id=second.ticket_id, restart=True))
    anew = await floor.at("grill")
    assert (anew.sent_at, anew.started_at, anew.recalls) == (floor.now, floor.now, 2)
    assert second.late_at is not None
    assert anew.late_at is not None
    assert anew.late_at - floor.now == second.late_at - second.placed_at
    # What the guest has cannot be recalled.
    await floor.do(ServeOrder(order_id=orders[2]), TILL)
    served = RecallTicket(ticket_id=third.ticket_id)
    told = await floor.refused(served, RefusalCode.WRONG_STATE, "is served")
    assert isinstance(told.result, OrderReceipt)
    await floor.do(CloseOrder(order_id=orders[2]), TILL)
    await floor.refused(served, RefusalCode.WRONG_STATE, "is closed")


async def test_what_was_voided_meanwhile_is_struck_out_of_a_recalled_ticket(
    database: Database,
) -> None:
    floor = KitchenFloor(database)
    await floor.open()
    order_id = await floor.order("soup", "soup", "bread")
    ticket = await floor.make("grill", order_id)
    await floor.do(VoidLines(order_id=order_id, lines=(1,), reason="spilt"), MANAGER)
    await floor.do(RecallTicket(ticket_id=ticket.ticket_id))
    again = await floor.at("grill")
    assert [str(line.mark) for line in again.lines] == ["cancelled", "None"]
    await floor.refused(
        BumpTicket(ticket_id=ticket.ticket_id), RefusalCode.STALE_VERSION, "has changed"
    )
    await floor.do(BumpTicket(ticket_id=ticket.ticket_id, sequence=again.sequence))
    await floor.do(VoidLines(order_id=order_id, lines=(2,), reason="spilt"), MANAGER)
    await floor.refused(
        RecallTicket(ticket_id=ticket.ticket_id), RefusalCode.WRONG_STATE, "nothing of it is wanted"
    )


async def test_a_ticket_goes_to_another_station_and_exactly_one_has_it(database: Database) -> None:
    floor = KitchenFloor(
        database, KitchenRules(stations={"pass": StationRules(kind=StationKind.EXPO)})
    )
    await floor.open()
    await floor.do(CloseStation(station="fry", why="the fryer is broken"))
    order_id = await floor.order("soup", "bread")
    ticket = await floor.at("grill")
    id_ = ticket.ticket_id
    away = RefusalCode.WRONG_STATION
    for station, says in (
        ("grill", "stands there already"),
        ("pass", "pass is an expo"),
        ("fry", "fry is closed: the fryer is broken"),
        ("cellar", "there is no station cellar"),
    ):
        await floor.refused(MoveTicket(ticket_id=id_, station=station), away, says)
    expo = await floor.at("pass")
    await floor.refused(MoveTicket(ticket_id=expo.ticket_id, station="bar"), away, "is an expo")
    await floor.do(HearTickets(ticket_ids=(id_,)))
    await floor.do(MoveTicket(ticket_id=id_, station="bar", why="full"))
    old = (await floor.kept())[id_]
    assert (old.status, old.moved_to, old.why) == (TicketStatus.MOVED, "bar", "full")
    (new,) = [each for each in (await floor.kept()).values() if each.moved_from == "grill"]
    assert (new.status, new.station, new.heard_at) == (SENT, "bar", None)
    assert [line.item for line in new.lines] == ["soup"]
    expo = await floor.at("pass")
    assert {(each.ticket_id, each.status) for each in expo.plates} == {
        (each.ticket_id, each.status)
        for each in (await floor.kept()).values()
        if each.status is SENT and not each.plates
    }
    assert all(each.also_at == () for each in (await floor.kept()).values() if each.status is SENT)
    await floor.refused(MoveTicket(ticket_id=id_, station="bar"), RefusalCode.WRONG_STATE, "moved")
    await floor.refused(ReprintTicket(ticket_id=id_), RefusalCode.WRONG_STATE, "is moved")
    bad = await floor.ask(VoidLines(order_id=order_id, lines=(1,), reason="off"), TILL)
    assert bad.outcome is Outcome.ACCEPTED
    assert (await floor.kept())[new.ticket_id].status is CANCELLED


@pytest.mark.parametrize(
    ("how", "named"),
    [(Attendance.OUTPUT, ()), (Attendance.PAPER, (SCREEN,)), (Attendance.LAST_RESORT, (SCREEN,))],
)
async def test_who_asks_for_paper_is_told_which_printers_print_it(
    database: Database, how: Attendance, named: tuple[str, ...]
) -> None:
    floor = KitchenFloor(database)
    await floor.open()
    await floor.do(AttendStation(station="grill", attendance=how))
    await floor.order("soup")
    ticket = await floor.at("grill")
    printed = await floor.do(ReprintTicket(ticket_id=ticket.ticket_id))
    assert printed.result == PrintReceipt(
        ticket_id=ticket.ticket_id, station="grill", printers=named
    )


async def test_an_order_in_a_rush_and_paper_once_more(database: Database) -> None:
    floor = KitchenFloor(database)
    await floor.open()
    order_id = await floor.order("soup", "bread")
    reply = await floor.do(PrioritiseOrder(order_id=order_id, priority=Priority.RUSH))
    assert isinstance(reply.result, OrderReceipt)
    before = await floor.kept()
    assert {each.priority for each in before.values()} == {Priority.RUSH}
    await floor.do(PrioritiseOrder(order_id=order_id, priority=Priority.RUSH))
    assert await floor.kept() == before, "asked again, nothing changes"
    nobody = await floor.ask(PrioritiseOrder(order_id=some_id(), priority=Priority.HIGH))
    assert nobody.code is RefusalCode.NOT_FOUND
    ticket = await floor.at("grill")
    id_ = ticket.ticket_id
    printed = await floor.do(ReprintTicket(ticket_id=id_))
    assert printed.result == PrintReceipt(ticket_id=id_, station="grill", printers=())
    assert (await floor.at("grill")).prints == 1
    await floor.make("grill", order_id)
    await floor.do(ReprintTicket(ticket_id=id_))
    assert [each.prints for each in floor.wire.prints] == [1, 2]
    await floor.make("bar", order_id)
    await floor.refused(
        PrioritiseOrder(order_id=order_id, priority=Priority.HIGH),
        RefusalCode.WRONG_STATE,
        "is ready: nothing of it is open in the kitchen",
    )


async def test_an_expo_sees_what_a_rush_begins(database: Database) -> None:
    stations = {
        "pass": StationRules(kind=StationKind.EXPO),
        "grill": StationRules(prep_s=900),
        "bar": StationRules(prep_s=60),
    }
    floor = KitchenFloor(database, KitchenRules(stations=stations, finish_together=True))
    await floor.open()
    order_id = await floor.order("soup", "bread")
    assert (await floor.at("bar")).held_for is HoldReason.TOGETHER
    before = await floor.at("pass")
    await floor.do(PrioritiseOrder(order_id=order_id, priority=Priority.RUSH))
    assert (await floor.at("bar")).status is SENT
    after = await floor.at("pass")
    assert [each.status for each in after.plates] == [SENT, SENT]
    assert (after.version, after.priority) == (before.version + 2, Priority.RUSH)


async def test_an_expo_costs_no_query_for_each_ticket_that_is_heard(database: Database) -> None:
    stations = {"pass": StationRules(kind=StationKind.EXPO)}
    floor = KitchenFloor(database, KitchenRules(stations=stations))
    await floor.open()
    for _ in range(5):
        await floor.order("soup")
    mine = [each.ticket_id for each in (await floor.kept()).values() if each.station == "grill"]
    queries: list[str] = []

    def asked(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "FROM tickets" in statement and "order_id" in statement.partition("WHERE")[2]:
            queries.append(statement)

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", asked)
    try:
        hear = Asked(SCREEN, HearTickets(ticket_ids=tuple(mine)), at=floor.now)
        (reply,) = await floor.say(hear)
    finally:
        event.remove(engine, "before_cursor_execute", asked)
    assert reply.outcome is Outcome.ACCEPTED
    assert len(queries) == 1
    await floor.check()


async def test_an_expo_lets_an_order_go_when_all_its_plates_are_there(database: Database) -> None:
    floor = KitchenFloor(
        database, KitchenRules(stations={"pass": StationRules(kind=StationKind.EXPO)})
    )
    await floor.open()
    order_id = await floor.order("soup", "soup", "bread")
    expo = await floor.at("pass")
    id_ = expo.ticket_id
    assert [line.line for line in expo.lines] == [1, 2, 3], "it sees the whole order"
    assert [(each.station, each.status) for each in expo.plates] == [("bar", SENT), ("grill", SENT)]
    for request in (StartTicket(ticket_id=id_), HoldTicket(ticket_id=id_)):
        await floor.refused(request, RefusalCode.WRONG_STATION, "is an expo: it makes nothing")
    await floor.do(HearTickets(ticket_ids=(id_,)))
    bump = BumpTicket(ticket_id=id_)
    await floor.refused(bump, RefusalCode.WRONG_STATE, "bar is sent, grill is sent")
    await floor.do(VoidLines(order_id=order_id, lines=(1,), reason="none left"), TILL)
    expo = await floor.at("pass")
    grill = await floor.at("grill")
    await floor.do(HearTickets(ticket_ids=(grill.ticket_id,), sequence=grill.sequence))
    await floor.do(BumpTicket(ticket_id=grill.ticket_id))
    bump = BumpTicket(ticket_id=id_, sequence=expo.sequence)
    await floor.refused(bump, RefusalCode.WRONG_STATE, "not all its plates are done: bar is sent")
    await floor.make("bar", order_id)
    assert await floor.status(order_id) is not OrderStatus.READY, "the expo still has it"
    await floor.do(bump)
    assert await floor.status(order_id) is OrderStatus.READY
    # A plate that comes back brings the whole order back.
    await floor.do(RecallTicket(ticket_id=grill.ticket_id))
    expo = await floor.at("pass")
    assert expo.status is STARTED
    assert await floor.status(order_id) is OrderStatus.PREPARING
    await floor.refused(bump, RefusalCode.WRONG_STATE, "grill is started")
    await floor.do(BumpTicket(ticket_id=grill.ticket_id))
    await floor.do(BumpTicket(ticket_id=id_))
    assert await floor.status(order_id) is OrderStatus.READY
    # What comes later stands on a ticket of its own there too; a whole order that is called
    # off takes the expo's with it; and a closed expo is as none.
    other = await floor.order("soup")
    await floor.do(AddLines(order_id=other, lines=(LineRequest(item="bread", quantity=1),)), TILL)
    at_expo = [each for each in (await floor.kept()).values() if each.plates]
    assert sum(each.order_id == other for each in at_expo) == 2
    await floor.do(CancelOrder(order_id=other, reason="gone"), TILL)
    assert set((await floor.standing_of(other)).values()) == {CANCELLED}
    await floor.do(CloseStation(station="pass"))
    last = await floor.order("soup")
    assert set(await floor.standing_of(last)) == {("grill", 1)}
    await floor.make("grill", last)
    assert await floor.status(last) is OrderStatus.READY
