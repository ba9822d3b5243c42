from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.station_view import Ask, Freshness, StationView
from schemas.kitchen import OPEN_TICKET, StationHead, Ticket, TicketStatus
from schemas.replies import StationPage

AT = datetime(2026, 7, 1, 12, tzinfo=UTC)
EVERY_S = 5.0


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
        lines=(),
        placed_at=AT + timedelta(seconds=number),
    )


def head(sequence: int, open_: int, station: str = "grill") -> StationHead:
    return StationHead(station=station, sequence=sequence, open=open_, every_s=EVERY_S)


def page(sequence: int, *tickets: Ticket, more: bool = False) -> StationPage:
    return StationPage(
        station="grill", sequence=sequence, open=len(tickets), tickets=tickets, more=more
    )


def fresh(*tickets: Ticket, sequence: int) -> StationView:
    """A view that has had its snapshot at time 0."""
    view = StationView("grill")
    view.connected(0)
    ask = view.ask(0)
    assert ask is not None
    view.page(ask, page(sequence, *tickets), 0)
    view.take_changes()
    assert view.freshness(0) is Freshness.CURRENT
    return view


def numbers(view: StationView) -> list[int]:
    return [ticket.ticket_id.int for ticket in view.tickets]


def test_a_view_is_silent_until_connected_and_behind_until_its_snapshot() -> None:
    view = StationView("grill")
    assert view.freshness(0) is Freshness.SILENT
    assert view.ask(0) is None
    view.connected(0)
    assert view.freshness(0) is Freshness.BEHIND
    assert view.next_look(0) <= 0
    ask = view.ask(0)
    assert ask == Ask(round=1, after=0)
    assert view.ask(0) is None
    view.show(ticket(1, sequence=7), 0)
    assert view.freshness(0) is Freshness.BEHIND
    view.page(ask, page(7, ticket(1, sequence=7)), 0)
    assert view.freshness(0) is Freshness.CURRENT
    assert view.sequence == 7
    view.disconnected()
    assert view.freshness(0) is Freshness.SILENT


def test_two_missed_beats_are_silence_and_a_stored_head_is_no_beat() -> None:
    view = StationView("grill")
    view.connected(0)
    view.beat(head(3, 1), 0, retained=True)
    ask = view.ask(0)
    assert ask is not None
    view.page(ask, page(3, ticket(1, sequence=3)), 0)
    assert view.freshness(10) is Freshness.CURRENT
    assert view.freshness(view.next_look(10)) is Freshness.SILENT
    view.beat(head(3, 1), 11)
    assert view.freshness(11) is Freshness.CURRENT
    assert view.freshness(21.1) is Freshness.SILENT
    # what a broker marks as retained is a beat all the same once the first has come
    view.beat(head(3, 1), 22, retained=True)
    assert view.freshness(22) is Freshness.CURRENT


def test_a_hole_is_seen_at_once_and_asked_about_after_the_grace() -> None:
    view = fresh(sequence=3)
    view.show(ticket(2, sequence=5), 10)
    assert view.freshness(10) is not Freshness.CURRENT
    assert view.ask(10.5) is None
    assert view.next_look(10.5) == 11
    ask = view.ask(11)
    assert ask is not None
    view.page(ask, page(5, ticket(1, sequence=4), ticket(2, sequence=5)), 11)
    assert view.freshness(11) is Freshness.CURRENT
    assert numbers(view) == [1, 2]


def test_a_hole_that_fills_in_time_needs_no_snapshot() -> None:
    view = fresh(sequence=3)
    view.show(ticket(2, sequence=5), 1)
    view.show(ticket(1, sequence=4), 1.5)
    assert view.freshness(1.5) is Freshness.CURRENT
    assert view.ask(9) is None


def test_a_head_that_knows_of_more_opens_a_hole() -> None:
    view = fresh(sequence=3)
    view.beat(head(4, 1), 1)
    assert view.freshness(1) is Freshness.BEHIND
    assert view.ask(1.5) is None
    assert view.ask(2.1) is not None


def test_another_number_of_tickets_at_the_same_sequence_is_not_current() -> None:
    view = fresh(ticket(1, sequence=3), sequence=3)
    view.beat(head(3, 2), 2)
    assert view.freshness(2) is Freshness.BEHIND
    assert view.ask(2) is not None


def test_a_ticket_never_goes_back_to_an_older_version_nor_comes_back() -> None:
    view = fresh(ticket(1, sequence=1), sequence=1)
    started = ticket(1, sequence=3, version=3, status=TicketStatus.STARTED)
    view.show(started, 1)
    view.show(ticket(1, sequence=2, version=2, status=TicketStatus.HEARD), 1)
    assert view.tickets == [started]
    view.end(ticket(1, sequence=4, version=4, status=TicketStatus.BUMPED), 1)
    view.show(started, 1)
    assert view.tickets == []
    assert view.freshness(1) is Freshness.CURRENT


def test_an_end_that_overtook_its_ticket_keeps_it_away() -> None:
    view = fresh(sequence=0)
    view.end(ticket(1, sequence=3, version=3, status=TicketStatus.BUMPED), 1)
    view.show(ticket(1, sequence=2, version=2, status=TicketStatus.HEARD), 1)
    view.show(ticket(1, sequence=1), 1)
    assert view.tickets == []
    assert view.freshness(1) is Freshness.CURRENT
    assert view._ended == {}


