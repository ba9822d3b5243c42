"""What may happen to a ticket. Pure: no clock, no database, no messages."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from uuid import UUID

from schemas.kitchen import (
    OPEN_TICKET,
    TICKET_STEPS,
    HoldReason,
    LineMark,
    Ticket,
    TicketLine,
    TicketStatus,
    TicketStep,
)
from schemas.orders import Order, OrderLine
from schemas.refusals import RefusalCode
from schemas.replies import TicketReceipt
from services.kitchen import marks
from services.kitchen.routing import Share
from services.runtime.refusal import Refusal

NextLine = Callable[[Order, TicketLine, OrderLine, int], TicketLine]
"""Makes a ticket's line from the order, the line as it is shown, the order's, and the
station's sequence; see `services.kitchen.marks`."""


def cut(
    ticket_id: UUID,
    order: Order,
    share: Share,
    lines: Collection[OrderLine],
    *,
    sequence: int,
    at: datetime,
    mark: LineMark | None = None,
) -> Ticket:
    """Make the ticket of one station and course; `mark` says that its lines came later."""
    return Ticket(
        ticket_id=ticket_id,
        station=share.station,
        order_id=order.order_id,
        order_number=order.number,
        status=TicketStatus.SENT,
        version=1,
        sequence=sequence,
        lines=tuple(marks.ticket_line(order, line, mark=mark) for line in lines),
        kind=order.kind,
        table=order.table,
        guest=_guest(order),
        due_at=order.due_at,
        placed_at=at,
        placed_by=order.device,
        course=share.course,
        sent_at=at,
    )


def may(ticket: Ticket, step: TicketStep) -> bool:
    """Tell whether the table has this step from where the ticket stands."""
    return (ticket.status, step) in TICKET_STEPS


def wrong_state(ticket: Ticket, but: str) -> Refusal:
    """The refusal of what cannot be done with a ticket as it stands."""
    return Refusal(
        RefusalCode.WRONG_STATE,
        f"the ticket of {ticket.order_number} at {ticket.station} is {ticket.status}: {but}",
        state=receipt(ticket),
    )


def is_made(line: TicketLine) -> bool:
    """Tell whether nothing is left to do for a line: it is done, or not wanted any more."""
    return line.bumped_at is not None or line.mark is LineMark.CANCELLED


def is_open(ticket: Ticket) -> bool:
    """Tell whether the ticket still stands on a screen."""
    return ticket.status in OPEN_TICKET


def move(
    ticket: Ticket,
    step: TicketStep,
    *,
    sequence: int,
    at: datetime,
    by: str,
    seen: int | None = None,
    restart: bool = False,
) -> Ticket:
    """Move the ticket one step; whoever starts a ticket has heard it, and what he has seen.

    Args:
        ticket: as it stands.
        step: what is to happen.
        sequence: the station's, at this change.
        at: now.
        by: the device that does it.
        seen: the sequence that stands on its screen, where it says so.
        restart: with a recall, whether its time counts anew.

    Raises:
        Refusal: `wrong-state`, when the table has no such step from here.
    """
    following = TICKET_STEPS.get((ticket.status, step))
    if following is None:
        raise wrong_state(ticket, f"cannot {step}")
    changes: dict[str, object] = {
        "status": following,
        "version": ticket.version + 1,
        "sequence": sequence,
        "held_for": HoldReason.BY_HAND if step is TicketStep.HOLD else None,
        "wake_at": None,
        "ended_at": None if following in OPEN_TICKET else at,
    }
    if ticket.heard_at is None and step in {TicketStep.HEAR, TicketStep.START}:
        changes |= {"heard_at": at, "heard_by": by}
    if step is TicketStep.START:
        changes["started_at"] = at
    elif step is TicketStep.FIRE:
        changes |= {"heard_at": None, "heard_by": None, "why": None, **from_now(ticket, at)}
    elif step is TicketStep.RECALL:
        # Who saw to it was done with it.
        changes |= {"recalls": ticket.recalls + 1, "recalled_at": at, "given_to": ()}
        if restart:
            changes |= from_now(ticket, at)
        if restart or ticket.started_at is None:
            changes["started_at"] = at
    if seen is not None and has_unheard(ticket, seen):
        changes |= _heard(ticket, seen, at=at, by=by)
    return ticket.model_copy(update=changes)


