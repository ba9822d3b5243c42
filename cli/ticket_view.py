"""How a ticket is drawn, for a cook with wet hands and no time.

Colour is never the only mark: what is new, changed, cancelled or must be avoided says so in
words and stands out in black and white too. What a cook has to know is wrapped where it is
long, and never cut off.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Final

from rich.text import Text

from cli.house_clock import on_screen
from cli.printing import age
from devices.ticket_lines import merged
from schemas.kitchen import (
    ON_THE_LINE,
    Asked,
    HoldReason,
    LineMark,
    Plate,
    Priority,
    Ticket,
    TicketLine,
    TicketStatus,
)
from schemas.kitchen_rules import EscalationTarget
from schemas.menu import ChosenModifier
from schemas.orders import OrderKind

_STATUS: Final = {
    TicketStatus.HELD: ("HELD", "blue"),
    TicketStatus.SENT: ("new", "bold red"),
    TicketStatus.HEARD: ("heard", "cyan"),
    TicketStatus.STARTED: ("cooking", "yellow"),
    TicketStatus.BUMPED: ("done", "green"),
}
_KIND: Final = {
    OrderKind.DINE_IN: "take away",  # nobody sits anywhere
    OrderKind.TAKEAWAY: "take away",
    OrderKind.DELIVERY: "delivery",
}
_MARK: Final = {
    LineMark.NEW: ("NEW", "bold black on green"),
    LineMark.CHANGED: ("CHANGED", "bold black on yellow"),
    LineMark.CANCELLED: ("CANCELLED", "bold white on red"),
}
_DEEPER: Final = "  "


class Lateness(StrEnum):
    """How a ticket does against its times."""

    AHEAD = ""
    WARN = "hurry"
    LATE = "LATE"


_LATENESS: Final = {
    Lateness.AHEAD: "bold",
    Lateness.WARN: "bold yellow",
    Lateness.LATE: "bold red",
}


def ticket_lines(
    ticket: Ticket,
    *,
    width: int,
    late_s: float,
    merge: bool = False,
    now: datetime | None = None,
    zone: tzinfo | None = None,
) -> Text:
    """One ticket: how long it waits, where it goes, what to make.

    Args:
        ticket: the ticket.
        width: how many columns there are.
        late_s: after so many seconds the wait is too long, where the ticket itself says
            nothing of that.
        merge: whether identical lines are shown as one.
        now: the time; None is this moment.
        zone: by whose clock times are told; None is this machine's.
    """
    now = datetime.now(UTC) if now is None else now
    waits = (now - since(ticket)).total_seconds()
    late = lateness(ticket, now, late_s=late_s)
    word, colour = _STATUS.get(ticket.status, (ticket.status.value, "white"))
    text = Text()
    text.append(f"{age(waits):>6} ", style=_LATENESS[late])
    text.append(place(ticket), style="bold")
    text.append(f"  {word}", style=colour)
    if late:
        text.append(f"  {late.value}", style=_LATENESS[late])
    text.append("\n")
    for said in _whose(ticket, now, zone):
        _wrapped(text, said, width, "       ", "bold")
    for said in standing(ticket, now, zone):
        _wrapped(text, said, width, "       ", "italic")
    lines = [each.line for each in merged(ticket.lines)] if merge else ticket.lines
    for line in lines:
        _line(text, line, width, now, zone)
    text.right_crop(1)
    return text


def since(ticket: Ticket) -> datetime:
    """From when its wait counts: when it was to be made at once."""
    return ticket.since


def lateness(ticket: Ticket, now: datetime, *, late_s: float) -> Lateness:
    """How a ticket does against its own times, or against `late_s` where it has none."""
    if ticket.status not in ON_THE_LINE:
        return Lateness.AHEAD
    if ticket.late_at is None:
        waits = (now - since(ticket)).total_seconds()
        return Lateness.LATE if waits > late_s else Lateness.AHEAD
    if now >= ticket.late_at:
        return Lateness.LATE
    if ticket.warn_at is not None and now >= ticket.warn_at:
        return Lateness.WARN
    return Lateness.AHEAD


def standing(ticket: Ticket, now: datetime, zone: tzinfo | None = None) -> Iterator[str]:
    """What a cook has to know of a ticket beside its lines, a short saying each."""
    if ticket.priority is not Priority.NORMAL:
        yield f"** {ticket.priority.value.upper()} **"
    if ticket.course > 1:
        yield f"course {ticket.course}"
    if ticket.status is TicketStatus.HELD:
        yield _held(ticket, now, zone)
    if ticket.recalls and ticket.status is TicketStatus.STARTED:
        yield "RECALLED" if ticket.recalls == 1 else f"RECALLED {ticket.recalls} times"
    if ticket.moved_from:
        yield f"from {ticket.moved_from}"
    if ticket.why:
        yield f"why: {ticket.why}"
    if ticket.ready_p50_at is not None and ticket.status in ON_THE_LINE:
        yield _ready(ticket.ready_p50_at, ticket.ready_p90_at, now, zone)
    if ticket.also_at:
        yield f"also at {', '.join(f'{each.station} ({each.lines})' for each in ticket.also_at)}"
    if ticket.plates:
        yield ", ".join(_plate(each) for each in ticket.plates)
    if ticket.asked and ticket.status is TicketStatus.SENT:
        told = ", ".join(_who(each) for each in ticket.asked)
        yield f"nobody has heard it: told {told}"


def _who(asked: Asked) -> str:
    if asked.step is EscalationTarget.MANAGER:
        return "the managers"
    word = "till" if asked.step is EscalationTarget.POS else asked.step.value
    return f"{word} {asked.to}"


def _plate(plate: Plate) -> str:
    word = _STATUS.get(plate.status, (plate.status.value, ""))[0]
    return f"{plate.station} {word}{f' (course {plate.course})' if plate.course > 1 else ''}"


def _held(ticket: Ticket, now: datetime, zone: tzinfo | None) -> str:
    match ticket.held_for:
        case HoldReason.COURSE:
            return "waits for the course before"
        case HoldReason.TOGETHER:
            until = f" until {on_screen(ticket.wake_at, now, zone)}" if ticket.wake_at else ""
            return f"waits{until}, to be done with the others"
        case _:
            return "waits for a word"


def _ready(p50: datetime, p90: datetime | None, now: datetime, zone: tzinfo | None) -> str:
    if p50 <= now:
        return f"ready? since {on_screen(p50, now, zone)}"
    by = f", 90 %: {on_screen(p90, now, zone)}" if p90 is not None else ""
    return f"ready ~{on_screen(p50, now, zone)}{by}"


def place(ticket: Ticket) -> str:
    """Where the food goes."""
    return f"table {ticket.table}" if ticket.table else _KIND[ticket.kind]


def line_text(line: TicketLine) -> str:
    """One line of a ticket on one line, for a pipe."""
    told = f"{line.quantity} {line.name}"
    if line.mark is not None:
        told = f"{line.mark.upper()} {told}"
    if line.bumped_at is not None:
        told = f"DONE {told}"
    more = [_inline(each) for each in line.modifiers]
    more += [line.note] if line.note else []
    more += [was(line)] if line.was is not None else []
    more += [f"contains {', '.join(line.allergens)}"] if line.allergens else []
    more += [f"AVOID {', '.join(line.avoid)}"] if line.avoid else []
    return f"{told} ({'; '.join(more)})" if more else told


def was(line: TicketLine) -> str:
    """What the station heard before, as far as it is different."""
    before = line.was
    if before is None:
        return ""
    told = []
    if before.quantity != line.quantity:
        told.append(f"{before.quantity} of it")
    if before.modifiers != line.modifiers:
        told.append(", ".join(_inline(each) for each in before.modifiers) or "plain")
    if before.note != line.note:
        told.append(f"“{before.note}”" if before.note else "no note")
    if before.seat != line.seat:
        told.append(f"seat {before.seat}" if before.seat else "no seat")
    if before.avoid != line.avoid:
        told.append(f"avoid {', '.join(before.avoid) or 'nothing'}")
    if not told:  # what is in it alone is different
        told.append(f"with {', '.join(before.allergens) or 'no allergens'}")
    return f"was {'; '.join(told)}"


def _whose(ticket: Ticket, now: datetime, zone: tzinfo | None) -> Iterator[str]:
    if ticket.guest:
        yield f"for {ticket.guest}"
    if ticket.due_at is not None:
        yield f"due {on_screen(ticket.due_at, now, zone)}"
    if any(line.unheard is not None for line in ticket.lines):
        yield ">> LOOK: IT HAS CHANGED <<"


def _line(text: Text, line: TicketLine, width: int, now: datetime, zone: tzinfo | None) -> None:
    struck = line.mark is LineMark.CANCELLED
    style = "dim strike" if struck else "bold" if line.mark else ""
    if line.bumped_at is not None and not struck:
        _wrapped(text, f"{line.quantity} x {line.name} (done)", width, "   ", "dim")
        return
    if line.mark is not None:
        word, colour = _MARK[line.mark]
        text.append("  ")
        text.append(f"[{word}]", style=colour)
        text.append("\n")
    _wrapped(text, f"{line.quantity} x {line.name}", width, "   ", style)
    if struck:
        return  # nothing of it is to be made: more words would only hide the others
    if line.begin_at is not None and line.begin_at > now:
        begin = f"begin at {on_screen(line.begin_at, now, zone)}"
        _wrapped(text, begin, width, "       ", "italic")
    if line.was is not None:
        _wrapped(text, f"({was(line)})", width, "       ", "italic")
    for said in _nested(line.modifiers):
        _wrapped(text, said.strip(), width, "       " + said[: len(said) - len(said.lstrip())], "")
    if line.note:
        _wrapped(text, line.note, width, "       ", "bold magenta")
    if line.seat or line.guest:
        seat = f"seat {line.seat}" if line.seat else None
        _wrapped(text, ", ".join(filter(None, (seat, line.guest))), width, "       ", "cyan")
    if line.allergens:
        _wrapped(text, f"contains {', '.join(line.allergens)}", width, "       ", "dim")
    if line.avoid:
        avoid = f"!! AVOID {', '.join(line.avoid).upper()} !!"
        _wrapped(text, avoid, width, "    ", "bold white on red")


def _nested(modifiers: Sequence[ChosenModifier], indent: str = "") -> Iterator[str]:
    for each in modifiers:
        yield f"{indent}+ {each.name}{_times(each)}"
        yield from _nested(each.modifiers, indent + _DEEPER)


def _inline(modifier: ChosenModifier) -> str:
    told = f"{modifier.name}{_times(modifier)}"
    inner = ", ".join(_inline(each) for each in modifier.modifiers)
    return f"{told} with {inner}" if inner else told


def _times(modifier: ChosenModifier) -> str:
    return f" x{modifier.quantity}" if modifier.quantity > 1 else ""


def _wrapped(text: Text, said: str, width: int, indent: str, style: str) -> None:
    """Add what is said, on as many lines as it takes."""
    for part in textwrap.wrap(said, max(10, width - len(indent))) or [""]:
        text.append(indent)
        text.append(part, style=style)  # the indent stays plain: a struck-out space confuses
        text.append("\n")
