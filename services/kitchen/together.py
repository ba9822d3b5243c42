"""Finishing together: what is quick begins later, so that an order is done at one time. Pure.

The ticket that will be ready last sets the time, and the others are held as long as they would
be ready well before it: by their own making, and by the queue that their station has just then.
Half of that later each is looked at again, and whenever one of the others is begun or done: so
what was wrongly foreseen, or comes to the station meanwhile, costs a part of the wait and not
the guests' time. They aim at a moment before the last one's, for to be early with some is
better than to be late with all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from schemas.kitchen import (
    ON_THE_LINE,
    HoldReason,
    LineMark,
    Priority,
    Ticket,
    TicketLine,
    TicketStatus,
)
from schemas.kitchen_rules import KitchenRules, StationRules

_LEAST: Final = timedelta(seconds=20)
"""Nobody is asked to wait for less."""
_SAFETY: Final = 0.25
"""Of the time that is still uncertain: by how much the others are to be before the last one."""


class _End(NamedTuple):
    """When a ticket will be done, and how long it is made until then."""

    at: datetime
    makes_s: float


def plan(book: KitchenRules, tickets: Sequence[Ticket], at: datetime) -> list[Ticket]:
    """Hold those of an order's tickets that would be ready too early.

    Args:
        book: the kitchen's rules.
        tickets: what is to be begun now, promised as if all of it were; what is held already
            stays as it is, and each course is planned by itself.
        at: now.
    """
    if not book.finish_together:
        return list(tickets)
    last: dict[int, _End] = {}
    for ticket in tickets:
        if (ready := _ready(ticket)) is not None:
            end = _End(ready, _makes_s(ticket, book.station(ticket.station)))
            last[ticket.course] = max(end, last.get(ticket.course, end))
    return [
        each if (ready := _ready(each)) is None else _planned(book, each, ready, last, at)
        for each in tickets
    ]


def still(
    book: KitchenRules, ticket: Ticket, others: Iterable[Ticket], ahead_s: float, at: datetime
) -> Ticket | None:
    """Look again at a ticket that is held to be done together; None where it is to begin.

    Args:
        book: the kitchen's rules.
        ticket: it.
        others: the other tickets of its order that make something, of all courses.
        ahead_s: the work on its station's line now, of one pair of hands.
        at: now.

    Returns:
        The ticket, held until another time.
    """
    ends = [
        _will_end(book, each, at)
        for each in others
        if each.course == ticket.course and each.status in ON_THE_LINE
    ]
    if ticket.priority is Priority.RUSH or not ends:
        return None  # it is in a hurry, or what the guests wait for
    rules = book.station(ticket.station)
    ready = at + timedelta(seconds=ahead_s / rules.hands + _makes_s(ticket, rules))
    last = max(ends)
    spare = _aim(last, at) - ready
    if spare <= _LEAST:
        return None
    later = timedelta() if ticket.ready_p50_at is None else last.at - ticket.ready_p50_at
    return ticket.model_copy(update={"wake_at": _look_at(at, spare), **_later(ticket, later)})


def _ready(ticket: Ticket) -> datetime | None:
    """When it will be ready, if it is to be begun now."""
    return ticket.ready_p50_at if ticket.status is TicketStatus.SENT else None


def _planned(
    book: KitchenRules,
    ticket: Ticket,
    ready: datetime,
    last: Mapping[int, _End],
    at: datetime,
) -> Ticket:
    if ticket.priority is Priority.RUSH:
        return ticket
    end, rules = last[ticket.course], book.station(ticket.station)
    takes_s = _makes_s(ticket, rules) * (ready - at).total_seconds() / max(1, ticket.reckoned_s)
    spare = _aim(end, at) - ready
    if spare <= _LEAST:
        # It takes its place in the queue; what is quick on it begins later than the rest of it.
        return ticket.model_copy(update={"lines": _lines(ticket, rules, ready, takes_s, at)})
    return ticket.model_copy(
        update={
            "status": TicketStatus.HELD,
            "held_for": HoldReason.TOGETHER,
            "sent_at": None,
            "wake_at": _look_at(at, spare),
            **_later(ticket, end.at - ready),
            "lines": _lines(ticket, rules, end.at, takes_s, at),
        }
    )


def _aim(last: _End, at: datetime) -> datetime:
    """When the others should be ready: the sooner, the less is known of the last one's time."""
    unknown = max(timedelta(seconds=last.makes_s), last.at - at)
    return last.at - _SAFETY * unknown


def _look_at(at: datetime, spare: timedelta) -> datetime:
    """When to look again at what has so much time to spare."""
    return at + max(_LEAST, spare / 2)


def _will_end(book: KitchenRules, ticket: Ticket, at: datetime) -> _End:
    """When a ticket on the line will be done, from how far it is."""
    makes_s = _makes_s(ticket, book.station(ticket.station))
    if ticket.started_at is not None:
        ends = ticket.started_at + timedelta(seconds=makes_s)
        bumped = [line.bumped_at for line in ticket.lines if line.bumped_at is not None]
        last = max(bumped, default=ticket.started_at)
        if ticket.done_s and last >= ticket.started_at:
            left = makes_s * (1 - ticket.done_s / ticket.work_s)
            ends = min(ends, last + timedelta(seconds=left))
        return _End(max(at, ends), makes_s)
    return _End(max(at, ticket.ready_p50_at or at), makes_s)


def _makes_s(ticket: Ticket, rules: StationRules) -> float:
    """How long it is made, without its queue, as it was reckoned."""
    return max(0.0, ticket.reckoned_s - ticket.ahead_s / rules.hands)


def _lines(
    ticket: Ticket, rules: StationRules, end: datetime, takes_s: float, at: datetime
) -> tuple[TicketLine, ...]:
    """Its lines, each with the time at which to begin it; None where that is at once."""
    alone = [_alone_s(line, rules) for line in ticket.lines]
    longest = max(alone, default=0.0)
    if longest <= 0:
        return ticket.lines
    found = []
    for line, seconds in zip(ticket.lines, alone, strict=True):
        begin = end - timedelta(seconds=round(takes_s * seconds / longest))
        soon = line.mark is LineMark.CANCELLED or begin <= at + _LEAST
        found.append(line.model_copy(update={"begin_at": None if soon else begin}))
    return tuple(found)


def _alone_s(line: TicketLine, rules: StationRules) -> float:
    one = line.prep_s or rules.prep_s
    return max(one, one * line.quantity / rules.hands)


def _later(ticket: Ticket, by: timedelta) -> dict[str, Any]:
    """All that was promised, so much later."""
    changes: dict[str, Any] = {}
    for name in ("ready_p50_at", "ready_p90_at", "warn_at", "late_at"):
        promised: datetime | None = getattr(ticket, name)
        changes[name] = None if promised is None else promised + by
    changes["lines"] = tuple(
        line if line.begin_at is None else line.model_copy(update={"begin_at": line.begin_at + by})
        for line in ticket.lines
    )
    return changes
