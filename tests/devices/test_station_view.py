from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.station_view import Altered, Ask, Freshness, StationView
from schemas.kitchen import Priority, Ticket, TicketStatus
from tests.devices.station_model import Play, change, head, hear, page, ticket


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


def test_a_station_that_was_never_used_has_no_beats_and_is_asked_for_instead() -> None:
    view = fresh(sequence=0)
    assert view.unused
    for at in (5.0, 10.0, 15.0):
        assert view.next_look(at - 0.1) == at
        ask = view.ask(at)
        assert ask is not None
        view.page(ask, page(0), at)
        assert view.freshness(at) is Freshness.CURRENT
    ask = view.ask(20)
    assert ask is not None
    view.failed(ask, 25)
    assert view.freshness(25.1) is Freshness.SILENT
    again = view.ask(26)
    assert again is not None
    view.page(again, page(0), 27)
    assert view.freshness(27) is Freshness.CURRENT
    view.show(ticket(1, sequence=1), 28)
    assert not view.unused


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


def test_a_recalled_ticket_stands_there_again_whatever_overtook_whatever() -> None:
    first = ticket(1, sequence=1, status=TicketStatus.STARTED)
    bumped = ticket(1, sequence=2, version=2, status=TicketStatus.BUMPED)
    back = ticket(1, sequence=3, version=3, status=TicketStatus.STARTED)
    in_turn = fresh(first, sequence=1)
    in_turn.end(bumped, 1)
    in_turn.cleared(UUID(int=1), 1)
    in_turn.show(back, 1)
    overtaken = fresh(first, sequence=1)
    overtaken.show(back, 1)
    overtaken.end(bumped, 1)
    behind_a_hole = fresh(first, sequence=0)
    behind_a_hole.end(bumped, 1)
    behind_a_hole.show(back, 1)
    behind_a_hole.show(first, 1)
    for view in (in_turn, overtaken, behind_a_hole):
        assert view.tickets == [back]
        assert view.freshness(1) is Freshness.CURRENT


def test_a_ticket_that_may_have_been_recalled_after_its_clearing_is_asked_about() -> None:
    view = fresh(ticket(1, sequence=1, status=TicketStatus.STARTED), sequence=1)
    view.cleared(UUID(int=1), 1)
    back = ticket(1, sequence=3, version=3, status=TicketStatus.STARTED)
    view.show(back, 1)
    assert view.freshness(1) is Freshness.BEHIND
    ask = view.ask(1)
    assert ask is not None
    view.page(ask, page(3, back), 1)
    assert view.tickets == [back]
    assert view.freshness(1) is Freshness.CURRENT


def test_the_queue_is_by_hurry_then_age_and_what_is_held_stands_last() -> None:
    oldest, second, third = (ticket(n, sequence=n) for n in (1, 2, 3))
    held = ticket(4, sequence=4, status=TicketStatus.HELD)
    rush, high = (
        ticket(number, sequence=number).model_copy(update={"priority": priority})
        for number, priority in ((5, Priority.RUSH), (6, Priority.HIGH))
    )
    late = oldest.model_copy(update={"sent_at": third.placed_at, "ticket_id": UUID(int=7)})
    view = fresh(held, high, late, third, second, rush, oldest, sequence=7)
    assert view.tickets == [rush, high, oldest, second, late, third, held]
    back = oldest.model_copy(
        update={"sequence": 9, "version": 3, "status": TicketStatus.STARTED, "recalls": 1}
    )
    gone = oldest.model_copy(
        update={"sequence": 8, "version": 2, "status": TicketStatus.MOVED, "moved_to": "fry"}
    )
    view.show(gone, 1)
    assert view.tickets == [rush, high, second, late, third, held]
    view.show(back, 1)
    assert view.tickets == [rush, high, back, second, late, third, held]


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


def test_a_changed_ticket_is_told_as_altered_once_with_the_lines_that_changed() -> None:
    first = ticket(1, sequence=1)
    view = fresh(first, sequence=1)
    changed = change(first, sequence=2)
    view.show(changed, 1)
    changes = view.take_changes()
    assert changes.shown == (changed,)
    assert changes.altered == (Altered(changed, (1,)),)
    heard = hear(changed, sequence=3)
    view.show(heard, 2)
    changes = view.take_changes()
    assert (changes.shown, changes.altered) == ((heard,), ())


def test_a_new_ticket_is_not_told_as_altered_nor_one_that_came_back_as_it_was() -> None:
    view = fresh(sequence=0)
    new = ticket(1, sequence=1)
    view.show(new, 1)
    assert view.take_changes().altered == ()
    view.disconnected()
    view.connected(2)
    ask = view.ask(2)
    assert ask is not None
    view.page(ask, page(1, new), 2)
    assert not view.take_changes()


def test_a_change_that_was_missed_is_told_by_the_snapshot() -> None:
    first = ticket(1, sequence=1)
    view = fresh(first, sequence=1)
    view.disconnected()
    view.connected(2)
    ask = view.ask(2)
    assert ask is not None
    changed = change(first, sequence=2)
    view.page(ask, page(2, changed), 2)
    assert view.take_changes().altered == (Altered(changed, (1,)),)


STEPS = (
    [Play.happen] * 6
    + [Play.arrive_next] * 5
    + [Play.answer, Play.arrive_page] * 3
    + [Play.arrive_any, Play.arrive_twice, Play.lose, Play.head, Play.ask, Play.ask]
    + [Play.wait, Play.reconnect, Play.draw, Play.draw]
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
    play.draw(0)
    assert {t.ticket_id.int: t for t in play.screen.values()} == station.open
    assert view.sequence == station.sequence
    assert view.ask(play.now + 5) is None
    assert view._ended == {}
