"""Each crossing of a drawn fence is told once, beside the step that it may be, whatever dies."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from schemas.deliveries import DeliveryStatus
from schemas.delivery_requests import AcceptDelivery, AssignDelivery
from schemas.fences import CrossingKind, FenceCrossed
from services.delivery.arrivals import Arrivals
from services.runtime.crossings import HOUSE, NEAR, STOP, Crossing, Follow
from services.runtime.database import Database
from services.runtime.intake import NotServing
from services.tracking.crossing_rows import StoredCrossings
from services.tracking.crossing_telling import CrossingTeller
from services.tracking.tables import CROSSINGS
from tests.services.asked_of_ourselves import AskedOfOurselves
from tests.services.delivery_world import ANNA, BIKE, CAR, DeliveryWorld
from tests.services.order_world import POINTS, TILL

ZONE = "old-town"


@pytest.fixture
async def house(database: Database) -> DeliveryWorld:
    made = DeliveryWorld(database)
    await made.open()
    return made


def arrivals_of(house: DeliveryWorld, asked: AskedOfOurselves, *first: Follow) -> Arrivals:
    intake: Any = asked
    also = (*first, CrossingTeller(intake).follow)
    return Arrivals(house.database, intake, StoredCrossings(), also=also)


def told(house: DeliveryWorld) -> list[FenceCrossed]:
    """What was told, once each: a parcel that goes out again has the same ids."""
    return list(dict(house.wire.crossings).values())


async def followed(house: DeliveryWorld) -> list[bool]:
    (rows,) = await house.rows(CROSSINGS)
    return [row["followed"] for row in rows]


async def forget_that_it_was_followed(house: DeliveryWorld) -> None:
    """A process has died before it could note it."""
    async with house.database.write() as connection:
        mine = CROSSINGS.update().where(CROSSINGS.c.tenant == house.tenant)
        await connection.execute(mine.values(followed=False))


@pytest.mark.parametrize("point", POINTS)
async def test_a_crossing_is_told_once_through_a_death(house: DeliveryWorld, point: str) -> None:
    arrivals = arrivals_of(house, AskedOfOurselves(house))
    expected = []
    for what in (CrossingKind.ENTER, CrossingKind.DWELL, CrossingKind.EXIT):
        await house.crossing(BIKE, ZONE, what)
        expected.append(FenceCrossed(fence=ZONE, vehicle=BIKE, what=what, at=house.now))
        deaths = house.deaths
        house.die_at = point
        await arrivals.look()
        assert house.deaths == deaths + 1
        assert told(house) == expected
        assert all(await followed(house))
        await forget_that_it_was_followed(house)
        await arrivals.look()
        assert told(house) == expected
        assert all(await followed(house))


async def test_what_stands_in_for_a_fence_is_a_step_and_not_told(house: DeliveryWorld) -> None:
    order_id = await house.place_order()
    await house.do(TILL, AssignDelivery(order_id=order_id, courier=ANNA))
    await house.do(BIKE, AcceptDelivery(order_id=order_id))
    for fence in (HOUSE, f"{NEAR}{order_id}", f"{STOP}{order_id}"):
        await house.crossing(BIKE, fence, CrossingKind.ENTER)
    await arrivals_of(house, AskedOfOurselves(house)).look()
    assert (await house.delivery(order_id)).status is not DeliveryStatus.ACCEPTED
    assert told(house) == []
    assert all(await followed(house))


async def test_a_crossing_is_not_noted_before_all_that_comes_of_it_was_asked(
    house: DeliveryWorld,
) -> None:
    seen: list[UUID] = []

    async def dies(crossing: Crossing) -> None:
        seen.append(crossing.crossing_id)
        if len(seen) == 1:
            raise NotServing("it dies between the step and the news")

    order_id = await house.place_order()
    await house.do(TILL, AssignDelivery(order_id=order_id, courier=ANNA))
    await house.do(BIKE, AcceptDelivery(order_id=order_id))
    await house.crossing(BIKE, HOUSE, CrossingKind.ENTER)
    await house.crossing(BIKE, ZONE, CrossingKind.ENTER)
    arrivals = arrivals_of(house, AskedOfOurselves(house), dies)
    with pytest.raises(NotServing):
        await arrivals.look()
    version = (await house.delivery(order_id)).version
    assert (await house.delivery(order_id)).status is DeliveryStatus.AT_RESTAURANT
    assert (told(house), await followed(house)) == ([], [False, False])
    await arrivals.look()
    assert (await house.delivery(order_id)).version == version
    assert [each.fence for each in told(house)] == [ZONE]
    assert await followed(house) == [True, True]


async def test_a_fault_with_one_vehicle_holds_up_no_other(house: DeliveryWorld) -> None:
    asked = AskedOfOurselves(house)
    ask = asked.ask_of_ourselves

    async def fails_for_the_bike(tenant: str, message: Any, request_id: UUID) -> Any:
        if message.vehicle == BIKE and broken:
            raise RuntimeError("a fault of ours")
        return await ask(tenant, message, request_id)

    setattr(asked, "ask_of_ourselves", fails_for_the_bike)  # noqa: B010 - of one object alone
    broken = True
    await house.crossing(BIKE, ZONE, CrossingKind.ENTER)
    await house.crossing(CAR, ZONE, CrossingKind.ENTER)
    await house.crossing(BIKE, ZONE, CrossingKind.EXIT)
    arrivals = arrivals_of(house, asked)
    with pytest.raises(NotServing):
        await arrivals.look()
    assert [each.vehicle for each in told(house)] == [CAR]
    broken = False
    await arrivals.look()
    mine = [each.what for each in told(house) if each.vehicle == BIKE]
    assert mine == [CrossingKind.ENTER, CrossingKind.EXIT]
    assert await followed(house) == [True, True, True]
