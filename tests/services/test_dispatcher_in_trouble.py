"""The live dispatcher where something goes wrong: who is told, and who brings it instead."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schemas.deliveries import Courier
from schemas.delivery_requests import (
    AcceptDelivery,
    AssignDelivery,
    PinDelivery,
    PutCourier,
    SetDuty,
    UnassignDelivery,
)
from schemas.devices import Role
from schemas.identifiers import new_id
from schemas.orders import CancelOrder
from schemas.refusals import RefusalCode
from services.delivery.dispatching.inside import AskCourier
from services.delivery.tables import DELIVERIES
from services.runtime.database import Database
from services.runtime.tables import DEVICES
from tests.services.delivery_world import ANNA, BIKE, BO, CAR, DOOR
from tests.services.dispatch_world import AUTOMATIC, AWAY, NEAR, DispatchWorld
from tests.services.order_world import MANAGER, TILL


@pytest.fixture
async def house(database: Database) -> DispatchWorld:
    made = DispatchWorld(database)
    await made.open()
    return made


async def test_a_trip_that_nobody_answers_goes_to_the_next_one_as_a_whole(
    house: DispatchWorld,
) -> None:
    await house.there((ANNA, NEAR), (BO, AWAY))
    await house.do(CAR, SetDuty(courier=BO, on_duty=False))
    orders = [await house.place_order(DOOR) for _ in range(3)]
    for each in orders:
        await house.cook(each)
    await house.there((ANNA, NEAR), (BO, AWAY))
    await house.settle()
    assert {await house.has(each) for each in orders} == {ANNA}
    await house.do(CAR, SetDuty(courier=BO, on_duty=True))
    house.wait(timedelta(seconds=AUTOMATIC.answer_within_s))
    await house.there((ANNA, NEAR), (BO, NEAR))
    await house.settle()
    assert {await house.has(each) for each in orders} == {BO}
    assert not await house.differing()


async def test_from_whom_it_was_taken_by_hand_is_not_asked_again(house: DispatchWorld) -> None:
    await house.there((ANNA, NEAR), (BO, AWAY))
    order_id = await house.place_order()
    await house.settle()
    assert await house.has(order_id) == ANNA
    await house.do(TILL, UnassignDelivery(order_id=order_id))
    await house.settle()
    assert await house.has(order_id) == BO


async def test_nobody_is_asked_for_food_for_which_nobody_would_be_let_wait(
    database: Database,
) -> None:
    rules = AUTOMATIC.model_copy(update={"ask_ahead_s": 3_600, "let_go_after_s": 600})
    house = DispatchWorld(database, rules)
    await house.open()
    await house.there()
    order_id = await house.place_order()
    house.cooked_in = timedelta(minutes=20)
    await house.settle()
    assert await house.has(order_id) is None
    house.cooked_in = timedelta(minutes=7)
    await house.look()
    await house.settle()
    assert await house.has(order_id) is not None


async def test_whom_a_person_lets_wait_waits(house: DispatchWorld) -> None:
    await house.there((ANNA, NEAR), (BO, AWAY))
    order_id = await house.place_order()
    await house.do(TILL, AssignDelivery(order_id=order_id, courier=ANNA))
    await house.do(BIKE, AcceptDelivery(order_id=order_id))
    house.cooked_in = timedelta(seconds=AUTOMATIC.let_go_after_s + 600)
    await house.look()
    await house.settle()
    assert await house.has(order_id) == ANNA


async def test_who_carries_another_tracker_that_never_told_anything_is_lost_in_time(
    house: DispatchWorld,
) -> None:
    await house.there((ANNA, NEAR), (BO, AWAY))
    order_id = await house.place_order()
    await house.settle()
    await house.accept(order_id)
    async with house.database.write() as connection:
        values = {"tenant": house.tenant, "device": "bike-9", "role": Role.TRACKER.value}
        await connection.execute(DEVICES.insert().values(**values, created_at=house.now))
    await house.do(TILL, PutCourier(courier=Courier(courier=ANNA, name="Anna", device="bike-9")))
    await house.settle()
    assert await house.has(order_id) == ANNA, "the new one may tell where she is in a moment"
    house.wait(timedelta(seconds=AUTOMATIC.lost_after_s))
    await house.there((BO, AWAY))
    await house.settle()
    assert await house.has(order_id) == BO


async def test_an_alarm_that_could_not_be_raised_is_raised_later(house: DispatchWorld) -> None:
    await house.place_order()
    await house.look(times=2)
    house.asked.fault = RuntimeError("a fault of ours")
    await house.look(times=6)
    assert not await house.alerts()
    house.asked.fault = None
    await house.look(times=2)
    ((kind, _),) = await house.alerts()
    assert kind == "nobody-brings"


async def test_whom_a_person_asked_only_a_person_gives_up_and_managers_are_told(
    house: DispatchWorld,
) -> None:
    await house.there()
    order_id = await house.place_order()
    await house.do(TILL, AssignDelivery(order_id=order_id, courier=ANNA))
    house.wait(timedelta(seconds=AUTOMATIC.answer_within_s))
    await house.look(times=6)
    assert await house.has(order_id) == ANNA
    ((kind, text),) = await house.alerts()
    assert kind == "nobody-brings"
    assert "anna was asked for it and does not answer" in text
    await house.accept(order_id)
    assert not await house.alerts()


async def test_what_cannot_be_asked_is_told_to_the_managers(house: DispatchWorld) -> None:
    await house.there()
    order_id = await house.place_order()
    house.asked.refuses = AskCourier
    for _ in range(6):
        await house.there()
        await house.look()
    ((_, text),) = await house.alerts()
    assert "could not be asked for it" in text
    house.asked.refuses = None
    await house.there()
    await house.look(times=2)
    assert await house.has(order_id) is not None
    assert not await house.alerts()


async def test_what_cannot_be_planned_by_a_fault_of_ours_is_told_to_the_managers(
    house: DispatchWorld,
) -> None:
    await house.there()
    await house.place_order()
    house.broken = RuntimeError("a fault of ours")
    await house.look(times=8)
    assert list(house.dispatcher.faults) == [house.tenant]
    ((kind, text),) = await house.alerts()
    assert kind == "nobody-brings"
    assert "by a fault of ours" in text
    house.broken = None
    await house.look(times=2)
    assert not house.dispatcher.faults
    assert not await house.alerts()


async def test_an_alarm_of_an_earlier_process_ends_when_it_is_over(house: DispatchWorld) -> None:
    order_id = await house.place_order()
    await house.look(times=6)
    assert await house.alerts()
    house.dispatcher = house.new_dispatcher()
    house.cooked_in = timedelta(minutes=45)
    await house.there()
    await house.look()
    assert await house.has(order_id) is None, "it is for later"
    assert not await house.alerts()


async def test_what_has_ended_is_pinned_to_nobody(house: DispatchWorld) -> None:
    order_id = await house.place_order()
    await house.do(MANAGER, CancelOrder(order_id=order_id, reason="a mistake"))
    pin = PinDelivery(order_id=order_id, courier=ANNA)
    assert await house.refused(TILL, pin) == RefusalCode.WRONG_STATE


async def test_a_house_with_very_many_orders_is_planned_for_those_that_come_first(
    house: DispatchWorld,
) -> None:
    await house.there()
    async with house.database.write() as connection:
        waiting = {"tenant": house.tenant, "version": 1, "number": "7", "status": "waiting"}
        where = {"lat": DOOR.lat, "lon": DOOR.lon, "items": 1, "placed_at": house.now}
        rows = [{**waiting, **where, "order_id": new_id(), "document": {}} for _ in range(160)]
        await connection.execute(DELIVERIES.insert(), rows)
    await house.look()
    plan = house.plan()
    planned = sum(len(trip.doors) for trip in plan.trips)
    assert planned + len(plan.left_out) + plan.more == 160
    why = "150 orders that are ready sooner come first"
    assert sum(each.why == why for each in plan.left_out) == 10
