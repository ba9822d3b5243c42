"""When the courses of an order begin. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from schemas.kitchen import HoldReason, Ticket, TicketStatus
from schemas.kitchen_rules import CourseRules, Firing
from schemas.refusals import RefusalCode
from schemas.replies import CourseReceipt
from services.kitchen import rules
from services.runtime.refusal import Refusal

_GONE = frozenset({TicketStatus.CANCELLED, TicketStatus.MOVED})
_FIRED = frozenset(TicketStatus) - _GONE - {TicketStatus.HELD}


def hold(
    tickets: Sequence[Ticket], known: Sequence[Ticket], how: CourseRules, at: datetime
) -> list[Ticket]:
    """Hold what is not to be begun yet.

    What comes to a course that was fired already is not held.

    Args:
        tickets: just cut; those that are held for another reason stay so in the first course.
        known: the other tickets of the order.
        how: how this house's courses follow each other.
        at: now.
    """
    decided: list[Ticket] = []
    for ticket in sorted(tickets, key=lambda each: each.course):
        together = [*known, *decided]
        if is_due(ticket.course, together, how, at) or _was_fired(ticket.course, known):
            decided.append(ticket)
            continue
        held: dict[str, Any] = {
            "status": TicketStatus.HELD,
            "held_for": HoldReason.COURSE,
            "sent_at": None,
            "wake_at": None,
        }
        waits = _next_course(together)
        if waits in {None, ticket.course}:
            held["wake_at"] = begins_at(ticket.course, together, how, at)
        decided.append(ticket.model_copy(update=held))
    return decided


def is_due(course: int, tickets: Sequence[Ticket], how: CourseRules, at: datetime) -> bool:
    """Tell whether a course may begin now, by itself."""
    begins = begins_at(course, tickets, how, at)
    return begins is not None and begins <= at


def begins_at(
    course: int, tickets: Sequence[Ticket], how: CourseRules, at: datetime
) -> datetime | None:
    """When a course begins by itself, as far as that is known; None where it is not.

    Args:
        course: which.
        tickets: of its order, those that make something.
        how: how this house's courses follow each other.
        at: now: when it begins where nothing is before it.
    """
    before = [each for each in tickets if each.course < course and each.status not in _GONE]
    if not before:
        return at
    if how.firing is Firing.BY_HAND:
        return None
    gap = timedelta(seconds=how.gap_s)
    if how.firing is Firing.BY_TIME:
        last = max(each.course for each in before)
        fired = [
            each.sent_at
            for each in before
            if each.course == last and each.status in _FIRED and each.sent_at is not None
        ]
        return min(fired) + gap if fired else None
    ended = [each.ended_at for each in before]
    times = [each for each in ended if each is not None]
    return max(times) + gap if len(times) == len(ended) else None


def waiting(tickets: Sequence[Ticket]) -> list[Ticket]:
    """The tickets of the next course that waits for its turn; none where no course does."""
    following = _next_course(tickets)
    return [
        each for each in tickets if each.held_for is HoldReason.COURSE and each.course == following
    ]


def to_fire(
    order_number: str, course: int, tickets: Sequence[Ticket], receipt: CourseReceipt
) -> list[Ticket]:
    """The tickets that firing a course begins.

    Args:
        order_number: for people.
        course: which.
        tickets: of its order, those that make something.
        receipt: how the course stands, for a refusal.

    Raises:
        Refusal: `no-such-course`, or `wrong-state` where it was fired already.
    """
    of_course = [
        each for each in tickets if each.course == course and each.status is not TicketStatus.MOVED
    ]
    if not of_course:
        known = sorted({each.course for each in tickets})
        named = ", ".join(map(str, known)) or "none"
        raise Refusal(
            RefusalCode.NO_SUCH_COURSE,
            f"{order_number} has no course {course} in the kitchen: it has {named}",
            state=receipt,
        )
    held = [each for each in of_course if each.status is TicketStatus.HELD]
    if not held:
        states = ", ".join(f"{each.station} is {each.status}" for each in of_course)
        raise Refusal(
            RefusalCode.WRONG_STATE,
            f"course {course} of {order_number} was fired already: {states}",
            state=receipt,
        )
    return held


def receipt(tickets: Sequence[Ticket], course: int) -> CourseReceipt:
    """What is to be made now of a course; `tickets` are those of an order, one at least."""
    return CourseReceipt(
        order_id=tickets[0].order_id,
        course=course,
        ticket_ids=tuple(
            each.ticket_id
            for each in tickets
            if each.course == course
            and rules.is_open(each)
            and each.status is not TicketStatus.HELD
        ),
    )


def _next_course(tickets: Sequence[Ticket]) -> int | None:
    held = (each.course for each in tickets if each.held_for is HoldReason.COURSE)
    return min(held, default=None)


def _was_fired(course: int, tickets: Sequence[Ticket]) -> bool:
    return any(each.course >= course and each.status in _FIRED for each in tickets)
