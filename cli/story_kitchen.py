"""The kitchen's part of an order's story: each ticket's life, step by step. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from cli.printing import after, when
from cli.story import Kind, Sources, Told
from schemas.kitchen import HoldReason, Ticket, TicketStatus
from schemas.kitchen_requests import (
    BumpLines,
    BumpTicket,
    HearTickets,
    HoldTicket,
    StartTicket,
)
from schemas.message import Request
from schemas.orders import OrderLine
from schemas.replies import DutyReceipt, HeardReceipt, Outcome, TicketReceipt
from schemas.staff import AssignPerson
from services.kitchen import routing
from services.kitchen.floor import on_the_wall
from services.runtime.answers import Answer

BY_TICKET: Final = frozenset(
    each.type_name for each in (HearTickets, StartTicket, BumpTicket, AssignPerson)
)
"""What was asked of these is told with the ticket that it moved."""
_HELD_FOR: Final = {
    HoldReason.COURSE: "for the course before",
    HoldReason.TOGETHER: "to be done together with the others",
}


def ticket_story(ticket: Ticket, sources: Sources) -> Iterator[Told]:
    """A ticket's life: why there, sent to whom, heard by whom, asked elsewhere, made, ended."""
    teller = _Teller(ticket, sources)
    yield from teller.cut()
    yield from teller.heard()
    yield from teller.escalated()
    yield from teller.given()
    yield from teller.changed()
    yield from teller.made()


