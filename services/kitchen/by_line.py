"""Lines of a ticket that are done by themselves, before the whole of it. Pure."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from schemas.kitchen import LineMark, Ticket, TicketLine, TicketStatus, TicketStep
from schemas.refusals import RefusalCode
from services.kitchen import rules
from services.runtime.refusal import Refusal


def bump(
    ticket: Ticket,
    lines: Collection[int],
    *,
    sequence: int,
    at: datetime,
    by: str,
    seen: int | None = None,
) -> Ticket:
    """These lines are done; with the first of them it is begun, with the last it is bumped.

    Args:
        ticket: as it stands.
        lines: their numbers.
        sequence: the station's, at this change.
        at: now.
        by: the device that does it.
        seen: the sequence that stands on its screen, where it says so.

    Raises:
        Refusal: `wrong-state`, where the ticket is not being made, or a line is done or
            cancelled already; `not-found`, where it has no such line.
    """
    if not rules.may(ticket, TicketStep.BUMP):
        raise rules.wrong_state(ticket, "cannot bump lines of it")
    for line in _asked(ticket, lines):
        if line.mark is LineMark.CANCELLED:
            raise rules.wrong_state(ticket, f"its line {line.line} is cancelled")
        if line.bumped_at is not None:
            raise rules.wrong_state(ticket, f"its line {line.line} is bumped already")
    marked = tuple(
        line.model_copy(update={"bumped_at": at}) if line.line in lines else line
        for line in ticket.lines
    )
    done = ticket.model_copy(update={"lines": marked})
    step = TicketStep.START if ticket.status is TicketStatus.HEARD else None
    if all(map(rules.is_made, marked)):
        step = TicketStep.BUMP
    if step is not None:
        return rules.move(done, step, sequence=sequence, at=at, by=by, seen=seen)
    if seen is not None and rules.has_unheard(done, seen):
        return rules.hear_change(done, seen, sequence=sequence, at=at, by=by)
    return done.model_copy(update={"version": ticket.version + 1, "sequence": sequence})


def recall(
    ticket: Ticket,
    lines: Collection[int] | None,
    *,
    sequence: int,
    at: datetime,
    by: str,
    restart: bool = False,
) -> Ticket:
    """What was bumped too early is to be made once more: the ticket, or some of its lines.

    Args:
        ticket: as it stands: bumped, or open with lines that are done.
        lines: the numbers of those that come back; None is all.
        sequence: the station's, at this change.
        at: now.
        by: the device that does it.
        restart: whether its time counts anew.

    Raises:
        Refusal: `wrong-state`, where nothing of it was bumped, or not what was asked for;
            `not-found`, where it has no such line.
    """
    bumped = ticket.status is TicketStatus.BUMPED
    ended_at = ticket.ended_at if bumped else None
    back = [
        line.line
        for line in ticket.lines
        if line.mark is not LineMark.CANCELLED and (bumped or line.bumped_at is not None)
    ]
    if lines is not None:
        for line in _asked(ticket, lines):
            if line.line not in back:
                raise rules.wrong_state(ticket, f"its line {line.line} is not bumped")
        back = [*lines]
    if not bumped and (not back or not rules.is_open(ticket)):
        raise rules.wrong_state(ticket, f"cannot {TicketStep.RECALL}")
    if not back:
        raise rules.wrong_state(ticket, "and all of it is cancelled: nothing is left to make")
    left = tuple(_left(line, back, ended_at) for line in ticket.lines)
    again = ticket.model_copy(update={"lines": left})
    if bumped:
        return rules.move(
            again, TicketStep.RECALL, sequence=sequence, at=at, by=by, restart=restart
        )
    changes: dict[str, object] = {
        "version": ticket.version + 1,
        "sequence": sequence,
        "recalls": ticket.recalls + 1,
        "recalled_at": at,
    }
    if restart:
        changes |= {**rules.from_now(ticket, at), "started_at": at}
    return again.model_copy(update=changes)


def _left(line: TicketLine, back: Collection[int], ended_at: datetime | None) -> TicketLine:
    """A line after others, or it too, were recalled; nobody made what is struck out by that."""
    if line.line in back:
        return line.model_copy(update={"bumped_at": None, "made_at": None})
    if line.mark is LineMark.CANCELLED or line.bumped_at is not None:
        return line
    return line.model_copy(update={"bumped_at": ended_at})


def _asked(ticket: Ticket, lines: Collection[int]) -> list[TicketLine]:
    known = {line.line: line for line in ticket.lines}
    for number in lines:
        if number not in known:
            raise Refusal(
                RefusalCode.NOT_FOUND,
                f"the ticket of {ticket.order_number} at {ticket.station} has no line {number}",
                state=rules.receipt(ticket),
            )
    return [known[number] for number in lines]
