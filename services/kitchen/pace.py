"""How much work a ticket is, and when it will be ready."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from schemas.kitchen import LineMark, Priority, Ticket, TicketLine
from schemas.kitchen_rules import MAX_COMPONENTS, KitchenRules, StationRules
from schemas.menu import ChosenModifier, Component, MenuItem, ModifierGroup
from schemas.orders import Order
from services.kitchen import store
from services.runtime.context import Context
from services.runtime.ports import PacePort

MOST_WORK_S: Final = 24 * 3600
"""Of one ticket, as it is counted: 999 wedding cakes are a day's work too."""


@dataclass(frozen=True, slots=True)
class Reckoned:
    """How long a ticket ought to take, in seconds.

    Attributes:
        work_s: the work in it, of one pair of hands.
        ahead_s: the work before it at its station, of one pair of hands.
        waits_s: until somebody begins it.
        makes_s: from then on.
    """

    work_s: float
    ahead_s: float
    waits_s: float
    makes_s: float

    @property
    def takes_s(self) -> float:
        """From now until it is ready."""
        return self.waits_s + self.makes_s


def reckon(units: Sequence[tuple[float, int]], hands: int, ahead_s: float = 0.0) -> Reckoned:
    """Reckon a ticket: its queue first, then all hands on it, as far as its items allow.

    Args:
        units: of each line, how many seconds one takes, and how many there are.
        hands: how many things the station works on at once.
        ahead_s: the work before it, of one pair of hands.

    >>> reckon([(60, 4)], hands=2, ahead_s=120).takes_s  # a minute of queue, two rounds
    180.0
    >>> reckon([(300, 1), (60, 1)], hands=8).makes_s  # more hands do not make a roast quicker
    300.0
    """
    work_s = min(sum(seconds * quantity for seconds, quantity in units), MOST_WORK_S)
    longest = max((seconds for seconds, _ in units), default=0.0)
    return Reckoned(work_s, ahead_s, ahead_s / hands, max(longest, work_s / hands))


def unit_s(pace: PacePort, tenant: str, station: str, line: TicketLine, usual_s: int) -> float:
    """How many seconds one of a line takes: by the menu or as usual, and as it was seen lately."""
    return (line.prep_s or usual_s) * pace.speed(tenant, station, line.item)


def to_make(ticket: Ticket) -> Iterator[TicketLine]:
    """The lines of a ticket that are still to be made."""
    for line in ticket.lines:
        if line.mark is not LineMark.CANCELLED and line.bumped_at is None:
            yield line


async def promise(
    context: Context, book: KitchenRules, _order: Order, tickets: Sequence[Ticket]
) -> Sequence[Ticket]:
    """Say of each ticket how much work it is and when it will be ready, if it is begun now."""
    if not tickets:
        return tickets
    items = {line.item for ticket in tickets for line in ticket.lines}
    menu = await context.ports.menu.items(context.draft, context.tenant, items)
    return [
        await anew(context, book, ticket.model_copy(update={"lines": described(ticket, menu)}))
        for ticket in tickets
    ]


async def anew(context: Context, book: KitchenRules, ticket: Ticket) -> Ticket:
    """Promise a ticket that is begun now: when it was cut, fired, moved or put before others."""
    now = await store.station_now(context.draft, context.tenant, ticket.station)
    # What it adds to the line itself is nothing that it waits for.
    ahead_s = max(0, now.work_s - await _counted(context, ticket))
    if ticket.priority is Priority.RUSH:
        ahead_s = 0
    return promised(
        ticket,
        book.station(ticket.station),
        ahead_s,
        context.ports.pace,
        tenant=context.tenant,
        at=context.now,
    )


async def followed(context: Context, book: KitchenRules, before: Ticket, after: Ticket) -> Ticket:
    """Bring what was promised of a ticket to what its lines now are."""
    items = {line.item for line in after.lines}
    menu = await context.ports.menu.items(context.draft, context.tenant, items)
    lines = tuple(
        line if line.item not in menu else _described(line, menu[line.item]) for line in after.lines
    )
    after = after.model_copy(update={"lines": lines})
    rules, pace = book.station(after.station), context.ports.pace
    units = _units(after, rules, pace, context.tenant)
    old = reckon(_units(before, rules, pace, context.tenant), rules.hands)
    new = reckon(units, rules.hands)
    more_s = new.makes_s - old.makes_s
    changes: dict[str, object] = {**_work(after, units, rules, pace, context.tenant)}
    if after.reckoned_s and more_s:
        changes["reckoned_s"] = max(1, round(after.reckoned_s + more_s))
    for name in ("ready_p50_at", "ready_p90_at"):
        at: datetime | None = getattr(after, name)
        if at is not None:
            changes[name] = at + timedelta(seconds=round(more_s))
    return after.model_copy(update=changes)


