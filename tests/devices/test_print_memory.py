"""Which slip is due of a ticket, and that nothing is forgotten."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from devices.print_memory import (
    FORGET_AFTER,
    MemoryBroken,
    MemoryInUse,
    Printed,
    PrintMemory,
    Slip,
    came_out,
    due,
)
from devices.receipt_paper import SlipKind
from schemas.kitchen import Asked, HoldReason, Ticket, TicketStatus
from schemas.kitchen_requests import Attendance
from schemas.kitchen_rules import EscalationTarget
from tests.devices.test_receipt_paper import AT, ticket

OUTPUT, LAST = Attendance.OUTPUT, Attendance.LAST_RESORT
NOBODY = Printed()


def the_slip(made: Ticket, before: Printed, how: Attendance = OUTPUT) -> Slip:
    slip = due(made, before, how)
    assert slip is not None
    return slip


def test_a_ticket_is_due_once_and_heard_from_then_on() -> None:
    made = ticket()
    slip = the_slip(made, NOBODY)
    assert (slip.kind, slip.duplicate) == (SlipKind.TICKET, False)
    assert due(made, slip.then, OUTPUT) is None
    assert came_out(made, slip.then)
    assert not came_out(made, NOBODY)


def test_a_slip_whose_end_nobody_knows_is_due_again_and_says_so() -> None:
    made = ticket()
    begun = Printed(begun=the_slip(made, NOBODY).name)
    assert the_slip(made, begun).duplicate
    assert not came_out(made, begun)


def test_what_is_held_waits_and_what_is_fired_anew_comes_out_as_a_duplicate() -> None:
    held = ticket(status=TicketStatus.HELD, held_for=HoldReason.BY_HAND)
    assert due(held, NOBODY, OUTPUT) is None
    first = the_slip(ticket(), NOBODY).then
    fired = ticket(sent_at=AT + timedelta(minutes=5))
    assert not came_out(fired, first)
    assert the_slip(fired, first).duplicate


def test_each_change_is_due_once_and_only_where_the_ticket_came_out() -> None:
    before = the_slip(ticket(), NOBODY).then
    changed = ticket(changed_sequence=7, changed_at=AT)
    assert not came_out(changed, before)
    slip = the_slip(changed, before)
    assert (slip.kind, slip.duplicate) == (SlipKind.CHANGED, False)
    assert due(changed, slip.then, OUTPUT) is None
    assert the_slip(changed, NOBODY).kind is SlipKind.TICKET
    assert due(changed, NOBODY, LAST) is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [(TicketStatus.CANCELLED, SlipKind.CANCELLED), (TicketStatus.MOVED, SlipKind.MOVED)],
)
def test_what_is_taken_back_is_due_where_paper_may_hang(
    status: TicketStatus, kind: SlipKind
) -> None:
    gone = ticket(status=status, ended_at=AT)
    assert due(gone, NOBODY, OUTPUT) is None
    slip = the_slip(gone, the_slip(ticket(), NOBODY).then)
    assert (slip.kind, slip.duplicate) == (kind, False)
    assert due(gone, slip.then, OUTPUT) is None
    assert the_slip(gone, Printed(begun="sent once")).kind is kind
    assert due(ticket(status=TicketStatus.BUMPED), slip.then, OUTPUT) is None


def test_a_last_resort_prints_what_nobody_heard_and_what_is_asked_for() -> None:
    assert due(ticket(), NOBODY, LAST) is None
    asked = Asked(step=EscalationTarget.PRINTER, to="grill", at=AT)
    unheard = ticket(prints=1, asked=(asked,))
    slip = the_slip(unheard, NOBODY, LAST)
    assert (slip.kind, slip.duplicate) == (SlipKind.TICKET, False)
    assert due(unheard, slip.then, LAST) is None
    # Somebody asks for it by hand: it stands on a screen, or came out before.
    again = the_slip(ticket(prints=2, asked=(asked,)), slip.then, LAST)
    assert again.duplicate
    assert the_slip(ticket(prints=1), NOBODY, LAST).duplicate


def test_what_was_printed_outlives_the_process_and_one_process_has_it(tmp_path: Path) -> None:
    path, made, now = tmp_path / "printed.db", ticket(), datetime.now(UTC)
    id_ = made.ticket_id
    slip = the_slip(made, NOBODY)
    with PrintMemory(path) as memory:
        with pytest.raises(MemoryInUse, match="another printer"):
            PrintMemory(path)
        memory.begin(id_, NOBODY, slip, now)
        assert memory.of(id_).begun == slip.name
        memory.undo(id_, NOBODY, now)
        assert memory.of(id_) == NOBODY
        memory.begin(id_, NOBODY, slip, now)
    with PrintMemory(path) as memory:
        assert memory.of(id_).begun == slip.name
        memory.done(id_, slip, now)
        assert memory.of(id_) == slip.then
        memory.forget(now + FORGET_AFTER)
        assert memory.of(id_) == slip.then
        memory.forget(now + FORGET_AFTER + timedelta(seconds=1))
        assert memory.of(id_) == NOBODY


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "printed.db").write_text("not a database, but long enough to be read as one" * 9)
    with pytest.raises(MemoryBroken):
        PrintMemory(tmp_path / "printed.db")
    with pytest.raises(MemoryBroken):
        PrintMemory(tmp_path / "nowhere" / "printed.db")
