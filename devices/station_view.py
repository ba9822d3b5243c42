"""What a display knows of its station, and whether that is the truth: pure.

Every change of a ticket carries the next number of its station's sequence. The view
remembers up to which number it has seen every change (`sequence`) and the highest
number that it knows to exist. It is current only where the two are equal: a message
that was lost leaves a hole, and a hole is never painted over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from uuid import UUID

from schemas.kitchen import (
    OPEN_TICKET,
    Priority,
    StationHead,
    Ticket,
    TicketLine,
    TicketStatus,
)
from schemas.replies import StationPage

_NEVER: Final = float("inf")


class Freshness(StrEnum):
    """Whether what a screen shows is the truth."""

    CURRENT = "current"
    """It is, as of the station's last beat and every change since."""
    BEHIND = "behind"
    """Something has not arrived; a snapshot is asked for."""
    SILENT = "silent"
    """The station is not heard: no connection, or two beats missed."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A page of a snapshot to be asked for.

    Attributes:
        round: which snapshot it belongs to; pages of an earlier one are not taken.
        after: the page begins after this sequence.
    """

    round: int
    after: int


@dataclass(frozen=True, slots=True)
class Altered:
    """A ticket that stood on the screen, and says something else now.

    Attributes:
        ticket: as it is now; its lines bear the marks.
        lines: the numbers of the lines that say something else than was last told.
    """

    ticket: Ticket
    lines: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Changes:
    """What has changed on the screen since it was last told.

    Attributes:
        shown: tickets that are new, or newer than they were; each once, as it is now.
        ended: tickets that are gone.
        altered: those of `shown` that are to be made in another way than was last told:
            the cook must look up.
    """

    shown: tuple[Ticket, ...] = ()
    ended: tuple[UUID, ...] = ()
    altered: tuple[Altered, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.shown or self.ended)


@dataclass(slots=True)
class _Snapshot:
    round: int
    highest: int
    """What was known to exist when it was asked for."""
    ended_before: frozenset[UUID]
    after: int = 0
    first: int | None = None
    last: int = 0
    tickets: dict[UUID, Ticket] = field(default_factory=dict)