def promised(
    ticket: Ticket,
    rules: StationRules,
    ahead_s: float,
    pace: PacePort,
    *,
    tenant: str,
    at: datetime,
) -> Ticket:
    """Say when a ticket will be ready that is begun at a time. Pure, but for what was learnt.

    Args:
        ticket: with its lines described.
        rules: of its station.
        ahead_s: the work before it, of one pair of hands.
        pace: what the station has shown lately.
        tenant: whose station.
        at: when it is begun.
    """
    units = _units(ticket, rules, pace, tenant)
    reckoned = reckon(units, rules.hands, ahead_s)
    factors = pace.factors(tenant, ticket.station, at, reckoned.waits_s)
    # What takes longer than its station's dishes do is late later.
    longest = max((line.prep_s or 0 for line in ticket.lines), default=0)
    slower = max(1.0, longest / rules.prep_s)
    return ticket.model_copy(
        update={
            **_work(ticket, units, rules, pace, tenant),
            "ahead_s": round(ahead_s),
            "reckoned_s": max(1, round(reckoned.takes_s)),
            "ready_p50_at": _after(at, factors[0] * reckoned.takes_s),
            "ready_p90_at": _after(at, factors[1] * reckoned.takes_s),
            "warn_at": _after(at, slower * rules.warn_s),
            "late_at": _after(at, slower * rules.late_s),
        }
    )


def with_done(context: Context, book: KitchenRules, ticket: Ticket) -> Ticket:
    """Say how much of a ticket's work is done, after some of its lines were bumped."""
    rules, pace = book.station(ticket.station), context.ports.pace
    units = _units(ticket, rules, pace, context.tenant)
    now = _work(ticket, units, rules, pace, context.tenant)
    # What is in it stays: the booked work of a quarter must not follow each new guess.
    share = now["done_s"] / max(1, now["work_s"])
    return ticket.model_copy(update={"done_s": round(ticket.work_s * share)})


def weighed(context: Context, book: KitchenRules, ticket: Ticket) -> Ticket:
    """Say how much work is in a ticket's lines as they now are, and promise nothing of it."""
    rules, pace = book.station(ticket.station), context.ports.pace
    units = _units(ticket, rules, pace, context.tenant)
    return ticket.model_copy(update=_work(ticket, units, rules, pace, context.tenant))


def described(ticket: Ticket, menu: Mapping[str, MenuItem]) -> tuple[TicketLine, ...]:
    """The lines of a ticket with what the menu says of making them."""
    return tuple(
        line if line.item not in menu else _described(line, menu[line.item])
        for line in ticket.lines
    )


def _described(line: TicketLine, item: MenuItem) -> TicketLine:
    if item.prep_s == line.prep_s and not (item.components or line.components or line.modifiers):
        return line  # most lines
    return line.model_copy(
        update={"prep_s": item.prep_s, "components": components(item, line.modifiers)}
    )


def components(item: MenuItem, modifiers: Collection[ChosenModifier]) -> tuple[Component, ...]:
    """What one of an item is made of, with what was chosen with it."""
    found = {each.component: each.quantity for each in item.components}
    for name, quantity in _of_modifiers(modifiers, item.groups, 1):
        found[name] = found.get(name, 0) + quantity
    return tuple(
        Component(component=name, quantity=min(quantity, MAX_COMPONENTS))
        for name, quantity in found.items()
    )


def _of_modifiers(
    chosen: Collection[ChosenModifier], groups: Collection[ModifierGroup], times: int
) -> Iterator[tuple[str, int]]:
    if not chosen:
        return
    offered = {each.modifier: each for group in groups for each in group.modifiers}
    for each in chosen:
        known = offered.get(each.modifier)
        if known is None:  # it has left the menu since
            continue
        for made_of in known.components:
            yield made_of.component, times * each.quantity * made_of.quantity
        yield from _of_modifiers(each.modifiers, known.groups, times * each.quantity)


def _units(
    ticket: Ticket, rules: StationRules, pace: PacePort, tenant: str
) -> list[tuple[float, int]]:
    return _units_of(ticket, to_make(ticket), rules, pace, tenant)


def _units_of(
    ticket: Ticket, lines: Iterable[TicketLine], rules: StationRules, pace: PacePort, tenant: str
) -> list[tuple[float, int]]:
    return [
        (unit_s(pace, tenant, ticket.station, line, rules.prep_s), line.quantity) for line in lines
    ]


def _work(
    ticket: Ticket,
    to_do: Sequence[tuple[float, int]],
    rules: StationRules,
    pace: PacePort,
    tenant: str,
) -> dict[str, int]:
    """The work in a ticket, and what of it is done here: what was made is work, voided or not."""
    made = [line for line in ticket.lines if line.bumped_at is not None and line.made_at is None]
    if not made:  # most tickets
        return {"work_s": round(reckon(to_do, rules.hands).work_s), "done_s": 0}
    done = _units_of(ticket, made, rules, pace, tenant)
    work_s = round(reckon([*to_do, *done], rules.hands).work_s)
    whole, of_it = (sum(seconds * n for seconds, n in each) for each in ([*to_do, *done], done))
    return {"work_s": work_s, "done_s": round(work_s * of_it / whole)}


async def _counted(context: Context, ticket: Ticket) -> int:
    """The work that its station counts of this ticket already."""
    if ticket.version == 1:
        return 0
    return await store.counted_work(context.draft, context.tenant, ticket.ticket_id)


def _after(at: datetime, seconds: float) -> datetime:
    return at + timedelta(seconds=round(seconds))
