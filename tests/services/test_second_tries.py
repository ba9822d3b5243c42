"""What nobody took: tried again at once, or brought back and sent out anew; and moved doors."""

from __future__ import annotations

from datetime import UTC, timedelta
from uuid import UUID

import pytest

from schemas.deliveries import CourierRun, Delivery, DeliveryState, DeliveryStatus
from schemas.delivery_requests import (
    AcceptDelivery,
    AssignDelivery,
    ByHand,
    CompleteDelivery,
    FailDelivery,
    PlaceDelivery,
    ReturnDelivery,
    StepDelivery,
    UnassignDelivery,
)
from schemas.order_changes import DispatchOrder, ReturnOrder, VoidOrder
from schemas.orders import AddLines, LineRequest, OrderStatus
from schemas.refusals import RefusalCode
from services.delivery import closed_orders
from services.runtime.database import Database
from tests.services.delivery_world import ANNA, BIKE, BO, CAR, DOOR, FAR, HERE, DeliveryWorld
from tests.services.order_world import BEGAN, MANAGER, TILL

ADDRESS = "Mannerheimintie 1"


@pytest.fixture
async def house(database: Database) -> DeliveryWorld:
    made = DeliveryWorld(database)
    await made.open()
    return made


async def failed(house: DeliveryWorld) -> UUID:
    """An order at whose door nobody opened."""
    order_id = await house.accepted()
    await house.pick_up(order_id)
    for step in (ByHand.SET_OUT, ByHand.ARRIVE):
        await house.do(BIKE, StepDelivery(order_id=order_id, step=step))
    await house.do(BIKE, FailDelivery(order_id=order_id, reason="nobody opened"))
    return order_id


async def returned(house: DeliveryWorld) -> UUID:
    """An order that is back in the house."""
    order_id = await failed(house)
    house.wait(timedelta(minutes=10))
    await house.do(BIKE, ReturnDelivery(order_id=order_id))
    return order_id


def shown(house: DeliveryWorld, order_id: UUID) -> Delivery | None:
    """What stands retained of a delivery."""
    states = (each for each in house.standing().values() if isinstance(each, DeliveryState))
    return next((each.delivery for each in states if each.order_id == order_id), None)


def addresses(house: DeliveryWorld) -> list[str]:
    """Where couriers' screens send them to."""
    runs = (each for each in house.standing().values() if isinstance(each, CourierRun))
    return [stop.address for run in runs for stop in run.stops]


async def test_who_sets_out_again_is_not_at_the_door_where_they_were(house: DeliveryWorld) -> None:
    order_id = await failed(house)
    first = (await house.delivery(order_id)).arrived_at
    assert first is not None
    house.wait(timedelta(minutes=20))
    set_out = StepDelivery(order_id=order_id, step=ByHand.SET_OUT)
    again = await house.moved(BIKE, set_out)
    assert (again.status, again.arrived_at) == (DeliveryStatus.EN_ROUTE, None)
    assert again.set_out_at == house.now
    arrived = await house.moved(BIKE, StepDelivery(order_id=order_id, step=ByHand.ARRIVE))
    assert arrived.arrived_at == house.now


async def test_what_came_back_goes_out_anew_and_keeps_its_promise_alone(
    house: DeliveryWorld,
) -> None:
    order_id = await returned(house)
    back = await house.kept(order_id)
    assert back.delivery.ended_at is not None
    assert shown(house, order_id) is None
    house.wait(timedelta(minutes=5))
    asked = await house.moved(TILL, AssignDelivery(order_id=order_id, courier=BO))
    assert (asked.status, asked.courier, asked.device) == (DeliveryStatus.ASSIGNED, BO, CAR)
    assert asked.assigned_at == house.now
    for name in (
        *("accepted_at", "at_restaurant_at", "picked_up_at", "set_out_at", "arrived_at"),
        *("ended_at", "reason", "proof"),
    ):
        assert getattr(asked, name) is None, name
    assert asked.promised_at == back.delivery.promised_at
    assert shown(house, order_id) == asked
    anew = await house.kept(order_id)
    assert (anew.begun_at, anew.ready_at) == (house.now, back.ready_at)
    assert anew.beside == back.beside, "the guest's link and code are the same"
    assert not await house.differing()

    await house.do(CAR, AcceptDelivery(order_id=order_id))
    await house.do(CAR, StepDelivery(order_id=order_id, step=ByHand.PICK_UP))
    assert (await house.order(order_id)).status is OrderStatus.OUT_FOR_DELIVERY
    done = await house.moved(CAR, CompleteDelivery(order_id=order_id))
    assert done.status is DeliveryStatus.DELIVERED
    assert (await house.order(order_id)).status is OrderStatus.DELIVERED
    assert not await house.differing()


async def test_what_came_back_can_come_back_again_and_wait_for_another(
    house: DeliveryWorld,
) -> None:
    order_id = await returned(house)
    assign = AssignDelivery(order_id=order_id, courier=ANNA)
    assert (await house.moved(TILL, assign)).stop == 1
    waiting = await house.moved(TILL, UnassignDelivery(order_id=order_id))
    assert (waiting.status, waiting.ended_at) == (DeliveryStatus.WAITING, None)
    await house.do(TILL, assign)
    await house.do(BIKE, AcceptDelivery(order_id=order_id))
    await house.do(TILL, DispatchOrder(order_id=order_id))
    assert (await house.delivery(order_id)).status is DeliveryStatus.PICKED_UP
    await house.do(TILL, ReturnOrder(order_id=order_id, reason="the wrong street"))
    assert (await house.delivery(order_id)).status is DeliveryStatus.RETURNED
    assert not await house.differing()


