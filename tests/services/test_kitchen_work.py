"""Work follows the ticket: once, at the station that has it, and no more of it than is left."""

from __future__ import annotations

from datetime import timedelta

from devices.station_view import in_the_queue
from schemas.kitchen import HoldReason, Priority, TicketStatus
from schemas.kitchen_requests import (
    BumpLines,
    BumpTicket,
    FireTicket,
    HearTickets,
    HoldTicket,
    MoveTicket,
    PrioritiseOrder,
    RecallTicket,
    StartTicket,
)
from schemas.kitchen_rules import KitchenRules, StationKind, StationRules, ThrottleRules
from schemas.order_changes import VoidLines
from schemas.orders import AddLines, LineRequest
from services.kitchen.channels_store import QUARTERS
from services.kitchen.store import STATIONS
from services.runtime.database import Database
from tests.services.kitchen_floor import KitchenFloor
from tests.services.order_world import TILL

HELD, SENT, MOVED = TicketStatus.HELD, TicketStatus.SENT, TicketStatus.MOVED
THROTTLED = KitchenRules(escalation=(), throttle=ThrottleRules())
SLOW_GRILL = {
    "grill": StationRules(prep_s=900),
    "bar": StationRules(prep_s=60),
    "fry": StationRules(prep_s=60),
}
TOGETHER = KitchenRules(escalation=(), stations=SLOW_GRILL, finish_together=True)


async def house(database: Database, book: KitchenRules) -> KitchenFloor:
    floor = KitchenFloor(database, book)
    await floor.open()
    return floor


async def on_the_line(floor: KitchenFloor) -> dict[str, int]:
    """The seconds of work that each station has, where it has any."""
    (rows,) = await floor.rows(STATIONS)
    return {row["station"]: row["work_s"] for row in rows if row["work_s"]}


async def booked(floor: KitchenFloor) -> dict[str, int]:
    """The seconds that each station's quarters hold, where they hold any."""
    (rows,) = await floor.rows(QUARTERS)
    found: dict[str, int] = {}
    for row in rows:
        found[row["station"]] = found.get(row["station"], 0) + row["work_s"]
    return {station: work_s for station, work_s in found.items() if work_s}


async def test_what_came_while_a_house_did_not_throttle_counts_once_it_does_again(
    database: Database,
) -> None:
    floor = await house(database, THROTTLED)
    await floor.order("soup")
    await floor.rule(KitchenRules(escalation=()))
    for _ in range(2):
        await floor.order("soup")
    await floor.rule(THROTTLED)
    await floor.order("soup")
    assert await on_the_line(floor) == {"grill": 1200}
    assert await booked(floor) == {"grill": 1200}


async def test_a_line_that_is_bumped_by_itself_is_work_no_more(database: Database) -> None:
    floor = await house(database, THROTTLED)
    await floor.order("soup", "soup", "soup")
    id_ = (await floor.at("grill")).ticket_id
    await floor.do(HearTickets(ticket_ids=(id_,)))
    assert await on_the_line(floor) == {"grill": 900}
    await floor.do(BumpLines(ticket_id=id_, lines=(2,)))
    ticket = await floor.at("grill")
    assert (ticket.work_s, ticket.done_s) == (900, 300), "what it was worth stays known"
    assert await on_the_line(floor) == {"grill": 600}
    assert await booked(floor) == {"grill": 900}, "its minutes are gone all the same"
    await floor.order("soup")
    assert [each.ahead_s for each in (await floor.kept()).values()] == [0, 600]
    await floor.do(RecallTicket(ticket_id=id_, lines=(2,)))
    assert await on_the_line(floor) == {"grill": 1200}
    assert await booked(floor) == {"grill": 1200}
    await floor.do(BumpLines(ticket_id=id_, lines=(1, 2)))
    await floor.do(BumpTicket(ticket_id=id_))
    assert await on_the_line(floor) == {"grill": 300}
    await floor.do(RecallTicket(ticket_id=id_, lines=(3,)))
    assert await on_the_line(floor) == {"grill": 600}
    assert await booked(floor) == {"grill": 1200}


