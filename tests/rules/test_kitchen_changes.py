"""An order changes while it is cooked, and no ticket ever says what is not so."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from schemas.kitchen import (
    OPEN_TICKET,
    TICKET_STEPS,
    LineMark,
    Ticket,
    TicketStatus,
    TicketStep,
    WasLine,
)
from schemas.refusals import RefusalCode
from schemas.replies import TicketReceipt
from services.kitchen import routing, rules
from services.kitchen.port import work_of
from services.kitchen.routing import Share
from services.runtime.ports import LineWork
from services.runtime.refusal import Refusal
from tests.rules.kitchen_model import (
    CONTENT,
    STATIONS,
    Content,
    Kitchen,
    content_of,
    contents,
)

lines = st.lists(
    st.tuples(st.sampled_from(STATIONS), contents, st.sampled_from([None, 1, 2])),
    min_size=1,
    max_size=4,
)
PLAIN: Content = {
    "quantity": 1,
    "note": "",
    "modifiers": (),
    "allergens": ("gluten",),
    "avoid": ("nuts",),
    "seat": None,
}


class AnEvening(RuleBasedStateMachine):
    """Lines are added, changed and voided; displays hear late or early; cooks go on."""

    def __init__(self) -> None:
        super().__init__()
        self.kitchen = Kitchen()

    @initialize(added=lines)
    def place(self, added: list[tuple[str, Content, int | None]]) -> None:
        self.kitchen.add(added)

    @precondition(lambda self: len(self.kitchen.order.lines) < 12)
    @rule(added=lines)
    def add(self, added: list[tuple[str, Content, int | None]]) -> None:
        self.kitchen.add(added)

    @rule(data=st.data(), content=contents)
    def change(self, data: st.DataObject, content: Content) -> None:
        if standing := self.standing():
            number = data.draw(st.sampled_from(standing))
            one = data.draw(st.sampled_from(CONTENT))
            now = content_of(self.kitchen.order.lines[number - 1])
            self.kitchen.change(number, {**now, one: content[one]})

    @rule(data=st.data())
    def change_back(self, data: st.DataObject) -> None:
        if standing := self.standing():
            number = data.draw(st.sampled_from(standing))
            self.kitchen.change(number, self.kitchen.told[number].heard)

    @rule(data=st.data())
    def void(self, data: st.DataObject) -> None:
        if standing := self.standing():
            self.kitchen.void(data.draw(st.sampled_from(standing)))

    @rule(data=st.data(), late=st.none() | st.integers(0, 6))
    def hear(self, data: st.DataObject, late: int | None) -> None:
        ticket = self.any_ticket(data)
        before = ticket
        seen = None if late is None else max(0, self.kitchen.sequences[ticket.station] - late)
        changed = self.kitchen.hear(ticket, seen)
        after = self.kitchen.tickets[ticket.ticket_id]
        assert changed is (after != before)
        assert [line.mark for line in after.lines] == [line.mark for line in before.lines]
        if seen is not None and after.status in OPEN_TICKET:
            assert not rules.has_unheard(after, seen), "what was seen is heard"
            assert not self.kitchen.hear(after, seen), "heard again, it changes nothing"

    @rule(
        data=st.data(),
        step=st.sampled_from([TicketStep.START, TicketStep.BUMP]),
        late=st.none() | st.integers(0, 6),
    )
    def cook(self, data: st.DataObject, step: TicketStep, late: int | None) -> None:
        ticket = self.any_ticket(data)
        seen = None if late is None else max(0, ticket.sequence - late)
        changed = ticket.changed_sequence
        unseen = changed is not None and (
            ticket.change_heard_at is None if seen is None else seen < changed
        )
        if ticket.status in OPEN_TICKET and unseen:
            self.refused(ticket, step, seen, RefusalCode.STALE_VERSION)
        elif (ticket.status, step) not in TICKET_STEPS:
            self.refused(ticket, step, seen, RefusalCode.WRONG_STATE)
        else:
            self.kitchen.step(ticket, step, seen)
            after = self.kitchen.tickets[ticket.ticket_id]
            assert all(line.unheard is None for line in after.lines), "no cook acts unknowing"

    @precondition(lambda self: self.kitchen.minutes > 15)
    @rule()
    def withdraw(self) -> None:
        for ticket in list(self.kitchen.tickets.values()):
            if rules.is_open(ticket):
                self.kitchen.step(ticket, TicketStep.CANCEL, None)
        assert not any(map(rules.is_open, self.kitchen.tickets.values()))

    @invariant()
    def no_ticket_is_impossible(self) -> None:
        for ticket in self.kitchen.tickets.values():
            assert Ticket.model_validate_json(ticket.model_dump_json()) == ticket
            assert (ticket.changed_sequence is None) is (ticket.changed_at is None)
            assert (ticket.change_heard_at is None) is (ticket.change_heard_by is None)
            unheard = [line.unheard for line in ticket.lines if line.unheard is not None]
            assert all(at <= (ticket.changed_sequence or 0) for at in unheard)
            if unheard:
                assert ticket.change_heard_at is None
            elif ticket.changed_at is not None:
                assert ticket.change_heard_at is not None
            assert ticket.heard_at is not None or ticket.status in {
                TicketStatus.SENT,
                TicketStatus.CANCELLED,
            }
            assert (ticket.ended_at is None) is (ticket.status in OPEN_TICKET)
            if rules.is_open(ticket):
                assert any(line.mark is not LineMark.CANCELLED for line in ticket.lines)

    @invariant()
    def nothing_is_lost_between_the_guest_and_the_cook(self) -> None:
        names = {each.guest: each.name for each in self.kitchen.order.participants}
        open_ = [each for each in self.kitchen.tickets.values() if rules.is_open(each)]
        for ticket in open_:
            assert (ticket.kind, ticket.table, ticket.guest, ticket.due_at) == (
                self.kitchen.order.kind,
                "12",
                "Ada",
                self.kitchen.order.due_at,
            )
            for line in ticket.lines:
                asked = self.kitchen.order.lines[line.line - 1]
                assert content_of(line) == content_of(asked)
                assert line.guest == (None if asked.guest is None else names[asked.guest])
                assert (line.mark is LineMark.CANCELLED) is asked.voided

    @invariant()
    def the_marks_are_true(self) -> None:
        for ticket in self.kitchen.tickets.values():
            for line in ticket.lines:
                told = self.kitchen.told[line.line]
                assert line.mark is told.mark
                assert (line.unheard or 0) == told.changed
                was = None if line.was is None else {n: getattr(line.was, n) for n in CONTENT}
                assert was == told.was
                assert (line.mark is LineMark.CHANGED) <= (line.was is not None)

    @invariant()
    def orders_know_how_far_each_line_is(self) -> None:
        work: dict[int, LineWork] = {}
        for ticket in self.kitchen.tickets.values():
            marks = {line.line: line.mark for line in ticket.lines}
            work |= work_of(ticket.status, marks)
        assert sorted(work) == [line.line for line in self.kitchen.order.lines]
        for number, done in work.items():
            ticket = self.kitchen.holding(number)
            struck = self.kitchen.told[number].mark is LineMark.CANCELLED
            if struck or ticket.status is TicketStatus.CANCELLED:
                assert done is LineWork.GONE
            elif ticket.status is TicketStatus.BUMPED:
                assert done is LineWork.COOKED
            else:
                started = ticket.status is TicketStatus.STARTED
                assert done is (LineWork.STARTED if started else LineWork.WAITING)

    def standing(self) -> list[int]:
        return [line.line for line in self.kitchen.order.lines if not line.voided]

    def any_ticket(self, data: st.DataObject) -> Ticket:
        ids: list[UUID] = list(self.kitchen.tickets)
        return self.kitchen.tickets[data.draw(st.sampled_from(ids))]

    def refused(
        self, ticket: Ticket, step: TicketStep, seen: int | None, code: RefusalCode
    ) -> None:
        with pytest.raises(Refusal) as error:
            self.kitchen.step(ticket, step, seen)
        assert error.value.code is code
        state = error.value.state
        assert isinstance(state, TicketReceipt)
        assert (state.status, state.version) == (ticket.status, ticket.version)
        assert self.kitchen.tickets[ticket.ticket_id] == ticket


TestAnEvening = AnEvening.TestCase
TestAnEvening.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)


def two_burgers() -> tuple[Kitchen, UUID]:
    kitchen = Kitchen()
    kitchen.add([("grill", PLAIN, 1), ("grill", PLAIN, None)])
    (ticket_id,) = kitchen.tickets
    kitchen.hear(kitchen.tickets[ticket_id], 1)
    return kitchen, ticket_id


def test_was_stays_what_was_heard_however_often_the_line_changes_before_it_is_heard_again() -> None:
    kitchen, id_ = two_burgers()
    kitchen.change(1, {**PLAIN, "quantity": 2})
    kitchen.change(1, {**PLAIN, "quantity": 3, "note": "no onions"})
    line = kitchen.tickets[id_].lines[0]
    assert (line.mark, line.quantity, line.note) == (LineMark.CHANGED, 3, "no onions")
    assert line.was == WasLine(quantity=1, allergens=("gluten",), avoid=("nuts",))
    kitchen.hear(kitchen.tickets[id_], kitchen.sequences["grill"])
    assert kitchen.tickets[id_].lines[0].mark is LineMark.CHANGED, "the cook must still see it"
    kitchen.change(1, {**PLAIN, "quantity": 4})
    line = kitchen.tickets[id_].lines[0]
    assert line.was is not None
    assert (line.was.quantity, line.was.note) == (3, "no onions")


def test_what_is_changed_back_before_it_is_heard_bears_no_mark_but_must_be_heard() -> None:
    kitchen, id_ = two_burgers()
    kitchen.change(1, {**PLAIN, "quantity": 2})
    kitchen.change(1, PLAIN)
    ticket = kitchen.tickets[id_]
    assert (ticket.lines[0].mark, ticket.lines[0].was) == (None, None)
    assert ticket.change_heard_at is None, "the other may stand on a screen"
    with pytest.raises(Refusal, match="has changed: look at it, then start it again"):
        kitchen.step(ticket, TicketStep.START, None)


def test_a_line_that_came_later_is_new_again_when_it_is_changed_back() -> None:
    kitchen, _ = two_burgers()
    kitchen.add([("grill", PLAIN, 2)])
    added = kitchen.holding(3)
    assert added.lines[0].mark is LineMark.NEW
    kitchen.hear(added, 9)
    for content in ({**PLAIN, "note": "x"}, {**PLAIN, "note": "y"}, PLAIN):
        kitchen.change(3, content)
    assert kitchen.holding(3).lines[0].mark is LineMark.NEW


def test_a_bump_that_crosses_a_change_is_refused_and_the_next_one_counts() -> None:
    kitchen, id_ = two_burgers()
    kitchen.step(kitchen.tickets[id_], TicketStep.START, 2)
    on_screen = kitchen.tickets[id_].sequence
    kitchen.change(2, {**PLAIN, "avoid": ("milk", "nuts")})
    kitchen.hear(kitchen.tickets[id_], 99)  # another screen has heard it: this one has not
    with pytest.raises(Refusal) as error:
        kitchen.step(kitchen.tickets[id_], TicketStep.BUMP, on_screen)
    assert error.value.code is RefusalCode.STALE_VERSION
    kitchen.step(kitchen.tickets[id_], TicketStep.BUMP, kitchen.tickets[id_].sequence)
    assert kitchen.tickets[id_].status is TicketStatus.BUMPED


def test_a_bump_that_has_seen_the_change_hears_it() -> None:
    kitchen, id_ = two_burgers()
    kitchen.change(1, {**PLAIN, "note": "now"})
    kitchen.step(kitchen.tickets[id_], TicketStep.BUMP, kitchen.sequences["grill"])
    ticket = kitchen.tickets[id_]
    assert (ticket.change_heard_by, ticket.change_heard_at) == ("kds-1", ticket.ended_at)


def test_the_last_cancelled_line_takes_the_ticket_with_it_in_one_step() -> None:
    kitchen, id_ = two_burgers()
    kitchen.void(1)
    assert [line.mark for line in kitchen.tickets[id_].lines] == [LineMark.CANCELLED, None]
    before = kitchen.tickets[id_]
    kitchen.void(2)
    ticket = kitchen.tickets[id_]
    assert ticket.status is TicketStatus.CANCELLED
    assert (ticket.version, ticket.sequence) == (before.version + 1, before.sequence + 1)


@pytest.mark.parametrize("step", [None, TicketStep.START, TicketStep.BUMP])
def test_a_forgotten_guest_stands_on_no_ticket(step: TicketStep | None) -> None:
    kitchen, id_ = two_burgers()
    if step is not None:
        kitchen.step(kitchen.tickets[id_], step, None)
    ticket = kitchen.tickets[id_]
    assert (ticket.guest, ticket.lines[0].guest) == ("Ada", "Ben")
    assert rules.forget_guest(ticket, kitchen.order, sequence=9) is None
    forgotten = kitchen.order.model_copy(update={"guest": None, "participants": ()})
    after = rules.forget_guest(ticket, forgotten, sequence=9)
    assert after is not None
    assert "Ada" not in after.model_dump_json()
    assert "Ben" not in after.model_dump_json()
    assert (after.version, after.sequence, after.status) == (ticket.version + 1, 9, ticket.status)
    assert [content_of(line) for line in after.lines] == [content_of(x) for x in ticket.lines]


@given(contents)
def test_what_is_voided_already_is_never_cut(content: Content) -> None:
    kitchen = Kitchen()
    kitchen.add([("grill", content, None), ("bar", content, None)])
    lines = (kitchen.order.lines[0].model_copy(update={"voided": True}), kitchen.order.lines[1])
    order = kitchen.order.model_copy(update={"lines": lines})
    assert routing.share_out(order) == {Share("bar", 1): (lines[1],)}
    assert routing.share_out(order, [1]) == {}
