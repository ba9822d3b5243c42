"""What guests' pages and screens are put together from, read from the rows.

However many look, it is the same few queries.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.deliveries import ON_ITS_WAY, DeliveryStatus
from schemas.positions import Place
from services.delivery.coming_first import come_first
from services.delivery.guest_view import LastDoor, Sight
from services.delivery.kept import Beside, Kept
from services.delivery.tables import DELIVERIES
from services.runtime.among import among
from services.runtime.house_rules import HOUSE_RULES, delivery_of
from services.runtime.whereabouts import WhereaboutsBook

OrderKey = tuple[str, UUID]
"""Tenant and order."""
_CourierKey = tuple[str, str]
"""Tenant and courier."""
_LEFT: Final = (DeliveryStatus.DELIVERED.value, DeliveryStatus.RETURNED.value)
"""How a delivery has ended whose courier was at its door."""
_SHOWN: Final = (
    *("tenant", "courier", "order_id", "status", "stop", "lat", "lon"),
    *("ended_at", "document"),
)


class _Stop(NamedTuple):
    """One of a courier's stops, and when they were last at its door, as far as that is over."""

    order_id: UUID
    status: DeliveryStatus
    stop: int | None
    door: LastDoor | None


async def sights(
    connection: AsyncConnection, whereabouts: WhereaboutsBook, kept: Mapping[OrderKey, Kept]
) -> dict[OrderKey, Sight]:
    """Read what goes with these deliveries.

    Args:
        connection: where the rows are.
        whereabouts: where couriers are.
        kept: of one house or of many.
    """
    of, dialect = HOUSE_RULES.c, connection.dialect.name
    rules = select(of.tenant, of.delivery).where(
        among(of.tenant, {tenant for tenant, _ in kept}, dialect)
    )
    houses = {row.tenant: delivery_of(row.delivery) for row in await connection.execute(rules)}
    riding = {key: each for key, each in kept.items() if each.delivery.status in ON_ITS_WAY}
    vehicles = {(tenant, each.delivery.device or "") for (tenant, _), each in riding.items()}
    seen = await whereabouts.of(connection, vehicles) if vehicles else {}
    stops = await _stops(connection, riding)
    found = {}
    for key, each in kept.items():
        tenant, delivery = key[0], each.delivery
        found[key] = sight = Sight(each, houses.get(tenant, delivery_of(None)))
        if key in riding:
            run = stops.get((tenant, delivery.courier or ""), ())
            bag, rest = come_first(delivery, run)
            found[key] = replace(
                sight,
                stops_before=len(bag) + len(rest),
                courier=seen.get((tenant, delivery.device or "")),
                last_door=_last_door(each, run),
            )
    return found


async def _stops(
    connection: AsyncConnection, riding: Mapping[OrderKey, Kept]
) -> Mapping[_CourierKey, Sequence[_Stop]]:
    """What the couriers have to do who ride with these, and what they did since they do."""
    found: dict[_CourierKey, list[_Stop]] = defaultdict(list)
    picked_up = [each.delivery.picked_up_at for each in riding.values()]
    since = min((each for each in picked_up if each is not None), default=None)
    of = DELIVERIES.c
    theirs = _of_couriers(connection.dialect.name, riding)
    queries = [theirs.where(of.ended_at.is_(None))]
    if since is not None:
        queries.append(theirs.where(of.ended_at >= since, of.status.in_(_LEFT)))
    for query in queries if riding else ():
        for row in await connection.execute(query):
            found[row.tenant, row.courier].append(_stop(row))
    return found


def _of_couriers(dialect: str, riding: Mapping[OrderKey, Kept]) -> Select[Any]:
    of = DELIVERIES.c
    couriers = {each.delivery.courier or "" for each in riding.values()}
    # Two houses may call two couriers the same: who is too much is held against nobody.
    return select(*(of[name] for name in _SHOWN)).where(
        among(of.tenant, {tenant for tenant, _ in riding}, dialect),
        among(of.courier, couriers, dialect),
    )


def _stop(row: Any) -> _Stop:
    at = row.ended_at or Beside.model_validate(row.document.get("beside", {})).failed_at
    door = None if at is None else LastDoor(Place(lat=row.lat, lon=row.lon), at)
    return _Stop(row.order_id, DeliveryStatus(row.status), row.stop, door)


def _last_door(kept: Kept, run: Iterable[_Stop]) -> LastDoor | None:
    """The other door that the courier was at last since they have this one's food."""
    since, mine = kept.delivery.picked_up_at, kept.delivery.order_id
    doors = [each.door for each in run if each.door is not None and each.order_id != mine]
    served = [each for each in doors if since is not None and each.at >= since]
    return max(served, key=lambda door: door.at, default=None)