async def test_a_changed_order_keeps_what_was_made_of_it_as_work(database: Database) -> None:
    floor = await house(database, THROTTLED)
    order_id = await floor.order("soup", "soup", "soup")
    id_ = (await floor.at("grill")).ticket_id
    await floor.do(HearTickets(ticket_ids=(id_,)))
    await floor.do(BumpLines(ticket_id=id_, lines=(1,)))
    await floor.do(VoidLines(order_id=order_id, lines=(2,), reason="off"), TILL)
    ticket = await floor.at("grill")
    assert (ticket.work_s, ticket.done_s) == (600, 300)
    assert await on_the_line(floor) == {"grill": 300}
    assert await booked(floor) == {"grill": 600}
    await floor.do(VoidLines(order_id=order_id, lines=(3,), reason="off"), TILL)
    made = (await floor.kept())[id_]
    assert (made.status, made.work_s) == (TicketStatus.BUMPED, 300)
    assert await on_the_line(floor) == {}
    assert await booked(floor) == {"grill": 300}


async def test_what_is_held_and_fired_is_booked_once(database: Database) -> None:
    floor = await house(database, THROTTLED)
    await floor.order("soup")
    id_ = (await floor.at("grill")).ticket_id
    assert await booked(floor) == {"grill": 300}
    for _ in range(2):
        await floor.do(HoldTicket(ticket_id=id_))
        assert await booked(floor) == {}, "nobody makes it in this quarter"
        await floor.do(FireTicket(ticket_id=id_))
        assert await booked(floor) == {"grill": 300}


async def test_what_moves_is_booked_where_it_is_made(database: Database) -> None:
    floor = await house(database, THROTTLED)
    await floor.order("soup", "soup")
    id_ = (await floor.at("grill")).ticket_id
    await floor.order("bread", "chips")  # so that there are other stations
    await floor.do(HearTickets(ticket_ids=(id_,)))
    await floor.do(BumpLines(ticket_id=id_, lines=(1,)))
    before = await booked(floor)
    assert before == {"grill": 600, "bar": 300}
    await floor.do(MoveTicket(ticket_id=id_, station="bar"))
    assert await booked(floor) == {"grill": 300, "bar": 600}, "one line was made at the grill"
    assert await on_the_line(floor) == {"bar": 600}
    (there,) = [each for each in (await floor.kept()).values() if each.moved_from]
    await floor.do(HoldTicket(ticket_id=there.ticket_id))
    assert await booked(floor) == {"grill": 300, "bar": 300}
    await floor.do(MoveTicket(ticket_id=there.ticket_id, station="fry"))
    assert await booked(floor) == {"grill": 300, "bar": 300}, "it is held there too"
    (last,) = [each for each in (await floor.kept()).values() if each.moved_from == "bar"]
    await floor.do(FireTicket(ticket_id=last.ticket_id))
    assert await booked(floor) == {"grill": 300, "bar": 300, "fry": 300}


async def test_what_is_recalled_in_a_later_quarter_is_work_in_that_one(
    database: Database,
) -> None:
    floor = await house(database, THROTTLED)
    order_id = await floor.order("soup")
    ticket = await floor.make("grill", order_id)
    floor.wait(timedelta(minutes=15))
    await floor.order("soup")
    (first, second) = sorted((await floor.rows(QUARTERS))[0], key=lambda row: row["starts_at"])
    assert (first["work_s"], second["work_s"]) == (300, 300)
    await floor.do(RecallTicket(ticket_id=ticket.ticket_id))
    assert await booked(floor) == {"grill": 900}


async def test_a_moved_ticket_keeps_its_place_in_the_queue(database: Database) -> None:
    floor = await house(database, KitchenRules(escalation=()))
    first = await floor.order("soup")
    began = floor.now
    floor.wait(timedelta(minutes=2))
    await floor.order("bread")
    floor.wait(timedelta(minutes=2))
    await floor.do(MoveTicket(ticket_id=(await floor.at("grill")).ticket_id, station="bar"))
    at_the_bar = [each for each in (await floor.kept()).values() if each.station == "bar"]
    assert min(at_the_bar, key=in_the_queue).order_id == first
    there = await floor.at("bar", first)
    assert (there.since, there.sent_at) == (began, floor.now)
    await floor.do(PrioritiseOrder(order_id=first, priority=Priority.HIGH))
    floor.wait(timedelta(minutes=1))
    await floor.do(MoveTicket(ticket_id=there.ticket_id, station="grill"))
    back = await floor.at("grill", first)
    assert (back.since, back.priority) == (began, Priority.HIGH)
    # Held and fired, its time counts anew, as everybody's does.
    await floor.do(HoldTicket(ticket_id=back.ticket_id))
    floor.wait(timedelta(minutes=1))
    await floor.do(FireTicket(ticket_id=back.ticket_id))
    assert (await floor.at("grill", first)).since == floor.now


