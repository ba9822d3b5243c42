"""All-day counts: what is still to be made, by item and by component, from change to change.

Pure. A change costs what its ticket has lines, however much is open elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from devices.station_view import Changes
from schemas.kitchen import OPEN_TICKET, LineMark, Ticket, TicketStatus


@dataclass(frozen=True, slots=True)
class Count:
    """How many of one thing are still to be made.

    Attributes:
        what: the item or the component.
        name: the item's name; a component is called by itself.
        now: of tickets that are to be made at once.
        held: of tickets that wait for a course, a time or a word.
    """

    what: str
    name: str
    now: int
    held: int


@dataclass(frozen=True, slots=True)
class _Share:
    """What one ticket adds: at which station, whether it is held, and how many of what."""

    station: str
    held: bool
    whole: bool
    """Whether the kitchen counts it: an expo makes nothing of what it sees."""
    items: tuple[tuple[str, int], ...]
    components: tuple[tuple[str, int], ...]


class _Counts:
    """Numbers by name, now and held; what comes to nothing is forgotten."""

    def __init__(self) -> None:
        self._numbers: dict[str, list[int]] = {}

    def add(self, what: str, number: int, *, held: bool) -> None:
        numbers = self._numbers.setdefault(what, [0, 0])
        numbers[held] += number
        if not any(numbers):
            del self._numbers[what]

    def __iter__(self) -> Iterator[tuple[str, int, int]]:
        return ((what, now, held) for what, (now, held) in self._numbers.items())

    def __bool__(self) -> bool:
        return bool(self._numbers)


_KITCHEN: Final = None
"""The key of what all stations together have."""


class AllDay:
    """What is still to be made, at each station and in the whole kitchen.

    Feed it with every open ticket as it changes, and with those that end. Cancelled lines
    and those that were bumped by themselves are not to be made any more.
    """

    def __init__(self, tickets: Iterable[Ticket] = ()) -> None:
        self._shares: dict[UUID, _Share] = {}
        self._items: dict[str | None, _Counts] = {}
        self._components: dict[str | None, _Counts] = {}
        self._names: dict[str, str] = {}
        for ticket in tickets:
            self.put(ticket)

    def take(self, changes: Changes) -> None:
        """Follow what has changed on a screen."""
        for ticket_id in changes.ended:
            self.drop(ticket_id)
        for ticket in changes.shown:
            self.put(ticket)

    def put(self, ticket: Ticket) -> None:
        """A ticket is new, or says something else than before."""
        self.drop(ticket.ticket_id)
        if ticket.status not in OPEN_TICKET:
            return
        share = self._shares[ticket.ticket_id] = _share(ticket)
        self._names.update((line.item, line.name) for line in ticket.lines)
        self._add(share, 1)

    def drop(self, ticket_id: UUID) -> None:
        """A ticket has ended; one that is not known changes nothing."""
        share = self._shares.pop(ticket_id, None)
        if share is not None:
            self._add(share, -1)

    def items(self, station: str | None = None) -> list[Count]:
        """Items at a station, or in the whole kitchen: the most first."""
        return self._told(self._items.get(station, _Counts()))

    def components(self, station: str | None = None) -> list[Count]:
        """The same by component."""
        return self._told(self._components.get(station, _Counts()), named=False)

    @property
    def stations(self) -> list[str]:
        """Where something is still to be made."""
        return sorted(each for each in self._items if each is not None)

    def _add(self, share: _Share, times: int) -> None:
        places = (share.station, _KITCHEN) if share.whole else (share.station,)
        for counts, numbers in ((self._items, share.items), (self._components, share.components)):
            for place in places:
                here = counts.setdefault(place, _Counts())
                for what, number in numbers:
                    here.add(what, times * number, held=share.held)
                if not here:
                    del counts[place]

    def _told(self, counts: _Counts, *, named: bool = True) -> list[Count]:
        told = [
            Count(what, self._names.get(what, what) if named else what, now, held)
            for what, now, held in counts
        ]
        return sorted(told, key=lambda each: (-each.now, -each.held, each.what))


def _share(ticket: Ticket) -> _Share:
    items: dict[str, int] = {}
    components: dict[str, int] = {}
    for line in ticket.lines:
        if line.mark is LineMark.CANCELLED or line.bumped_at is not None:
            continue
        items[line.item] = items.get(line.item, 0) + line.quantity
        for each in line.components:
            number = line.quantity * each.quantity
            components[each.component] = components.get(each.component, 0) + number
    return _Share(
        ticket.station,
        ticket.status is TicketStatus.HELD,
        not ticket.plates,
        tuple(items.items()),
        tuple(components.items()),
    )
