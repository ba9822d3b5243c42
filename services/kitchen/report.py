"""What a kitchen has done in a span of time, reckoned from its tickets. Pure.

How things are counted, so that anybody can count them again from the messages alone:

- a ticket belongs to the span in which it ended, as it stood when it ended last: recalled and
  bumped again it counts once;
- *hear* is from when a ticket was sent to the line (`sent_at`: cut, or fired) to its hearing;
- *prep* is from when it was started (from when it was heard, where nobody said so) to its bump;
  a line that was bumped by itself counts to its own bump, for its item;
- *late* is a ticket that was bumped after its `late_at`;
- *load* is the work of the tickets bumped in it against what the station's hands can do in
  the hours in which it bumped any;
- *voids* are lines that were cancelled after they were sent.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from statistics import quantiles

from schemas.kitchen import LineMark, Ticket, TicketStatus
from schemas.kitchen_rules import KitchenRules

HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Spread:
    """Half were quicker than `p50_s`, nine of ten than `p90_s`; both None of nothing."""

    count: int = 0
    p50_s: float | None = None
    p90_s: float | None = None


@dataclass(frozen=True, slots=True)
class HourDone:
    """One hour, as the house's clock shows it.

    Attributes:
        hour: as ``2026-03-14 19``.
        orders: orders of which something was bumped in it.
        tickets: tickets that were bumped.
        lines: their lines, without those that were cancelled.
    """

    hour: str
    orders: int
    tickets: int
    lines: int


@dataclass(frozen=True, slots=True)
class StationDone:
    """What one station has done."""

    station: str
    tickets: int
    lines: int
    hear: Spread
    prep: Spread
    items: Mapping[str, Spread]
    late: int
    late_share: float
    recalls: int
    voids: int
    load: float


@dataclass(frozen=True, slots=True)
class KitchenDone:
    """What the whole kitchen has done."""

    orders: int
    tickets: int
    lines: int
    unheard: int
    """Tickets that ended without anybody having heard them."""
    hours: tuple[HourDone, ...]
    stations: tuple[StationDone, ...]


@dataclass(slots=True)
class _Counts:
    tickets: int = 0
    lines: int = 0
    late: int = 0
    recalls: int = 0
    voids: int = 0
    work_s: int = 0
    hear: list[float] = field(default_factory=list)
    prep: list[float] = field(default_factory=list)
    items: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    hours: set[str] = field(default_factory=set)


def report(tickets: Iterable[Ticket], book: KitchenRules, zone: tzinfo) -> KitchenDone:
    """Reckon what was done.

    Args:
        tickets: those that ended in the span, each once, as they ended last.
        book: the house's rules: how many hands a station has.
        zone: the house's own time, for the hours.
    """
    stations: dict[str, _Counts] = defaultdict(_Counts)
    hours: dict[str, tuple[set[object], Counter[str]]] = defaultdict(lambda: (set(), Counter()))
    orders: set[object] = set()
    unheard = 0
    for ticket in tickets:
        counts = stations[ticket.station]
        counts.voids += voided_lines(ticket)
        counts.recalls += ticket.recalls
        if ticket.status is not TicketStatus.BUMPED or ticket.ended_at is None:
            unheard += ticket.status is TicketStatus.CANCELLED and never_heard(ticket)
            continue
        made = [line for line in ticket.lines if line.mark is not LineMark.CANCELLED]
        hour = hour_of(ticket.ended_at, zone)
        _add(counts, ticket, hour)
        orders.add(ticket.order_id)
        seen, done = hours[hour]
        seen.add(ticket.order_id)
        done["tickets"] += 1
        done["lines"] += len(made)
    return KitchenDone(
        orders=len(orders),
        tickets=sum(each.tickets for each in stations.values()),
        lines=sum(each.lines for each in stations.values()),
        unheard=unheard,
        hours=tuple(
            HourDone(hour, len(seen), done["tickets"], done["lines"])
            for hour, (seen, done) in sorted(hours.items())
        ),
        stations=tuple(
            _station(name, counts, book.station(name).hands)
            for name, counts in sorted(stations.items())
        ),
    )


def prep_s(ticket: Ticket) -> float | None:
    """How long the ticket was made, in seconds; None where that is not known."""
    begun = ticket.started_at or ticket.heard_at
    if begun is None or ticket.ended_at is None:
        return None
    return (ticket.ended_at - begun).total_seconds()


def hear_s(ticket: Ticket) -> float | None:
    """How long it took until somebody heard it, in seconds."""
    if ticket.heard_at is None or ticket.sent_at is None:
        return None
    return (ticket.heard_at - ticket.sent_at).total_seconds()


def is_late(ticket: Ticket) -> bool:
    """Whether it was bumped after it should have been."""
    return (
        ticket.late_at is not None
        and ticket.ended_at is not None
        and ticket.ended_at > ticket.late_at
    )


def never_heard(ticket: Ticket) -> bool:
    """Whether it was sent to the line, and nobody said that they saw it."""
    return ticket.sent_at is not None and ticket.heard_at is None


def voided_lines(ticket: Ticket) -> int:
    """Lines that were cancelled after they were sent; of a cancelled ticket, all."""
    if ticket.status is TicketStatus.CANCELLED:
        return len(ticket.lines)
    return sum(line.mark is LineMark.CANCELLED for line in ticket.lines)


def spread(seconds: Sequence[float]) -> Spread:
    """The median and the ninth tenth, as `statistics.quantiles` has them (inclusive)."""
    if not seconds:
        return Spread()
    if len(seconds) == 1:
        return Spread(1, round(seconds[0], 3), round(seconds[0], 3))
    tenths = quantiles(seconds, n=10, method="inclusive")
    return Spread(len(seconds), round(tenths[4], 3), round(tenths[8], 3))


def hour_of(at: datetime, zone: tzinfo) -> str:
    """The hour in the house's own time: ``2026-03-14 19``."""
    return at.astimezone(zone).strftime("%Y-%m-%d %H")


def _add(counts: _Counts, ticket: Ticket, hour: str) -> None:
    counts.tickets += 1
    counts.late += is_late(ticket)
    counts.work_s += ticket.work_s
    counts.hours.add(hour)
    if (heard := hear_s(ticket)) is not None:
        counts.hear.append(heard)
    if (prepared := prep_s(ticket)) is not None:
        counts.prep.append(prepared)
    begun = ticket.started_at or ticket.heard_at
    for line in ticket.lines:
        if line.mark is LineMark.CANCELLED:
            continue
        counts.lines += 1
        done = line.bumped_at or ticket.ended_at
        if begun is not None and done is not None:
            counts.items[line.item].append((done - begun).total_seconds())


def _station(name: str, counts: _Counts, hands: int) -> StationDone:
    can_do = hands * HOUR_S * len(counts.hours)
    return StationDone(
        station=name,
        tickets=counts.tickets,
        lines=counts.lines,
        hear=spread(counts.hear),
        prep=spread(counts.prep),
        items={item: spread(took) for item, took in sorted(counts.items.items())},
        late=counts.late,
        late_share=round(counts.late / counts.tickets, 4) if counts.tickets else 0.0,
        recalls=counts.recalls,
        voids=counts.voids,
        load=round(counts.work_s / can_do, 4) if can_do else 0.0,
    )
