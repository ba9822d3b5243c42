"""About how far it was stays, when nobody knows any more whose door it was."""

from __future__ import annotations

import pytest

from schemas.delivery_requests import (
    AcceptDelivery,
    AssignDelivery,
    ByHand,
    CompleteDelivery,
    PlaceDelivery,
    StepDelivery,
)
from schemas.orders import CloseOrder
from schemas.positions import Place
from services.delivery.closed_orders import HISTORY, built, read_closed
from services.geography.sphere import distance_m
from services.orders.inside import ForgetGuest
from services.runtime.database import Database
from tests.services.delivery_world import ANNA, BIKE, HERE, DeliveryWorld
from tests.services.order_world import OURSELVES, TILL

NEAR = Place(lat=60.17432, lon=24.94321)
FARTHER = Place(lat=60.18765, lon=24.92345)


def away_m(place: Place) -> float:
    return float(distance_m(HERE.lat, HERE.lon, place.lat, place.lon))


@pytest.fixture
async def house(database: Database) -> DeliveryWorld:
    made = DeliveryWorld(database)
    await made.open()
    return made


async def test_a_forgotten_guests_distance_is_learned_from_and_their_door_is_not_kept(
    house: DeliveryWorld,
) -> None:
    order_id = await house.place_order(NEAR)
    await house.do(TILL, AssignDelivery(order_id=order_id, courier=ANNA))
    await house.do(BIKE, AcceptDelivery(order_id=order_id))
    await house.cook(order_id)
    await house.do(BIKE, StepDelivery(order_id=order_id, step=ByHand.PICK_UP))
    await house.do(BIKE, CompleteDelivery(order_id=order_id))
    await house.do(TILL, CloseOrder(order_id=order_id))
    await house.do(OURSELVES, ForgetGuest(order_id=order_id))
    async with house.database.read() as connection:
        (closed,) = built(await read_closed(connection, house.tenant, house.now - HISTORY))
    assert (closed.lat, closed.lon) == (60.17, 24.94)
    assert away_m(Place(lat=closed.lat, lon=closed.lon)) < 10
    assert closed.far_m((HERE.lat, HERE.lon)) == pytest.approx(away_m(NEAR), abs=25)
    assert closed.distance_m is not None
    assert closed.distance_m % 50 == 0, "nobody's door is found by it"


async def test_another_door_is_another_distance(house: DeliveryWorld) -> None:
    order_id = await house.place_order(NEAR)
    await house.do(TILL, PlaceDelivery(order_id=order_id, place=FARTHER))
    kept = await house.kept(order_id)
    assert kept.distance_m == pytest.approx(away_m(FARTHER), abs=25)
    assert kept.distance_m != pytest.approx(away_m(NEAR), abs=25)
