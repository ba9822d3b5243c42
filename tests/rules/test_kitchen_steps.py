"""Several displays at several stations try every step, and no ticket ever tells a lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from schemas.identifiers import new_id
from schemas.kitchen import (
    OPEN_TICKET,
    TICKET_STEPS,
    HoldReason,
    Ticket,
    TicketStatus,
    TicketStep,
)
from schemas.kitchen_rules import CourseRules, Firing
from schemas.orders import Order, OrderLine
from schemas.refusals import RefusalCode
from schemas.replies import TicketReceipt
from services.kitchen import beside, by_line, course_rules, expo, marks, routing, rules
from services.runtime.refusal import Refusal
from tests.rules.kitchen_model import NOON, Kitchen, line_of

DISPLAYS = ("kds-1", "kds-2", "kds-3")
STATIONS = ("bar", "fry", "grill")
PLAIN: dict[str, object] = {"quantity": 1, "note": ""}
houses = st.builds(CourseRules, firing=st.sampled_from(Firing), gap_s=st.sampled_from([0, 300]))
ordered = st.lists(st.tuples(st.sampled_from(STATIONS), st.integers(1, 3)), min_size=1, max_size=6)


def order_of(lines: list[tuple[str, int]]) -> Order:
    made: list[OrderLine] = [
        line_of(number, station, PLAIN).model_copy(update={"course": course})
        for number, (station, course) in enumerate(lines, 1)
    ]
    return Kitchen().order.model_copy(update={"lines": tuple(made)})


@dataclass
class House:
    """An order's tickets, with an expo, and what handlers do to them, with rules alone."""

    order: Order
    how: CourseRules
    now: datetime = NOON
    tickets: dict[UUID, Ticket] = field(default_factory=dict)
    sequences: dict[str, int] = field(default_factory=dict)

    def cut(self) -> None:
        cut = [
            rules.cut(new_id(), self.order, share, lines, sequence=1, at=self.now)
            for share, lines in routing.share_out(self.order).items()
        ]
        held = beside.tell(course_rules.hold(cut, [], self.how, self.now))
        for each in held:
            self.keep(each.model_copy(update={"sequence": self.next(each.station)}))
        at_expo = expo.cut(new_id(), "pass", self.order, held, at=self.now)
        self.keep(at_expo.model_copy(update={"sequence": self.next("pass")}))

    def next(self, station: str) -> int:
        return self.sequences.get(station, 0) + 1

    def made(self) -> list[Ticket]:
        return [each for each in self.tickets.values() if not expo.is_expo(each)]

    def expo(self) -> Ticket:
        (found,) = [each for each in self.tickets.values() if expo.is_expo(each)]
        return found

    def keep(self, after: Ticket, instead_of: UUID | None = None) -> None:
        before = self.tickets.get(after.ticket_id)
        assert after.sequence == self.next(after.station)
        assert after.version == (1 if before is None else before.version + 1)
        if before is not None and before.status is not after.status:
            steps = {to for (of, _), to in TICKET_STEPS.items() if of is before.status}
            assert after.status in steps, f"{before.status} to {after.status}"
        self.sequences[after.station] = after.sequence
        self.tickets[after.ticket_id] = after
        known = before is not None or instead_of is not None
        if known and not expo.is_expo(after) and after.status is not TicketStatus.MOVED:
            followed = expo.with_plate(
                self.expo(),
                after,
                instead_of or after.ticket_id,
                sequence=self.next("pass"),
                at=self.now,
                by="kds-1",
            )
            if followed is not None:
                self.keep(followed)

    def step(self, ticket: Ticket, step: TicketStep, by: str) -> None:
        self.keep(rules.move(ticket, step, sequence=self.next(ticket.station), at=self.now, by=by))

    def follow(self) -> None:
        """What `services.kitchen.courses.follow` does."""
        for _ in range(5):
            waiting = course_rules.waiting(self.made())
            if not waiting:
                return
            begins = course_rules.begins_at(waiting[0].course, self.made(), self.how, self.now)
            if begins is None or begins > self.now:
                for each in waiting:
                    if each.wake_at != begins:
                        changes = {
                            "wake_at": begins,
                            "version": each.version + 1,
                            "sequence": self.next(each.station),
                        }
                        self.keep(each.model_copy(update=changes))
                return
            before = [each for each in self.made() if each.course < waiting[0].course]
            if self.how.firing is Firing.AFTER_PREVIOUS:
                assert not any(map(rules.is_open, before)), "something before it is being made"
            for each in waiting:
                self.step(each, TicketStep.FIRE, "heard")
        raise AssertionError("courses follow each other for ever")


