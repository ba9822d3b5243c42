"""The kitchen: tickets, one per order and station, and how they are heard."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

from pydantic import AwareDatetime, Field

from schemas.identifiers import Slug
from schemas.menu import ChosenModifier
from schemas.message import Event, Part, Query, Request, State
from schemas.orders import MAX_QUANTITY, Note, OrderKind

MAX_HEARD_AT_ONCE: Final = 200
SNAPSHOT_PAGE: Final = 200
SNAPSHOT_BYTES: Final = 128 * 1024
"""A page of a snapshot has no more tickets than one of these, and one at least."""
MAX_SEQUENCE: Final = 2**53 - 1
"""The largest whole number that every reader of JSON takes as it is written."""


class TicketStatus(StrEnum):
    """Where a ticket stands."""

    SENT = "sent"
    """Published, and nobody has said yet that they see it."""
    HEARD = "heard"
    STARTED = "started"
    BUMPED = "bumped"
    CANCELLED = "cancelled"


class TicketStep(StrEnum):
    """What moves a ticket on."""

    HEAR = "hear"
    START = "start"
    BUMP = "bump"
    CANCEL = "cancel"


TICKET_STEPS: Final[dict[tuple[TicketStatus, TicketStep], TicketStatus]] = {
    (TicketStatus.SENT, TicketStep.HEAR): TicketStatus.HEARD,
    (TicketStatus.SENT, TicketStep.START): TicketStatus.STARTED,
    (TicketStatus.SENT, TicketStep.CANCEL): TicketStatus.CANCELLED,
    (TicketStatus.HEARD, TicketStep.START): TicketStatus.STARTED,
    (TicketStatus.HEARD, TicketStep.BUMP): TicketStatus.BUMPED,
    (TicketStatus.HEARD, TicketStep.CANCEL): TicketStatus.CANCELLED,
    (TicketStatus.STARTED, TicketStep.BUMP): TicketStatus.BUMPED,
    (TicketStatus.STARTED, TicketStep.CANCEL): TicketStatus.CANCELLED,
}
"""The ticket's state machine. What is not in this table cannot happen.

A cook who starts a ticket has heard it; nobody bumps what nobody has heard.
"""

OPEN_TICKET: Final = frozenset({TicketStatus.SENT, TicketStatus.HEARD, TicketStatus.STARTED})


class LineMark(StrEnum):
    """What happened to a line after the order was sent."""

    NEW = "new"
    """Added later; it stands on a ticket of its own."""
    CHANGED = "changed"
    CANCELLED = "cancelled"
    """Not to be made any more: it stays on the screen, struck out, until the ticket ends."""


class WasLine(Part):
    """What a changed line said before, as the station last heard it.

    Where nobody has heard the line yet it is what was sent first: it may stand on a screen
    whose answer is still on its way.
    """

    quantity: int
    note: Note = ""
    modifiers: tuple[ChosenModifier, ...] = ()
    allergens: tuple[Slug, ...] = ()
    avoid: tuple[Slug, ...] = ()
    seat: str | None = None
    mark: LineMark | None = None
    """NEW, where it was marked so: changed back, it is that again."""


class TicketLine(Part):
    """One line as the station sees it."""

    line: Annotated[int, Field(ge=1)]
    item: Slug
    name: str
    quantity: Annotated[int, Field(ge=1, le=MAX_QUANTITY)]
    note: Note = ""
    modifiers: tuple[ChosenModifier, ...] = ()
    allergens: tuple[Slug, ...] = ()
    """What is in it."""
    avoid: tuple[Slug, ...] = ()
    """What its guest must not get."""
    seat: str | None = None
    guest: str | None = None
    """The name of the participant it is for."""
    mark: LineMark | None = None
    was: WasLine | None = None
    unheard: Annotated[int, Field(ge=1)] | None = None
    """The station's sequence when it changed last; None once that is heard."""


class Ticket(Part):
    """What one station has to make for one order."""

    ticket_id: UUID
    station: Slug
    order_id: UUID
    order_number: str
    status: TicketStatus
    version: Annotated[int, Field(ge=1)]
    sequence: Annotated[int, Field(ge=1)]
    """The station's sequence at this change: dense, so that a gap can be seen."""
    lines: tuple[TicketLine, ...]
    kind: OrderKind = OrderKind.DINE_IN
    table: str | None = None
    guest: str | None = None
    """The name to call, where the order has one."""
    due_at: AwareDatetime | None = None
    placed_at: AwareDatetime
    heard_at: AwareDatetime | None = None
    heard_by: Slug | None = None
    changed_sequence: Annotated[int, Field(ge=1)] | None = None
    """The station's sequence when its lines changed last; a display hears that too."""
    changed_at: AwareDatetime | None = None
    change_heard_at: AwareDatetime | None = None
    change_heard_by: Slug | None = None
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None


class HearTickets(Request, type="heard.ticket.hear.v1", topic="kitchen/hear"):
    """The display says: these stand on my screen."""

    ticket_ids: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=MAX_HEARD_AT_ONCE)]
    sequence: Annotated[int, Field(ge=0, le=MAX_SEQUENCE)] | None = None
    """The highest sequence of the station that the screen has drawn: what changed later is
    not yet heard. None hears new tickets alone."""


Seen = Annotated[int, Field(ge=0, le=MAX_SEQUENCE)] | None
"""The sequence of the ticket on the screen where the cook acts: what changed after it was
not seen, and the step is refused. None does not say, and is refused while a change is unheard."""


class StartTicket(Request, type="heard.ticket.start.v1", topic="kitchen/start"):
    """A cook begins."""

    ticket_id: UUID
    sequence: Seen = None


class BumpTicket(Request, type="heard.ticket.bump.v1", topic="kitchen/bump"):
    """The food of this ticket is ready and leaves the station."""

    ticket_id: UUID
    sequence: Seen = None


class ReadStation(Query, type="heard.station.read.v1", topic="kitchen/read-station"):
    """Ask for a snapshot of a station, page by page.

    Pages run by the sequence of each ticket's last change: a ticket that changes
    while the pages are read gets a higher sequence, and so is never missed.
    """

    station: Slug
    after: Annotated[int, Field(ge=0, le=MAX_SEQUENCE)] = 0


class TicketState(
    State,
    type="heard.ticket.v1",
    topic="kitchen/{station}/ticket/{ticket_id}",
    about="station",
):
    """An open ticket: retained, so that connecting costs one subscription."""

    station: Slug
    ticket_id: UUID
    ticket: Ticket


class TicketEnded(
    Event, type="heard.ticket.ended.v1", topic="kitchen/{station}/ticket-ended", about="station"
):
    """A ticket was bumped or cancelled and is open no more."""

    station: Slug
    ticket: Ticket


class StationHead(State, type="heard.station.head.v1", topic="kitchen/{station}", about="station"):
    """The beat of a station: how far its sequence has come, and how much is open."""

    station: Slug
    sequence: Annotated[int, Field(ge=0)]
    open: Annotated[int, Field(ge=0)]
    every_s: Annotated[float, Field(gt=0)]
    """The time between beats; who has missed two of them is not current."""
