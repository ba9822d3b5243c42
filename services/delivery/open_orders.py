"""Open deliveries as the live ETA reads them from the rows, house by house."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import RowMapping, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.deliveries import DeliveryStatus
from schemas.delivery_rules import DeliveryRules
from schemas.positions import TravelMode
from services.delivery.legs import Legs
from services.delivery.models import LEGS, read_model
from services.delivery.tables import COURIERS, DELIVERIES, ETA_MODELS
from services.runtime.house_rules import HOUSE_RULES, delivery_of

NEVER: Final = float("nan")

Mark = tuple[object, ...]
"""Is another as soon as anything of a house has changed that its ETAs rest on."""


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An open delivery; times in seconds since 1970, NaN where there is none."""

    order_id: UUID
    status: DeliveryStatus
    device: str | None
    courier: str | None
    stop: int
    lat: float
    lon: float
    placed_at: float
    begun_at: float
    due_at: float
    quoted_p50_at: float
    promised_at: float
    ready_at: float
    assigned_at: float
    accepted_at: float
    at_restaurant_at: float
    picked_up_at: float
    set_out_at: float
    arrived_at: float


@dataclass(frozen=True, slots=True)
class House:
    """What of a house its ETAs rest on.

    Attributes:
        tenant: whose.
        rules: how it delivers, and where it is.
        legs: what was learned of it.
        modes: by what each courier goes.
        orders: its open deliveries.
    """

    tenant: str
    rules: DeliveryRules
    legs: Legs
    modes: Mapping[str, TravelMode]
    orders: Sequence[OpenOrder]


_TIMES: Final = (
    "placed_at",
    "begun_at",
    "due_at",
    "quoted_p50_at",
    "promised_at",
    "ready_at",
    "assigned_at",
    "accepted_at",
    "at_restaurant_at",
    "picked_up_at",
    "set_out_at",
    "arrived_at",
)
_SHOWN: Final = ("order_id", "status", "device", "courier", "stop", "lat", "lon", *_TIMES)


async def read_marks(connection: AsyncConnection, only: str | None = None) -> dict[str, Mark]:
    """The mark of each house that has an open delivery: a few sums, whatever their number.

    Args:
        connection: to the rows.
        only: of this house alone; None of all.
    """
    of = DELIVERIES.c
    # A new one is the newest: so one that came for one that went is seen as well.
    sums = (func.count(), func.sum(of.version), func.max(of.placed_at))
    query = select(of.tenant, *sums).where(of.ended_at.is_(None)).group_by(of.tenant)
    if only is not None:
        query = query.where(of.tenant == only)
    marks: dict[str, Mark] = {row[0]: tuple(row[1:]) for row in await connection.execute(query)}
    if not marks:
        return marks
    book, of_model, of_courier = HOUSE_RULES.c, ETA_MODELS.c, COURIERS.c
    beside = (
        select(book.tenant, book.version).where(book.delivery.is_not(None)),
        select(of_model.tenant, of_model.version).where(of_model.kind == LEGS),
        select(of_courier.tenant, func.count(), func.sum(of_courier.version)).group_by(
            of_courier.tenant
        ),
    )
    for each in beside:
        found = {row[0]: tuple(row[1:]) for row in await connection.execute(each)}
        marks = {tenant: (*mark, found.get(tenant)) for tenant, mark in marks.items()}
    return marks


async def read_house(connection: AsyncConnection, tenant: str) -> House:
    """Read what a house's ETAs rest on."""
    of = DELIVERIES.c
    query = select(*(of[name] for name in _SHOWN)).where(of.tenant == tenant, of.ended_at.is_(None))
    orders = [_order(row) for row in (await connection.execute(query)).mappings()]
    book = HOUSE_RULES.c
    rules = await connection.scalar(select(book.delivery).where(book.tenant == tenant))
    model = await read_model(connection, tenant, LEGS)
    couriers = select(COURIERS.c.courier, COURIERS.c.mode).where(COURIERS.c.tenant == tenant)
    return House(
        tenant,
        delivery_of(rules),
        Legs() if model is None else Legs.of_document(model[1]),
        {row.courier: TravelMode(row.mode) for row in await connection.execute(couriers)},
        orders,
    )


def _order(row: RowMapping) -> OpenOrder:
    times: dict[str, Any] = {name: seconds(row[name]) for name in _TIMES}
    rest = {name: row[name] for name in ("order_id", "device", "courier", "lat", "lon")}
    return OpenOrder(
        status=DeliveryStatus(row["status"]), stop=row["stop"] or 0, **{**rest, **times}
    )


def seconds(at: object) -> float:
    """A time in seconds since 1970; NaN where there is none."""
    return at.timestamp() if isinstance(at, datetime) else NEVER
