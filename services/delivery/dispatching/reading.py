"""What the dispatcher plans with, from the rows: houses, their open deliveries, their couriers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.delivery_rules import DeliveryRules
from schemas.positions import TravelMode
from services.delivery import couriers, store
from services.delivery.dispatching import lagging
from services.delivery.dispatching.situating import Employed, HouseNow, Stop
from services.delivery.kept import Kept
from services.delivery.legs import LegKind, Legs
from services.delivery.models import LEGS, read_model
from services.delivery.open_orders import seconds
from services.delivery.tables import DELIVERIES
from services.runtime.ready_times import OrderKey, ReadyTime, ReadyTimes
from services.runtime.whereabouts import WhereaboutsBook

log = structlog.get_logger(__name__)

_SOON_S: Final = 60.0
"""Food that should be ready and is not, takes so much longer, about."""
_MODES: Final = frozenset(each.value for each in TravelMode)
_A_SHIFT: Final = timedelta(hours=12)
"""Work longer ago than this was another day's."""

_AN_HOUR: Final = timedelta(hours=1)

Fleets = dict[str, list[str]]
"""The houses of each fleet, by its name."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Who knows what the deliveries' own rows do not say.

    Attributes:
        ready_times: when the kitchen will have an order.
        whereabouts: where couriers are.
    """

    ready_times: ReadyTimes
    whereabouts: WhereaboutsBook


def fleets_of(houses: Mapping[str, DeliveryRules]) -> Fleets:
    """Who plans together, where any of them has its couriers asked by itself.

    A house by itself is a fleet of its own; who has said no place, delivers nothing.
    """
    found: Fleets = {}
    for tenant, rules in sorted(houses.items()):
        if rules.place is None:
            continue
        # No house is called like this: what it names itself is no fleet of others.
        name = f"fleet {rules.fleet}" if rules.fleet is not None else tenant
        found.setdefault(name, []).append(tenant)
    return {name: fleet for name, fleet in found.items() if any(houses[t].automatic for t in fleet)}


async def read_houses(
    connection: AsyncConnection,
    rules: Mapping[str, DeliveryRules],
    sources: Sources,
    now: datetime,
) -> list[HouseNow]:
    """Read these houses as they are now."""
    open_ones = {tenant: await store.open_ones(connection, tenant) for tenant in rules}
    wanted = [
        (tenant, each.delivery.order_id)
        for tenant, kept in open_ones.items()
        for each in kept
        if each.ready_at is None
    ]
    ready = await sources.ready_times(connection, wanted) if wanted else {}
    hourly = await _hourly(connection, [t for t, each in rules.items() if each.preposition], now)
    found = []
    for tenant, house in rules.items():
        model = await read_model(connection, tenant, LEGS)
        legs = Legs() if model is None else Legs.of_document(model[1])
        stops = [_stop(tenant, each, ready, legs, now) for each in open_ones[tenant]]
        stops = lagging.behind(stops, _late(tenant, ready, now.timestamp()))
        employed = await _couriers(connection, tenant, sources.whereabouts, now)
        found.append(HouseNow(tenant, house, legs, stops, employed, hourly.get(tenant, 0.0)))
    return found


def _late(tenant: str, ready: Mapping[OrderKey, ReadyTime], now_s: float) -> dict[UUID, float]:
    """For how long each order that is cooked is late by its kitchen's word; below 0 it is not."""
    return {
        order_id: now_s - seconds(said.p50_at)
        for (whose, order_id), said in ready.items()
        if whose == tenant and said.p50_at is not None
    }


async def _hourly(
    connection: AsyncConnection, tenants: Sequence[str], now: datetime
) -> dict[str, float]:
    """How many deliveries these houses were ordered in the last hour."""
    if not tenants:
        return {}
    of = DELIVERIES.c
    counts = await connection.execute(
        select(of.tenant, func.count())
        .where(of.tenant.in_(tenants), of.placed_at > now - _AN_HOUR, of.placed_at <= now)
        .group_by(of.tenant)
    )
    return {row[0]: float(row[1]) for row in counts}


async def _couriers(
    connection: AsyncConnection, tenant: str, whereabouts: WhereaboutsBook, now: datetime
) -> Sequence[Employed]:
    rows = await couriers.every(connection, tenant)
    seen = await whereabouts.of(connection, [(tenant, row["device"]) for row in rows])
    of = DELIVERIES.c
    had = await connection.execute(
        select(of.courier, func.count())
        .where(of.tenant == tenant, of.ended_at > now - _A_SHIFT, of.courier.is_not(None))
        .group_by(of.courier)
    )
    counts: dict[str, int] = {row[0]: row[1] for row in had}
    found = []
    for row in rows:
        if row["mode"] not in _MODES:
            log.warning("a courier of another release is not asked", courier=row["courier"])
            continue
        at = seen.get((tenant, row["device"]))
        found.append(
            Employed(
                tenant=tenant,
                courier=row["courier"],
                version=row["version"],
                mode=TravelMode(row["mode"]),
                carries=row["carries"],
                # A shift that is over is over, and says nothing of what another house was told.
                on_duty=row["on_duty"] and (row["until"] is None or row["until"] > now),
                until_s=math.inf if row["until"] is None else row["until"].timestamp(),
                place=None if at is None else (at.lat, at.lon),
                seen_s=-math.inf if at is None else at.at.timestamp(),
                had=counts.get(row["courier"], 0),
                device=row["device"] or "",
            )
        )
    return found


def _stop(
    tenant: str, kept: Kept, ready: Mapping[OrderKey, ReadyTime], legs: Legs, now: datetime
) -> Stop:
    delivery = kept.delivery
    p50, p90 = _ready(kept, ready.get((tenant, delivery.order_id)), legs, now.timestamp())
    return Stop(
        tenant=tenant,
        order_id=delivery.order_id,
        number=delivery.number,
        version=delivery.version,
        status=delivery.status,
        place=(delivery.place.lat, delivery.place.lon),
        placed_s=delivery.placed_at.timestamp(),
        ready_p50_s=p50,
        ready_p90_s=p90,
        courier=delivery.courier,
        stop=delivery.stop or 0,
        items=kept.items,
        due_s=seconds(delivery.due_at),
        promised_s=seconds(delivery.promised_at),
        assigned_s=seconds(delivery.assigned_at),
        arrived_s=seconds(delivery.arrived_at),
        declined_by=delivery.declined_by,
        declined_s=seconds(kept.beside.declined_at),
        pinned=delivery.pinned,
        by_hand=delivery.courier is not None and delivery.why is None,
    )


def _ready(kept: Kept, said: ReadyTime | None, legs: Legs, now_s: float) -> tuple[float, float]:
    """When the food is ready, p50 and p90; NaN where its kitchen does not say.

    A house whose kitchen works without tickets is taken to be as quick as usual.
    """
    if kept.ready_at is not None:
        at = kept.ready_at.timestamp()
        return at, at
    if said is None:
        cooking = legs.parts[LegKind.COOKING]
        begun = (kept.begun_at or kept.delivery.placed_at).timestamp()
        p50, p90 = begun + cooking.p50_s, begun + cooking.p90_s
    else:
        p50 = seconds(said.p50_at)
        p90 = seconds(said.p90_at or said.p50_at)
    if math.isnan(p50):
        return p50, p50
    p50 = max(p50, now_s + _SOON_S)
    return p50, max(p50, p90)
