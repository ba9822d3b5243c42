"""What a house quotes whose couriers are asked by the dispatcher: as its plan has them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schemas.delivery_requests import CompleteDelivery, QuoteDelivery, SetDuty
from schemas.replies import DeliveryQuote, Outcome
from services.delivery.next_couriers import OLD_AFTER
from services.runtime import house_rules
from services.runtime.database import Database
from tests.services.delivery_world import ANNA, BO, DOOR, FAR, DeliveryWorld
from tests.services.dispatch_world import AUTOMATIC, AWAY, NEAR, DispatchWorld
from tests.services.order_world import MANAGER, TILL, Asked


@pytest.fixture
async def house(database: Database) -> DispatchWorld:
    made = DispatchWorld(database)
    await made.open()
    return made


async def quoted(house: DeliveryWorld) -> DeliveryQuote:
    """What is answered at this moment."""
    asked = Asked(TILL, QuoteDelivery(place=DOOR, items=2), at=house.now)
    (reply,) = await house.say(asked)
    assert reply.outcome is Outcome.ACCEPTED, reply
    assert isinstance(reply.result, DeliveryQuote)
    return reply.result


async def test_a_courier_is_quoted_who_stands_next_door(house: DispatchWorld) -> None:
    await house.there((ANNA, AWAY), (BO, AWAY))
    await house.look()
    away = (await quoted(house)).courier
    await house.there()
    await house.look()
    near = (await quoted(house)).courier
    assert near.p50_s < 120 < away.p50_s, "the ride to the restaurant"


async def test_couriers_who_have_much_to_bring_are_quoted_later(house: DispatchWorld) -> None:
    await house.there()
    await house.look()
    calm = await quoted(house)
    orders = [await house.place_order(FAR) for _ in range(9)]
    for order_id in orders:
        house.wait(timedelta(seconds=5))
        assert (await house.delivery(order_id)).courier is None
    await house.there()
    await house.settle()
    busy = await quoted(house)
    assert busy.courier.p50_s > calm.courier.p50_s + 15 * 60
    assert busy.promised_at > calm.promised_at + timedelta(minutes=10)


async def test_what_is_placed_at_once_is_promised_what_was_quoted(house: DispatchWorld) -> None:
    first = await house.accepted()
    await house.pick_up(first)
    await house.do(TILL, CompleteDelivery(order_id=first))
    await house.there()
    for _ in range(4):
        await house.look()
        told = await quoted(house)
        delivery = await house.kept(await house.place_order())
        assert told.p50_at == delivery.quoted_p50_at
        assert told.promised_at == delivery.delivery.promised_at


async def test_whose_shift_ends_before_the_food_is_ready_is_not_counted_on(
    house: DispatchWorld,
) -> None:
    await house.there((ANNA, NEAR), (BO, AWAY))
    ends = SetDuty(courier=ANNA, on_duty=True, until=house.now + timedelta(minutes=12))
    await house.do(MANAGER, ends)
    await house.there((ANNA, NEAR), (BO, AWAY))
    await house.look()
    told = await quoted(house)
    assert told.kitchen.p50_s > 12 * 60
    assert told.courier.p50_s > 300, "bo's way, not anna's"


async def test_a_plan_of_long_ago_is_not_gone_by(house: DispatchWorld) -> None:
    usual = (await quoted(house)).courier
    await house.there()
    await house.look()
    assert (await quoted(house)).courier != usual
    house.wait(OLD_AFTER + timedelta(seconds=1))
    assert (await quoted(house)).courier == usual


async def test_where_couriers_are_not_asked_by_themselves_any_more_no_plan_is_gone_by(
    house: DispatchWorld,
) -> None:
    usual = (await quoted(house)).courier
    await house.there()
    await house.look()
    assert (await quoted(house)).courier != usual
    by_hand = AUTOMATIC.model_copy(update={"automatic": False})
    async with house.database.write() as connection:
        await house_rules.write(connection, house.tenant, delivery=by_hand)
    await house.look()
    assert (await quoted(house)).courier == usual
