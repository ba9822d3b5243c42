"""Identical lines of a ticket as one: a cook makes three burgers, whoever they are for. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from schemas.kitchen import TicketLine


@dataclass(frozen=True, slots=True)
class Merged:
    """Lines that are made in the same way.

    Attributes:
        line: the first of them, with the quantity of all; its seat and guest name them all.
        lines: their numbers on the ticket, for who bumps or recalls them.
    """

    line: TicketLine
    lines: tuple[int, ...]


def merged(lines: Iterable[TicketLine]) -> tuple[Merged, ...]:
    """Lines that say the same to a cook as one, where the first of them stood.

    Two are the same when item, modifiers, note, what is in it and what must not be, mark,
    what was heard before, and whether it is bumped already are.
    """
    alike: dict[Hashable, list[TicketLine]] = {}
    for line in lines:
        alike.setdefault(_made(line), []).append(line)
    return tuple(
        Merged(_one(group), tuple(line.line for line in group)) for group in alike.values()
    )


def _made(line: TicketLine) -> Hashable:
    return (
        line.item,
        line.name,
        line.modifiers,
        line.note,
        line.allergens,
        line.avoid,
        line.mark,
        line.was and line.was.model_copy(update={"seat": None}),
        line.bumped_at is None,
        line.components,
    )


def _one(group: Sequence[TicketLine]) -> TicketLine:
    first = group[0]
    if len(group) == 1:
        return first
    unheard = [line.unheard for line in group if line.unheard is not None]
    begin = [line.begin_at for line in group if line.begin_at is not None]
    return first.model_copy(
        update={
            "quantity": sum(line.quantity for line in group),
            "seat": _names(line.seat for line in group),
            "guest": _names(line.guest for line in group),
            "unheard": max(unheard, default=None),
            # The one that is to be begun first calls the cook.
            "begin_at": min(begin, default=None) if len(begin) == len(group) else None,
        }
    )


def _names(names: Iterable[str | None]) -> str | None:
    known = dict.fromkeys(name for name in names if name is not None)
    return ", ".join(known) or None
