"""What a guest may see of their order on its way. Pure: this is the one place that decides it.

Where the courier is stays hidden until the food is in the bag, is rounded while other doors come
first, and is exact when it is the guest's turn and the door before theirs lies behind; when it has
ended nothing of it is left. Nothing of other guests is ever put in: of them, only the last door
comes in here, as what the courier has to be away from.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import cos, radians
from typing import Final

from schemas.deliveries import ON_ITS_WAY, OPEN_DELIVERY, Delivery, DeliveryStatus
from schemas.delivery_rules import DeliveryRules
from schemas.etas import EtaState
from schemas.guest_tracking import CourierPlace, GuestStatus, GuestTracking
from schemas.positions import Place
from services.delivery.kept import Kept
from services.geography.sphere import distance_m
from services.runtime.whereabouts import Whereabouts

_S: Final = DeliveryStatus
_M_A_DEGREE: Final = 111_195.0
_TOO_OLD: Final = timedelta(minutes=10)
"""Where the courier was so long ago helps nobody."""
_AWAY_M: Final = 150.0
"""So far from the last door, a courier stands at it no more."""
_STATUS: Final = {
    _S.PICKED_UP: GuestStatus.ON_THE_WAY,
    _S.EN_ROUTE: GuestStatus.ON_THE_WAY,
    _S.NEAR: GuestStatus.NEAR,
    _S.ARRIVED: GuestStatus.ARRIVED,
    _S.DELIVERED: GuestStatus.DELIVERED,
    _S.FAILED: GuestStatus.FAILED,
    _S.RETURNED: GuestStatus.FAILED,
    _S.CANCELLED: GuestStatus.ENDED,
}
_WORDS: Final = {
    GuestStatus.PREPARING: "Your order is being made.",
    GuestStatus.READY: "Your order is ready and waits for its courier.",
    GuestStatus.ON_THE_WAY: "Your order is on its way.",
    GuestStatus.NEAR: "Your courier is near.",
    GuestStatus.ARRIVED: "Your courier is at your door.",
    GuestStatus.DELIVERED: "Your order was delivered. Enjoy!",
    GuestStatus.FAILED: "Your courier could not hand it over. Please call the restaurant.",
    GuestStatus.ENDED: "This order does not come any more. Please call the restaurant.",
}


@dataclass(frozen=True, slots=True)
class LastDoor:
    """The door that a courier was at last, with the same bag.

    Attributes:
        place: where it is.
        at: when its guest had their food, or did not take it.
    """

    place: Place
    at: datetime


@dataclass(frozen=True, slots=True)
class Sight:
    """All that what a guest sees is put together from, but for the time.

    Attributes:
        kept: their delivery.
        house: how exact a courier may be shown.
        stops_before: doors that come first.
        courier: where the courier is; None where nobody knows.
        last_door: where the courier was just before; None where theirs is the first door.
    """

    kept: Kept
    house: DeliveryRules
    stops_before: int = 0
    courier: Whereabouts | None = None
    last_door: LastDoor | None = None


def view(sight: Sight, *, eta: EtaState | None, until: datetime, now: datetime) -> GuestTracking:
    """Put together what the guest sees.

    Args:
        sight: of what.
        eta: the live one, where there is one.
        until: when the link ends.
        now: the time.
    """
    kept, stops_before = sight.kept, sight.stops_before
    delivery = kept.delivery
    status = _STATUS.get(delivery.status)
    if status is None:
        status = GuestStatus.PREPARING if kept.ready_at is None else GuestStatus.READY
    riding = delivery.status in ON_ITS_WAY
    yours = riding and stops_before == 0
    words = _WORDS[status]
    if status is GuestStatus.ON_THE_WAY:
        words += " You are the next stop." if yours else _doors_first(stops_before)
    expected = delivery.status in OPEN_DELIVERY and delivery.status is not _S.FAILED
    shown = None
    courier = sight.courier
    if riding and courier is not None and _has_it(delivery, courier, now):
        there = delivery.status is _S.ARRIVED
        exact = yours and (there or _is_away(courier, sight.last_door))
        shown = _exact(courier) if exact else _coarse(courier, sight.house.coarse_m)
    live = eta if expected else None
    return GuestTracking(
        number=delivery.number,
        status=status,
        words=words,
        as_of=now,
        placed_at=delivery.placed_at,
        due_at=delivery.due_at,
        promised_at=delivery.promised_at,
        p50_at=live.p50_at if live else kept.quoted_p50_at if expected else None,
        p90_at=live.p90_at if live else delivery.promised_at if expected else None,
        stale=live.stale if live else False,
        live=live is not None,
        stops_before=stops_before if riding else None,
        next_is_yours=yours,
        courier=shown,
        door=delivery.place if shown is not None else None,
        code=kept.beside.code if delivery.status in OPEN_DELIVERY else None,
        ended_at=delivery.ended_at,
        until=until,
    )


def _doors_first(stops: int) -> str:
    return f" {stops} {'stop comes' if stops == 1 else 'stops come'} before yours."


def _has_it(delivery: Delivery, courier: Whereabouts, now: datetime) -> bool:
    """Whether the courier was there lately, and with the food.

    Before, they were at home, or at somebody else's door.
    """
    began = delivery.picked_up_at
    return began is not None and began <= courier.at and now - courier.at <= _TOO_OLD


def _is_away(courier: Whereabouts, door: LastDoor | None) -> bool:
    """Whether the courier has left the door before this one."""
    if door is None:
        return True
    far = distance_m(courier.lat, courier.lon, door.place.lat, door.place.lon)
    return courier.at >= door.at and bool(far >= _AWAY_M)


def _exact(courier: Whereabouts) -> CourierPlace:
    return CourierPlace(place=_place(courier.lat, courier.lon), at=courier.at, within_m=0)


def _coarse(courier: Whereabouts, coarse_m: int) -> CourierPlace:
    """The middle of the square of a fixed grid: looking often tells no more than looking once."""
    high = coarse_m / _M_A_DEGREE
    row = round(courier.lat / high)
    lat = max(-90.0, min(90.0, row * high))
    wide = high / max(0.01, cos(radians(lat)))
    lon = max(-180.0, min(180.0, round(courier.lon / wide) * wide))
    return CourierPlace(
        place=_place(round(lat, 5), round(lon, 5)), at=courier.at, within_m=coarse_m
    )


def _place(lat: float, lon: float) -> Place:
    # 0/0 is no place to the contract, though a courier might be just there.
    return Place(lat=lat, lon=lon) if lat or lon else Place(lat=0.00001, lon=0.0)
