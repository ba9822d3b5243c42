"""The kitchen: tickets, one per order and station, and how they are heard."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

from pydantic import AwareDatetime, Field

from schemas.identifiers import Slug
from schemas.kitchen_rules import EscalationTarget
from schemas.menu import ChosenModifier, Component
from schemas.message import Event, Part, State
from schemas.orders import MAX_QUANTITY, Note, OrderKind

SNAPSHOT_PAGE: Final = 200
SNAPSHOT_BYTES: Final = 128 * 1024
"""A page of a snapshot has no more tickets than one of these, and one at least."""
MAX_SEQUENCE: Final = 2**53 - 1
"""The largest whole number that every reader of JSON takes as it is written."""


class TicketStatus(StrEnum):
    """Where a ticket stands."""

    HELD = "held"
    """Known to the station, and not to be begun: it waits for its course, its time or a word."""
    SENT = "sent"
    """Published, and nobody has said yet that they see it."""
    HEARD = "heard"
    STARTED = "started"
    BUMPED = "bumped"
    CANCELLED = "cancelled"
    MOVED = "moved"
    """Another station has it now, on a ticket of its own."""


class TicketStep(StrEnum):
    """What moves a ticket on."""

    HOLD = "hold"
    FIRE = "fire"
    HEAR = "hear"
    START = "start"
    BUMP = "bump"
    RECALL = "recall"
    MOVE = "move"
    CANCEL = "cancel"


TICKET_STEPS: Final[dict[tuple[TicketStatus, TicketStep], TicketStatus]] = {
    (TicketStatus.HELD, TicketStep.FIRE): TicketStatus.SENT,
    (TicketStatus.HELD, TicketStep.MOVE): TicketStatus.MOVED,
    (TicketStatus.HELD, TicketStep.CANCEL): TicketStatus.CANCELLED,
    (TicketStatus.SENT, TicketStep.HEAR): TicketStatus.HEARD,
    (TicketStatus.SENT, TicketStep.START): TicketStatus.STARTED,
    (TicketStatus.SENT, TicketStep.HOLD): TicketStatus.HELD,
    (TicketStatus.SENT, TicketStep.MOVE): TicketStatus.MOVED,
    (TicketStatus.SENT, TicketStep.CANCEL): TicketStatus.CANCELLED,
    (TicketStatus.HEARD, TicketStep.START): TicketStatus.STARTED,
    (TicketStatus.HEARD, TicketStep.BUMP): TicketStatus.BUMPED,
    (TicketStatus.HEARD, TicketStep.HOLD): TicketStatus.HELD,
    (TicketStatus.HEARD, TicketStep.MOVE): TicketStatus.MOVED,
    (TicketStatus.HEARD, TicketStep.CANCEL): TicketStatus.CANCELLED,
    (TicketStatus.STARTED, TicketStep.BUMP): TicketStatus.BUMPED,
    (TicketStatus.STARTED, TicketStep.MOVE): TicketStatus.MOVED,
    (TicketStatus.STARTED, TicketStep.CANCEL): TicketStatus.CANCELLED,
    (TicketStatus.BUMPED, TicketStep.RECALL): TicketStatus.STARTED,
}
"""The ticket's state machine. What is not in this table cannot happen.

