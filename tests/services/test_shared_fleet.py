"""Houses that share a fleet: one person, several houses, each of which knows only its own."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.deliveries import DeliveryStatus
from schemas.delivery_requests import AcceptDelivery, AssignDelivery, SetDuty
from schemas.dispatch import DispatchState
from schemas.envelope import envelope_of
from schemas.message import Request
from schemas.replies import Reply
from services.delivery.dispatching.dispatcher import Dispatcher
from services.delivery.dispatching.reading import Sources
from services.kitchen.ready_times import ready_times
from services.runtime.context import Outgoing
from services.runtime.database import Database
from services.runtime.ready_times import OrderKey, ReadyTime
from services.tracking.whereabouts import StoredWhereabouts
from tests.services.asked_of_ourselves import AskedOfOurselves
from tests.services.delivery_world import ANNA, BIKE, BO, CAR, DOOR
from tests.services.dispatch_world import AUTOMATIC, AWAY, NEAR, DispatchWorld
from tests.services.order_world import TILL

SHARED = AUTOMATIC.model_copy(update={"fleet": "harbour"})


class Fleet:
    """Two houses, and the dispatcher of both."""

    def __init__(self, database: Database) -> None:
        self.houses = [DispatchWorld(database, SHARED) for _ in range(2)]
        self.plans: dict[str, DispatchState] = {}
        self.cooked_in: timedelta | None = None
        self.dispatcher = Dispatcher(
            database,
            self,  # type: ignore[arg-type]  # asks as its port does
            self._say,
            Sources(self._ready_times, StoredWhereabouts()),
            lambda: self.houses[0].now,
            rest=0.0,
        )
        self._asks = {each.tenant: AskedOfOurselves(each) for each in self.houses}

    async def ask_of_ourselves(self, tenant: str, message: Request, request_id: UUID) -> Reply:
        return await self._asks[tenant].ask_of_ourselves(tenant, message, request_id)

    async def settle(self) -> None:
        self.wait(timedelta(seconds=30))
        for _ in range(10):
            if not await self.dispatcher.look():
                return
        raise AssertionError("the dispatcher asks and asks")

    def wait(self, span: timedelta) -> None:
        """Let time pass in both houses: they have one clock."""
        later = max(each.now for each in self.houses) + span
        for each in self.houses:
            each.wait(later - each.now)

    async def _ready_times(
        self, connection: AsyncConnection, orders: Collection[OrderKey]
    ) -> Mapping[OrderKey, ReadyTime]:
        if self.cooked_in is None:
            return await ready_times(connection, orders)
        at = self.houses[0].now + self.cooked_in
        return {key: ReadyTime(at, at) for key in orders}

    def _say(self, messages: Iterable[Outgoing]) -> None:
        for each in messages:
            if each.payload:
                model = envelope_of(DispatchState)
                self.plans[each.tenant] = model.model_validate_json(each.payload).data


@pytest.fixture
async def fleet(database: Database) -> Fleet:
    made = Fleet(database)
    for house in made.houses:
        await house.open()
    return made


async def test_who_brings_food_of_one_house_is_not_free_for_the_other(fleet: Fleet) -> None:
    one, other = fleet.houses
    for house in fleet.houses:
        await house.there((ANNA, NEAR), (BO, AWAY))
    first = await one.place_order()
    await fleet.settle()
    assert await one.has(first) == ANNA
    second = await other.place_order()
    await fleet.settle()
    assert await other.has(second) == BO, "anna has an order of the other house to bring"
    assert await one.has(first) == ANNA


async def test_a_house_sees_of_the_plan_what_concerns_it_alone(fleet: Fleet) -> None:
    one, other = fleet.houses
    orders = [await house.place_order(DOOR) for house in fleet.houses]
    await fleet.settle()
    for house, order_id in zip((one, other), orders, strict=True):
        plan = fleet.plans[house.tenant]
        assert [each.order_id for each in plan.left_out] == [order_id]
        assert (
            plan.left_out[0].why
            == "no courier is on shift, with a place that is known and not too old"
        )


async def test_only_who_works_for_a_house_is_asked_by_it(fleet: Fleet) -> None:
    one, other = fleet.houses
    for house in fleet.houses:
        await house.there((ANNA, NEAR), (BO, NEAR))
    await other.do(CAR, SetDuty(courier=BO, on_duty=False))
    orders = [await other.place_order() for _ in range(2)]
    await fleet.settle()
    assert {await other.has(each) for each in orders} == {ANNA, None}
    mine = await one.place_order()
    await fleet.settle()
    assert await one.has(mine) == BO


async def test_where_a_courier_is_counts_whichever_house_saw_them_last(fleet: Fleet) -> None:
    one, other = fleet.houses
    await one.there((ANNA, AWAY), (BO, AWAY))
    fleet.wait(timedelta(seconds=60))
    await other.there((BO, NEAR))
    order_id = await one.place_order()
    await fleet.settle()
    delivery = await one.delivery(order_id)
    assert (delivery.courier, delivery.status) == (BO, DeliveryStatus.ASSIGNED)


async def test_what_is_brought_by_hand_for_another_house_counts_too(database: Database) -> None:
    fleet = Fleet(database)
    one, other = fleet.houses
    await one.open()
    other.delivers = SHARED.model_copy(update={"automatic": False})
    await other.open()
    for house in fleet.houses:
        await house.there((ANNA, NEAR), (BO, AWAY))
    by_hand, waits = await other.place_order(), await other.place_order()
    await other.do(TILL, AssignDelivery(order_id=by_hand, courier=ANNA))
    await other.do(BIKE, AcceptDelivery(order_id=by_hand))
    mine = await one.place_order()
    await fleet.settle()
    assert await one.has(mine) == BO, "anna has an order of the other house to bring"
    assert await other.has(waits) is None, "nobody is asked there by itself"
    assert other.tenant not in fleet.plans


async def test_a_shift_that_ends_in_one_house_ends(fleet: Fleet) -> None:
    one, other = fleet.houses
    for house in fleet.houses:
        await house.there((ANNA, NEAR), (BO, AWAY))
    until = other.now + timedelta(seconds=90)
    await other.do(BIKE, SetDuty(courier=ANNA, on_duty=True, until=until))
    order_id = await one.place_order()
    await fleet.settle()
    assert await one.has(order_id) == BO


async def test_a_shift_that_was_over_yesterday_in_one_house_is_nothing_to_another(
    fleet: Fleet,
) -> None:
    one, other = fleet.houses
    until = other.now + timedelta(minutes=5)
    await other.do(BIKE, SetDuty(courier=ANNA, on_duty=True, until=until))
    fleet.wait(timedelta(hours=20))
    for house in fleet.houses:
        await house.there((ANNA, NEAR), (BO, AWAY))
    order_id = await one.place_order()
    await fleet.settle()
    assert await one.has(order_id) == ANNA


async def test_each_house_asks_as_early_as_it_wants_to(database: Database) -> None:
    fleet = Fleet(database)
    one, other = fleet.houses
    late = SHARED.model_copy(update={"ask_ahead_s": 0})
    one.delivers = late
    await one.open()
    await other.open()
    for house in fleet.houses:
        await house.there((ANNA, NEAR), (BO, NEAR))
    mine, theirs = await one.place_order(), await other.place_order()
    fleet.cooked_in = timedelta(minutes=15)
    await fleet.settle()
    assert await other.has(theirs) is not None
    assert await one.has(mine) is None
