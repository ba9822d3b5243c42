"""How much of a hurry an order is in: what comes to it later is in the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from schemas.kitchen import Priority, Ticket, TicketStatus
from schemas.orders import Order
from services.kitchen import rules, store
from services.runtime.context import Context

_GONE = frozenset({TicketStatus.CANCELLED, TicketStatus.MOVED})


async def join(context: Context, order: Order, tickets: Sequence[Ticket]) -> Sequence[Ticket]:
    """Put what was just cut of an order where the rest of it is."""
    known = await store.tickets_of(context.draft, context.tenant, order.order_id)
    priority = of_order(known)
    if priority is Priority.NORMAL:
        return tickets
    return [each.model_copy(update={"priority": priority}) for each in tickets]


def of_order(tickets: Iterable[Ticket]) -> Priority:
    """The hurry that an order's tickets are in; of one that is all made, the last one's. Pure."""
    there = [each for each in tickets if each.status not in _GONE]
    open_ = [each for each in there if rules.is_open(each)]
    if open_:
        return max((each.priority for each in open_), key=list(Priority).index)
    ended = [each for each in there if each.ended_at is not None]
    last = max(ended, key=lambda each: (each.ended_at, each.ticket_id), default=None)
    return Priority.NORMAL if last is None else last.priority
