"""What a delivery would be promised that is not placed yet, and whether one is taken at all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import select

from schemas.delivery_requests import QuoteDelivery
from schemas.delivery_rules import DeliveryRules
from schemas.orders import LineRequest, OrderKind
from schemas.positions import Place
from schemas.refusals import RefusalCode
from schemas.replies import DeliveryQuote, QuotePart
from services.delivery import average_door, doors, promising
from services.delivery.asking import Asker, asker_of
from services.delivery.pausing import Seen
from services.delivery.promising import Promise
from services.delivery.quoting import Part
from services.runtime import house_rules
from services.runtime.ports import Ports
from services.runtime.refusal import Refusal
from services.runtime.router import Asking, Router
from services.runtime.tables import DEVICES
from services.runtime.work import Draft, UnitOfWork

router: Final = Router()
_FURTHEST: Final = timedelta(days=366)
"""Nobody may order for a later time either."""


class Foreseen(NamedTuple):
    """What a delivery would be promised that is placed now.

    Attributes:
        promise: as it would be promised.
        distance_m: from the restaurant to the door, along the straight line.
        dishes: so many were reckoned with.
    """

    promise: Promise
    distance_m: float
    dishes: int


@router.answer(QuoteDelivery)
async def quote_delivery(query: QuoteDelivery, asking: Asking) -> DeliveryQuote:
    """What the guest would be told.

    Raises:
        Refusal: `not-allowed`, to whom it is no business; `no-place`; `too-far`; `time-passed`.
    """
    role = await asking.connection.scalar(
        select(DEVICES.c.role).where(
            DEVICES.c.tenant == asking.tenant, DEVICES.c.device == asking.device
        )
    )
    if asker_of(role) is not Asker.HOUSE:
        raise Refusal(RefusalCode.NOT_ALLOWED, "a promise is a till's or a manager's to ask for")
    if query.due_at is not None and query.due_at <= asking.now:
        raise Refusal(RefusalCode.TIME_PASSED, "the time it is asked for is over")
    if query.due_at is not None and query.due_at > asking.now + _FURTHEST:
        raise Refusal(RefusalCode.TIME_OUT_OF_RANGE, "it is asked for too far ahead")
    draft, tenant = Draft(UnitOfWork(asking.connection)), asking.tenant
    house = await house_rules.delivery_rules(draft, tenant)
    if house.place is None:
        raise Refusal(RefusalCode.NO_PLACE, doors.no_place(tenant))
    if query.place is not None and (why := doors.why_too_far(query.place, house, tenant)):
        raise Refusal(RefusalCode.TOO_FAR, why)
    later = await _is_for_later(draft, tenant, query.due_at, asking.now)
    told = await foresee(
        draft,
        asking.ports,
        tenant,
        now=asking.now,
        house=house.place,
        door=query.place,
        dishes=query.items,
        lines=query.lines,
        due_at=query.due_at,
        later=later,
    )
    kitchen = asking.ports.kitchen
    closed = None
    if not later:  # what is paused now is taken for another time
        closed = await kitchen.closed(draft, tenant, OrderKind.DELIVERY, asking.now)
    return _receipt(told, None if closed is None else closed.text)


async def foresee(
    draft: Draft,
    ports: Ports,
    tenant: str,
    *,
    now: datetime,
    house: Place,
    door: Place | None = None,
    dishes: int | None = None,
    lines: Sequence[LineRequest] = (),
    due_at: datetime | None = None,
    later: bool = False,
) -> Foreseen:
    """What a delivery would be promised that is placed now.

    Args:
        draft: what looks.
        ports: what the kitchen offers.
        tenant: whose.
        now: when it would be placed.
        house: where the restaurant is.
        door: the guest's; None is as far away as most are.
        dishes: how many; None is as many as most have.
        lines: which, where that is known; then they say how many.
        due_at: for when it is wanted; None is as soon as possible.
        later: the kitchen would not get it now: what stands before it now will be done by then.
    """
    if lines:
        dishes = sum(each.quantity for each in lines)
    if door is None or dishes is None:
        usual = await average_door.read(draft.work.connection, tenant, now)
        dishes = usual.dishes if dishes is None else dishes
        distance_m = usual.distance_m if door is None else promising.away_m(door, house)
    else:
        distance_m = promising.away_m(door, house)
    ready = None
    if not later:
        ready = await ports.kitchen.foreseen(draft, tenant, now=now, dishes=dishes, lines=lines)
    promise = await promising.promise(
        draft,
        ports,
        tenant,
        now=now,
        house=house,
        distance_m=distance_m,
        items=dishes,
        ready=ready,
        due_at=due_at,
    )
    return Foreseen(promise, distance_m, dishes)


async def seen(
    draft: Draft, ports: Ports, tenant: str, house: DeliveryRules, now: datetime
) -> Seen | None:
    """How it stands with deliveries; None of a house without a place."""
    if house.place is None:
        return None
    told = (await foresee(draft, ports, tenant, now=now, house=house.place)).promise
    return Seen(told.quote.wait.p90_s, told.couriers)


async def _is_for_later(draft: Draft, tenant: str, due_at: datetime | None, now: datetime) -> bool:
    """Tell whether an order for this time would wait before the kitchen gets it."""
    if due_at is None:
        return False
    lead_s = (await house_rules.order_rules(draft, tenant)).lead_s
    return now < due_at - timedelta(seconds=lead_s)


def _receipt(told: Foreseen, why_not: str | None) -> DeliveryQuote:
    quote = told.promise.quote
    return DeliveryQuote(
        p50_at=quote.p50_at,
        promised_at=quote.promised_at,
        taken=why_not is None,
        why_not=why_not,
        distance_m=round(told.distance_m),
        items=told.dishes,
        wait=_part(quote.wait),
        kitchen=_part(quote.parts.kitchen),
        courier=_part(quote.parts.courier),
        way=_part(quote.parts.way),
        learned=told.promise.learned,
        waiting=told.promise.waiting,
        couriers=told.promise.couriers,
    )


def _part(part: Part) -> QuotePart:
    return QuotePart(p50_s=round(part.p50_s, 1), p90_s=round(part.p90_s, 1))
