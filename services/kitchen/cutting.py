"""An order becomes tickets: routed, in courses, promised, and sent to who must hear them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from schemas.identifiers import new_id
from schemas.kitchen import LineMark, Ticket
from schemas.kitchen_rules import KitchenRules
from schemas.orders import Order
from services.kitchen import (
    beside,
    courses,
    expo,
    hurry,
    pace,
    receipt,
    routing,
    rules,
    showing,
    store,
)
from services.kitchen.floor import floor_of
from services.runtime.context import Context
from services.runtime.house_rules import kitchen_rules


async def cut(
    order: Order,
    context: Context,
    chosen: Collection[int] | None = None,
    *,
    mark: LineMark | None = None,
) -> None:
    """Cut the tickets of an order, or of the lines that came later, and show them."""
    draft, tenant = context.draft, context.tenant
    book = await kitchen_rules(draft, tenant)
    floor = await floor_of(draft, tenant, book, order, chosen, now=context.now)
    shared = routing.share_out(order, chosen, floor)
    tickets: Sequence[Ticket] = [
        rules.cut(new_id(), order, share, lines, sequence=1, at=context.now, mark=mark)
        for share, lines in shared.items()
    ]
    if chosen is not None:
        tickets = await hurry.join(context, order, tickets)
    tickets = await pace.promise(context, book, order, tickets)
    tickets = beside.tell(await courses.arrange(context, book, order, tickets))
    expos = [
        name
        for name in expo.expos(book)
        if (await store.station_now(draft, tenant, name)).closed is None
    ]
    for ticket in tickets:
        known = ticket.model_copy(update={"expos": tuple(expos)}) if expos else ticket
        await _send(context, book, known)
    for name in expos if tickets else ():
        at_expo = expo.cut(new_id(), name, order, tickets, at=context.now, mark=mark)
        await _send(context, book, at_expo)


async def _send(context: Context, book: KitchenRules, ticket: Ticket) -> None:
    ticket = await receipt.address(context, book, ticket)
    sequence = await store.next_sequence(context.draft, context.tenant, ticket.station)
    await showing.show(context, ticket.model_copy(update={"sequence": sequence}))