def test_a_cleared_ticket_is_gone_and_its_end_awaited() -> None:
    view = fresh(ticket(1, sequence=1), sequence=1)
    view.cleared(UUID(int=1), 1)
    assert view.tickets == []
    assert view.freshness(1) is Freshness.BEHIND
    view.end(ticket(1, sequence=2, version=2, status=TicketStatus.BUMPED), 1)
    assert view.freshness(1) is Freshness.CURRENT
    view.cleared(UUID(int=1), 1)
    view.cleared(UUID(int=9), 1)
    assert view.freshness(1) is Freshness.CURRENT
    assert view._ended == {}


def test_a_snapshot_drops_what_it_does_not_name_and_keeps_what_came_since() -> None:
    view = fresh(ticket(1, sequence=1), ticket(2, sequence=2), sequence=2)
    view.disconnected()
    view.connected(10)
    ask = view.ask(10)
    assert ask is not None
    view.show(ticket(3, sequence=5), 10)
    view.page(ask, page(4, ticket(2, sequence=2), more=True), 10)
    ask = view.ask(10)
    assert ask == Ask(2, after=2)
    view.page(ask, page(5, ticket(3, sequence=5)), 10)
    assert numbers(view) == [2, 3]
    assert view.freshness(10) is Freshness.CURRENT
    changes = view.take_changes()
    assert [t.ticket_id.int for t in changes.shown] == [3]
    assert changes.ended == (UUID(int=1),)
    assert not view.take_changes()


def test_pages_of_an_earlier_snapshot_are_not_taken() -> None:
    view = StationView("grill")
    view.connected(0)
    old = view.ask(0)
    assert old is not None
    view.disconnected()
    view.connected(1)
    new = view.ask(1)
    assert new is not None
    view.page(old, page(9, ticket(1, sequence=9)), 1)
    view.failed(old, 1)
    assert view.tickets == []
    view.page(new, page(0), 1)
    assert view.freshness(1) is Freshness.CURRENT


def test_a_snapshot_that_fails_is_begun_again_after_the_grace() -> None:
    view = StationView("grill")
    view.connected(0)
    ask = view.ask(0)
    assert ask is not None
    view.failed(ask, 1)
    assert view.ask(1.5) is None
    assert view.ask(2) == Ask(2, 0)


def test_a_station_that_began_anew_replaces_all_that_was() -> None:
    view = fresh(ticket(1, sequence=90), ticket(2, sequence=91), sequence=91)
    view.beat(head(91, 2), 1)
    view.beat(head(1, 1), 2)
    assert view.freshness(2) is Freshness.BEHIND
    ask = view.ask(2)
    assert ask is not None
    view.page(ask, page(1, ticket(3, sequence=1)), 2)
    view.beat(head(1, 1), 3)
    assert numbers(view) == [3]
    assert view.sequence == 1
    assert view.freshness(3) is Freshness.CURRENT


def test_a_late_head_does_not_make_a_current_view_doubtful() -> None:
    view = fresh(sequence=0)
    view.beat(head(0, 0), 1)
    view.show(ticket(1, sequence=1), 2)
    view.beat(head(0, 0), 2)
    assert view.freshness(2) is Freshness.CURRENT


def test_what_speaks_of_another_station_is_refused() -> None:
    view = StationView("grill")
    with pytest.raises(ValueError, match="it speaks of fry"):
        view.show(ticket(1, sequence=1, station="fry"), 0)
    with pytest.raises(ValueError, match="it speaks of fry"):
        view.beat(head(1, 1, "fry"), 0)


class Station:
    """The truth, and a network that loses, doubles and reorders."""

    def __init__(self) -> None:
        self.history: list[frozenset[tuple[int, int]]] = [frozenset()]
        self.open: dict[int, Ticket] = {}
        self.born = 0
        self.air: list[tuple[str, Ticket | StationHead]] = []
        self.pages: list[tuple[Ask, StationPage]] = []

    @property
    def sequence(self) -> int:
        return len(self.history) - 1

    def happen(self, choice: int) -> None:
        """One change: a ticket is cut, or one of the open goes a step on."""
        sequence = self.sequence + 1
        if not self.open or choice % 3 == 0:
            self.born += 1
            changed = ticket(self.born, sequence=sequence)
        else:
            before = self.open[sorted(self.open)[choice % len(self.open)]]
            steps = list(TicketStatus)
            status = steps[min(steps.index(before.status) + 1, 3)]
            changed = before.model_copy(
                update={"status": status, "version": before.version + 1, "sequence": sequence}
            )
        number = changed.ticket_id.int
        if changed.status in OPEN_TICKET:
            self.open[number] = changed
            self.air.append(("state", changed))
        else:
            del self.open[number]
            self.air += [("clear", changed), ("end", changed)]
        self.history.append(self.now())

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


STEPS = (
    [Play.happen] * 6
    + [Play.arrive_next] * 5
    + [Play.answer, Play.arrive_page] * 3
    + [Play.arrive_any, Play.arrive_twice, Play.lose, Play.head, Play.ask, Play.ask]
    + [Play.wait, Play.reconnect]
)


@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 1000)), max_size=120))
def test_it_never_says_current_but_of_the_truth_and_a_snapshot_always_heals(
    steps: list[tuple[Callable[[Play, int], None], int]],
) -> None:
    play = Play()
    for step, value in steps:
        play.now += 0.01
        step(play, value)
        play.check()
    play.settle()
    view, station = play.view, play.station
    assert view.freshness(play.now) is Freshness.CURRENT
    assert frozenset((t.ticket_id.int, t.version) for t in view.tickets) == station.now()
    assert view.sequence == station.sequence
    assert view.ask(play.now + 5) is None
    assert view._ended == {}
