"""Whether an order can be brought to its door, and in words why not; pure."""

from __future__ import annotations

from math import ceil
from typing import Final

from schemas.delivery_rules import FARTHEST_KM, DeliveryRules
from schemas.orders import Order, OrderKind, OrderStatus
from schemas.positions import Place
from services.geography.sphere import distance_m

CAN_BEGIN: Final = frozenset({OrderStatus.ACCEPTED, OrderStatus.PREPARING, OrderStatus.READY})
"""Where an order stands that is to be brought, and is not yet on its way."""


def too_far_km(place: Place, house: DeliveryRules) -> float | None:
    """How far a door is that is farther than a house delivers; None where it is not.

    Of a house that has no place nobody knows how far anything is.
    """
    if house.place is None:
        return None
    far = _km(place, house.place)
    return far if far > house.farthest_km else None


def why_too_far(place: Place, house: DeliveryRules, tenant: str) -> str | None:
    """Why nothing is brought to a place, and what to do; None where it is near enough."""
    far = too_far_km(place, house)
    if far is None or house.place is None:
        return None
    what = f"its door is {far:.0f} km from the restaurant, farther than {house.farthest_km} km"
    if _swapped_is_near(place, house):
        return f"{what}: latitude comes first, so perhaps {place.lon:g},{place.lat:g} is meant"
    if far <= FARTHEST_KM:
        more = f"farthest-km={ceil(far)}"
        return f"{what}: heard delivery rules set --tenant {tenant} {more} lets it be that far"
    return f"{what}: no house delivers so far"


def no_place(tenant: str) -> str:
    """Why nothing is brought of a house of which nobody knows where it is, and what to do."""
    return (
        "nobody has said where the restaurant is: "
        f"heard delivery rules set --tenant {tenant} place=LAT,LON does"
    )


def why_none(order: Order, house: DeliveryRules, tenant: str) -> str:
    """Why there is no delivery of an order, and what to do."""
    name = order.number
    if order.kind is not OrderKind.DELIVERY:
        return f"{name} is {order.kind}: nothing of it is brought"
    if order.status is OrderStatus.PLACED:
        waits = " and ".join(order.waits_for) or "its time"
        return f"{name} waits for {waits}: it is brought once it is accepted"
    if order.status not in CAN_BEGIN:
        return f"{name} is {order.status}, and no courier was asked to bring it"
    return _why_not_begun(order, house, tenant)


def _why_not_begun(order: Order, house: DeliveryRules, tenant: str) -> str:
    """Why nothing is brought of an order that stands where it could be."""
    name = order.number
    place = None if order.guest is None else order.guest.place
    far = None if place is None else why_too_far(place, house, tenant)
    # Of a door that is known, and can be, nobody has to type where it is.
    where = "LAT,LON" if place is None or far is not None else f"{place.lat},{place.lon}"
    say_door = f"heard delivery place {name} {where} --tenant {tenant}"
    if house.place is None:
        set_place = f"heard delivery rules set --tenant {tenant} place=LAT,LON"
        return (
            f"nobody has said where the restaurant is, so nothing is brought: {set_place}, "
            f"then {say_door}"
        )
    if far is not None:
        return f"{name} is not brought, {far}; then {say_door}"
    if place is not None:
        return f"{name} was accepted before its house could bring it; now it can: {say_door}"
    return f"nobody has said where {name} is to be brought: {say_door}"


def _swapped_is_near(place: Place, house: DeliveryRules) -> bool:
    if house.place is None or not -90 <= place.lon <= 90:
        return False
    return _km(Place(lat=place.lon, lon=place.lat), house.place) <= house.farthest_km


def _km(one: Place, other: Place) -> float:
    return float(distance_m(one.lat, one.lon, other.lat, other.lon)) / 1_000
