"""How a line of a ticket shows what happened to it after it was sent. Pure.

A line takes everything from its order at once; nothing of it is worked out here, so that no
modifier and no allergen can be lost between the guest and the cook.
"""

from __future__ import annotations

from typing import Final

from schemas.kitchen import LineMark, TicketLine, WasLine
from schemas.orders import Order, OrderLine

_CONTENT: Final = ("quantity", "note", "modifiers", "allergens", "avoid", "seat")
"""What may change of a line, and stands in `WasLine` too."""

_MAKING: Final = ("prep_s", "components", "begin_at", "bumped_at", "made_at")
"""What the kitchen says of a line, and its order knows nothing of."""


def ticket_line(order: Order, line: OrderLine, *, mark: LineMark | None = None) -> TicketLine:
    """A line of an order as its station sees it."""
    return TicketLine(
        line=line.line,
        item=line.item,
        name=line.name,
        quantity=line.quantity,
        note=line.note,
        modifiers=line.modifiers,
        allergens=line.allergens,
        avoid=line.avoid,
        seat=line.seat,
        guest=_name(order, line.guest),
        mark=mark,
    )


def changed(order: Order, shown: TicketLine, line: OrderLine, sequence: int) -> TicketLine:
    """The line with the order's new words, and with what the station last heard instead.

    What is changed twice before it is heard keeps the older `was`; what is changed back to
    that bears no mark of it any more.
    """
    if shown.mark is LineMark.CANCELLED:
        return shown
    after = {name: getattr(line, name) for name in _CONTENT}
    if after == {name: getattr(shown, name) for name in _CONTENT}:
        return shown
    was = shown.was
    if shown.unheard is None or was is None:
        before = {name: getattr(shown, name) for name in _CONTENT}
        came_later = LineMark.NEW in {shown.mark, None if was is None else was.mark}
        was = WasLine.model_validate({**before, "mark": LineMark.NEW if came_later else None})
    back = all(getattr(was, name) == after[name] for name in _CONTENT)
    return ticket_line(order, line).model_copy(
        update={
            "mark": was.mark if back else LineMark.CHANGED,
            "was": None if back else was,
            "unheard": sequence,
            **{name: getattr(shown, name) for name in _MAKING},
        }
    )


def cancelled(order: Order, shown: TicketLine, line: OrderLine, sequence: int) -> TicketLine:  # noqa: ARG001 - the shape that `rules.follow` calls
    """The line struck out: what it says stays, so that the cook knows what not to make."""
    if shown.mark is LineMark.CANCELLED:
        return shown
    return shown.model_copy(
        update={
            "mark": LineMark.CANCELLED,
            "was": None if shown.unheard is None else shown.was,
            "unheard": sequence,
        }
    )


def heard(line: TicketLine, seen: int) -> TicketLine:
    """The line after a screen has shown what happened up to this sequence."""
    if line.unheard is None or line.unheard > seen:
        return line
    return line.model_copy(update={"unheard": None})


def renamed(order: Order, line: TicketLine) -> TicketLine:
    """The line with the name that the order has for its guest now.

    Where the order has forgotten its note, so has the ticket: people write names there too.
    """
    known = next((each for each in order.lines if each.line == line.line), None)
    changes: dict[str, object] = {}
    name = _name(order, None if known is None else known.guest)
    if name != line.guest:
        changes["guest"] = name
    if known is not None and not known.note:
        if line.note:
            changes["note"] = ""
        if line.was is not None and line.was.note:
            changes["was"] = line.was.model_copy(update={"note": ""})
    return line.model_copy(update=changes) if changes else line


def _name(order: Order, guest: int | None) -> str | None:
    return next((each.name for each in order.participants if each.guest == guest), None)
