"""The live dispatcher, with the real worker and real rows."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import update

from schemas.deliveries import DeliveryStatus
from schemas.delivery_requests import (
    AcceptDelivery,
    AssignDelivery,
    ByHand,
    DeclineDelivery,
    PinDelivery,
    SetDuty,
    StepDelivery,
    UnassignDelivery,
)
from schemas.orders import CancelOrder
from schemas.refusals import RefusalCode
from schemas.replies import CourierReceipt
from services.delivery.dispatching.inside import AskCourier, TakeBack
from services.people.leaving import dismiss_tenant
from services.runtime.database import Database
from services.runtime.house_rules import HOUSE_RULES
from tests.services.delivery_world import ANNA, BIKE, BO, CAR, DOOR, FAR
from tests.services.dispatch_world import AUTOMATIC, AWAY, NEAR, DispatchWorld
from tests.services.order_world import MANAGER, SCREEN, TILL


@pytest.fixture
async def house(database: Database) -> DispatchWorld:
    made = DispatchWorld(database)
    await made.open()
    return made


async def test_who_is_near_is_asked_to_bring_it(house: DispatchWorld) -> None:
    await house.there((ANNA, AWAY), (BO, NEAR))
    order_id = await house.place_order()
    await house.settle()
    delivery = await house.delivery(order_id)
    assert (delivery.status, delivery.courier) == (DeliveryStatus.ASSIGNED, BO)
    assert delivery.why is not None
    assert "from" in delivery.why
    assert not await house.differing()
    await house.accept(order_id)
    await house.settle()
    assert (await house.delivery(order_id)).status is DeliveryStatus.ACCEPTED


async def test_nobody_is_asked_before_it_is_time(database: Database) -> None:
    rules = AUTOMATIC.model_copy(update={"ask_ahead_s": 0})
    house = DispatchWorld(database, rules)
    await house.open()
    await house.there()
    order_id = await house.place_order()
    house.cooked_in = timedelta(minutes=20)
    await house.settle()
    assert await house.has(order_id) is None, "its food is not cooked for long"
    (trip,) = house.plan().trips
    assert not trip.asked
    assert [door.order_id for door in trip.doors] == [order_id]
    assert timedelta(minutes=15) < trip.leave_at - house.now < timedelta(minutes=20)
    await house.cook(order_id)
    await house.there()
    await house.settle()
    assert await house.has(order_id) == trip.courier


async def test_where_dispatch_is_not_automatic_nobody_is_asked(database: Database) -> None:
    house = DispatchWorld(database, AUTOMATIC.model_copy(update={"automatic": False}))
    await house.open()
    await house.there()
    order_id = await house.place_order()
    await house.settle()
    assert await house.has(order_id) is None
    assert not house.shown
    assert house.cleared == 1, "what another process may have left is shown no more"


async def test_who_declines_is_not_asked_again_and_the_next_one_is(house: DispatchWorld) -> None:
    await house.there((ANNA, NEAR), (BO, AWAY))
    order_id = await house.place_order()
    await house.settle()
    assert await house.has(order_id) == ANNA
    await house.do(BIKE, DeclineDelivery(order_id=order_id, reason="a flat tyre"))
    await house.settle()
    assert await house.has(order_id) == BO


async def test_who_does_not_answer_loses_it_to_the_next_one(house: DispatchWorld) -> None:
    await house.there((ANNA, NEAR), (BO, AWAY))
    order_id = await house.place_order()
    await house.settle()
    assert await house.has(order_id) == ANNA
    house.wait(timedelta(seconds=30))
    await house.settle()
    assert await house.has(order_id) == ANNA, "there is time left to answer"
    house.wait(timedelta(seconds=35))
    await house.settle()
    delivery = await house.delivery(order_id)
    assert delivery.courier == BO
    assert delivery.declined_by == (ANNA,)
    late = AcceptDelivery(order_id=order_id)
    assert await house.refused(BIKE, late) == RefusalCode.NOT_ALLOWED, "it is not hers any more"


async def test_an_answer_in_the_last_moment_counts(house: DispatchWorld) -> None:
    """The dispatcher takes back what it saw unanswered: an answer since then stands."""
    await house.there((ANNA, NEAR), (BO, AWAY))
    order_id = await house.place_order()
    await house.settle()
    version = (await house.delivery(order_id)).version
    await house.accept(order_id)
    taken = TakeBack.model_validate(
        {
            "orders": [{"order_id": order_id, "version": version}],
            "courier": ANNA,
            "declined": True,
            "why": "no answer",
        }
    )
    reply = await house.asked.ask_of_ourselves(house.tenant, taken, order_id)
    assert reply.code is RefusalCode.STALE_VERSION
    assert (await house.delivery(order_id)).status is DeliveryStatus.ACCEPTED


async def test_where_all_decline_managers_are_told_and_all_are_asked_again_later(
    house: DispatchWorld,
) -> None:
    await house.there()
    order_id = await house.place_order()
    for _ in range(2):
        await house.settle()
        delivery = await house.delivery(order_id)
        assert delivery.device is not None
        await house.do(delivery.device, DeclineDelivery(order_id=order_id))
    await house.settle()
    assert [(each.order_id, each.why) for each in house.plan().left_out] == [
        (order_id, "every courier has declined it")
    ]
    assert not await house.alerts(), "it may be over in a moment"
    await house.look(times=5)
    ((kind, text),) = await house.alerts()
    assert kind == "nobody-brings"
    assert (await house.delivery(order_id)).number in text
    assert "every courier has declined it" in text
    house.wait(timedelta(seconds=AUTOMATIC.ask_again_s))
    await house.there()
    await house.settle()
    assert await house.has(order_id) in {ANNA, BO}
    assert not await house.alerts(), "somebody is asked"


async def test_who_is_lost_keeps_nobody_from_being_asked_again(house: DispatchWorld) -> None:
    """Whoever has declined is asked again when all who could bring it have, and no sooner."""
    await house.there((ANNA, NEAR), (BO, NEAR))
    house.wait(timedelta(seconds=AUTOMATIC.lost_after_s + 1))
    await house.there((ANNA, NEAR))
    order_id = await house.place_order()
    await house.settle()
    assert await house.has(order_id) == ANNA
    await house.do(BIKE, DeclineDelivery(order_id=order_id))
    await house.settle()
    assert await house.has(order_id) is None
    house.wait(timedelta(seconds=AUTOMATIC.ask_again_s))
    await house.there((ANNA, NEAR))
    await house.settle()
    assert await house.has(order_id) == ANNA


async def test_who_was_lost_before_the_food_was_fetched_loses_it(house: DispatchWorld) -> None:
    await house.there((ANNA, NEAR), (BO, AWAY))
    order_id = await house.place_order()
    await house.settle()
    await house.accept(order_id)
    house.wait(timedelta(seconds=AUTOMATIC.lost_after_s + 1))
    await house.there((BO, AWAY))
    await house.settle()
    assert await house.has(order_id) == BO
    assert not (await house.delivery(order_id)).declined_by, "who is lost has declined nothing"


async def test_what_a_lost_courier_has_in_the_bag_stays_theirs(house: DispatchWorld) -> None:
    await house.there((ANNA, NEAR), (BO, AWAY))
    order_id = await house.place_order()
    await house.settle()
    await house.accept(order_id)
    await house.pick_up(order_id)
    house.wait(timedelta(seconds=10 * AUTOMATIC.lost_after_s))
    await house.there((BO, AWAY))
    await house.settle()
    assert await house.has(order_id) == ANNA


async def test_what_a_courier_leaves_at_the_counter_goes_to_another(
    house: DispatchWorld,
) -> None:
    await house.there()
    await house.do(CAR, SetDuty(courier=BO, on_duty=False))
    orders = [await house.place_order(DOOR) for _ in range(2)]
    for each in orders:
        await house.cook(each)
    await house.there((ANNA, NEAR))
    await house.settle()
    for each in orders:
        await house.accept(each)
    await house.do(BIKE, StepDelivery(order_id=orders[0], step=ByHand.PICK_UP))
    await house.settle()
    assert await house.has(orders[1]) == ANNA, "she waits for it"
    await house.do(BIKE, StepDelivery(order_id=orders[0], step=ByHand.SET_OUT))
    await house.do(CAR, SetDuty(courier=BO, on_duty=True))
    await house.there((ANNA, NEAR), (BO, NEAR))
    await house.settle()
    assert (await house.delivery(orders[0])).status is DeliveryStatus.EN_ROUTE
    assert await house.has(orders[1]) == BO


async def test_who_stands_at_a_door_for_long_is_not_counted_on(database: Database) -> None:
    house = DispatchWorld(database, AUTOMATIC.model_copy(update={"ask_ahead_s": 60}))
    await house.open()
    await house.there((ANNA, NEAR), (BO, AWAY))
    order_id = await house.place_order()
    await house.cook(order_id)
    await house.settle()
    assert await house.has(order_id) == ANNA
    await house.accept(order_id)
    await house.pick_up(order_id)
    await house.do(BIKE, StepDelivery(order_id=order_id, step=ByHand.ARRIVE))
    house.wait(timedelta(minutes=8))
    await house.there((ANNA, DOOR), (BO, AWAY))
    other = await house.place_order()
    await house.cook(other)
    await house.settle()
    assert await house.has(other) != ANNA, "the guest does not open, or worse"


async def test_two_orders_of_one_street_go_together(house: DispatchWorld) -> None:
    await house.there()
    await house.do(CAR, SetDuty(courier=BO, on_duty=False))
    orders = [await house.place_order(DOOR) for _ in range(2)]
    for each in orders:
        await house.cook(each)
    await house.there((ANNA, NEAR))
    await house.settle()
    assert len({await house.has(each) for each in orders}) == 1
    stops = sorted([(await house.delivery(each)).stop or 0 for each in orders])
    assert stops == [1, 2]
    assert not await house.differing()


async def test_whoever_is_pinned_is_asked_however_far_they_are(house: DispatchWorld) -> None:
    await house.there((ANNA, AWAY), (BO, NEAR))
    order_id = await house.place_order()
    pinned = await house.moved(TILL, PinDelivery(order_id=order_id, courier=ANNA))
    assert pinned.pinned == ANNA
    again = await house.moved(TILL, PinDelivery(order_id=order_id, courier=ANNA))
    assert again.version == pinned.version, "twice changes nothing"
    await house.settle()
    assert await house.has(order_id) == ANNA
    await house.do(TILL, PinDelivery(order_id=order_id))
    await house.do(TILL, UnassignDelivery(order_id=order_id))
    await house.settle()
    assert await house.has(order_id) == BO


async def test_pins_and_duty_are_not_for_everybody_to_say(house: DispatchWorld) -> None:
    order_id = await house.place_order()
    for device in (BIKE, SCREEN):
        pin = PinDelivery(order_id=order_id, courier=ANNA)
        assert await house.refused(device, pin) == RefusalCode.NOT_ALLOWED
    nobody = PinDelivery(order_id=order_id, courier="nobody")
    assert await house.refused(TILL, nobody) == RefusalCode.NOT_FOUND
    others = SetDuty(courier=BO, on_duty=False)
    assert await house.refused(BIKE, others) == RefusalCode.NOT_ALLOWED
    past = SetDuty(courier=ANNA, on_duty=True, until=house.now - timedelta(hours=1))
    assert await house.refused(BIKE, past) == RefusalCode.TIME_PASSED


async def test_who_is_off_duty_or_at_the_end_of_the_shift_is_not_asked(
    house: DispatchWorld,
) -> None:
    await house.there((ANNA, NEAR), (BO, AWAY))
    until = house.now + timedelta(seconds=90)
    reply = await house.do(BIKE, SetDuty(courier=ANNA, on_duty=True, until=until))
    assert isinstance(reply.result, CourierReceipt)
    assert (reply.result.on_duty, reply.result.until) == (True, until)
    await house.do(MANAGER, SetDuty(courier=BO, on_duty=False))
    order_id = await house.place_order()
    await house.settle()
    assert await house.has(order_id) is None
    (left,) = house.plan().left_out
    assert left.why == "every courier's shift ends before it could be picked up"
    await house.do(CAR, SetDuty(courier=BO, on_duty=True))
    await house.settle()
    assert await house.has(order_id) == BO
    assert not await house.differing()


async def test_two_planners_at_once_ask_one_courier(house: DispatchWorld) -> None:
    await house.there()
    orders = [await house.place_order(place) for place in (DOOR, FAR, DOOR)]
    other = house.new_dispatcher()
    await asyncio.gather(house.dispatcher.look(), other.look())
    for _ in range(3):
        await asyncio.gather(house.dispatcher.look(), other.look())
    has = [await house.has(each) for each in orders]
    assert sorted(each for each in has if each) == [ANNA, BO], "one is for whoever is back first"
    assert not await house.differing()


async def test_a_person_who_was_quicker_is_right(house: DispatchWorld) -> None:
    """What a planner asks names what it saw: of something that is another it has no say."""
    await house.there((ANNA, NEAR), (BO, AWAY))
    order_id = await house.place_order()
    await house.settle()
    (asked,) = [each for each in house.asked.requests if isinstance(each, AskCourier)]
    await house.do(TILL, AssignDelivery(order_id=order_id, courier=BO))
    reply = await house.asked.ask_of_ourselves(house.tenant, asked, order_id)
    assert reply.code is RefusalCode.STALE_VERSION
    await house.settle()
    assert await house.has(order_id) == BO


async def test_an_order_that_is_cancelled_is_planned_no_more(house: DispatchWorld) -> None:
    order_id = await house.place_order()
    await house.settle()
    assert [each.order_id for each in house.plan().left_out] == [order_id], "nobody was ever seen"
    await house.do(MANAGER, CancelOrder(order_id=order_id, reason="a mistake"))
    await house.settle()
    assert not house.plan().left_out


async def test_what_a_dead_process_had_asked_is_not_asked_again(house: DispatchWorld) -> None:
    await house.there()
    order_id = await house.place_order()
    await house.settle()
    before = await house.delivery(order_id)
    house.dispatcher = house.new_dispatcher()
    await house.settle()
    assert await house.delivery(order_id) == before


async def test_a_fault_in_one_house_leaves_the_others_their_dispatch(
    database: Database,
) -> None:
    broken, well = DispatchWorld(database), DispatchWorld(database)
    await broken.open()
    await well.open()
    await well.there()
    order_id = await well.place_order()
    await broken.place_order()
    rules = {**AUTOMATIC.model_dump(mode="json"), "answer_within_s": "of another release"}
    async with database.write() as connection:
        await connection.execute(
            update(HOUSE_RULES)
            .where(HOUSE_RULES.c.tenant == broken.tenant)
            .values(delivery=rules, version=HOUSE_RULES.c.version + 1)
        )
    await well.settle()
    assert await well.has(order_id) in {ANNA, BO}


async def test_nobody_waits_for_a_kitchen_that_stands_still(house: DispatchWorld) -> None:
    await house.there((ANNA, NEAR), (BO, AWAY))
    order_id = await house.place_order()
    await house.settle()
    await house.accept(order_id)
    house.cooked_in = timedelta(seconds=AUTOMATIC.let_go_after_s + 60)
    await house.look()
    delivery = await house.delivery(order_id)
    assert delivery.courier is None
    assert delivery.reason is not None
    assert delivery.reason.endswith("anna does not wait for it")
    assert not delivery.declined_by


async def test_one_courier_waits_at_a_kitchen_that_stands_still_and_no_others(
    database: Database,
) -> None:
    house = DispatchWorld(database, AUTOMATIC.model_copy(update={"ask_ahead_s": 0}))
    await house.open()
    await house.there()
    orders = []
    for place in (DOOR, FAR):
        orders.append(await house.place_order(place))
        house.wait(timedelta(seconds=1))
    house.cooked_in = timedelta(minutes=-20)
    await house.settle()
    assert await house.has(orders[0]) is not None, "somebody is there, should it be ready"
    assert await house.has(orders[1]) is None, "what comes after it will be late, too"
    await house.cook(orders[1])
    await house.settle()
    assert await house.has(orders[1]) is not None


async def test_of_a_tenant_that_is_gone_no_plan_is_shown(house: DispatchWorld) -> None:
    await house.place_order()
    await house.look()
    assert house.shown
    before = house.cleared
    async with house.database.write() as connection:
        await dismiss_tenant(connection, house.tenant, ())
    await house.look()
    assert house.cleared == before + 1