class _Teller:
    """What is told of one ticket."""

    def __init__(self, ticket: Ticket, sources: Sources) -> None:
        self._ticket = ticket
        self._sources = sources
        course = f" course {ticket.course}" if ticket.course > 1 else ""
        self._name = f"ticket {ticket.station}{course}"
        self._details = {"ticket_id": ticket.ticket_id, "station": ticket.station}
        # From when its hearing and its work count: it may have been held before.
        self._sent = ticket.sent_at or ticket.placed_at
        self._anew = ticket.recalled_at is not None and self._sent == ticket.recalled_at
        if self._anew:  # what came before its recall is told from the beginning
            self._sent = ticket.placed_at

    def cut(self) -> Iterator[Told]:
        """When it was cut, why there, and when it was to be made."""
        ticket = self._ticket
        what = ", ".join(f"{line.quantity} {line.name}" for line in ticket.lines)
        more = [f"there: {why_there(ticket, self._sources)}"]
        if ticket.also_at:
            others = ", ".join(f"{each.station} ({each.lines})" for each in ticket.also_at)
            more.append(f"also at: {others}")
        shown = ", ".join(each.device for each in ticket.displays)
        if shown:
            more.append(f"sent to: {shown}")
        began = self._sent if ticket.moved_from else ticket.placed_at
        waited = self._sent > began and not self._was_held_by_hand()
        waits = ticket.status is TicketStatus.HELD and ticket.held_for is not HoldReason.BY_HAND
        step = "held" if waited or waits else "published"
        yield from self._told(began, step, f"{self._name} {step}: {what}", more=more)
        if waits and ticket.held_for is not None:
            until = f", until {when(ticket.wake_at)}" if ticket.wake_at else ""
            text = f"{self._name} waits {_HELD_FOR[ticket.held_for]}{until}"
            yield from self._told(began, "waits", text)
        elif self._sent > began:
            text = f"{self._name} fired after {after(began, self._sent)}"
            yield from self._told(self._sent, "fired", text)

    def heard(self) -> Iterator[Told]:
        """Which displays said that they see it, and after how long."""
        ticket = self._ticket
        silent = [each.device for each in ticket.displays if each.heard_at is None]
        more = [f"not by: {', '.join(silent)}"] if silent else []
        others = [
            f"also by {each.device} after {after(self._sent, each.heard_at)}"
            for each in ticket.displays
            if each.heard_at is not None and each.device != ticket.heard_by
        ]
        yield from self._told(
            ticket.heard_at,
            "heard",
            f"{self._name} heard after {self._after(ticket.heard_at)}",
            ticket.heard_by,
            [*others, *more],
        )
        for each in self._answers(HearTickets.type_name):
            result = each.reply.result
            again = ticket.heard_at is not None and each.at > ticket.heard_at
            again = again and each.at != ticket.change_heard_at
            if again and isinstance(result, HeardReceipt) and ticket.ticket_id in result.ticket_ids:
                text = f"{self._name} heard again"
                yield from self._told(each.at, "heard-again", text, each.device)

    def escalated(self) -> Iterator[Told]:
        """Who else was told that nobody heard it."""
        for each in self._ticket.asked:
            text = f"{self._name} not heard after {self._after(each.at)}: told {each.step.value}"
            yield from self._told(each.at, "escalated", f"{text} {each.to}")

    def given(self) -> Iterator[Told]:
        """Who was to see to it, and who said so."""
        for each in self._answers(AssignPerson.type_name):
            result = each.reply.result
            if not isinstance(result, DutyReceipt) or each.reply.outcome is not Outcome.ACCEPTED:
                continue
            if result.ticket_id == self._ticket.ticket_id:
                text = f"{self._name} given to {result.person}"
                yield from self._told(each.at, "given", text, each.device)

    def changed(self) -> Iterator[Told]:
        """When its lines changed after it was sent, and who heard that."""
        ticket = self._ticket
        yield from self._told(ticket.changed_at, "changed", f"{self._name} shows what changed")
        if ticket.changed_at is not None:
            took = after(ticket.changed_at, ticket.change_heard_at)
            yield from self._told(
                ticket.change_heard_at,
                "change-heard",
                f"{self._name}: the change heard after {took}",
                ticket.change_heard_by,
            )

    def made(self) -> Iterator[Told]:
        """When it was begun, line by line, recalled and ended."""
        ticket = self._ticket
        yield from self._told(
            ticket.started_at,
            "started",
            f"{self._name} started after {self._after(ticket.started_at)}",
            self._by(ticket.started_at, StartTicket, BumpLines),
        )
        for line in ticket.lines:
            if line.bumped_at != ticket.ended_at:
                text = f"{self._name}: line {line.line} {line.name} done"
                yield from self._told(line.bumped_at, "line-bumped", text)
        times = "" if ticket.recalls < 2 else f", {ticket.recalls} times in all"
        # A ticket that was moved here brought its recall along: it is told where it was.
        here = not ticket.moved_from or self._sent <= (ticket.recalled_at or self._sent)
        yield from self._told(
            ticket.recalled_at if here else None,
            "recalled",
            f"{self._name} recalled{times}{'; its time counts anew' if self._anew else ''}",
            more=[f'why: "{ticket.why}"'] if ticket.why and ticket.recalls else (),
        )
        moved = ticket.status is TicketStatus.MOVED
        text = f"{self._name} {ticket.status.value}{f' to {ticket.moved_to}' if moved else ''}"
        yield from self._told(
            ticket.ended_at,
            ticket.status.value,
            f"{text} after {self._after(ticket.ended_at)}",
            self._by(ticket.ended_at, BumpTicket, BumpLines),
            [f'why: "{ticket.why}"'] if moved and ticket.why else self._against(),
        )

    def _against(self) -> list[str]:
        """What was predicted, beside what came of it."""
        ticket = self._ticket
        if ticket.status is not TicketStatus.BUMPED or ticket.ready_p50_at is None:
            return []
        told = f"predicted {ticket.ready_p50_at.astimezone():%H:%M:%S}"
        if ticket.ready_p90_at is not None:
            told += f", by {ticket.ready_p90_at.astimezone():%H:%M:%S} nine times of ten"
        ended, late = ticket.ended_at, ticket.late_at
        if ended is not None and late is not None and ended > late:
            told += "; that was late"
        return [told]

    def _after(self, at: datetime | None) -> str:
        return after(min(self._sent, at) if at is not None else self._sent, at)

    def _told(
        self,
        at: datetime | None,
        step: str,
        text: str,
        by: str | None = None,
        more: list[str] | tuple[str, ...] = (),
    ) -> Iterator[Told]:
        if at is not None:
            yield Told(at, Kind.TICKET, text, by, tuple(more), self._details | {"step": step})

    def _answers(self, kind: str) -> Iterator[Answer]:
        return (each for each in self._sources.answers if each.kind == kind)

    def _by(self, at: datetime | None, *kinds: type[Request]) -> str | None:
        """Who asked for a step that was taken then."""
        for kind in kinds:
            for each in self._accepted(kind):
                if each.at == at:
                    return each.device
        return None

    def _was_held_by_hand(self) -> bool:
        return any(True for _ in self._accepted(HoldTicket))

    def _accepted(self, kind: type[Request]) -> Iterator[Answer]:
        for each in self._answers(kind.type_name):
            result = each.reply.result
            if (
                each.reply.outcome is Outcome.ACCEPTED
                and isinstance(result, TicketReceipt)
                and result.ticket_id == self._ticket.ticket_id
            ):
                yield each


def why_there(ticket: Ticket, sources: Sources) -> str:
    """Why a station has a ticket, by the house's rules as they are now."""
    if ticket.plates:
        return "an expo sees whole orders"
    if ticket.moved_from:
        return f"moved from {ticket.moved_from}{f': {ticket.why}' if ticket.why else ''}"
    made = {line.line for line in ticket.lines}
    reasons = dict.fromkeys(
        _why_line(ticket, sources, line) for line in sources.order.lines if line.line in made
    )
    return "; ".join(reasons) or "the menu says so"


def _why_line(ticket: Ticket, sources: Sources, line: OrderLine) -> str:
    book, station = sources.kitchen, ticket.station
    local = on_the_wall(ticket.placed_at, sources.house.time_zone)
    route = next((r for r in book.routes if routing.fits(r, sources.order, line, local)), None)
    aim = line.station if route is None else route.to
    says = "the menu" if route is None else f"route {route.route}"
    if aim == station:
        return f"{says} says so"
    group = book.station(station).group
    if group is not None and group in (aim, book.station(aim).group):
        return f"{says} names {aim}; {station} shares its work"
    if book.station(aim).fallback == station:
        return f"{says} names {aim}; {station} stands in for it"
    return f"{says} names {aim} now; it was another then"