class StationView:
    """The open tickets of one station, from messages that may be lost, late or twice.

    Feed it what arrives, look at `freshness`, and ask for what `ask` says. All times
    are seconds of one clock that never goes back.

    Args:
        station: the station's name; what speaks of another is refused.
        grace_s: how long a hole may stay open before a snapshot is asked for: what
            comes out of order fills it by itself.
        every_s: the time between beats until the first beat tells it.
    """

    def __init__(self, station: str, *, grace_s: float = 1.0, every_s: float = 5.0) -> None:
        self.station: Final = station
        self.sequence = 0
        """Every change up to this one is in the view."""
        self._grace_s: Final = grace_s
        self._every_s = every_s
        self._open: dict[UUID, Ticket] = {}
        self._beyond: set[int] = set()
        self._ended: dict[UUID, int | None] = {}
        """Tickets that ended beyond `sequence`, so that nothing late brings them back."""
        self._highest = 0
        self._head: StationHead | None = None
        self._reached_at_beat = 0
        self._doubtful = True
        self._online = False
        self._first_beat = True
        self._beat_at = -_NEVER
        self._hole_since: float | None = None
        self._round = 0
        self._snapshot: _Snapshot | None = None
        self._asked = False
        self._not_before = -_NEVER
        self._shown: dict[UUID, None] = {}
        self._gone: dict[UUID, None] = {}
        self._told: dict[UUID, tuple[TicketLine, ...]] = {}
        """The lines of each ticket as they were last told."""

    # -- what it tells ------------------------------------------------------------------

    @property
    def tickets(self) -> list[Ticket]:
        """The open tickets as a queue; see `in_the_queue`."""
        return sorted(self._open.values(), key=in_the_queue)

    def ticket(self, ticket_id: UUID) -> Ticket | None:
        """One open ticket."""
        return self._open.get(ticket_id)

    @property
    def head(self) -> StationHead | None:
        """The station's last beat; None before the first."""
        return self._head

    @property
    def unused(self) -> bool:
        """Whether nothing was ever made at the station, as far as is known.

        Nobody counts its beats then: it is asked for instead, for who answers is alive.
        """
        return self._head is None and self.sequence == self._highest == 0

    def __len__(self) -> int:
        return len(self._open)

    def freshness(self, now: float) -> Freshness:
        """Whether the view is the truth."""
        if not self._online or now > self._silent_at():
            return Freshness.SILENT
        if self._doubtful or self.sequence != self._highest:
            return Freshness.BEHIND
        return Freshness.CURRENT

    def take_changes(self) -> Changes:
        """What has changed since this was last called."""
        if not self._shown and not self._gone:
            return Changes()
        shown = tuple(self._open[id_] for id_ in self._shown if id_ in self._open)
        altered = []
        for ticket in shown:
            before = self._told.get(ticket.ticket_id)
            lines = () if before is None else lines_altered(before, ticket.lines)
            if lines:
                altered.append(Altered(ticket, lines))
            self._told[ticket.ticket_id] = ticket.lines
        for ticket_id in self._gone:
            self._told.pop(ticket_id, None)
        changes = Changes(shown, tuple(self._gone), tuple(altered))
        self._shown.clear()
        self._gone.clear()
        return changes

    def ask(self, now: float) -> Ask | None:
        """The page to ask for now, if any; it counts as asked until `page` or `failed`."""
        if not self._online or self._asked or now < self._ask_at():
            return None
        if self._snapshot is None:
            self._round += 1
            self._snapshot = _Snapshot(self._round, self._highest, frozenset(self._ended))
        self._asked = True
        return Ask(self._snapshot.round, self._snapshot.after)

    def next_look(self, now: float) -> float:
        """When `ask` or `freshness` may say something new by themselves; inf for never."""
        times = [self._ask_at() if self._online and not self._asked else _NEVER]
        if self._online and now <= self._silent_at():
            times.append(self._silent_at() + 0.001)
        return min(times)

    # -- what it is told ----------------------------------------------------------------

    def connected(self, now: float) -> None:
        """The subscriptions stand. Whatever happened meanwhile was missed."""
        self._online = True
        self._first_beat = True
        self._beat_at = now
        self._doubtful = True
        self._drop_snapshot(-_NEVER)

    def disconnected(self) -> None:
        """Nothing arrives any more."""
        self._online = False
        self._drop_snapshot(-_NEVER)

    def show(self, ticket: Ticket, now: float) -> None:
        """A ticket's state has arrived.

        Raises:
            ValueError: it is another station's.
        """
        self._of_this_station(ticket.station)
        if ticket.status not in OPEN_TICKET:
            self.end(ticket, now)
            return
        if ticket.sequence > self.sequence:
            self._put(ticket)
            self._saw(ticket.sequence, now)

    def end(self, ticket: Ticket, now: float) -> None:
        """A ticket has ended.

        Raises:
            ValueError: it is another station's.
        """
        self._of_this_station(ticket.station)
        if ticket.sequence > self.sequence:
            known = self._open.get(ticket.ticket_id)
            # One that was recalled meanwhile stands there again, at a higher number.
            if known is None or known.sequence < ticket.sequence:
                self._remove(ticket.ticket_id)
                before = self._ended.get(ticket.ticket_id) or 0
                self._ended[ticket.ticket_id] = max(before, ticket.sequence)
            self._saw(ticket.sequence, now)

    def cleared(self, ticket_id: UUID, now: float) -> None:
        """A ticket's retained state was cleared: it has ended, at a number not told."""
        if self._remove(ticket_id):
            self._ended[ticket_id] = None
            # It was open at `sequence`, so its end lies beyond, and is still to come.
            self._highest = max(self._highest, self.sequence + 1)
            self._look(now)

    def beat(self, head: StationHead, now: float, *, retained: bool = False) -> None:
        """The station's head has arrived.

        Args:
            head: the head.
            now: the time.
            retained: it came from the broker's store, and says nothing of life.

        Raises:
            ValueError: it is another station's.
        """
        self._of_this_station(head.station)
        stored = retained and self._first_beat
        self._first_beat = False
        self._every_s = head.every_s
        if stored:
            if self.sequence < head.sequence:
                self._highest = max(self._highest, head.sequence)
        else:
            self._beat_at = max(self._beat_at, now)
            if head.sequence < self._reached_at_beat:
                # It is behind what we had reached a whole beat ago: not late, but another
                # truth (the station's history was set back). A snapshot will tell.
                self._doubt()
            self._reached_at_beat = self.sequence
            self._head = head
            self._highest = max(self._highest, head.sequence)
        self._look(now)

    def page(self, ask: Ask, page: StationPage, now: float) -> None:
        """A page has arrived. The last one replaces the view by the truth it tells.

        Raises:
            ValueError: it is another station's.
        """
        self._of_this_station(page.station)
        snapshot = self._snapshot
        if snapshot is None or ask.round != snapshot.round or ask.after != snapshot.after:
            return
        self._asked = False
        self._beat_at = max(self._beat_at, now)  # who answers is alive
        if snapshot.first is None:
            snapshot.first = page.sequence
        snapshot.last = page.sequence
        for ticket in page.tickets:
            snapshot.tickets[ticket.ticket_id] = ticket
            snapshot.after = max(snapshot.after, ticket.sequence)
        if not page.more or not page.tickets:
            self._replace(snapshot, snapshot.first, now)

    def failed(self, ask: Ask, now: float) -> None:
        """A page was refused or did not come: begin again, after the grace."""
        if self._snapshot is not None and ask.round == self._snapshot.round:
            self._drop_snapshot(now + self._grace_s)

    # -- inside -------------------------------------------------------------------------

    def _silent_at(self) -> float:
        return self._beat_at + 2 * self._every_s

    def _ask_at(self) -> float:
        if self._snapshot is not None or self._doubtful:
            return self._not_before
        if self._hole_since is not None:
            return max(self._not_before, self._hole_since + self._grace_s)
        if self.unused:
            return max(self._not_before, self._beat_at + self._every_s)
        return _NEVER

    def _of_this_station(self, station: str) -> None:
        if station != self.station:
            raise ValueError(f"it speaks of {station}, not of {self.station}")

    def _put(self, ticket: Ticket) -> None:
        id_ = ticket.ticket_id
        known = self._open.get(id_)
        if known is not None and known.version >= ticket.version:
            return
        if id_ in self._ended:
            ended = self._ended[id_]
            if ended is None:
                # Before its end, or recalled since? Only who knows the truth can say.
                self._doubt()
                return
            if ticket.sequence < ended:
                return
            del self._ended[id_]
        self._open[id_] = ticket
        self._shown[id_] = None
        self._gone.pop(id_, None)

    def _remove(self, ticket_id: UUID) -> bool:
        if self._open.pop(ticket_id, None) is None:
            return False
        self._shown.pop(ticket_id, None)
        self._gone[ticket_id] = None
        return True

    def _saw(self, sequence: int, now: float) -> None:
        self._beyond.add(sequence)
        self._highest = max(self._highest, sequence)
        self._advance(now)
        self._look(now)

    def _advance(self, now: float) -> None:
        """Go on as far as every change was seen."""
        before = self.sequence
        while self.sequence + 1 in self._beyond:
            self.sequence += 1
            self._beyond.discard(self.sequence)
        if self.sequence == before:
            return
        self._hole_since = now if self._hole_since is not None else None
        self._forget_ended()

    def _forget_ended(self) -> None:
        """A change up to `sequence` is never taken again: these need no memory."""
        if self._snapshot is None and self._ended:
            self._ended = {
                id_: at for id_, at in self._ended.items() if at is None or at > self.sequence
            }

    def _look(self, now: float) -> None:
        """Is there a hole, or another number of tickets than there should be?"""
        if self.sequence == self._highest:
            self._hole_since = None
        elif self._hole_since is None:
            self._hole_since = now
        head = self._head
        if (
            head is not None
            and head.sequence == self.sequence == self._highest
            and head.open != len(self._open)
        ):
            self._doubt()

    def _doubt(self) -> None:
        self._doubtful = True

    def _drop_snapshot(self, not_before: float) -> None:
        self._snapshot = None
        self._asked = False
        self._not_before = not_before

    def _replace(self, snapshot: _Snapshot, first: int, now: float) -> None:
        if first < snapshot.highest:
            # Everything that was ever published was committed before; so a station that
            # now says less has begun anew, and nothing of before counts.
            for id_ in list(self._open):
                self._remove(id_)
            self.sequence = self._highest = first
            self._beyond.clear()
            self._ended.clear()
            self._head = None
            self._reached_at_beat = 0
        self._doubtful = False
        for id_ in snapshot.ended_before:
            if self._ended.get(id_, 0) is None:
                del self._ended[id_]  # its end was known when the snapshot was asked for
        for id_, ticket in list(self._open.items()):
            if ticket.sequence <= first and id_ not in snapshot.tickets:
                self._remove(id_)
        for ticket in snapshot.tickets.values():
            self._put(ticket)
            if ticket.sequence > first:
                self._beyond.add(ticket.sequence)
        if first > self.sequence:
            self.sequence = first
            self._beyond = {at for at in self._beyond if at > first}
        self._highest = max(self._highest, snapshot.last, self.sequence, *self._beyond, 0)
        self._drop_snapshot(now + self._grace_s)
        self._hole_since = None
        self._advance(now)
        self._forget_ended()
        self._look(now)


def lines_altered(before: Sequence[TicketLine], after: Sequence[TicketLine]) -> tuple[int, ...]:
    """The numbers of the lines that say something else; that a change was heard is nothing new."""
    known = {line.line: _said(line) for line in before}
    return tuple(line.line for line in after if known.get(line.line) != _said(line))


def _said(line: TicketLine) -> TicketLine:
    return line.model_copy(update={"unheard": None})


_RANK: Final = {priority: -number for number, priority in enumerate(Priority)}


def in_the_queue(ticket: Ticket) -> tuple[object, ...]:
    """What tickets are sorted by: what is held last, then the hurry, then the age.

    Age is since it was to be made at once, so a course that is fired late does not jump the
    queue; one that is recalled stands where it stood, and one that another station had first
    has its place from there.
    """
    held = ticket.status is TicketStatus.HELD
    place = (ticket.since, ticket.course, ticket.order_number, ticket.ticket_id)
    return held, _RANK[ticket.priority], *place
