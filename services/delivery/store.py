"""The deliveries' rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.deliveries import Delivery, DeliveryStatus, Proof
from schemas.positions import Place
from schemas.refusals import RefusalCode
from schemas.replies import DeliveryReceipt
from services.delivery import doors
from services.delivery.asking import Asker, who_asks
from services.delivery.kept import Beside, Kept
from services.delivery.tables import DELIVERIES
from services.runtime import house_rules
from services.runtime.among import among, among_pairs
from services.runtime.context import Context
from services.runtime.refusal import Refusal
from services.runtime.work import Record, Row, made_of

NONE: Final = "nothing of order {} is brought: is it for delivery, accepted, and with a place?"
_TIMES: Final = (
    *("placed_at", "due_at", "promised_at", "assigned_at", "accepted_at", "at_restaurant_at"),
    *("picked_up_at", "set_out_at", "arrived_at", "ended_at"),
)
_PLAIN: Final = ("order_id", "version", "number", "courier", "device", "stop", *_TIMES)


def to_kept(row: Row) -> Kept:
    """Read a row."""
    document = row["document"]
    proof = document.get("proof")
    delivery = Delivery(
        status=DeliveryStatus(row["status"]),
        place=Place(lat=row["lat"], lon=row["lon"]),
        declined_by=tuple(document.get("declined_by", ())),
        pinned=document.get("pinned"),
        why=document.get("why"),
        proof=None if proof is None else Proof.model_validate(proof),
        reason=document.get("reason"),
        **{name: row[name] for name in _PLAIN},
    )
    beside = Beside.model_validate(document.get("beside", {}))
    times = (row["ready_at"], row["quoted_p50_at"], row["begun_at"])
    return Kept(delivery, beside, row["items"], *times, row["distance_m"])


def to_row(tenant: str, kept: Kept) -> Record:
    """Write a row."""
    delivery = kept.delivery
    document: dict[str, Any] = {
        "beside": kept.beside.model_dump(mode="json", exclude_defaults=True),
        "declined_by": list(delivery.declined_by),
    }
    if delivery.proof is not None:
        document["proof"] = delivery.proof.model_dump(mode="json")
    for name in ("reason", "pinned", "why"):
        if (said := getattr(delivery, name)) is not None:
            document[name] = said
    row = Record(
        {name: getattr(delivery, name) for name in _PLAIN},
        tenant=tenant,
        status=delivery.status.value,
        lat=delivery.place.lat,
        lon=delivery.place.lon,
        items=kept.items,
        ready_at=kept.ready_at,
        quoted_p50_at=kept.quoted_p50_at,
        begun_at=kept.begun_at,
        distance_m=kept.distance_m,
        document=document,
    )
    row.made = kept
    return row


async def seek(context: Context, order_id: UUID) -> Kept | None:
    """Read one delivery; None where the order has none."""
    row = await context.draft.get(DELIVERIES, context.tenant, order_id)
    return None if row is None else made_of(row, to_kept)


async def load(context: Context, order_id: UUID) -> Kept:
    """Read the delivery that a request is about; refusals say from now on how it stands.

    Raises:
        Refusal: `not-found`.
    """
    kept = await seek(context, order_id)
    if kept is None:
        raise Refusal(RefusalCode.NOT_FOUND, await _why_none(context, order_id))
    context.standing = DeliveryReceipt(delivery=kept.delivery)
    return kept


async def _why_none(context: Context, order_id: UUID) -> str:
    """Why there is none. To whom an order is no business it is told nothing of it."""
    order = await context.ports.orders.order(context.draft, context.tenant, order_id)
    if order is None or await who_asks(context) is not Asker.HOUSE:
        return NONE.format(order_id)
    house = await house_rules.delivery_rules(context.draft, context.tenant)
    return doors.why_none(order, house, context.tenant)


def save(context: Context, kept: Kept) -> None:
    """Keep a delivery, new or changed."""
    context.draft.put(DELIVERIES, to_row(context.tenant, kept))


# -- for whoever looks ------------------------------------------------------------------------


async def find(connection: AsyncConnection, tenant: str, order_id: UUID) -> Kept | None:
    """One delivery as it is kept; None where the order has none."""
    mine = _of(tenant).where(DELIVERIES.c.order_id == order_id)
    row = (await connection.execute(mine)).mappings().one_or_none()
    return None if row is None else to_kept(dict(row))


async def open_ones(connection: AsyncConnection, tenant: str) -> list[Kept]:
    """All deliveries of a house that have not ended, the first placed first."""
    query = _of(tenant).where(DELIVERIES.c.ended_at.is_(None))
    rows = await connection.execute(query.order_by(DELIVERIES.c.placed_at, DELIVERIES.c.order_id))
    return [to_kept(dict(row)) for row in rows.mappings()]


async def some(
    connection: AsyncConnection, orders: Collection[tuple[str, UUID]]
) -> dict[tuple[str, UUID], Kept]:
    """The deliveries of these orders, each ``(tenant, order_id)``, of several houses at once."""
    of, dialect = DELIVERIES.c, connection.dialect.name
    query = select(DELIVERIES).where(among_pairs(of.tenant, of.order_id, orders, dialect))
    rows = (await connection.execute(query)).mappings()
    return {(row["tenant"], row["order_id"]): to_kept(dict(row)) for row in rows}


async def of_vehicles(
    connection: AsyncConnection, vehicles: Collection[tuple[str, str]]
) -> list[tuple[str, Kept]]:
    """What these, each ``(tenant, vehicle)``, have to bring, in their sequence, with its tenant."""
    dialect = connection.dialect.name
    query = select(DELIVERIES).where(
        DELIVERIES.c.ended_at.is_(None),
        among(DELIVERIES.c.tenant, {tenant for tenant, _ in vehicles}, dialect),
        among(DELIVERIES.c.device, {vehicle for _, vehicle in vehicles}, dialect),
    )
    rows = (await connection.execute(query.order_by(DELIVERIES.c.stop))).mappings()
    return [
        (row["tenant"], to_kept(dict(row)))
        for row in rows
        if (row["tenant"], row["device"]) in vehicles
    ]


async def page(
    connection: AsyncConnection,
    tenant: str,
    *,
    courier: str | None = None,
    device: str | None = None,
    after: UUID | None = None,
    most: int,
) -> list[Kept]:
    """Open deliveries after one of them, the first placed first; at most so many."""
    place = tuple_(DELIVERIES.c.placed_at, DELIVERIES.c.order_id)
    query = _of(tenant).where(DELIVERIES.c.ended_at.is_(None))
    if courier is not None:
        query = query.where(DELIVERIES.c.courier == courier)
    if device is not None:
        query = query.where(DELIVERIES.c.device == device)
    if after is not None:
        last = await find(connection, tenant, after)
        if last is not None:
            query = query.where(place > (last.delivery.placed_at, after))
    query = query.order_by(DELIVERIES.c.placed_at, DELIVERIES.c.order_id).limit(most)
    return [to_kept(dict(row)) for row in (await connection.execute(query)).mappings()]


async def placed_between(
    connection: AsyncConnection, tenant: str, since: datetime, until: datetime
) -> Sequence[Kept]:
    """All deliveries of orders that were placed from `since` on and before `until`."""
    query = _of(tenant).where(DELIVERIES.c.placed_at >= since, DELIVERIES.c.placed_at < until)
    rows = await connection.execute(query.order_by(DELIVERIES.c.placed_at, DELIVERIES.c.order_id))
    return [to_kept(dict(row)) for row in rows.mappings()]


def _of(tenant: str) -> Select[Any]:
    return select(DELIVERIES).where(DELIVERIES.c.tenant == tenant)
