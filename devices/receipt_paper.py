"""How a ticket looks on paper: pure, from a ticket to rows of text.

Paper is read in passing, in steam, once. The order's number is large; what must not be eaten
is white on black; and what was changed, taken off or printed before says so in words, for a
slip that was torn off stays where it is.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import StrEnum
from typing import Final

from schemas.kitchen import LineMark, Priority, Ticket, TicketLine, WasLine
from schemas.menu import ChosenModifier
from schemas.orders import OrderKind

USUAL_COLUMNS: Final = 42
LEAST_COLUMNS: Final = 20
CODE_PAGES: Final = ("cp437", "cp850", "cp852", "cp858", "cp866", "cp1252")
"""What nearly every printer knows; other letters are written in the nearest plain ones."""
_UNREADABLE: Final = "?"


class SlipKind(StrEnum):
    """Why a piece of paper comes out."""

    TICKET = "ticket"
    CHANGED = "changed"
    """It stands in the place of what came out before."""
    AGAIN = "again"
    """Somebody asked for it on paper, or nobody has heard it on a screen."""
    CANCELLED = "cancelled"
    MOVED = "moved"
    """Another station makes it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of paper.

    Attributes:
        text: no longer than the columns it has; half as many where it is `large`.
        large: twice as wide and twice as high.
        bold: heavier.
        inverse: white on black.
        centre: in the middle.
    """

    text: str
    large: bool = False
    bold: bool = False
    inverse: bool = False
    centre: bool = False


def paper(
    ticket: Ticket,
    kind: SlipKind = SlipKind.TICKET,
    *,
    duplicate: bool = False,
    columns: int = USUAL_COLUMNS,
    zone: tzinfo | None = None,
) -> list[Row]:
    """Lay a ticket out.

    Args:
        ticket: as it stands.
        kind: why it is printed.
        duplicate: it came out before, or may have.
        columns: how many letters of the usual size a line has.
        zone: the time that the kitchen's clock shows; None is this machine's.
    """
    return list(_Sheet(max(columns, LEAST_COLUMNS), zone).ticket(ticket, kind, duplicate))


def plain(text: str) -> str:
    """The text in letters that printers know: nothing of it can command one."""
    return "".join(_letter(each) for each in text)


@dataclass(frozen=True, slots=True)
class _Sheet:
    columns: int
    zone: tzinfo | None

    def ticket(self, ticket: Ticket, kind: SlipKind, duplicate: bool) -> Iterator[Row]:  # noqa: FBT001 - private, and named at its one call
        for word in _banners(ticket, kind, duplicate=duplicate):
            yield from self._wrapped(word, large=True, inverse=True, centre=True)
        yield from self._wrapped(_short(ticket.order_number), large=True, bold=True, centre=True)
        yield from self._wrapped(_where(ticket), large=True, centre=True)
        yield from self._wrapped(self._station(ticket), bold=True, centre=True)
        if ticket.guest:
            yield from self._wrapped(f"for {ticket.guest}", centre=True)
        if ticket.due_at is not None:
            yield from self._wrapped(f"due {self._time(ticket.due_at)}", bold=True, centre=True)
        yield Row("-" * self.columns)
        if kind in {SlipKind.CANCELLED, SlipKind.MOVED}:
            said = "do not make" if kind is SlipKind.CANCELLED else "not made here any more"
            yield from self._wrapped(f"{said}:", bold=True)
        for line in ticket.lines:
            yield from self._line(line)
        yield Row("-" * self.columns)
        if ticket.also_at:
            also = ", ".join(f"{each.station} ({each.lines})" for each in ticket.also_at)
            yield from self._wrapped(f"also at {also}")
        if ticket.why:
            yield from self._wrapped(ticket.why)
        ordered = f"ordered {self._time(ticket.placed_at)}"
        yield from self._wrapped(f"{ticket.order_number}, {ordered}")

    def _station(self, ticket: Ticket) -> str:
        course = f", course {ticket.course}" if ticket.course > 1 else ""
        return f"{ticket.station.upper()}{course}"

    def _line(self, line: TicketLine) -> Iterator[Row]:
        if line.mark is not None:
            yield from self._wrapped(f"*** {line.mark.value.upper()} ***", bold=True)
        name = legible(line.name, line.item)
        yield from self._wrapped(
            f"{line.quantity} x {name}", large=line.mark is not LineMark.CANCELLED, hang="    "
        )
        if line.mark is LineMark.CANCELLED:
            return  # nothing of it is to be made: more words would only hide the others
        if line.was is not None:
            yield from self._wrapped(f"was: {_was(line.was, line)}", indent="    ")
        for depth, said in _nested(line.modifiers):
            yield from self._wrapped(f"+ {said}", bold=True, indent="    " + "  " * depth)
        if line.note:
            yield from self._wrapped(f"! {line.note}", bold=True, indent="    ")
        whose = ", ".join(filter(None, (line.seat and f"seat {line.seat}", line.guest)))
        if whose:
            yield from self._wrapped(whose, indent="    ")
        if line.allergens:
            yield from self._wrapped(f"contains {', '.join(line.allergens)}", indent="    ")
        if line.avoid:
            avoid = f"NO {', '.join(line.avoid).upper()}: ALLERGY"
            yield from self._wrapped(avoid, large=True, bold=True, inverse=True)

    def _wrapped(
        self,
        said: str,
        *,
        indent: str = "",
        hang: str = "",
        large: bool = False,
        bold: bool = False,
        inverse: bool = False,
        centre: bool = False,
    ) -> Iterator[Row]:
        """What is said, on as many lines as it takes: nothing is cut off."""
        room = self.columns // 2 if large else self.columns
        parts = textwrap.wrap(
            plain(said), room, initial_indent=indent, subsequent_indent=hang or indent
        )
        for part in parts:
            yield Row(part, large=large, bold=bold, inverse=inverse, centre=centre)

    def _time(self, at: datetime) -> str:
        return f"{at.astimezone(self.zone):%H:%M}"


def legible(name: str, item: str) -> str:
    """A dish's name as it can be printed; where most of it cannot be, with the item's id."""
    shown = plain(name)
    lost = shown.count(_UNREADABLE) - name.count(_UNREADABLE)
    return f"{shown} ({item})" if 2 * lost > len(name.replace(" ", "")) else shown


def _letter(letter: str) -> str:
    if letter.isascii():
        return letter if letter.isprintable() else " "
    near = _NEAR.get(letter)
    if near is not None:
        return near
    if letter in _KNOWN:
        return letter
    # Accents off: what is left may be plain, or at least known.
    apart = unicodedata.normalize("NFKD", letter)
    kept = "".join(each for each in apart if not unicodedata.combining(each))
    if kept and kept != letter and all(each.isascii() or each in _KNOWN for each in kept):
        return "".join(each if each.isprintable() else " " for each in kept)
    if unicodedata.category(letter) in {"Mn", "Cf", "Cc", "Zl", "Zp"}:
        return ""  # it is nothing by itself, or says how others are drawn
    return _UNREADABLE


def _known() -> frozenset[str]:
    letters = set()
    for page in CODE_PAGES:
        for code in range(128, 256):
            letter = bytes([code]).decode(page, errors="ignore")
            if letter.isprintable():
                letters.add(letter)
    return frozenset(letters) - {""}


_KNOWN: Final = _known()
_NEAR: Final = {
    "\N{LEFT SINGLE QUOTATION MARK}": "'",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{LEFT DOUBLE QUOTATION MARK}": '"',
    "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
    "\N{EN DASH}": "-",
    "\N{EM DASH}": "-",
    "\N{MINUS SIGN}": "-",
    "\N{LATIN CAPITAL LETTER SHARP S}": "SS",
}


def _banners(ticket: Ticket, kind: SlipKind, *, duplicate: bool) -> Iterator[str]:
    if kind is SlipKind.CANCELLED:
        yield "CANCELLED"
    elif kind is SlipKind.MOVED:
        yield f"MOVED TO {(ticket.moved_to or 'another station').upper()}"
    elif kind is SlipKind.CHANGED:
        yield "CHANGED"
    if duplicate:
        yield "DUPLICATE"
    if ticket.priority is not Priority.NORMAL:
        yield "RUSH" if ticket.priority is Priority.RUSH else "FIRST"


def _short(number: str) -> str:
    """The part of an order's number that is called."""
    return number.rsplit("-", 1)[-1] or number


