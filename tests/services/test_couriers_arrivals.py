"""Steps that find themselves: of what a courier had to bring then, and nobody waits for a fault."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from schemas.deliveries import DeliveryStatus, DeliveryStep
from schemas.delivery_requests import FailDelivery
from schemas.fences import CrossingKind
from schemas.message import Request
from schemas.replies import Reply
from services.delivery import arrivals as following
from services.delivery.arrivals import Arrivals
from services.delivery.inside import FollowArrival
from services.runtime.crossings import HOUSE, NEAR, STOP
from services.runtime.database import Database
from services.runtime.timers import NotNow
from services.tracking.crossing_rows import StoredCrossings
from services.tracking.tables import CROSSINGS
from tests.services.asked_of_ourselves import AskedOfOurselves
from tests.services.delivery_world import BIKE, BO, CAR, FAR, DeliveryWorld
from tests.services.order_world import OURSELVES

CAME, WENT = CrossingKind.ENTER, CrossingKind.EXIT
OFFLINE = timedelta(minutes=20)


class FailsFor(AskedOfOurselves):
    """A fault of ours with all that one vehicle shows."""

    vehicle: str | None = None

    async def ask_of_ourselves(self, tenant: str, message: Request, request_id: UUID) -> Reply:
        if isinstance(message, FollowArrival) and message.vehicle == self.vehicle:
            self.failed += 1
            raise RuntimeError("a fault of ours")
        return await super().ask_of_ourselves(tenant, message, request_id)


class Evening:
    """A house whose couriers' arrivals are followed."""

    def __init__(self, house: DeliveryWorld) -> None:
        self.house = house
        self.asks = FailsFor(house)
        self.arrivals = Arrivals(house.database, self.asks, StoredCrossings())  # type: ignore[arg-type]  # asks as its port does

    async def crossed(
        self, vehicle: str, fence: str, what: CrossingKind, at: datetime | None = None
    ) -> None:
        """It came or went, and that was followed."""
        await self.house.crossing(vehicle, fence, what, at)
        await self.arrivals.look()
        (rows,) = await self.house.rows(CROSSINGS)
        assert all(row["followed"] for row in rows)

    async def status(self, order_id: UUID) -> DeliveryStatus:
        return (await self.house.delivery(order_id)).status


@pytest.fixture
async def evening(database: Database) -> Evening:
    house = DeliveryWorld(database)
    await house.open()
    return Evening(house)


async def test_crossings_become_steps_once(evening: Evening) -> None:
    house, arrivals = evening.house, evening.arrivals
    order_id = await house.accepted()
    await house.crossing(BIKE, HOUSE, CAME)
    await evening.crossed(CAR, HOUSE, CAME)
    assert await evening.status(order_id) is DeliveryStatus.AT_RESTAURANT
    came = (await house.delivery(order_id)).at_restaurant_at
    await house.pick_up(order_id)
    for fence, what, status in (
        (HOUSE, WENT, DeliveryStatus.EN_ROUTE),
        (f"{NEAR}{order_id}", CAME, DeliveryStatus.NEAR),
        (f"{STOP}{order_id}", CAME, DeliveryStatus.ARRIVED),
    ):
        await house.crossing(CAR, fence, what)
        await evening.crossed(BIKE, fence, what)
        found = await house.delivery(order_id)
        assert found.status is status
    assert found.arrived_at == house.now
    assert found.at_restaurant_at == came
    assert await arrivals.look() == 0
    async with house.database.write() as connection:  # it died before it could note that
        await connection.execute(CROSSINGS.update().values(followed=False))
    await arrivals.look()
    assert await house.delivery(order_id) == found


async def test_who_accepts_at_the_restaurant_is_there(evening: Evening) -> None:
    await evening.crossed(BIKE, HOUSE, CAME)
    order_id = await evening.house.accepted()
    await evening.arrivals.look()
    found = await evening.house.delivery(order_id)
    assert found.status is DeliveryStatus.AT_RESTAURANT
    assert found.at_restaurant_at == found.accepted_at