class AKitchen(RuleBasedStateMachine):
    """Anybody may ask anything, seen or unseen, of any ticket."""

    house: House

    @initialize(lines=ordered, how=houses)
    def place(self, lines: list[tuple[str, int]], how: CourseRules) -> None:
        self.house = House(order_of(lines), how)
        self.house.cut()

    @rule(data=st.data(), step=st.sampled_from(TicketStep), by=st.sampled_from(DISPLAYS))
    def one_asks(self, data: st.DataObject, step: TicketStep, by: str) -> None:
        ticket = self.any_ticket(data)
        if step is TicketStep.MOVE or (expo.is_expo(ticket) and step is not TicketStep.CANCEL):
            return
        if step is TicketStep.CANCEL:  # orders alone do that, to all lines
            self.void(ticket, {line.line for line in ticket.lines})
            return
        self.ask(ticket, lambda: self.house.step(ticket, step, by), rules.may(ticket, step))

    @rule(data=st.data(), step=st.sampled_from([TicketStep.START, TicketStep.BUMP]))
    def two_ask_at_one_instant(self, data: st.DataObject, step: TicketStep) -> None:
        ticket = self.any_ticket(data)
        if expo.is_expo(ticket) or not rules.may(ticket, step):
            return
        self.house.step(ticket, step, "kds-1")
        after = self.house.tickets[ticket.ticket_id]
        with pytest.raises(Refusal) as error:
            self.house.step(after, step, "kds-2")
        state = error.value.state
        assert isinstance(state, TicketReceipt)
        assert (state.status, state.version) == (after.status, after.version)
        self.house.follow()

    @rule(data=st.data(), by=st.sampled_from(DISPLAYS), back=st.booleans())
    def lines_by_themselves(self, data: st.DataObject, by: str, back: bool) -> None:
        ticket = self.any_ticket(data)
        if expo.is_expo(ticket):
            return
        numbers = [line.line for line in ticket.lines]
        chosen = data.draw(st.sets(st.sampled_from([*numbers, 99]), min_size=1))
        known = {line.line: line for line in ticket.lines}
        done = {line.line for line in ticket.lines if line.bumped_at is not None}
        gone = {line.line for line in ticket.lines if line.mark is not None}
        bumped = ticket.status is TicketStatus.BUMPED
        if back:
            there = set(numbers) - gone if bumped else done - gone
            allowed = (bumped or rules.is_open(ticket)) and chosen <= there
            do: Callable[..., Ticket] = by_line.recall
        else:
            may = rules.may(ticket, TicketStep.BUMP)
            allowed = may and chosen <= set(known) - done - gone
            do = by_line.bump
        sequence = self.house.next(ticket.station)

        def act() -> None:
            self.house.keep(do(ticket, chosen, sequence=sequence, at=self.house.now, by=by))

        self.ask(ticket, act, allowed)
        after = self.house.tickets[ticket.ticket_id]
        if allowed and not back:
            assert all(line.bumped_at for line in after.lines if line.line in chosen)
            left = {line.line for line in after.lines if not rules.is_made(line)}
            assert after.status is (TicketStatus.STARTED if left else TicketStatus.BUMPED)
        elif allowed:
            assert {line.line for line in after.lines if not rules.is_made(line)} >= chosen
            assert after.recalls == ticket.recalls + 1

    @rule(data=st.data(), to=st.sampled_from(STATIONS))
    def move(self, data: st.DataObject, to: str) -> None:
        ticket = self.any_ticket(data)
        if expo.is_expo(ticket) or not rules.may(ticket, TicketStep.MOVE):
            return
        self.house.step(ticket, TicketStep.MOVE, "kds-1")
        held = ticket.status is TicketStatus.HELD
        there = ticket.model_copy(
            update={
                "ticket_id": new_id(),
                "station": to,
                "status": ticket.status if held else TicketStatus.SENT,
                "version": 1,
                "sequence": self.house.next(to),
                "heard_at": None,
                "heard_by": None,
                "started_at": None,
            }
        )
        self.house.keep(there, ticket.ticket_id)

    @rule(data=st.data())
    def void_a_line(self, data: st.DataObject) -> None:
        ticket = self.any_ticket(data)
        self.void(ticket, {data.draw(st.sampled_from([line.line for line in ticket.lines]))})

    @rule()
    def let_the_order_go(self) -> None:
        ticket = self.house.expo()
        if not rules.is_open(ticket):
            return  # nothing of the order is wanted any more
        waits = any(each.status in OPEN_TICKET for each in self.house.made())
        if not waits:
            expo.check_complete(ticket)
            return
        with pytest.raises(Refusal, match="not all its plates are done") as error:
            expo.check_complete(ticket)
        assert error.value.code is RefusalCode.WRONG_STATE

    @rule(seconds=st.sampled_from([1, 200, 300]))
    def wait(self, seconds: int) -> None:
        self.house.now += timedelta(seconds=seconds)
        due = [
            each
            for each in self.house.made()
            if each.wake_at is not None and each.wake_at <= self.house.now
        ]
        if due:
            self.house.follow()
        assert not any(
            each.wake_at is not None and each.wake_at <= self.house.now
            for each in self.house.made()
        ), "the same time would be due for ever"

    @invariant()
    def each_line_stands_on_one_ticket(self) -> None:
        if not hasattr(self, "house"):
            return
        made = [each for each in self.house.made() if each.status is not TicketStatus.MOVED]
        numbers = sorted(line.line for each in made for line in each.lines)
        assert numbers == [line.line for line in self.house.order.lines]

    @invariant()
    def no_ticket_is_impossible(self) -> None:
        if not hasattr(self, "house"):
            return
        for each in self.house.tickets.values():
            assert Ticket.model_validate_json(each.model_dump_json()) == each
            assert (each.held_for is not None) is (each.status is TicketStatus.HELD)
            assert (each.ended_at is None) is (each.status in OPEN_TICKET)
            assert each.wake_at is None or each.status in OPEN_TICKET
            if each.status in {TicketStatus.HEARD, TicketStatus.STARTED, TicketStatus.BUMPED}:
                assert each.heard_at is not None or expo.is_expo(each)
            if rules.is_open(each) and not expo.is_expo(each):
                assert not all(map(rules.is_made, each.lines)) or each.status in {
                    TicketStatus.HELD,
                    TicketStatus.SENT,
                }

    @invariant()
    def the_expo_sees_what_is_so(self) -> None:
        if not hasattr(self, "house"):
            return
        ticket = self.house.expo()
        for plate in ticket.plates:
            seen = self.house.tickets[plate.ticket_id]
            if rules.is_open(ticket):
                assert (plate.station, plate.status) == (seen.station, seen.status)

    @invariant()
    def no_course_begins_by_itself_before_its_time(self) -> None:
        if not hasattr(self, "house"):
            return
        waiting = course_rules.waiting(self.house.made())
        if not waiting:
            return
        before = [
            each
            for each in self.house.made()
            if each.course < waiting[0].course and each.status in OPEN_TICKET
        ]
        how = self.house.how
        assert before or how.gap_s or how.firing is Firing.BY_HAND, "nothing keeps it"
        if how.firing is Firing.AFTER_PREVIOUS and before:
            assert all(each.wake_at is None for each in waiting)
        if how.firing is Firing.BY_HAND:
            assert all(each.wake_at is None for each in waiting)

    def void(self, ticket: Ticket, numbers: set[int]) -> None:
        """What orders and the kitchen do with lines that are not wanted any more."""
        order = self.house.order
        lines = tuple(
            each.model_copy(update={"voided": True}) if each.line in numbers else each
            for each in order.lines
        )
        self.house.order = order.model_copy(update={"lines": lines})
        for each in list(self.house.tickets):
            now = self.house.tickets[each]
            if rules.is_open(now):
                sequence = self.house.next(now.station)
                after = rules.follow(
                    now,
                    self.house.order,
                    numbers,
                    marks.cancelled,
                    sequence=sequence,
                    at=self.house.now,
                )
                if after is not None:
                    self.house.keep(after)
        self.house.follow()
        assert ticket.ticket_id in self.house.tickets

    def ask(self, ticket: Ticket, act: Callable[[], None], allowed: bool) -> None:
        """Do it, or see it refused with how the ticket stands; then courses follow."""
        if allowed:
            act()
            self.house.follow()
            return
        before = dict(self.house.tickets)
        with pytest.raises(Refusal) as error:
            act()
        assert error.value.code in {RefusalCode.WRONG_STATE, RefusalCode.NOT_FOUND}
        state = error.value.state
        assert isinstance(state, TicketReceipt)
        assert (state.status, state.version) == (ticket.status, ticket.version)
        assert self.house.tickets == before

    def any_ticket(self, data: st.DataObject) -> Ticket:
        return self.house.tickets[data.draw(st.sampled_from(list(self.house.tickets)))]


TestAKitchen = AKitchen.TestCase
TestAKitchen.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@given(lines=ordered, how=houses)
def test_the_first_course_is_sent_and_each_later_one_waits_for_its_turn(
    lines: list[tuple[str, int]], how: CourseRules
) -> None:
    house = House(order_of(lines), how)
    house.cut()
    first = min(course for _, course in lines)
    for each in house.made():
        by_time = how.firing is Firing.BY_TIME and not how.gap_s
        begun = each.course == first or by_time
        assert each.status is (TicketStatus.SENT if begun else TicketStatus.HELD)
        assert each.held_for is (None if begun else HoldReason.COURSE)
        assert (each.sent_at is None) is not begun
        others = {
            other.station: len(other.lines)
            for other in house.made()
            if other.course == each.course and other.station != each.station
        }
        assert {also.station: also.lines for also in each.also_at} == others
