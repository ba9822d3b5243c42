"""A kitchen as its rules make it, and beside it what each line ought to say."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from hypothesis import strategies as st

from schemas.identifiers import new_id
from schemas.kitchen import LineMark, Ticket, TicketLine, TicketStep
from schemas.menu import ChosenModifier
from schemas.orders import Guest, Order, OrderKind, OrderLine, OrderStatus, Participant
from services.kitchen import marks, routing, rules

NOON: Final = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
STATIONS: Final = ("bar", "fry", "grill")
CONTENT: Final = ("quantity", "note", "modifiers", "allergens", "avoid", "seat")

words = st.sampled_from(["", "no onions", "allergy: nuts", "well done"])
slugs = st.sampled_from(["gluten", "milk", "nuts", "egg"])
sets_of_slugs = st.lists(slugs, max_size=3, unique=True).map(lambda found: tuple(sorted(found)))
modifiers = st.recursive(
    st.builds(ChosenModifier, modifier=slugs, name=st.just("A choice"), unit_minor=st.just(50)),
    lambda inner: st.builds(
        ChosenModifier,
        modifier=slugs,
        name=st.just("A choice with choices"),
        quantity=st.integers(1, 3),
        modifiers=st.lists(inner, max_size=2).map(tuple),
    ),
    max_leaves=3,
)
contents = st.fixed_dictionaries(
    {
        "quantity": st.integers(1, 3),
        "note": words,
        "modifiers": st.lists(modifiers, max_size=2).map(tuple),
        "allergens": sets_of_slugs,
        "avoid": sets_of_slugs,
        "seat": st.sampled_from([None, "1", "2"]),
    }
)
Content = dict[str, object]


def line_of(number: int, station: str, content: Content, guest: int | None = None) -> OrderLine:
    return OrderLine.model_validate(
        {
            "line": number,
            "item": f"item-{number}",
            "name": f"Item {number}",
            "unit_minor": 100,
            "total_minor": 100,
            "station": station,
            "guest": guest,
            **content,
        }
    )


def content_of(line: OrderLine | TicketLine) -> Content:
    return {name: getattr(line, name) for name in CONTENT}


@dataclass
class Told:
    """What a station knows of one line."""

    heard: Content
    """What it last heard, or what was sent first."""
    mark: LineMark | None
    was: Content | None = None
    later: bool = False
    """It came later than the order."""
    changed: int = 0
    """The sequence of its last change that is not heard; 0 where all is."""


@dataclass
class Kitchen:
    """Does to tickets what handlers do, with rules alone."""

    order: Order = field(
        default_factory=lambda: Order(
            order_id=new_id(),
            number="ORD-260314120000-A1B2",
            status=OrderStatus.ACCEPTED,
            version=1,
            device="pos-1",
            kind=OrderKind.DELIVERY,
            table="12",
            guest=Guest(name="Ada", phone="+44 20 7946 0000"),
            participants=(Participant(guest=1, name="Ben"), Participant(guest=2, name="Cy")),
            currency="GBP",
            total_minor=0,
            lines=(),
            placed_at=NOON,
            due_at=NOON + timedelta(hours=1),
        )
    )
    tickets: dict[UUID, Ticket] = field(default_factory=dict)
    sequences: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STATIONS, 0))
    told: dict[int, Told] = field(default_factory=dict)
    minutes: int = 0

    def now(self) -> datetime:
        self.minutes += 1
        return NOON + timedelta(minutes=self.minutes)

    def add(self, lines: list[tuple[str, Content, int | None]]) -> None:
        mark = LineMark.NEW if self.order.lines else None
        first = len(self.order.lines) + 1
        added = [line_of(first + at, *line) for at, line in enumerate(lines)]
        self.order = self.order.model_copy(update={"lines": (*self.order.lines, *added)})
        shared = routing.share_out(self.order, {line.line for line in added})
        for share, of_share in shared.items():
            self.sequences[share.station] += 1
            ticket = rules.cut(
                new_id(),
                self.order,
                share,
                of_share,
                sequence=self.sequences[share.station],
                at=self.now(),
                mark=mark,
            )
            self.tickets[ticket.ticket_id] = ticket
        for line in added:
            self.told[line.line] = Told(content_of(line), mark, later=mark is LineMark.NEW)

    def change(self, number: int, content: Content) -> None:
        """What orders do first, then the kitchen."""
        self._put(number, content)
        ticket = self.holding(number)
        if not rules.is_open(ticket):
            return
        told = self.told[number]
        shown = next(line for line in ticket.lines if line.line == number)
        if content == content_of(shown):
            assert self._follow(ticket, number, marks.changed) is None
            return
        after = self._follow(ticket, number, marks.changed)
        assert after is not None
        told.changed = after.sequence
        if content == told.heard:
            told.mark, told.was = LineMark.NEW if told.later else None, None
        else:
            told.mark, told.was = LineMark.CHANGED, told.heard

    def void(self, number: int) -> None:
        self._put(number, {"voided": True})
        ticket = self.holding(number)
        if not rules.is_open(ticket):
            return
        told = self.told[number]
        after = self._follow(ticket, number, marks.cancelled)
        assert after is not None
        if not told.changed:
            told.was = None
        told.mark, told.changed = LineMark.CANCELLED, after.sequence

    def step(self, ticket: Ticket, step: TicketStep, seen: int | None) -> None:
        """Raises what the rules raise."""
        if step in {TicketStep.START, TicketStep.BUMP}:
            rules.check_seen(ticket, step, seen)
        after = rules.move(
            ticket,
            step,
            sequence=self.sequences[ticket.station] + 1,
            at=self.now(),
            by="kds-1",
            seen=seen,
        )
        self._keep(after)
        self._heard(after, seen)

    def hear(self, ticket: Ticket, seen: int | None) -> bool:
        """What the handler does with one ticket; tells whether that changed it."""
        if not rules.is_open(ticket):
            return False
        if rules.may(ticket, TicketStep.HEAR):
            self.step(ticket, TicketStep.HEAR, seen)
            return True
        if seen is None or not rules.has_unheard(ticket, seen):
            return False
        sequence = self.sequences[ticket.station] + 1
        after = rules.hear_change(ticket, seen, sequence=sequence, at=self.now(), by="kds-2")
        self._keep(after)
        self._heard(after, seen)
        return True

    def holding(self, number: int) -> Ticket:
        (found,) = [
            ticket
            for ticket in self.tickets.values()
            if any(line.line == number for line in ticket.lines)
        ]
        return found

    def _put(self, number: int, changes: Content) -> None:
        lines = tuple(
            line.model_copy(update=changes) if line.line == number else line
            for line in self.order.lines
        )
        self.order = self.order.model_copy(update={"lines": lines})

    def _follow(self, ticket: Ticket, number: int, next_line: rules.NextLine) -> Ticket | None:
        after = rules.follow(
            ticket,
            self.order,
            [number],
            next_line,
            sequence=self.sequences[ticket.station] + 1,
            at=self.now(),
        )
        if after is not None:
            self._keep(after)
        return after

    def _keep(self, after: Ticket) -> None:
        before = self.tickets[after.ticket_id]
        assert after.version == before.version + 1
        assert after.sequence == self.sequences[after.station] + 1
        self.sequences[after.station] = after.sequence
        self.tickets[after.ticket_id] = after

    def _heard(self, ticket: Ticket, seen: int | None) -> None:
        for line in ticket.lines:
            told = self.told[line.line]
            if seen is not None and told.changed <= seen:
                told.heard, told.changed = content_of(line), 0