async def test_a_phone_that_was_away_at_the_restaurant_has_not_come_for_what_was_asked_later(
    evening: Evening,
) -> None:
    house = evening.house
    was_there = house.now
    house.wait(OFFLINE)
    order_id = await house.accepted()
    # Both come in one backlog: it was there, and it left.
    await house.crossing(BIKE, HOUSE, CAME, was_there)
    await evening.crossed(BIKE, HOUSE, WENT, was_there + timedelta(minutes=5))
    assert await evening.status(order_id) is DeliveryStatus.ACCEPTED
    await evening.crossed(BIKE, HOUSE, CAME)
    assert await evening.status(order_id) is DeliveryStatus.AT_RESTAURANT


async def test_who_passed_a_door_before_they_had_the_food_has_not_arrived(
    evening: Evening,
) -> None:
    house = evening.house
    order_id = await house.accepted()
    passed = house.now
    house.wait(OFFLINE)
    await house.pick_up(order_id)
    for fence, what in (
        (f"{NEAR}{order_id}", CAME),
        (f"{STOP}{order_id}", CAME),
        (HOUSE, WENT),
    ):
        await evening.crossed(BIKE, fence, what, passed)
        assert await evening.status(order_id) is DeliveryStatus.PICKED_UP, fence
    await evening.crossed(BIKE, f"{STOP}{order_id}", CAME)
    assert await evening.status(order_id) is DeliveryStatus.ARRIVED


async def test_who_failed_at_a_door_has_arrived_there_again_only_when_they_came_again(
    evening: Evening,
) -> None:
    house = evening.house
    order_id = await house.accepted()
    await house.pick_up(order_id)
    first_time = house.now
    house.wait(OFFLINE)
    await house.do(BIKE, FailDelivery(order_id=order_id, reason="nobody opened"))
    # They bring it back, and leave with something else: that is not a second try.
    await evening.crossed(BIKE, HOUSE, WENT)
    assert await evening.status(order_id) is DeliveryStatus.FAILED
    await house.set_out(order_id)
    await evening.crossed(BIKE, f"{STOP}{order_id}", CAME, first_time)
    again = await house.delivery(order_id)
    assert (again.status, again.arrived_at) == (DeliveryStatus.EN_ROUTE, None)
    await evening.crossed(BIKE, f"{STOP}{order_id}", CAME)
    assert (await house.delivery(order_id)).arrived_at == house.now


async def test_what_changes_hands_before_it_is_decided_does_not_move(evening: Evening) -> None:
    house = evening.house
    was_there = house.now
    house.wait(OFFLINE)
    order_id = await house.accepted()
    seen = FollowArrival(
        vehicle=BIKE, step=DeliveryStep.REACH_RESTAURANT, order_ids=(order_id,), at=was_there
    )
    await house.ask(OURSELVES, seen)
    assert await evening.status(order_id) is DeliveryStatus.ACCEPTED


async def test_a_vehicle_whose_crossings_fail_holds_up_no_other_however_many_they_are(
    evening: Evening,
) -> None:
    house, asks = evening.house, evening.asks
    stuck, other = await house.accepted(courier=BO), await house.accepted(FAR)
    await house.crossing(CAR, HOUSE, CAME, times=following.AT_ONCE + 5)
    await house.crossing(BIKE, HOUSE, CAME)
    asks.vehicle = CAR
    with pytest.raises(NotNow):
        await evening.arrivals.look()
    assert await evening.status(other) is DeliveryStatus.AT_RESTAURANT
    assert await evening.status(stuck) is DeliveryStatus.ACCEPTED
    asks.vehicle = None
    await evening.arrivals.look()
    assert await evening.status(stuck) is DeliveryStatus.AT_RESTAURANT
    (rows,) = await house.rows(CROSSINGS)
    assert all(row["followed"] for row in rows)
