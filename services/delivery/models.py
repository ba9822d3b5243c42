"""What was learned of a house, as its rows keep it; see `services.delivery.trainer`."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from pydantic_core import from_json, to_json
from sqlalchemy import RowMapping, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.deliveries import DeliveryStatus
from services.delivery.closed_orders import VENUE, away_m, had_at
from services.delivery.learning.orders import MINUTE_S, gather
from services.delivery.learning.parameters import OfAnotherVersion, Parameters
from services.delivery.legs import Legs
from services.delivery.quoting import WholeWait
from services.delivery.tables import DELIVERIES, ETA_MODELS
from services.runtime import house_rules
from services.runtime.wall_clock import zone_of
from services.runtime.work import Draft

LEGS: Final = "legs"
"""The kind of model that knows each part of the way."""
WHOLE: Final = "whole"
"""The kind that knows an order from its beginning to its door."""
_LATELY: Final = timedelta(hours=4)


async def legs_of(draft: Draft, tenant: str) -> Legs:
    """What was learned of a house's parts of the way, for a decision; else what is assumed.

    A decision does not rest on it: what is learned meanwhile changes no promise that was made.
    """
    row = await draft.get(ETA_MODELS, tenant, LEGS)
    return Legs() if row is None else _legs(to_json(row["document"]))


async def whole_of(
    draft: Draft,
    tenant: str,
    *,
    now: datetime,
    house: tuple[float, float],
    distance_m: float,
    items: int,
) -> WholeWait | None:
    """How long orders like this one take just now, from their beginning to the door.

    None where the house has not learned it. What other orders show of the evening so far is read
    as it stands: it only shades a promise.

    Args:
        draft: what decides.
        tenant: whose.
        now: when it begins.
        house: the restaurant, latitude and longitude.
        distance_m: from there to the guest's door, along the straight line.
        items: how many dishes.
    """
    row = await draft.get(ETA_MODELS, tenant, WHOLE)
    if row is None:
        return None
    try:
        parameters = _whole(to_json(row["document"]))
    except OfAnotherVersion:
        return None  # the trainer learns it anew within the hour
    zone = zone_of((await house_rules.order_rules(draft, tenant)).time_zone)
    of = DELIVERIES.c
    began_at = func.coalesce(of.begun_at, of.placed_at, type_=of.placed_at.type)
    lately = select(
        *(began_at.label("began_at"), of.arrived_at, of.ended_at),
        *(of.lat, of.lon, of.distance_m, of["items"]),
    ).where(
        of.tenant == tenant,
        of.due_at.is_(None),
        of.placed_at <= now,
        of.placed_at > now - _LATELY,
        (of.ended_at.is_(None)) | (of.status == DeliveryStatus.DELIVERED.value),
    )
    found = (await draft.work.connection.execute(lately)).mappings().all()
    orders = gather(
        [*(each["began_at"].astimezone(zone) for each in found), now.astimezone(zone)],
        [
            *(away_m(house, each["lat"], each["lon"], each["distance_m"]) for each in found),
            distance_m,
        ],
        [*(float(each["items"]) for each in found), float(items)],
        [VENUE] * (len(found) + 1),
        [*(_minutes(each, now) for each in found), float("nan")],
    )
    told = parameters.tell(orders, len(orders) - 1)
    today_min = float(told.rush_min[0]) * (1 + parameters.correction.per_rush)
    return WholeWait(
        float(told.p50_min[0]) * MINUTE_S, float(told.p90_min[0]) * MINUTE_S, today_min * MINUTE_S
    )


async def read_model(
    connection: AsyncConnection, tenant: str, kind: str
) -> tuple[datetime, Any] | None:
    """One house's model of a kind with when it was learned; None where there is none."""
    of = ETA_MODELS.c
    query = select(of.trained_at, of.document).where(of.tenant == tenant, of.kind == kind)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else (row.trained_at, row.document)


def _minutes(row: RowMapping, now: datetime) -> float:
    """How long an order took; nan while it is under way."""
    end = had_at(row["arrived_at"], row["ended_at"], now)
    return float("nan") if end is None else (end - row["began_at"]).total_seconds() / MINUTE_S


@lru_cache(maxsize=256)
def _whole(document: bytes) -> Parameters:
    return Parameters.from_json(from_json(document))


@lru_cache(maxsize=256)
def _legs(document: bytes) -> Legs:
    return Legs.of_document(from_json(document))
