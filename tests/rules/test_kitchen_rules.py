"""What may happen to a ticket, and that nothing else can."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from schemas.identifiers import new_id
from schemas.kitchen import OPEN_TICKET, TICKET_STEPS, Ticket, TicketStatus, TicketStep
from schemas.orders import Order, OrderLine, OrderStatus
from schemas.refusals import RefusalCode
from services.kitchen import routing, rules
from services.kitchen.routing import Share
from services.runtime.refusal import Refusal

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
STATIONS = ["bar", "fry", "grill"]

lines_at = st.lists(st.sampled_from(STATIONS), min_size=1, max_size=20)


def order_at(stations: list[str]) -> Order:
    lines = tuple(
        OrderLine(
            line=number,
            item=f"item-{number}",
            name=f"Item {number}",
            quantity=number,
            unit_minor=100,
            total_minor=100 * number,
            station=station,
            note="hot" if number % 2 else "",
        )
        for number, station in enumerate(stations, 1)
    )
    return Order(
        order_id=new_id(),
        number="ORD-260314120000-A1B2",
        status=OrderStatus.ACCEPTED,
        version=1,
        device="pos-1",
        table="12",
        currency="GBP",
        total_minor=sum(line.quantity * line.unit_minor for line in lines),
        lines=lines,
        placed_at=NOON,
    )


def cut(stations: list[str]) -> Ticket:
    order = order_at(stations)
    return rules.cut(new_id(), order, Share(stations[0], 1), order.lines, sequence=1, at=NOON)


class ATicketsLife(RuleBasedStateMachine):
    """Anyone may try anything; the ticket never tells what did not happen."""

    ticket: Ticket
    minutes: int
    first_heard_by: str | None

    @initialize()
    def cut(self) -> None:
        self.ticket = cut(["grill"])
        self.minutes = 0
        self.first_heard_by = None

    @rule(step=st.sampled_from(TicketStep), by=st.sampled_from(["kds-1", "kds-2"]))
    def move(self, step: TicketStep, by: str) -> None:
        before = self.ticket
        self.minutes += 1
        at = NOON + timedelta(minutes=self.minutes)
        following = TICKET_STEPS.get((before.status, step))
        assert rules.may(before, step) is (following is not None)
        if following is None:
            with pytest.raises(Refusal) as error:
                rules.move(before, step, sequence=before.sequence + 1, at=at, by=by)
            assert error.value.code is RefusalCode.WRONG_STATE
            return
        after = rules.move(before, step, sequence=before.sequence + 1, at=at, by=by)
        assert after.status is following
        assert (after.version, after.sequence) == (before.version + 1, before.sequence + 1)
        assert after.lines == before.lines
        if step is TicketStep.FIRE:
            self.first_heard_by = None
        if self.first_heard_by is None and step in {TicketStep.HEAR, TicketStep.START}:
            self.first_heard_by = by
            assert after.heard_at == at
        begun = step is TicketStep.START or (step is TicketStep.RECALL and not before.started_at)
        assert after.started_at == (at if begun else before.started_at)
        assert after.recalls == before.recalls + (step is TicketStep.RECALL)
        assert after.sent_at == (at if step is TicketStep.FIRE else before.sent_at)
        assert after.ended_at == (None if following in OPEN_TICKET else at)
        self.ticket = after

    @invariant()
    def it_tells_the_truth(self) -> None:
        if not hasattr(self, "ticket"):
            return
        ticket = self.ticket
        assert rules.is_open(ticket) is (ticket.status in OPEN_TICKET)
        assert ticket.heard_by == self.first_heard_by
        assert (ticket.heard_at is None) is (ticket.heard_by is None)
        assert ticket.heard_at is not None or ticket.status in {
            TicketStatus.HELD,
            TicketStatus.SENT,
            TicketStatus.CANCELLED,
            TicketStatus.MOVED,
        }
        assert (ticket.ended_at is None) is rules.is_open(ticket)
        assert (ticket.held_for is not None) is (ticket.status is TicketStatus.HELD)
        times = [ticket.placed_at, ticket.heard_at, ticket.started_at, ticket.ended_at]
        known = [at for at in times if at is not None]
        assert known == sorted(known)


TestATicketsLife = ATicketsLife.TestCase
TestATicketsLife.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)


@given(status=st.sampled_from(TicketStatus), step=st.sampled_from(TicketStep))
def test_what_is_not_in_the_table_is_refused_by_name(
    status: TicketStatus, step: TicketStep
) -> None:
    assume((status, step) not in TICKET_STEPS)
    ticket = cut(["grill"]).model_copy(update={"status": status})
    with pytest.raises(Refusal, match=f"at grill is {status}: cannot {step}") as error:
        rules.move(ticket, step, sequence=2, at=NOON, by="kds-1")
    assert error.value.code is RefusalCode.WRONG_STATE


@given(stations=lines_at)
def test_every_line_of_an_order_stands_on_exactly_one_ticket(stations: list[str]) -> None:
    order = order_at(stations)
    shared = routing.share_out(order)
    assert set(shared) == {Share(station, 1) for station in stations}
    tickets = [
        rules.cut(new_id(), order, share, lines, sequence=1, at=NOON)
        for share, lines in shared.items()
    ]
    on_tickets = sorted(line.line for ticket in tickets for line in ticket.lines)
    assert on_tickets == [line.line for line in order.lines]
    for ticket in tickets:
        for line in ticket.lines:
            asked = order.lines[line.line - 1]
            assert asked.station == ticket.station
            assert (line.item, line.name, line.quantity, line.note) == (
                asked.item,
                asked.name,
                asked.quantity,
                asked.note,
            )


@given(stations=lines_at, data=st.data())
def test_only_the_chosen_lines_are_shared_out(stations: list[str], data: st.DataObject) -> None:
    order = order_at(stations)
    chosen = data.draw(st.sets(st.sampled_from([line.line for line in order.lines])))
    shared = routing.share_out(order, chosen)
    assert {line.line for lines in shared.values() for line in lines} == chosen
    assert all(shared.values()), "no station gets an empty ticket"


def test_a_new_ticket_says_whose_it_is_and_that_nobody_has_heard_it() -> None:
    order = order_at(["grill", "bar"])
    ticket = rules.cut(new_id(), order, Share("bar", 1), order.lines[1:], sequence=9, at=NOON)
    assert (ticket.order_id, ticket.order_number, ticket.table) == (
        order.order_id,
        order.number,
        "12",
    )
    assert (ticket.status, ticket.version, ticket.sequence) == (TicketStatus.SENT, 1, 9)
    assert ticket.heard_at is ticket.started_at is ticket.ended_at is None
