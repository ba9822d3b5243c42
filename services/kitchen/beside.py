"""What other stations make for the same order and course: each ticket says it of the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from schemas.kitchen import AlsoAt, LineMark, Ticket
from services.kitchen import expo, rules, showing, store
from services.runtime.context import Context


def tell(tickets: Sequence[Ticket]) -> list[Ticket]:
    """The tickets of an order, each with what the others make; pure."""
    if len(tickets) == 1:
        return list(tickets)  # most orders
    return [each.model_copy(update={"also_at": also_at(each, tickets)}) for each in tickets]


def also_at(ticket: Ticket, tickets: Iterable[Ticket]) -> tuple[AlsoAt, ...]:
    """What is open at other stations of the same order and course; pure."""
    found: dict[str, int] = {}
    for each in tickets:
        if each.station == ticket.station or each.course != ticket.course:
            continue
        lines = sum(line.mark is not LineMark.CANCELLED for line in each.lines)
        if lines and not expo.is_expo(each) and rules.is_open(each):
            found[each.station] = found.get(each.station, 0) + lines
    return tuple(AlsoAt(station=name, lines=found[name]) for name in sorted(found))


async def follow(context: Context, moved: Ticket) -> None:
    """After a ticket has gone to another station: those of its course say where it is now."""
    tickets = await store.tickets_of(context.draft, context.tenant, moved.order_id)
    for each in tickets:
        if each.course != moved.course or expo.is_expo(each) or not rules.is_open(each):
            continue
        also = also_at(each, tickets)
        if {one.station for one in also} != {one.station for one in each.also_at}:
            await showing.again(context, each.model_copy(update={"also_at": also}))
