"""How a delivery begins: with its order, and with what its guest is promised."""

from __future__ import annotations

import secrets
from collections import Counter
from dataclasses import replace
from typing import Final

from sqlalchemy import func, select

from schemas.deliveries import DeliveryStatus
from schemas.delivery_rules import DeliveryRules
from schemas.orders import Order, OrderStatus
from schemas.positions import Place, TravelMode
from services.delivery import moving, rules
from services.delivery.kept import Kept
from services.delivery.models import legs_of, whole_of
from services.delivery.quoting import Quote, quote
from services.delivery.tables import COURIERS, DELIVERIES
from services.geography.sphere import distance_m
from services.runtime.context import Context

_ABOUT_M: Final = 50.0
_WAITS: Final = (
    *(DeliveryStatus.WAITING, DeliveryStatus.ASSIGNED, DeliveryStatus.ACCEPTED),
    DeliveryStatus.AT_RESTAURANT,
)


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
    far = float(distance_m(house.place.lat, house.place.lon, place.lat, place.lon))
    return round(far / _ABOUT_M) * _ABOUT_M


async def _quoted(
    context: Context, order: Order, place: Place, house: DeliveryRules
) -> Quote | None:
    if house.place is None:
        return None
    ready = await context.ports.kitchen.ready(context.draft, context.tenant, order.order_id)
    connection = context.draft.work.connection
    # How much there is to do may be a little older than this decision: it only shades a promise.
    waiting = await connection.scalar(
        select(func.count()).where(
            DELIVERIES.c.tenant == context.tenant,
            DELIVERIES.c.ended_at.is_(None),
            DELIVERIES.c.status.in_([each.value for each in _WAITS]),
        )
    )
    modes = await connection.execute(
        select(COURIERS.c.mode).where(
            COURIERS.c.tenant == context.tenant, COURIERS.c.device.is_not(None)
        )
    )
    usual = Counter(row.mode for row in modes)
    there = (house.place.lat, house.place.lon)
    return quote(
        now=context.now,
        distance_m=float(distance_m(*there, place.lat, place.lon)),
        due_at=order.due_at,
        ready_p50_at=None if ready is None else ready[0],
        ready_p90_at=None if ready is None else ready[1],
        waiting=waiting or 0,
        couriers=sum(usual.values()),
        legs=await legs_of(context.draft, context.tenant),
        mode=TravelMode(usual.most_common(1)[0][0]) if usual else TravelMode.BICYCLE,
        whole=await whole_of(
            context.draft,
            context.tenant,
            now=context.now,
            house=there,
            door=(place.lat, place.lon),
            items=rules.items(order),
        ),
    )
