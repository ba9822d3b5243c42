"""What a delivery that begins now is promised: placed already, or only asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select

from schemas.deliveries import DeliveryStatus
from schemas.positions import Place, TravelMode
from services.delivery import couriers
from services.delivery.legs import LegKind
from services.delivery.models import legs_of, whole_of
from services.delivery.quoting import Quote, quote
from services.delivery.tables import DELIVERIES
from services.geography import sphere
from services.runtime.ports import Ports
from services.runtime.work import Draft

_WAITS: Final = (
    *(DeliveryStatus.WAITING, DeliveryStatus.ASSIGNED, DeliveryStatus.ACCEPTED),
    DeliveryStatus.AT_RESTAURANT,
)


@dataclass(frozen=True, slots=True)
class Promise:
    """What is promised, and by what it was reckoned.

    Attributes:
        quote: what is expected and promised.
        waiting: how many deliveries stand before it that nobody has picked up.
        couriers: how many couriers are at work.
        learned: the house has learned how long it takes from order to door, and it rests on that.
    """

    quote: Quote
    waiting: int
    couriers: int
    learned: bool


async def promise(
    draft: Draft,
    ports: Ports,
    tenant: str,
    *,
    now: datetime,
    house: Place,
    distance_m: float,
    items: int,
    ready: tuple[datetime, datetime] | None = None,
    due_at: datetime | None = None,
) -> Promise:
    """What a delivery is promised that begins now.

    Nothing that must hold rests on what it reads: it may be a little older than the decision.

    Args:
        draft: what decides, or looks.
        ports: what the couriers' dispatcher knows.
        tenant: whose delivery.
        now: when it begins.
        house: where the restaurant is.
        distance_m: from there to the door, along the straight line.
        items: how many dishes.
        ready: when the kitchen will have it, p50 and p90; None where it does not say.
        due_at: for when it is wanted; None is as soon as possible.
    """
    connection = draft.work.connection
    waiting = await connection.scalar(
        select(func.count()).where(
            DELIVERIES.c.tenant == tenant,
            DELIVERIES.c.ended_at.is_(None),
            DELIVERIES.c.status.in_([each.value for each in _WAITS]),
        )
    )
    crew = await couriers.at_work(connection, tenant, now)
    whole = await whole_of(
        draft,
        tenant,
        now=now,
        house=(house.lat, house.lon),
        distance_m=distance_m,
        items=items,
    )
    legs = await legs_of(draft, tenant)
    soonest = None
    if due_at is None:  # who is free by then, no plan of now says
        usually = now + timedelta(seconds=legs.parts[LegKind.COOKING].p50_s)
        ready_at = usually if ready is None else ready[0]
        soonest = ports.couriers.soonest(tenant, now=now, ready_at=ready_at)
    told = quote(
        now=now,
        distance_m=distance_m,
        due_at=due_at,
        ready_p50_at=None if ready is None else ready[0],
        ready_p90_at=None if ready is None else ready[1],
        waiting=waiting or 0,
        couriers=crew.total(),
        courier_at=soonest,
        legs=legs,
        mode=crew.most_common(1)[0][0] if crew else TravelMode.BICYCLE,
        whole=whole,
    )
    return Promise(told, waiting or 0, crew.total(), whole is not None)


def away_m(door: Place, house: Place) -> float:
    """How far a door is from the restaurant, in metres, along the straight line."""
    return float(sphere.distance_m(house.lat, house.lon, door.lat, door.lon))