_KIND: Final = {
    OrderKind.DINE_IN: "take away",  # nobody sits anywhere
    OrderKind.TAKEAWAY: "take away",
    OrderKind.DELIVERY: "delivery",
}


def _where(ticket: Ticket) -> str:
    return f"table {ticket.table}" if ticket.table else _KIND[ticket.kind]


def _was(was: WasLine, line: TicketLine) -> str:
    told = []
    if was.quantity != line.quantity:
        told.append(f"{was.quantity} of it")
    if was.modifiers != line.modifiers:
        told.append(", ".join(said for _, said in _nested(was.modifiers)) or "plain")
    if was.note != line.note:
        told.append(f"'{was.note}'" if was.note else "no note")
    if was.seat != line.seat:
        told.append(f"seat {was.seat}" if was.seat else "no seat")
    if was.avoid != line.avoid:
        told.append(f"avoid {', '.join(was.avoid) or 'nothing'}")
    return "; ".join(told) or "with other allergens"


def _nested(modifiers: Sequence[ChosenModifier], depth: int = 0) -> Iterator[tuple[int, str]]:
    for each in modifiers:
        times = f" x{each.quantity}" if each.quantity > 1 else ""
        yield depth, f"{each.name}{times}"
        yield from _nested(each.modifiers, depth + 1)


def as_text(rows: Iterable[Row]) -> str:
    """The paper as plain text, for whoever has no printer at hand."""
    return "\n".join(row.text for row in rows)
