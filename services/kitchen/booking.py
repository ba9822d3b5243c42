"""The work of each quarter of an hour: it follows the tickets, at the station that has them.

A quarter begins with what its station has on the line. What comes to the line is added, once;
what leaves it unmade (held, moved, called off, struck out) is taken away again; what is made
stays, for its minutes are gone.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from schemas.kitchen import ON_THE_LINE, Ticket, TicketStatus
from services.kitchen import channels, channels_store, store
from services.kitchen.store import TICKETS, to_ticket
from services.kitchen.throttling import quarter_of
from services.runtime.context import Context
from services.runtime.house_rules import kitchen_rules
from services.runtime.work import Row, made_of

_COUNTS: Final = frozenset({each.value for each in (*ON_THE_LINE, TicketStatus.BUMPED)})


async def follow(context: Context, ticket: Ticket) -> None:
    """Book what a ticket that is about to be kept adds to its station, or takes away there."""
    row: Row | None = None
    if ticket.version > 1:
        row = await context.draft.get(TICKETS, context.tenant, ticket.ticket_id)
    if not ticket.work_s and (row is None or not _work(row)[0]):
        return  # an expo's
    status, done_s = ticket.status.value, ticket.done_s
    before_s, before_done_s = (0, 0) if row is None else (_counted(row), _work(row)[1])
    more_s = (ticket.work_s if status in _COUNTS else done_s) - before_s
    if row is not None and ticket.recalls > row["recalls"]:
        more_s += _to_make_again(made_of(row, to_ticket), ticket, context.now)
    bumped = status == TicketStatus.BUMPED and row is not None and row["status"] != status
    if not more_s and not bumped and done_s == before_done_s:
        return  # nothing came, went or was made
    book = await kitchen_rules(context.draft, context.tenant)
    if book.throttle is None:
        return
    draft, tenant, station = context.draft, context.tenant, ticket.station
    booked = await channels_store.booked(draft, tenant, station, context.now)
    on_the_line = (await store.station_now(draft, tenant, station)).work_s
    # Less than that is there only of a house that did not throttle for a part of the quarter.
    work_s = max(0, max(booked or 0, on_the_line) + more_s)
    await channels_store.book(draft, tenant, station, context.now, work_s)
    if more_s > 0:
        await channels.fill(context, book, station, work_s)


def _to_make_again(before: Ticket, ticket: Ticket, now: datetime) -> int:
    """The work of what is recalled; none where this same quarter holds it already."""
    bumped = [line.bumped_at for line in before.lines if line.bumped_at is not None]
    done_at = before.ended_at or max(bumped, default=now)
    if quarter_of(done_at) == quarter_of(now):
        return 0
    done_s = before.work_s if before.status is TicketStatus.BUMPED else before.done_s
    return max(0, done_s - ticket.done_s)


def _counted(row: Row) -> int:
    """What was booked of a ticket: all of it, or what was made before it left the line."""
    work_s, done_s = _work(row)
    return work_s if row["status"] in _COUNTS else done_s


def _work(row: Row) -> tuple[int, int]:
    details = row["details"] or {}
    return details.get("work_s", 0), details.get("done_s", 0)
