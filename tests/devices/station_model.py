"""A station as it truly is, a network that loses and doubles, and a view between them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from devices.station_view import Ask, Freshness, StationView
from schemas.kitchen import (
    OPEN_TICKET,
    LineMark,
    StationHead,
    Ticket,
    TicketLine,
    TicketStatus,
    WasLine,
)
from schemas.replies import StationPage

AT = datetime(2026, 7, 1, 12, tzinfo=UTC)
EVERY_S = 5.0
_NEXT = {
    TicketStatus.HELD: TicketStatus.SENT,
    TicketStatus.SENT: TicketStatus.HEARD,
    TicketStatus.HEARD: TicketStatus.STARTED,
    TicketStatus.STARTED: TicketStatus.BUMPED,
}


def ticket(
    number: int,
    *,
    sequence: int,
    version: int = 1,
    status: TicketStatus = TicketStatus.SENT,
    station: str = "grill",
) -> Ticket:
    return Ticket(
        ticket_id=UUID(int=number),
        station=station,
        order_id=UUID(int=number),
        order_number=f"ORD-{number:04}",
        status=status,
        version=version,
        sequence=sequence,
        lines=(TicketLine(line=1, item="burger", name="Burger", quantity=1),),
        placed_at=AT + timedelta(seconds=number),
    )


def change(before: Ticket, *, sequence: int) -> Ticket:
    """One more of the first line, and nobody has heard it."""
    first = before.lines[0]
    was = first.was or WasLine(quantity=first.quantity)
    lines = (
        first.model_copy(
            update={
                "quantity": first.quantity + 1,
                "mark": LineMark.CHANGED,
                "was": was,
                "unheard": sequence,
            }
        ),
    )
    return before.model_copy(
        update={
            "version": before.version + 1,
            "sequence": sequence,
            "lines": lines,
            "changed_sequence": sequence,
            "changed_at": AT,
            "change_heard_at": None,
            "change_heard_by": None,
        }
    )


def hear(before: Ticket, *, sequence: int) -> Ticket:
    """The change stands on a screen."""
    lines = tuple(line.model_copy(update={"unheard": None}) for line in before.lines)
    return before.model_copy(
        update={
            "version": before.version + 1,
            "sequence": sequence,
            "lines": lines,
            "change_heard_at": AT,
            "change_heard_by": "kds-1",
        }
    )


def head(sequence: int, open_: int, station: str = "grill") -> StationHead:
    return StationHead(station=station, sequence=sequence, open=open_, every_s=EVERY_S)


def page(sequence: int, *tickets: Ticket, more: bool = False) -> StationPage:
    return StationPage(
        station="grill", sequence=sequence, open=len(tickets), tickets=tickets, more=more
    )


class Station:
    """The truth, and a network that loses, doubles and reorders."""

    def __init__(self) -> None:
        self.history: list[frozenset[tuple[int, int]]] = [frozenset()]
        self.open: dict[int, Ticket] = {}
        self.bumped: dict[int, Ticket] = {}
        self.born = 0
        self.changes: dict[int, list[int]] = {}
        """The sequences at which each ticket's lines changed."""
        self.air: list[tuple[str, Ticket | StationHead]] = []
        self.pages: list[tuple[Ask, StationPage]] = []

    @property
    def sequence(self) -> int:
        return len(self.history) - 1

    def happen(self, choice: int) -> None:
        """One change: a ticket is cut, or one of the open goes a step on."""
        sequence = self.sequence + 1
        if self.bumped and choice % 7 == 0:
            changed = self.recall(choice, sequence)
        elif not self.open or choice % 3 == 0:
            self.born += 1
            changed = ticket(self.born, sequence=sequence)
        else:
            changed = self.go_on(choice, sequence)
        number = changed.ticket_id.int
        if changed.status in OPEN_TICKET:
            self.open[number] = changed
            self.air.append(("state", changed))
        else:
            del self.open[number]
            self.bumped[number] = changed
            self.air += [("end", changed), ("clear", changed)]
        self.history.append(self.now())

    def go_on(self, choice: int, sequence: int) -> Ticket:
        """One of the open tickets is changed, its change is heard, or it goes a step on."""
        before = self.open[sorted(self.open)[choice % len(self.open)]]
        if choice % 5 == 1:
            self.changes.setdefault(before.ticket_id.int, []).append(sequence)
            return change(before, sequence=sequence)
        if choice % 5 == 2 and before.changed_at is not None and before.change_heard_at is None:
            return hear(before, sequence=sequence)
        status = _NEXT[before.status]
        return before.model_copy(
            update={"status": status, "version": before.version + 1, "sequence": sequence}
        )

    def recall(self, choice: int, sequence: int) -> Ticket:
        """One that was bumped stands on the screen again."""
        before = self.bumped.pop(sorted(self.bumped)[choice % len(self.bumped)])
        return before.model_copy(
            update={
                "status": TicketStatus.STARTED,
                "version": before.version + 1,
                "sequence": sequence,
                "recalls": before.recalls + 1,
            }
        )

    def now(self) -> frozenset[tuple[int, int]]:
        return frozenset((number, t.version) for number, t in self.open.items())

    def head(self) -> StationHead:
        return head(self.sequence, len(self.open))

    def answer(self, ask: Ask) -> StationPage:
        after = sorted(
            (t for t in self.open.values() if t.sequence > ask.after), key=lambda t: t.sequence
        )
        return page(self.sequence, *after[:2], more=len(after) > 2)