def check_seen(ticket: Ticket, step: TicketStep, seen: int | None) -> None:
    """Refuse a cook's step that was decided before the newest change stood on the screen.

    On a Friday night the bump is a blow with a wet hand, without reading. If it crosses a
    change on the way, the plate that leaves is the old one, and nobody would know: so the
    step comes back as a refusal, the screen shows the change, and the second blow, which
    has seen it, counts. It costs a blow where the food was right all the same; the other
    way would cost a guest the wrong plate, or one with nuts.

    A display that does not say what it shows is refused only until somebody has heard.

    Raises:
        Refusal: `stale-version`, with how the ticket stands.
    """
    changed = ticket.changed_sequence
    if not is_open(ticket) or changed is None:
        return
    if seen is None and ticket.change_heard_at is not None:
        return
    if seen is not None and seen >= changed:
        return
    raise Refusal(
        RefusalCode.STALE_VERSION,
        f"the ticket of {ticket.order_number} at {ticket.station} has changed: "
        f"look at it, then {step} it again",
        state=receipt(ticket),
    )


def has_unheard(ticket: Ticket, seen: int) -> bool:
    """Tell whether hearing up to this sequence would hear a change of the ticket."""
    return any(line.unheard is not None and line.unheard <= seen for line in ticket.lines)


def hear_change(ticket: Ticket, seen: int, *, sequence: int, at: datetime, by: str) -> Ticket:
    """What changed up to `seen` stands on a screen.

    Its marks stay, for the cook must still see them; what changes later says `was` from here.
    """
    return ticket.model_copy(
        update={
            "version": ticket.version + 1,
            "sequence": sequence,
            **_heard(ticket, seen, at=at, by=by),
        }
    )


def follow(
    ticket: Ticket,
    order: Order,
    lines: Collection[int],
    next_line: NextLine,
    *,
    sequence: int,
    at: datetime,
) -> Ticket | None:
    """Bring an open ticket to what its order now says; None where it says that already.

    With its last line cancelled the ticket is cancelled, by the same change; where all others
    are done, it is bumped.

    Args:
        ticket: as it stands.
        order: as it now is.
        lines: the numbers of the lines in question; others stay as they are.
        next_line: makes the new line.
        sequence: the station's, at this change.
        at: now.
    """
    asked = {line.line: line for line in order.lines if line.line in lines}
    after = tuple(
        next_line(order, line, asked[line.line], sequence) if line.line in asked else line
        for line in ticket.lines
    )
    if after == ticket.lines:
        return None
    changes: dict[str, object] = {
        "version": ticket.version + 1,
        "sequence": sequence,
        "lines": after,
        "changed_sequence": sequence,
        "changed_at": at,
        "change_heard_at": None,
        "change_heard_by": None,
    }
    if all(line.mark is LineMark.CANCELLED for line in after):
        cancelled = TICKET_STEPS[ticket.status, TicketStep.CANCEL]
        changes |= {"status": cancelled, "ended_at": at, "held_for": None, "wake_at": None}
    elif all(map(is_made, after)) and may(ticket, TicketStep.BUMP):
        bumped = TICKET_STEPS[ticket.status, TicketStep.BUMP]
        changes |= {"status": bumped, "ended_at": at, "wake_at": None}
    return ticket.model_copy(update=changes)


def forget_guest(ticket: Ticket, order: Order, *, sequence: int) -> Ticket | None:
    """Take the names off that the order does not know any more; None where none stand there."""
    lines = tuple(marks.renamed(order, line) for line in ticket.lines)
    guest = _guest(order)
    if guest == ticket.guest and lines == ticket.lines:
        return None
    return ticket.model_copy(
        update={
            "version": ticket.version + 1,
            "sequence": sequence,
            "guest": guest,
            "lines": lines,
        }
    )


def receipt(ticket: Ticket) -> TicketReceipt:
    """How the ticket stands, for a reply."""
    return TicketReceipt(ticket_id=ticket.ticket_id, status=ticket.status, version=ticket.version)


def _heard(ticket: Ticket, seen: int, *, at: datetime, by: str) -> dict[str, object]:
    lines = tuple(marks.heard(line, seen) for line in ticket.lines)
    changes: dict[str, object] = {"lines": lines}
    if all(line.unheard is None for line in lines):
        changes |= {"change_heard_at": at, "change_heard_by": by}
    return changes


def from_now(ticket: Ticket, at: datetime) -> dict[str, object]:
    """Its time counts from now on: what was promised of it comes as much later."""
    began = ticket.sent_at or ticket.placed_at
    if ticket.held_for is HoldReason.TOGETHER and ticket.wake_at is not None:
        began = ticket.wake_at  # what was promised rests on its being begun then
    later = at - began
    changes: dict[str, object] = {"sent_at": at, "queued_at": None}
    for name in ("ready_p50_at", "ready_p90_at", "warn_at", "late_at"):
        promised: datetime | None = getattr(ticket, name)
        changes[name] = None if promised is None else promised + later
    return changes


def _guest(order: Order) -> str | None:
    return None if order.guest is None else order.guest.name
