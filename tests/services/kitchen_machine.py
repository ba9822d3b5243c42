"""A kitchen of which anybody asks anything; what its stations have to do is added up apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from schemas.kitchen import ON_THE_LINE, LineMark, Priority, Ticket, TicketLine, TicketStatus
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
from schemas.message import Request
from schemas.order_changes import ChangeLine, VoidLines
from schemas.orders import AddLines, CancelOrder, LineRequest, PlaceOrder
from schemas.replies import Outcome
from services.kitchen.channels_store import QUARTERS
from services.kitchen.store import STATIONS
from tests.services.evenings import Evening
from tests.services.kitchen_floor import MENU, KitchenFloor
from tests.services.order_world import MANAGER, SCREEN, TILL

PREP_S: Final = {"grill": 300, "bar": 60, "fry": 120}
BOOK: Final = KitchenRules(
    escalation=(),
    finish_together=True,
    # Nothing is refused for being too much.
    throttle=ThrottleRules(channels=()),
    stations={
        **{name: StationRules(prep_s=each) for name, each in PREP_S.items()},
        "pass": StationRules(kind=StationKind.EXPO),
    },
)
items = st.sampled_from([each.item for each in MENU])
orders = st.lists(items, min_size=1, max_size=5)
WHO: Final = ("guest", "waiter", "waiter", "time", *["cook"] * 8)
WISHES: Final = ("hurry", "add", "change", "void", "call off")
quantities = st.integers(1, 3)
_HELD, _SENT, _HEARD, _STARTED = (
    TicketStatus.HELD,
    TicketStatus.SENT,
    TicketStatus.HEARD,
    TicketStatus.STARTED,
)
FITS: Final[dict[type[Request], set[TicketStatus]]] = {
    HearTickets: {_SENT},
    StartTicket: {_SENT, _HEARD},
    BumpTicket: {_HEARD, _STARTED},
    BumpLines: {_HEARD, _STARTED},
    RecallTicket: {TicketStatus.BUMPED, _STARTED},
    HoldTicket: {_SENT, _HEARD},
    FireTicket: {_HELD},
    MoveTicket: {_HELD, _SENT, _HEARD, _STARTED},
}
STEPS: Final[tuple[type[Request], ...]] = (*FITS, HearTickets, BumpLines, BumpLines, MoveTicket)
"""What is tried more often stands here more than once."""


class KitchenMachine(Evening):
    """One evening: fifteen minutes at most, so that one quarter holds all that is made."""

    def __init__(self) -> None:
        super().__init__()
        self.floor = KitchenFloor(self.database, BOOK)
        self.run(self.floor.open())

    def ask(self, request: Request, device: str) -> None:
        self.floor.wait(timedelta(seconds=1))
        reply = self.run(self.floor.ask(request, device))
        done = "done" if reply.outcome is Outcome.ACCEPTED else "refused"
        self.counts[f"{request.type_name.split('.', 1)[1]}: {done}"] += 1

    def tickets(self) -> Sequence[Ticket]:
        return list(self.run(self.floor.kept()).values())

    def any_ticket(self, data: st.DataObject) -> Ticket:
        made = [each for each in self.tickets() if not each.plates]
        open_ = [each for each in made if each.ended_at is None]
        return data.draw(st.sampled_from(open_ or made))

    @initialize(ordered=orders)
    def open(self, ordered: list[str]) -> None:
        self.place(ordered)

    @rule(data=st.data(), who=st.sampled_from(WHO))
    def act(self, data: st.DataObject, who: str) -> None:
        """One rule for all: hypothesis leaves whole rules out, and cooks must be there."""
        if who == "guest":
            self.place(data.draw(orders))
        elif who == "waiter":
            self.change(data, data.draw(st.sampled_from(WISHES)))
        elif who == "time":
            self.run(self.floor.pass_time(data.draw(st.integers(1, 15))))
        else:
            self.cook(data, sensible=data.draw(st.integers(0, 5)) > 0)

    def place(self, ordered: list[str]) -> None:
        lines = tuple(LineRequest(item=each, quantity=1) for each in ordered)
        self.ask(PlaceOrder(lines=lines), TILL)

    def cook(self, data: st.DataObject, *, sensible: bool) -> None:
        """A cook does what may be done with a ticket as it stands; now and then what may not."""
        made = [each for each in self.tickets() if not each.plates]
        kind = data.draw(st.sampled_from(STEPS))
        fit = [each for each in made if each.status in FITS[kind]]
        ticket = data.draw(st.sampled_from(fit if fit and sensible else made))
        self.ask(self._request(data, kind, ticket, sensible=sensible), SCREEN)

    def _request(
        self, data: st.DataObject, kind: type[Request], ticket: Ticket, *, sensible: bool
    ) -> Request:
        id_ = ticket.ticket_id
        open_lines = [line.line for line in _to_make(ticket)]
        bumped = [line.line for line in ticket.lines if line.bumped_at is not None]
        if kind is HearTickets:
            return HearTickets(ticket_ids=(id_,), sequence=ticket.sequence)
        if kind is MoveTicket:
            to = data.draw(st.sampled_from(sorted(PREP_S.keys() - {ticket.station})))
            return MoveTicket(ticket_id=id_, station=to)
        if kind in {BumpLines, RecallTicket}:
            known = open_lines if kind is BumpLines else bumped
            every = [line.line for line in ticket.lines]
            chosen = data.draw(
                st.sets(st.sampled_from(known if known and sensible else every), min_size=1)
            )
            if kind is BumpLines:
                return BumpLines(ticket_id=id_, lines=(*chosen,), sequence=ticket.sequence)
            whole = ticket.status is TicketStatus.BUMPED and data.draw(st.booleans())
            return RecallTicket(
                ticket_id=id_, lines=None if whole else (*chosen,), restart=data.draw(st.booleans())
            )
        request = kind.model_validate({"ticket_id": id_})
        if isinstance(request, StartTicket | BumpTicket):
            request = request.model_copy(update={"sequence": ticket.sequence})
        return request

    def change(self, data: st.DataObject, what: str) -> None:
        """The guest, or who serves him, wants something else."""
        ticket = self.any_ticket(data)
        order_id = ticket.order_id
        line = data.draw(st.sampled_from(ticket.lines)).line
        if what == "hurry":
            priority = data.draw(st.sampled_from(Priority))
            self.ask(PrioritiseOrder(order_id=order_id, priority=priority), SCREEN)
        elif what == "add":
            wanted = data.draw(st.sampled_from(MENU)).item
            lines = (LineRequest(item=wanted, quantity=data.draw(quantities)),)
            self.ask(AddLines(order_id=order_id, lines=lines), TILL)
        elif what == "change":
            quantity = data.draw(quantities)
            self.ask(ChangeLine(order_id=order_id, line=line, quantity=quantity), MANAGER)
        elif what == "void":
            self.ask(VoidLines(order_id=order_id, lines=(line,), reason="off"), MANAGER)
        elif data.draw(st.integers(0, 4)) == 0:
            self.ask(CancelOrder(order_id=order_id, reason="gone"), TILL)

    @invariant()
    def each_station_has_the_work_of_its_tickets(self) -> None:
        """Added up from nothing but lines, states and how long a line takes there."""
        left: Counter[str] = Counter()
        booked: Counter[str] = Counter()
        for ticket in self.tickets():
            if not ticket.plates:
                to_make = sum(map(_seconds(ticket), _to_make(ticket)))
                left[ticket.station] += to_make
                booked[ticket.station] += to_make + sum(map(_seconds(ticket), _made_here(ticket)))
        stations, quarters = self.run(self.floor.rows(STATIONS, QUARTERS))
        assert +left == +Counter({row["station"]: row["work_s"] for row in stations})
        assert +booked == +Counter({row["station"]: row["work_s"] for row in quarters})


def _seconds(ticket: Ticket) -> Any:
    return lambda line: PREP_S[ticket.station] * line.quantity


def _to_make(ticket: Ticket) -> list[TicketLine]:
    """What cooks have still to do."""
    if ticket.status not in ON_THE_LINE:
        return []
    return [
        line
        for line in ticket.lines
        if line.bumped_at is None and line.mark is not LineMark.CANCELLED
    ]


def _made_here(ticket: Ticket) -> list[TicketLine]:
    """What was made at its station: by itself, or with the whole of its ticket."""
    bumped = ticket.status is TicketStatus.BUMPED
    return [
        line
        for line in ticket.lines
        if line.made_at is None
        and (line.bumped_at is not None or (bumped and line.mark is not LineMark.CANCELLED))
    ]