async def test_what_came_back_goes_as_its_order_stands_by_then(house: DeliveryWorld) -> None:
    order_id = await returned(house)
    before = await house.kept(order_id)
    more = (LineRequest(item="burger", quantity=3),)
    await house.do(TILL, AddLines(order_id=order_id, lines=more))
    await house.do(TILL, AssignDelivery(order_id=order_id, courier=ANNA))
    anew = await house.kept(order_id)
    assert (anew.items, anew.ready_at) == (before.items + 3, None)
    await house.do(BIKE, AcceptDelivery(order_id=order_id))
    pick_up = StepDelivery(order_id=order_id, step=ByHand.PICK_UP)
    assert await house.refused(BIKE, pick_up) is RefusalCode.WRONG_STATE
    await house.cook(order_id)
    assert (await house.moved(BIKE, pick_up)).status is DeliveryStatus.PICKED_UP


async def test_what_took_two_ways_shows_nothing_of_how_long_one_takes(
    house: DeliveryWorld,
) -> None:
    once = await house.accepted()
    await house.pick_up(once)
    for step in (ByHand.SET_OUT, ByHand.ARRIVE):
        await house.do(BIKE, StepDelivery(order_id=once, step=step))
    tried_again, went_again = await failed(house), await returned(house)
    await house.set_out(tried_again)
    await house.do(TILL, AssignDelivery(order_id=went_again, courier=ANNA))
    await house.do(BIKE, AcceptDelivery(order_id=went_again))
    await house.do(BIKE, StepDelivery(order_id=went_again, step=ByHand.PICK_UP))
    for order_id in (once, tried_again, went_again):
        await house.do(BIKE, CompleteDelivery(order_id=order_id))
    async with house.database.read() as connection:
        rows = await closed_orders.read_closed(connection, house.tenant, BEGAN)
    closed = closed_orders.built(rows)
    assert {each.order_id for each in closed if each.again} == {tried_again, went_again}
    legs = closed_orders.legs_shown(closed, house.now)
    assert {len(each.took_s) for each in legs.values()} == {1}
    rides = closed_orders.rides_shown(closed, (HERE.lat, HERE.lon), {}, house.now)
    assert [len(each.took_s) for each in rides.values()] == [1]
    whole = closed_orders.whole_orders(closed, (HERE.lat, HERE.lon), UTC)
    assert len(whole) == 1


@pytest.mark.parametrize("how", ["by hand", "annulled"])
async def test_what_is_not_to_be_brought_any_more_does_not_go_out_anew(
    house: DeliveryWorld, how: str
) -> None:
    order_id = await returned(house)
    if how == "by hand":
        await house.do(TILL, DispatchOrder(order_id=order_id))
    else:
        await house.do(MANAGER, VoidOrder(order_id=order_id, reason="cold"))
    for asked in (
        AssignDelivery(order_id=order_id, courier=ANNA),
        PlaceDelivery(order_id=order_id, place=FAR),
    ):
        assert await house.refused(TILL, asked) is RefusalCode.WRONG_STATE
    assert (await house.delivery(order_id)).status is DeliveryStatus.RETURNED
    assert not await house.differing()


async def test_what_came_back_from_the_wrong_door_goes_to_the_right_one(
    house: DeliveryWorld,
) -> None:
    order_id = await returned(house)
    place = PlaceDelivery(order_id=order_id, place=FAR, address="Fabianinkatu 2")
    moved = await house.moved(TILL, place)
    assert (moved.status, moved.place) == (DeliveryStatus.RETURNED, FAR)
    assert shown(house, order_id) is None, "it is not open for that"
    again = await house.moved(TILL, AssignDelivery(order_id=order_id, courier=ANNA))
    assert again.place == FAR
    assert addresses(house) == ["Fabianinkatu 2"]
    assert not await house.differing()


async def test_a_new_door_does_not_keep_the_address_of_the_old_one(house: DeliveryWorld) -> None:
    order_id = await house.accepted()
    assert addresses(house) == [ADDRESS]
    before = await house.kept(order_id)
    same = await house.moved(TILL, PlaceDelivery(order_id=order_id, place=DOOR))
    assert addresses(house) == [ADDRESS], "it is the same door"
    moved = await house.moved(TILL, PlaceDelivery(order_id=order_id, place=FAR))
    assert (moved.place, moved.version) == (FAR, same.version + 1)
    assert addresses(house) == [""]
    assert moved.promised_at == before.delivery.promised_at, "the promise stands"
    after = await house.kept(order_id)
    assert before.distance_m is not None
    assert after.distance_m is not None
    assert after.distance_m > before.distance_m
    named = PlaceDelivery(order_id=order_id, place=FAR, address="Fabianinkatu 2")
    await house.do(TILL, named)
    assert addresses(house) == ["Fabianinkatu 2"]
    assert not await house.differing()


@pytest.mark.parametrize(("said", "kept"), [(None, ADDRESS), ("Fabianinkatu 2", "Fabianinkatu 2")])
async def test_an_order_without_a_door_gets_one_with_its_own_words_or_better_ones(
    house: DeliveryWorld, said: str | None, kept: str
) -> None:
    order_id = await house.place_order(None)
    await house.do(TILL, PlaceDelivery(order_id=order_id, place=DOOR, address=said))
    await house.do(TILL, AssignDelivery(order_id=order_id, courier=ANNA))
    assert addresses(house) == [kept]