async def test_what_comes_later_is_in_the_same_hurry_as_its_order(database: Database) -> None:
    stations = {"pass": StationRules(kind=StationKind.EXPO)}
    floor = await house(database, KitchenRules(escalation=(), stations=stations))
    order_id = await floor.order("soup")

    async def added(item: str) -> set[Priority]:
        before = await floor.kept()
        line = LineRequest(item=item, quantity=1)
        await floor.do(AddLines(order_id=order_id, lines=(line,)), TILL)
        return {each.priority for id_, each in (await floor.kept()).items() if id_ not in before}

    assert await added("bread") == {Priority.NORMAL}
    await floor.do(PrioritiseOrder(order_id=order_id, priority=Priority.RUSH))
    assert await added("bread") == {Priority.RUSH}, "at the expo too"
    await floor.do(PrioritiseOrder(order_id=order_id, priority=Priority.NORMAL))
    assert await added("chips") == {Priority.NORMAL}


async def waits_for_the_grill(floor: KitchenFloor) -> None:
    """See that what is quick is held until the slow one is nearly done."""
    assert (await floor.at("bar")).held_for is HoldReason.TOGETHER


async def test_with_the_slowest_called_off_the_others_begin_at_once(database: Database) -> None:
    floor = await house(database, TOGETHER)
    order_id = await floor.order("soup", "bread")
    await waits_for_the_grill(floor)
    await floor.do(VoidLines(order_id=order_id, lines=(1,), reason="off"), TILL)
    assert await floor.standing_of(order_id) == {
        ("grill", 1): TicketStatus.CANCELLED,
        ("bar", 1): SENT,
    }


async def test_with_less_to_make_of_the_slowest_the_others_begin_earlier(
    database: Database,
) -> None:
    floor = await house(database, TOGETHER)
    order_id = await floor.order("soup", "soup", "bread")
    await waits_for_the_grill(floor)
    before = await floor.at("bar")
    await floor.do(VoidLines(order_id=order_id, lines=(1,), reason="off"), TILL)
    after = await floor.at("bar")
    assert before.wake_at is not None
    assert after.wake_at is not None
    assert (after.status, after.wake_at < before.wake_at) == (HELD, True)


async def test_with_most_of_the_slowest_made_early_the_others_begin(database: Database) -> None:
    floor = await house(database, TOGETHER)
    await floor.order("soup", "soup", "soup", "bread")
    grill = await floor.at("grill")
    await floor.do(HearTickets(ticket_ids=(grill.ticket_id,)))
    await floor.do(StartTicket(ticket_id=grill.ticket_id))
    await waits_for_the_grill(floor)
    before = await floor.at("bar")
    floor.wait(timedelta(seconds=60))
    await floor.do(BumpLines(ticket_id=grill.ticket_id, lines=(1, 2)))
    after = await floor.at("bar")
    assert before.wake_at is not None
    assert after.status is SENT or (after.wake_at is not None and after.wake_at < before.wake_at)


async def test_with_the_slowest_at_a_quicker_station_the_others_begin_at_once(
    database: Database,
) -> None:
    floor = await house(database, TOGETHER)
    await floor.order("bread", "chips")  # so that there is a fryer
    for station in ("bar", "fry"):
        (ticket,) = [each for each in (await floor.kept()).values() if each.station == station]
        if ticket.status is HELD:
            await floor.do(FireTicket(ticket_id=ticket.ticket_id))
        await floor.do(HearTickets(ticket_ids=(ticket.ticket_id,)))
        await floor.do(BumpTicket(ticket_id=ticket.ticket_id))
    order_id = await floor.order("soup", "bread")
    await waits_for_the_grill(floor)
    grill = await floor.at("grill")
    await floor.do(MoveTicket(ticket_id=grill.ticket_id, station="fry"))
    assert await floor.standing_of(order_id) == {("bar", 1): SENT, ("fry", 1): SENT}
    assert (await floor.kept())[grill.ticket_id].status is MOVED
