"""What closed deliveries show: how long each part of the way took; and how long all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any, Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import RowMapping, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.deliveries import DeliveryStatus
from schemas.positions import Place, TravelMode
from services.delivery.learning.orders import Orders, gather
from services.delivery.legs import ASSUMED, LegKind, PastLegs, PastRides
from services.delivery.rules import rounded
from services.delivery.tables import COURIERS, DELIVERIES
from services.geography.sphere import distance_m

Floats = NDArray[np.float64]

HISTORY: Final = timedelta(days=180)
"""What is older counts next to nothing."""
_LONGEST_S: Final = 4 * 3_600.0
"""Who forgot to say that a step was done shows nothing of how long it takes."""
_AT_A_DOOR: Final = timedelta(minutes=20)
"""Nobody stands at a door for longer: they forgot to say that the guest has it."""
_HANDED_OVER: Final = timedelta(seconds=ASSUMED[LegKind.DOOR].p50_s)
_AT_ONCE: Final = 500
"""Rows read at a time: some milliseconds, between which a serving process does other things."""
VENUE: Final = "house"
"""All that a house cooks comes from there."""
_DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class ClosedOrder:
    """A delivery that came to its guest; None where a step was never told.

    ``distance_m`` is from the restaurant to the door, as it was when the order was placed.
    ``again`` is one that nobody took the first time: its times are those of the second way, and
    show nothing of how long one way takes.
    """

    order_id: UUID
    courier: str | None
    lat: float
    lon: float
    distance_m: float | None
    items: int
    placed_at: datetime
    begun_at: datetime | None
    due_at: datetime | None
    ready_at: datetime | None
    accepted_at: datetime | None
    at_restaurant_at: datetime | None
    picked_up_at: datetime | None
    set_out_at: datetime | None
    arrived_at: datetime | None
    ended_at: datetime
    again: bool = False

    @property
    def began_at(self) -> datetime:
        """When its order was accepted: from then on anybody could do something about it."""
        return self.begun_at or self.placed_at

    @property
    def had_at(self) -> datetime:
        """When the guest had it, as far as that can be believed."""
        return had_at(self.arrived_at, self.ended_at, self.ended_at) or self.ended_at

    def far_m(self, house: tuple[float, float]) -> float:
        """From the restaurant to the door, along the straight line."""
        return away_m(house, self.lat, self.lon, self.distance_m)


_AGAIN: Final = "again"
_SHOWN: Final = tuple(name for name in ClosedOrder.__dataclass_fields__ if name != _AGAIN)


async def read_closed(
    connection: AsyncConnection, tenant: str, since: datetime
) -> list[RowMapping]:
    """The rows of a house's deliveries that came to their guests, oldest first; see `built`."""
    of = DELIVERIES.c
    failed_at = of.document["beside"]["failed_at"].as_string()
    oldest = (
        select(*(of[name] for name in _SHOWN), failed_at.is_not(None).label(_AGAIN))
        .where(of.tenant == tenant, of.status == DeliveryStatus.DELIVERED.value)
        .order_by(of.ended_at, of.order_id)
        .limit(_AT_ONCE)
    )
    found: list[RowMapping] = []
    query = oldest.where(of.ended_at >= since)
    while page := (await connection.execute(query)).mappings().all():
        found += page
        last = page[-1]
        after = tuple_(of.ended_at, of.order_id) > (last["ended_at"], last["order_id"])
        query = oldest.where(after)
    return found


def built(rows: Sequence[RowMapping]) -> list[ClosedOrder]:
    """The same deliveries; of a large house that is some work, for another thread."""
    return [ClosedOrder(**row) for row in rows]


async def read_modes(connection: AsyncConnection, tenant: str) -> dict[str, TravelMode]:
    """By what each courier of a house goes."""
    couriers = select(COURIERS.c.courier, COURIERS.c.mode).where(COURIERS.c.tenant == tenant)
    return {row.courier: TravelMode(row.mode) for row in await connection.execute(couriers)}


def had_at(
    arrived_at: datetime | None, ended_at: datetime | None, now: datetime
) -> datetime | None:
    """When a guest had it, as far as that can be believed; None where nobody can know yet.

    Who forgets to say that it was handed over says so at the end of the evening, or never: then
    it was soon after they had arrived, should somebody have seen that.
    """
    if arrived_at is None or (ended_at or now) - arrived_at <= _AT_A_DOOR:
        return ended_at
    return arrived_at + _HANDED_OVER


