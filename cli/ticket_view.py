"""How a ticket is drawn, for a cook with wet hands and no time.

Colour is never the only mark: what is new, changed, cancelled or must be avoided says so in
words and stands out in black and white too. What a cook has to know is wrapped where it is
long, and never cut off.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from rich.text import Text

from cli.printing import age
from schemas.kitchen import LineMark, Ticket, TicketLine, TicketStatus
from schemas.menu import ChosenModifier
from schemas.orders import OrderKind

_STATUS: Final = {
    TicketStatus.SENT: ("new", "bold red"),
    TicketStatus.HEARD: ("heard", "cyan"),
    TicketStatus.STARTED: ("cooking", "yellow"),
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


def ticket_lines(ticket: Ticket, *, width: int, late_s: float) -> Text:
    """One ticket: how long it waits, where it goes, what to make.

    Args:
        ticket: the ticket.
        width: how many columns there are.
        late_s: after so many seconds the wait is shown as too long.
    """
    waits = (datetime.now(UTC) - ticket.placed_at).total_seconds()
    word, colour = _STATUS.get(ticket.status, (ticket.status.value, "white"))
    text = Text()
    text.append(f"{age(waits):>6} ", style="bold red" if waits > late_s else "bold")
    text.append(place(ticket), style="bold")
    text.append(f"  {word}\n", style=colour)
    for said in _whose(ticket):
        _wrapped(text, said, width, "       ", "bold")
    for line in ticket.lines:
        _line(text, line, width)
    text.right_crop(1)
    return text


def place(ticket: Ticket) -> str:
    """Where the food goes."""
    return f"table {ticket.table}" if ticket.table else _KIND[ticket.kind]


def line_text(line: TicketLine) -> str:
    """One line of a ticket on one line, for a pipe."""
    told = f"{line.quantity} {line.name}"
    if line.mark is not None:
        told = f"{line.mark.upper()} {told}"
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


def _whose(ticket: Ticket) -> Iterator[str]:
    if ticket.guest:
        yield f"for {ticket.guest}"
    if ticket.due_at is not None:
        yield f"due {ticket.due_at.astimezone():%H:%M}"
    if any(line.unheard is not None for line in ticket.lines):
        yield ">> LOOK: IT HAS CHANGED <<"


def _line(text: Text, line: TicketLine, width: int) -> None:
    struck = line.mark is LineMark.CANCELLED
    style = "dim strike" if struck else "bold" if line.mark else ""
    if line.mark is not None:
        word, colour = _MARK[line.mark]
        text.append("  ")
        text.append(f"[{word}]", style=colour)
        text.append("\n")
    _wrapped(text, f"{line.quantity} x {line.name}", width, "   ", style)
    if struck:
        return  # nothing of it is to be made: more words would only hide the others
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