A cook who starts a ticket has heard it; nobody bumps what nobody has heard. What is fired must
be heard anew: while it was held, it stood there to be left alone. What is begun cannot be held.
What is bumped has ended, for screens show it no more; for a while it can be called back.
"""

FIRST_TICKET: Final = (TicketStatus.HELD, TicketStatus.SENT)
"""Where a ticket begins: steps lead back to both."""
OPEN_TICKET: Final = frozenset(
    {TicketStatus.HELD, TicketStatus.SENT, TicketStatus.HEARD, TicketStatus.STARTED}
)
ON_THE_LINE: Final = frozenset({TicketStatus.SENT, TicketStatus.HEARD, TicketStatus.STARTED})
"""To be made now."""


class Priority(StrEnum):
    """How much a ticket is in a hurry; the order of the words is the order of the queue."""

    NORMAL = "normal"
    HIGH = "high"
    RUSH = "rush"
    """Before everything else, and without waiting for others to finish together."""


class HoldReason(StrEnum):
    """Why a ticket is held."""

    BY_HAND = "by-hand"
    COURSE = "course"
    """A course before it is not done, or nobody has fired it yet."""
    TOGETHER = "together"
    """Others of its order take longer: it begins later, to be done at the same time."""


class AlsoAt(Part):
    """What another station makes for the same order and course."""

    station: Slug
    lines: Annotated[int, Field(ge=1)]


class Plate(Part):
    """A ticket of another station, as the expo sees it."""

    ticket_id: UUID
    station: Slug
    course: Annotated[int, Field(ge=1)] = 1
    status: TicketStatus


class Hearing(Part):
    """A display that a ticket was sent to."""

    device: Slug
    heard_at: AwareDatetime | None = None


class Asked(Part):
    """Somebody else who was told that nobody had heard a ticket."""

    step: EscalationTarget
    to: Slug
    """The station or device, or ``managers``."""
    at: AwareDatetime


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
    components: tuple[Component, ...] = ()
    """Of one; the line has `quantity` times as many."""
    prep_s: Annotated[int, Field(ge=1)] | None = None
    """How long it takes by the menu; None is as long as usual at the station."""
    begin_at: AwareDatetime | None = None
    """When to begin it, so that it is done with the others."""
    bumped_at: AwareDatetime | None = None
    """When it was done by itself, before its ticket."""
    made_at: Slug | None = None
    """The station that made it, where its ticket has gone to another one since."""


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
    placed_by: Slug | None = None
    """The device that placed the order: it is told where nobody hears it."""
    heard_at: AwareDatetime | None = None
    heard_by: Slug | None = None
    changed_sequence: Annotated[int, Field(ge=1)] | None = None
    """The station's sequence when its lines changed last; a display hears that too."""
    changed_at: AwareDatetime | None = None
    change_heard_at: AwareDatetime | None = None
    change_heard_by: Slug | None = None
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    course: Annotated[int, Field(ge=1)] = 1
    priority: Priority = Priority.NORMAL
    sent_at: AwareDatetime | None = None
    """When it was to be made at once: cut, or fired. None while it was never fired."""
    queued_at: AwareDatetime | None = None
    """Since when it is in the queue, where that was at another station first."""
    wake_at: AwareDatetime | None = None
    """When the services look at it again by themselves: to fire it, or to ask somebody else."""
    recalls: Annotated[int, Field(ge=0)] = 0
    recalled_at: AwareDatetime | None = None
    held_for: HoldReason | None = None
    work_s: Annotated[int, Field(ge=0)] = 0
    """The work in it, in seconds of one pair of hands."""
    done_s: Annotated[int, Field(ge=0)] = 0
    """What of it is done, in lines that were bumped here by themselves."""
    ahead_s: Annotated[int, Field(ge=0)] = 0
    """The work that its station had before it, in seconds of one pair of hands."""
    reckoned_s: Annotated[int, Field(ge=0)] = 0
    """How long it ought to take from `sent_at` on: what predictions are drawn from, and measured
    against. 0 where it was never reckoned."""
    ready_p50_at: AwareDatetime | None = None
    """When it will be ready, as likely sooner as later."""
    ready_p90_at: AwareDatetime | None = None
    """By when it will be ready, nine times of ten."""
    warn_at: AwareDatetime | None = None
    late_at: AwareDatetime | None = None
    also_at: tuple[AlsoAt, ...] = ()
    plates: tuple[Plate, ...] = ()
    """At the expo: the tickets that make up the order."""
    expos: tuple[Slug, ...] = ()
    """Where its plate is waited for."""
    displays: tuple[Hearing, ...] = ()
    """Whom it was sent to, and who of them has it on the screen."""
    asked: tuple[Asked, ...] = ()
    """Who else was told, since nobody heard it in time."""
    prints: Annotated[int, Field(ge=0)] = 0
    """How often somebody asked for it on paper again."""
    moved_to: Slug | None = None
    moved_from: Slug | None = None
    why: str | None = None
    """Why it was moved or held, where that was said."""
    given_to: tuple[Slug, ...] = ()
    """Who sees to it, by name."""

    @property
    def since(self) -> datetime:
        """Its place in the queue: from when on it was to be made, wherever that was."""
        return self.queued_at or self.sent_at or self.placed_at


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


class PrintTicket(
    Event, type="heard.ticket.print.v1", topic="kitchen/{station}/print", about="ticket_id"
):
    """A ticket is wanted on paper: once more, or because nobody has heard it on a screen."""

    station: Slug
    ticket_id: UUID
    prints: Annotated[int, Field(ge=1)]
    """Counts what was asked for."""
    ticket: Ticket


class StationHead(State, type="heard.station.head.v1", topic="kitchen/{station}", about="station"):
    """The beat of a station: how far its sequence has come, and how much is open."""

    station: Slug
    sequence: Annotated[int, Field(ge=0)]
    open: Annotated[int, Field(ge=0)]
    every_s: Annotated[float, Field(gt=0)]
    """The time between beats; who has missed two of them is not current."""
    work_s: Annotated[int, Field(ge=0)] = 0
    """The work that is left on the line, in seconds of one pair of hands."""
    closed: str | None = None
    """Why it takes nothing new; None where it is open."""
    displays: tuple[Slug, ...] = ()
    """Who shows it: a display that does not find itself here attends anew."""
    printers: tuple[Slug, ...] = ()
    """Those that print what nobody has heard."""