def away_m(house: tuple[float, float], lat: float, lon: float, kept_m: float | None) -> float:
    """How far a door was: as was kept of it, for its place may be one of a forgotten guest."""
    return float(distance_m(*house, lat, lon)) if kept_m is None else kept_m


def legs_shown(closed: Sequence[ClosedOrder], now: datetime) -> Mapping[LegKind, PastLegs]:
    """How long each part took. An order for later shows nothing of how long cooking takes."""
    closed = [each for each in closed if not each.again]
    days = np.array([(now - each.ended_at).total_seconds() / _DAY_S for each in closed])

    def took(
        pairs: Sequence[tuple[datetime | None, datetime | None]], longest_s: float = _LONGEST_S
    ) -> PastLegs:
        found = np.array([_between(*pair) for pair in pairs])
        return PastLegs(np.where(found > longest_s, np.nan, found), days)

    soon = [each.due_at is None for each in closed]
    return {
        LegKind.COOKING: took(
            [(c.began_at if ok else None, c.ready_at) for c, ok in zip(closed, soon, strict=True)]
        ),
        LegKind.ASSIGNING: took(
            [
                (c.began_at if ok else None, c.accepted_at)
                for c, ok in zip(closed, soon, strict=True)
            ]
        ),
        LegKind.COMING: took([(each.accepted_at, each.at_restaurant_at) for each in closed]),
        LegKind.HAND_OVER: took([(_both(each), each.picked_up_at) for each in closed]),
        LegKind.DOOR: took(
            [(each.arrived_at, each.ended_at) for each in closed], _AT_A_DOOR.total_seconds()
        ),
    }


def rides_shown(
    closed: Sequence[ClosedOrder],
    house: tuple[float, float],
    modes: Mapping[str, TravelMode],
    now: datetime,
) -> Mapping[TravelMode, PastRides]:
    """How long rides took.

    Who brings several at once rides from door to door: a ride begins where the one before it
    ended, should that have been after the food was picked up. Of guests who were forgotten is
    known how far from the restaurant they live, and not how far from each other.
    """
    rows: dict[TravelMode, list[tuple[float, float, float]]] = {}
    last: dict[str, ClosedOrder] = {}
    for each in sorted(closed, key=lambda order: order.had_at):
        begun, far = each.set_out_at or each.picked_up_at, each.far_m(house)
        if each.courier is not None:
            before = last.get(each.courier)
            last[each.courier] = each
            if before is not None and begun is not None and before.had_at > begun:
                begun, far = before.had_at, _apart_m(before, each)
        took = _between(begun, each.arrived_at)
        if 0 < took < _LONGEST_S and not np.isnan(far) and not each.again:
            days = (now - each.ended_at).total_seconds() / _DAY_S
            mode = modes.get(each.courier or "", TravelMode.BICYCLE)
            rows.setdefault(mode, []).append((took, far, days))
    return {mode: PastRides(*np.array(found).T) for mode, found in rows.items()}


def whole_orders(closed: Sequence[ClosedOrder], house: tuple[float, float], zone: tzinfo) -> Orders:
    """The same orders from their beginning to their door, for `services.delivery.learning`."""
    soon = [
        each
        for each in closed
        if each.due_at is None and not each.again and each.had_at > each.began_at
    ]
    return gather(
        [each.began_at.astimezone(zone) for each in soon],
        [each.far_m(house) for each in soon],
        [float(each.items) for each in soon],
        [VENUE] * len(soon),
        [(each.had_at - each.began_at).total_seconds() / 60 for each in soon],
    )


def _apart_m(one: ClosedOrder, other: ClosedOrder) -> float:
    """From door to door; NaN where either is that of a guest who was forgotten."""
    doors = [Place(lat=each.lat, lon=each.lon) for each in (one, other)]
    if any(rounded(door) == door for door in doors):
        return float("nan")
    return float(distance_m(one.lat, one.lon, other.lat, other.lon))


def _both(order: ClosedOrder) -> datetime | None:
    """When food and courier were both there."""
    if order.ready_at is None or order.at_restaurant_at is None:
        return None
    return max(order.ready_at, order.at_restaurant_at)


def _between(begin: Any, end: Any) -> float:
    """Seconds; NaN where one is not known."""
    return float("nan") if begin is None or end is None else float((end - begin).total_seconds())
