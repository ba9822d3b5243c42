"""When the kitchen would have just these lines: their tickets are cut, told, and thrown away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import count

from schemas.identifiers import new_id
from schemas.menu import MenuItem
from schemas.orders import LineRequest, Order, OrderKind, OrderLine, OrderStatus
from services.kitchen import pace, routing, rules, store, together
from services.kitchen.floor import floor_of
from services.kitchen.ready_times import ready_with
from services.runtime.house_rules import kitchen_rules
from services.runtime.names import OURSELVES
from services.runtime.ports import MenuPort, PacePort
from services.runtime.work import Draft


async def ready(
    draft: Draft,
    tenant: str,
    menu: MenuPort,
    learnt: PacePort,
    lines: Sequence[LineRequest],
    *,
    now: datetime,
) -> tuple[datetime, datetime] | None:
    """When the last ticket of such an order would be ready, p50 and p90.

    None where nothing of it is on the menu.

    Args:
        draft: what looks.
        tenant: whose kitchen.
        menu: what there is.
        learnt: what was learnt of the stations.
        lines: what would be ordered.
        now: when it would come.
    """
    items = await menu.items(draft, tenant, {each.item for each in lines})
    order = _as_if_placed(lines, items, now)
    if not order.lines:
        return None
    book = await kitchen_rules(draft, tenant)
    floor = await floor_of(draft, tenant, book, order, now=now)
    tickets = []
    for share, made in routing.share_out(order, None, floor).items():
        ticket = rules.cut(new_id(), order, share, made, sequence=1, at=now)
        ticket = ticket.model_copy(update={"lines": pace.described(ticket, items)})
        ahead_s = (await store.station_now(draft, tenant, share.station)).work_s
        station = book.station(share.station)
        tickets.append(
            pace.promised(ticket, station, max(0, ahead_s), learnt, tenant=tenant, at=now)
        )
    return ready_with(together.plan(book, tickets, now))


def _as_if_placed(
    lines: Sequence[LineRequest], items: Mapping[str, MenuItem], now: datetime
) -> Order:
    numbers = count(1)
    known = tuple(
        OrderLine(
            line=next(numbers),
            item=each.item,
            name=items[each.item].name,
            quantity=each.quantity,
            unit_minor=0,
            total_minor=0,
            station=items[each.item].station,
            course=each.course or items[each.item].course,
        )
        for each in lines
        if each.item in items
    )
    return Order(
        order_id=new_id(),
        number="none",
        status=OrderStatus.ACCEPTED,
        version=1,
        device=OURSELVES,
        kind=OrderKind.DELIVERY,
        currency=next((each.currency for each in items.values()), "EUR"),
        total_minor=0,
        lines=known,
        placed_at=now,
    )
