"""When each open order will be at its door, from where the couriers are now; pure, in arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.deliveries import DeliveryStatus
from services.delivery.composing import Composed, Waits, compose
from services.delivery.legs import LegKind
from services.delivery.rides import DETOUR, to_go
from services.delivery.sheet import READY, STATUSES, Sheet, leg
from services.delivery.spans import Span, left, one_after_the_other
from services.geography.sphere import distance_m

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_ASKED: Final = STATUSES.index(DeliveryStatus.ASSIGNED)
_TO_ACCEPT: Final = (30.0, 150.0)
"""How long a courier who was asked thinks about it: p50 and p90, assumed."""
_LONG_S: Final = 3_600.0
_LATE_S: Final = 30.0
"""So much after its promise an order is late, and so much before it is so no more."""


@dataclass(frozen=True, slots=True)
class Where:
    """Where each order's courier is; NaN where nobody knows.

    Attributes:
        at: of the position, seconds since 1970.
        lat: degrees.
        lon: degrees.
        moving: whether they move.
        longer: by what the way to `Sheet.first` is longer than the straight line, as a routing
            engine has said; NaN where none has.
        begun_at: when the ride was first seen that they are on.
        begun_m: how much of its way, along straight lines, was left then.
        gone_m: how far they have moved since then, by whatever streets.
    """

    at: Floats
    lat: Floats
    lon: Floats
    moving: Bools
    longer: Floats
    begun_at: Floats
    begun_m: Floats
    gone_m: Floats


@dataclass(frozen=True, slots=True)
class Reckoned:
    """When each order will be at its door, and why.

    Attributes:
        p50_at: seconds since 1970.
        p90_at: the same.
        parts: of what the wait consists.
        fix_at: of the position that it rests on; NaN where it rests on none.
        stale: what it rests on is too old.
        food_known: the kitchen says when the food is ready, or it is.
        way_m: the straight line that is left of the ride, in metres.
        to_first_m: from the courier to where they go first; NaN where nobody knows where they are.
        on_it: they were seen on that way since they began it.
        late: it will rather not be there as promised.
    """

    p50_at: Floats
    p90_at: Floats
    parts: Composed
    fix_at: Floats
    stale: Bools
    food_known: Bools
    way_m: Floats
    to_first_m: Floats
    on_it: Bools
    late: Bools


def reckon(sheet: Sheet, where: Where, now: float, was_late: Bools) -> Reckoned:
    """Reckon all at once.

    A position from before the courier set out with the food says nothing: then, as where there
    is none, they are taken to have set out from the restaurant when the rows say so. Who comes
    for food was where they were seen last when they accepted it. What is old is aged, from when
    the ride can have begun: one that could be over by now has a little left, and a wide range.
    Who stood is not aged until they would have had to tell again.

    Args:
        sheet: the open orders.
        where: their couriers.
        now: seconds since 1970.
        was_late: whether each was late before.
    """
    waiting = ~sheet.in_bag
    has_courier = np.array([each is not None for each in sheet.vehicles], dtype=np.bool_)
    seen = has_courier & ~np.isnan(where.at) & ~(sheet.in_bag & (where.at < sheet.since))
    fix_at = np.where(seen, np.minimum(where.at, now), np.nan)
    to_first = distance_m(where.lat, where.lon, sheet.first[:, 0], sheet.first[:, 1])
    to_first = np.where(seen, to_first, np.nan)
    from_house = distance_m(
        sheet.house[:, 0], sheet.house[:, 1], sheet.first[:, 0], sheet.first[:, 1]
    )
    longer = np.where(np.isnan(where.longer), 1.0, where.longer)
    way_m = np.where(seen, to_first * longer, from_house) + sheet.after_m
    # Nobody comes for food before they have said so, but who has others to bring rides anyway.
    since = np.where(sheet.status == _ASKED, np.nan, sheet.since)
    begins_at = np.where(sheet.in_bag | (sheet.doors_first > 0), -np.inf, since)
    tells_at = fix_at + np.where(where.moving, 0.0, sheet.stale_s)
    seen_at = np.maximum(tells_at, np.nan_to_num(begins_at, nan=now, neginf=-np.inf))
    base_at = np.where(seen, seen_at, np.nan_to_num(sheet.since, nan=now))
    age = np.maximum(0.0, now - base_at)
    on_it = seen & (fix_at >= begins_at)
    moving = np.where(seen, where.moving & on_it, sheet.riding)
    # Who rides around a corner comes no nearer for a while, and is no slower for that; nor who
    # rides as slowly as an engine has said of this way.
    nearer = np.nan_to_num(longer * (where.begun_m - (to_first + sheet.after_m)), nan=0.0)
    made = np.maximum(nearer, np.nan_to_num(where.gone_m, nan=0.0) / DETOUR)
    elapsed = np.nan_to_num(fix_at - where.begun_at, nan=0.0)
    riding = left(
        to_go(
            np.nan_to_num(way_m), sheet.paces, made_m=made, elapsed_s=elapsed,
            begun=moving | sheet.riding,
        ),
        age,
    )  # fmt: skip
    later = to_go(sheet.own_m, sheet.paces)
    arrived = sheet.times["arrived_at"]
    both_at = np.maximum(sheet.times["ready_at"], sheet.times["at_restaurant_at"])
    waits = Waits(
        ready=_until_ready(sheet, now),
        courier=_until_courier(sheet, riding, now, seen=seen, has_courier=has_courier),
        hand_over=Span(*leg(sheet, LegKind.HAND_OVER)),
        both_since_s=np.nan_to_num(now - both_at, nan=-1.0),
        in_the_bag=sheet.in_bag,
        stops_before=sheet.stops_before,
        ride=riding.where(sheet.in_bag, later),
        door=Span(*leg(sheet, LegKind.DOOR)),
        at_door_since_s=np.nan_to_num(now - arrived, nan=-1.0),
    )
    parts = compose(waits)
    p50_at, p90_at = now + parts.total.p50_s, now + parts.total.p90_s
    early = np.where(waiting, np.nan_to_num(sheet.times["due_at"] - p50_at, nan=0.0), 0.0)
    p50_at, p90_at = (each + np.maximum(0.0, early) for each in (p50_at, p90_at))
    promised = sheet.times["promised_at"]
    hold = np.where(was_late, -_LATE_S, _LATE_S)
    patience = np.where(sheet.in_bag & where.moving, sheet.moving_stale_s, sheet.stale_s)
    stale = has_courier & np.isnan(arrived) & ~(now - fix_at <= patience)
    return Reckoned(
        p50_at=p50_at,
        p90_at=p90_at,
        parts=parts,
        fix_at=fix_at,
        stale=stale,
        food_known=sheet.in_bag | ~np.isnan(sheet.ready_p50_at),
        way_m=np.where(sheet.in_bag, way_m, sheet.own_m),
        to_first_m=to_first,
        on_it=on_it,
        late=np.asarray(p50_at > promised + hold),
    )


def _until_ready(sheet: Sheet, now: float) -> Span:
    """Until all food is ready that the courier takes along."""
    known = np.isfinite(sheet.ready_p50_at)
    p50_at, p90_at = (
        np.where(known, each, now) for each in (sheet.ready_p50_at, sheet.ready_p90_at)
    )
    # As if begun long ago: only how far it is from its middle counts, for what is overdue.
    said = Span.of(np.full(len(sheet), _LONG_S), _LONG_S + p90_at - p50_at)
    told = left(said, now - p50_at + _LONG_S)
    usual = left(Span(*leg(sheet, LegKind.COOKING)), now - _began(sheet))
    return Span.nothing(len(sheet)).where(sheet.ready_p50_at == READY, told.where(known, usual))


def _until_courier(
    sheet: Sheet, riding: Span, now: float, *, seen: Bools, has_courier: Bools
) -> Span:
    """Until a courier is at the restaurant."""
    door = Span(*leg(sheet, LegKind.DOOR))
    coming = Span(*leg(sheet, LegKind.COMING))
    began = np.nan_to_num(now - sheet.since, nan=0.0)
    on_the_way = riding.where(seen, left(coming, began))
    on_the_way = one_after_the_other([on_the_way, door.times(sheet.doors_first)])
    asked = Span.of(np.full(len(sheet), _TO_ACCEPT[0]), np.full(len(sheet), _TO_ACCEPT[1]))
    thinking = one_after_the_other([left(asked, began), on_the_way])
    on_the_way = thinking.where(sheet.status == _ASKED, on_the_way)
    nobody = left(Span(*leg(sheet, LegKind.ASSIGNING)), now - _began(sheet))
    coming_later = one_after_the_other([nobody, coming])
    there = ~np.isnan(sheet.times["at_restaurant_at"]) | sheet.in_bag
    courier = on_the_way.where(has_courier, coming_later)
    return Span.nothing(len(sheet)).where(there, courier)


def _began(sheet: Sheet) -> Floats:
    """When each delivery began: an order for later waits for that, and one to be approved."""
    return np.fmax(sheet.times["placed_at"], sheet.times["begun_at"])
