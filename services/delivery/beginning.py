"""How a delivery begins: with its order, and with what its guest is promised."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Final

from schemas.delivery_rules import DeliveryRules
from schemas.orders import Order, OrderStatus
from schemas.positions import Place
from services.delivery import moving, promising, rules
from services.delivery.kept import Kept
from services.delivery.quoting import Quote
from services.runtime.context import Context

_ABOUT_M: Final = 50.0


async def begin(
    context: Context,
    order: Order,
    place: Place,
    house: DeliveryRules,
    *,
    address: str | None = None,
) -> Kept:
    """Make the delivery of an order: it waits for somebody who brings it.

    Args:
        context: of the decision.
        order: what is brought.
        place: the guest's door.
        house: how it delivers.
        address: the door in words; None is as the order says.
    """
    code = "".join(secrets.choice("0123456789") for _ in range(rules.CODE_DIGITS))
    link = secrets.token_hex(16)
    kept = rules.begin(order, place, house, address=address, code=code, link=link)
    kept = replace(kept, begun_at=context.now)
    kept = replace(kept, distance_m=about_m(place, house))
    told = await _quoted(context, order, place, house)
    if told is not None:
        kept = rules.promise(kept, told.p50_at, told.promised_at)
    if order.status is OrderStatus.READY:
        kept = replace(kept, ready_at=context.now)
    await moving.changed(context, kept, None)
    return kept


def about_m(place: Place, house: DeliveryRules) -> float | None:
    """About how far a door is from the restaurant, in metres, along the straight line.

    To fifty metres: rides are learned from that, and nobody's door is found by it.
    """
    if house.place is None:
        return None
    return round(promising.away_m(place, house.place) / _ABOUT_M) * _ABOUT_M


async def _quoted(
    context: Context, order: Order, place: Place, house: DeliveryRules
) -> Quote | None:
    if house.place is None:
        return None
    ready = await context.ports.kitchen.ready(context.draft, context.tenant, order.order_id)
    promised = await promising.promise(
        context.draft,
        context.ports,
        context.tenant,
        now=context.now,
        house=house.place,
        distance_m=promising.away_m(place, house.place),
        items=rules.items(order),
        ready=ready,
        due_at=order.due_at,
    )
    return promised.quote