class Play:
    """A view and a station, and what may happen between them; checked at every step."""

    def __init__(self) -> None:
        self.station, self.view = Station(), StationView("grill")
        self.asks: list[Ask] = []
        self.versions: dict[int, int] = {}
        self.told = 0
        self.screen: dict[UUID, Ticket] = {}
        self.now = 0.0
        self.view.connected(self.now)

    def happen(self, value: int) -> None:
        self.station.happen(value)

    def arrive_next(self, _value: int) -> None:
        if self.station.air:
            self.deliver(*self.station.air.pop(0))

    def arrive_any(self, value: int) -> None:
        if self.station.air:
            self.deliver(*self.station.air.pop(value % len(self.station.air)))

    def arrive_twice(self, value: int) -> None:
        if self.station.air:
            self.deliver(*self.station.air[value % len(self.station.air)])

    def lose(self, value: int) -> None:
        if self.station.air:
            self.station.air.pop(value % len(self.station.air))

    def head(self, _value: int) -> None:
        self.station.air.append(("head", self.station.head()))

    def ask(self, _value: int) -> None:
        ask = self.view.ask(self.now)
        if ask is not None:
            self.asks.append(ask)

    def answer(self, value: int) -> None:
        if self.asks:
            ask = self.asks.pop(value % len(self.asks))
            self.station.pages.append((ask, self.station.answer(ask)))

    def arrive_page(self, value: int) -> None:
        if self.station.pages:
            ask, answer = self.station.pages.pop(value % len(self.station.pages))
            self.view.page(ask, answer, self.now)

    def wait(self, value: int) -> None:
        self.now += value / 500

    def reconnect(self, value: int) -> None:
        station = self.station
        self.view.disconnected()
        # A broker may have kept some of the retained tickets, and an old head.
        station.air = [("state", t) for n, t in station.open.items() if (value >> n % 9) & 1]
        station.air.append(("stored", station.head()))
        self.view.connected(self.now)

    def draw(self, _value: int) -> None:
        """The screen takes what has changed, and must be told of every line that has."""
        changes = self.view.take_changes()
        altered = {each.ticket.ticket_id: each.lines for each in changes.altered}
        for ticket_id in changes.ended:
            self.screen.pop(ticket_id, None)
        for now in changes.shown:
            before = self.screen.get(now.ticket_id)
            told = altered.pop(now.ticket_id, ())
            differs = before is not None and before.lines[0].quantity != now.lines[0].quantity
            assert told == ((1,) if differs else ())
            self.screen[now.ticket_id] = now
        assert not altered
        assert sorted(self.screen) == sorted(t.ticket_id for t in self.view.tickets)

    def deliver(self, kind: str, message: Ticket | StationHead) -> None:
        if isinstance(message, StationHead):
            self.told = max(self.told, message.sequence)
            self.view.beat(message, self.now, retained=kind == "stored")
        elif kind == "state":
            self.view.show(message, self.now)
        elif kind == "end":
            self.view.end(message, self.now)
        else:
            self.view.cleared(message.ticket_id, self.now)

    def check(self) -> None:
        view = self.view
        if view.freshness(self.now) is Freshness.CURRENT:
            shown = frozenset((t.ticket_id.int, t.version) for t in view.tickets)
            assert shown == self.station.history[view.sequence]
            assert view.sequence >= self.told
        for ticket_ in view.tickets:
            number = ticket_.ticket_id.int
            assert self.versions.get(number, 0) <= ticket_.version
            # Who hears up to `sequence` hears no change that does not stand there.
            changed = [at for at in self.station.changes.get(number, ()) if at <= view.sequence]
            assert max(changed, default=0) <= (ticket_.changed_sequence or 0)
            self.versions[number] = ticket_.version

    def settle(self) -> None:
        """From here on nothing is lost, and what was asked before fails."""
        for ask in [*self.asks, *(ask for ask, _ in self.station.pages)]:
            self.view.failed(ask, self.now)
        self.station.air.clear()
        for _ in range(5):
            self.now += 1.5
            self.deliver("head", self.station.head())
            while (ask_now := self.view.ask(self.now)) is not None:
                self.view.page(ask_now, self.station.answer(ask_now), self.now)
            self.check()
