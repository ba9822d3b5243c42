"""Why a station has a ticket, and what became of it, as the story tells it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from cli.story import Kind, Sources, Told, promises
from cli.story_chapters import tell
from cli.story_kitchen import ticket_story, why_there
from schemas.house_rules import OrderRules
from schemas.identifiers import new_id
from schemas.kitchen import (
    Asked,
    Hearing,
    HoldReason,
    Plate,
    Ticket,
    TicketLine,
    TicketStatus,
)
from schemas.kitchen_requests import BumpTicket
from schemas.kitchen_rules import EscalationTarget, KitchenRules, RouteRule, StationRules
from schemas.orders import Order, OrderKind, OrderLine, OrderStatus
from schemas.replies import DutyReceipt, Outcome, Reply, TicketReceipt
from schemas.staff import AssignPerson
from services.runtime.answers import Answer

AT = datetime(2026, 3, 14, 18, 0, tzinfo=UTC)
FIRED = AT + timedelta(minutes=10)
KITCHEN = KitchenRules(
    stations={
        "oven-1": StationRules(group="ovens"),
        "oven-2": StationRules(group="ovens"),
        "grill": StationRules(fallback="fry"),
    },
    routes=(RouteRule(route="to-go", to="ovens", kinds=("delivery",)),),
)


def sources(kind: OrderKind = OrderKind.DINE_IN, *, made_at: str = "grill") -> Sources:
    line = OrderLine(
        line=1,
        item="pizza",
        name="Pizza",
        quantity=1,
        unit_minor=900,
        total_minor=900,
        station=made_at,
    )
    order = Order(
        order_id=UUID(int=1),
        number="ORD-1",
        kind=kind,
        status=OrderStatus.ACCEPTED,
        version=1,
        device="pos-1",
        currency="GBP",
        total_minor=900,
        lines=(line,),
        placed_at=AT,
    )
    return Sources(order, (), (), (), (), OrderRules(), KITCHEN)


def at(station: str, **update: object) -> Ticket:
    fields: dict[str, object] = {
        "ticket_id": new_id(),
        "station": station,
        "order_id": UUID(int=1),
        "order_number": "ORD-1",
        "status": TicketStatus.SENT,
        "version": 1,
        "sequence": 1,
        "lines": (TicketLine(line=1, item="pizza", name="Pizza", quantity=1),),
        "placed_at": AT,
        "sent_at": AT,
    }
    return Ticket.model_validate(fields | update)


def test_to_whom_a_ticket_was_given_is_told_with_who_said_so_and_once() -> None:
    ticket = at("grill")
    receipt = DutyReceipt(person="ada", on_duty=True, ticket_id=ticket.ticket_id)
    given = Answer(
        new_id(), "expo-1", AssignPerson.type_name, AT + timedelta(minutes=2),
        Reply(request=new_id(), outcome=Outcome.ACCEPTED, result=receipt),
    )  # fmt: skip
    story = tell(replace(sources(), tickets=(ticket,), answers=(given,)))
    [told] = [each for each in story if "ada" in each.text]
    assert (told.at, told.by, told.text) == (given.at, "expo-1", "ticket grill given to ada")
    assert (told.kind, told.details["step"]) == (Kind.TICKET, "given")


@pytest.mark.parametrize(
    ("ticket", "known", "says"),
    [
        (at("grill"), sources(), "the menu says so"),
        (at("fry"), sources(), "the menu names grill; fry stands in for it"),
        (
            at("oven-2"),
            sources(OrderKind.DELIVERY),
            "route to-go names ovens; oven-2 shares its work",
        ),
        (
            at("oven-2"),
            sources(made_at="oven-1"),
            "the menu names oven-1; oven-2 shares its work",
        ),
        (at("bar"), sources(), "the menu names grill now; it was another then"),
        (at("bar", moved_from="grill", why="no ice"), sources(), "moved from grill: no ice"),
        (
            at(
                "pass",
                plates=(Plate(ticket_id=UUID(int=2), station="grill", status=TicketStatus.SENT),),
            ),
            sources(),
            "an expo sees whole orders",
        ),
    ],
)
def test_it_says_why_a_station_has_a_ticket(ticket: Ticket, known: Sources, says: str) -> None:
    assert why_there(ticket, known) == says


def steps(ticket: Ticket) -> dict[str, Told]:
    return {str(each.details["step"]): each for each in ticket_story(ticket, sources())}


def test_a_course_was_held_fired_asked_for_heard_and_was_late() -> None:
    told = steps(
        at(
            "grill",
            course=2,
            sent_at=FIRED,
            status=TicketStatus.BUMPED,
            heard_at=FIRED + timedelta(seconds=42),
            heard_by="kds-1",
            started_at=FIRED + timedelta(minutes=1),
            ended_at=FIRED + timedelta(minutes=9),
            ready_p50_at=FIRED + timedelta(minutes=5),
            ready_p90_at=FIRED + timedelta(minutes=7),
            late_at=FIRED + timedelta(minutes=8),
            displays=(
                Hearing(device="kds-1", heard_at=FIRED + timedelta(seconds=42)),
                Hearing(device="kds-2"),
            ),
            asked=(Asked(step=EscalationTarget.EXPO, to="pass", at=FIRED + timedelta(seconds=30)),),
        )
    )
    assert told["held"].at == AT
    assert told["held"].more == ("there: the menu says so", "sent to: kds-1, kds-2")
    assert told["fired"].text == "ticket grill course 2 fired after 10:00"
    assert told["escalated"].text == "ticket grill course 2 not heard after 30s: told expo pass"
    assert told["heard"].text == "ticket grill course 2 heard after 42s"
    assert (told["heard"].by, told["heard"].more) == ("kds-1", ("not by: kds-2",))
    assert told["bumped"].text == "ticket grill course 2 bumped after 9:00"
    assert told["bumped"].more[0].endswith("nine times of ten; that was late")


def test_a_ticket_that_is_held_says_for_what() -> None:
    held = {"status": TicketStatus.HELD, "sent_at": None, "course": 2}
    told = steps(at("grill", **held, held_for=HoldReason.COURSE))
    assert told["waits"].text == "ticket grill course 2 waits for the course before"
    told = steps(at("grill", **held, held_for=HoldReason.TOGETHER, wake_at=FIRED))
    assert "to be done together with the others, until" in told["waits"].text


def test_a_recalled_ticket_whose_time_counts_anew_was_not_fired() -> None:
    again = AT + timedelta(minutes=6)
    told = steps(
        at(
            "grill",
            status=TicketStatus.STARTED,
            sent_at=again,
            recalled_at=again,
            recalls=2,
            heard_at=AT + timedelta(seconds=1),
            heard_by="kds-1",
            started_at=again,
            why="raw",
        )
    )
    assert "fired" not in told
    assert told["published"].at == AT
    assert told["heard"].text == "ticket grill heard after 1s"
    assert told["recalled"].text == "ticket grill recalled, 2 times in all; its time counts anew"
    assert told["recalled"].more == ('why: "raw"',)


def test_predicted_times_stand_beside_the_real_ones() -> None:
    known = sources()
    done = at(
        "grill",
        status=TicketStatus.BUMPED,
        heard_at=AT,
        heard_by="kds-1",
        ended_at=AT + timedelta(minutes=6),
        ready_p50_at=AT + timedelta(minutes=5),
        ready_p90_at=AT + timedelta(minutes=7),
    )
    known = Sources(known.order, (), (done,), (), (), known.house, known.kitchen)
    late = {each.what: each.late_s for each in promises(known)}
    assert late["ready at grill"] == 60
    assert late["ready at grill, nine times of ten"] == -60


def test_a_bump_that_was_taken_back_is_told_and_the_last_one_stands_with_its_ticket() -> None:
    first, last = AT + timedelta(minutes=5), AT + timedelta(minutes=9)
    ticket = at(
        "grill",
        status=TicketStatus.BUMPED,
        version=6,
        heard_at=AT,
        heard_by="grill-1",
        recalls=1,
        recalled_at=AT + timedelta(minutes=6),
        ended_at=last,
    )
    answers = tuple(
        Answer(
            new_id(),
            "grill-1",
            BumpTicket.type_name,
            when,
            Reply(
                outcome=Outcome.ACCEPTED,
                result=TicketReceipt(
                    ticket_id=ticket.ticket_id, status=TicketStatus.BUMPED, version=version
                ),
            ),
        )
        for when, version in ((first, 4), (last, 6))
    )
    known = replace(sources(), tickets=(ticket,), answers=answers)
    bumps = [(each.at, each.kind) for each in tell(known) if "bump" in each.text]
    assert bumps == [(first, Kind.REQUEST), (last, Kind.TICKET)]
