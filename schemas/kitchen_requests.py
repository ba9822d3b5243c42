"""What displays and people ask of the kitchen."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

from pydantic import Field

from schemas.identifiers import Slug
from schemas.kitchen import MAX_SEQUENCE, Priority
from schemas.kitchen_rules import Course
from schemas.message import Query, Request
from schemas.orders import MAX_LINES
from schemas.text import Remark

MAX_HEARD_AT_ONCE: Final = 200

Seen = Annotated[int, Field(ge=0, le=MAX_SEQUENCE)] | None
"""The sequence of the ticket on the screen where the cook acts: what changed after it was
not seen, and the step is refused. None does not say, and is refused while a change is unheard."""
At = Slug | None
"""The station on whose screen the cook acts: a ticket of another one is refused. None does not
say."""
LineNumbers = Annotated[
    tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1, max_length=MAX_LINES)
]
Why = Annotated[Remark, Field(min_length=1)] | None


class HearTickets(Request, type="heard.ticket.hear.v1", topic="kitchen/hear"):
    """The display says: these stand on my screen."""

    ticket_ids: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=MAX_HEARD_AT_ONCE)]
    sequence: Annotated[int, Field(ge=0, le=MAX_SEQUENCE)] | None = None
    """The highest sequence of the station that the screen has drawn: what changed later is
    not yet heard. None hears new tickets alone."""


class StartTicket(Request, type="heard.ticket.start.v1", topic="kitchen/start"):
    """A cook begins."""

    ticket_id: UUID
    sequence: Seen = None
    station: At = None


class BumpTicket(Request, type="heard.ticket.bump.v1", topic="kitchen/bump"):
    """The food of this ticket is ready and leaves the station."""

    ticket_id: UUID
    sequence: Seen = None
    station: At = None


class ReadStation(Query, type="heard.station.read.v1", topic="kitchen/read-station"):
    """Ask for a snapshot of a station, page by page.

    Pages run by the sequence of each ticket's last change: a ticket that changes
    while the pages are read gets a higher sequence, and so is never missed.
    """

    station: Slug
    after: Annotated[int, Field(ge=0, le=MAX_SEQUENCE)] = 0


class BumpLines(Request, type="heard.ticket.bump-lines.v1", topic="kitchen/bump-lines"):
    """Some lines are ready; with the last of them the ticket is."""

    ticket_id: UUID
    lines: LineNumbers
    sequence: Seen = None
    station: At = None


class RecallTicket(Request, type="heard.ticket.recall.v1", topic="kitchen/recall"):
    """It was bumped too early: back on the screen, whole or some of its lines."""

    ticket_id: UUID
    lines: LineNumbers | None = None
    """Lines that were bumped by themselves; None is all."""
    restart: bool = False
    """Whether its time counts anew."""
    why: Why = None
    station: At = None


class HoldTicket(Request, type="heard.ticket.hold.v1", topic="kitchen/hold"):
    """Do not begin it yet."""

    ticket_id: UUID
    why: Why = None


class FireTicket(Request, type="heard.ticket.fire.v1", topic="kitchen/fire"):
    """Begin it now, whatever it was held for."""

    ticket_id: UUID


class FireCourse(Request, type="heard.course.fire.v1", topic="kitchen/fire-course"):
    """Begin a course of an order now, at all its stations."""

    order_id: UUID
    course: Course


class MoveTicket(Request, type="heard.ticket.move.v1", topic="kitchen/move"):
    """Another station makes it."""

    ticket_id: UUID
    station: Slug
    why: Why = None


class PrioritiseOrder(Request, type="heard.order.prioritise.v1", topic="kitchen/prioritise"):
    """Put all open tickets of an order before others, or back in the row."""

    order_id: UUID
    priority: Priority


class ReprintTicket(Request, type="heard.ticket.reprint.v1", topic="kitchen/reprint"):
    """Once more on paper; it says DUPLICATE."""

    ticket_id: UUID


class Attendance(StrEnum):
    """How a device attends a station."""

    OUTPUT = "output"
    """What is sent there stands on its screen."""
    PAPER = "paper"
    """What is sent there comes out of it on paper."""
    LAST_RESORT = "last-resort"
    """A printer that prints what nobody has heard, and what is asked for on paper."""


class AttendStation(Request, type="heard.station.attend.v1", topic="kitchen/attend"):
    """A display says: what is sent to this station stands on my screen from now on."""

    station: Slug
    attendance: Attendance = Attendance.OUTPUT
    epoch: UUID | None = None
    """The session that attends, as its birth says it: with its end the attendance is over.
    None is the newest one that is known."""


class LeaveStation(Request, type="heard.station.leave.v1", topic="kitchen/leave"):
    """A display says: I show this station no longer."""

    station: Slug


class CloseStation(Request, type="heard.station.close.v1", topic="kitchen/close-station"):
    """The station takes nothing new; its fallback does."""

    station: Slug
    why: Why = None


class OpenStation(Request, type="heard.station.open.v1", topic="kitchen/open-station"):
    """The station works again."""

    station: Slug
