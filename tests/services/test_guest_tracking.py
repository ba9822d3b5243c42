"""The guest's link on real rows: exact when it is their turn, coarse before, nothing after."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from schemas.delivery_requests import (
    AcceptDelivery,
    AssignDelivery,
    ByHand,
    CompleteDelivery,
    FailDelivery,
    ShareDelivery,
    StepDelivery,
)
from schemas.etas import Confidence, EtaState
from schemas.gateway import Nothing
from schemas.guest_tracking import GuestStatus, GuestTracking
from schemas.orders import CloseOrder
from schemas.positions import Place
from schemas.replies import DeliveryLink
from services.delivery import links
from services.delivery.guest_routes import TrackingRoutes
from services.orders.inside import ForgetGuest
from services.runtime.context import outgoing
from services.runtime.database import Database
from services.runtime.gateway import Call, Denied
from services.tracking.whereabouts import StoredWhereabouts
from tests.services.delivery_world import ANNA, BIKE, FAR, DeliveryWorld
from tests.services.order_world import OURSELVES, TILL

COURIER = Place(lat=60.17432, lon=24.94321)
HOME = Place(lat=60.21, lon=24.88)
"""Where the courier was before."""


class Page:
    """A guest's page of one order.

    Args:
        house: of which order's link is shown.
        token: the link's.
    """

    def __init__(self, house: DeliveryWorld, token: str) -> None:
        self.token = token
        self.said: dict[str, bytes] = {}
        clock = lambda: house.now  # noqa: E731 - one line says it
        self.routes = TrackingRoutes(house.database, StoredWhereabouts(), self.said.get, clock)

    async def look(self) -> GuestTracking:
        """What it shows."""
        return await self.routes.view(self.call(), Nothing())

    def call(self) -> Call:
        """A request of the page."""
        return Call("127.0.0.1", None, {"token": self.token}, {}, {})


async def page_of(house: DeliveryWorld, order_id: UUID) -> Page:
    link = (await house.do(TILL, ShareDelivery(order_id=order_id))).result
    assert isinstance(link, DeliveryLink)
    return Page(house, link.path.removeprefix(links.PATH))


@pytest.fixture
async def house(database: Database) -> DeliveryWorld:
    made = DeliveryWorld(database)
    await made.open()
    return made


async def test_two_guests_of_one_courier_each_see_their_own(house: DeliveryWorld) -> None:
    first, second = await house.place_order(), await house.place_order()
    mine, other = await page_of(house, first), await page_of(house, second)
    for order_id in (first, second):
        await house.do(TILL, AssignDelivery(order_id=order_id, courier=ANNA))
        await house.do(BIKE, AcceptDelivery(order_id=order_id))
    before = await mine.look()
    assert (before.status, before.courier, before.stops_before) == ("preparing", None, None)
    for order_id in (first, second):
        await house.cook(order_id)
        assert (await page_of(house, order_id)).token
    assert (await mine.look()).status is GuestStatus.READY
    for order_id in (first, second):
        await house.do(BIKE, StepDelivery(order_id=order_id, step=ByHand.PICK_UP))
    await house.ride(BIKE, COURIER)

    turn, later = await mine.look(), await other.look()
    assert turn.next_is_yours
    assert turn.courier is not None
    assert (turn.courier.place, turn.courier.within_m) == (COURIER, 0)
    assert (later.next_is_yours, later.stops_before) == (False, 1)
    assert later.courier is not None
    assert later.courier.within_m == house.delivers.coarse_m
    assert later.courier.place != COURIER

    await house.do(BIKE, CompleteDelivery(order_id=first))
    await house.ride(BIKE, COURIER)
    over, now = await mine.look(), await other.look()
    assert (over.status, over.courier, over.door, over.p50_at) == ("delivered", None, None, None)
    assert over.ended_at is not None
    assert now.next_is_yours
    assert now.courier is not None
    assert now.courier.place == COURIER


async def test_where_the_courier_was_before_they_had_the_food_is_not_shown(
    house: DeliveryWorld,
) -> None:
    order_id = await house.accepted()
    page = await page_of(house, order_id)
    await house.ride(BIKE, HOME)
    await house.pick_up(order_id)
    before = await page.look()
    assert (before.next_is_yours, before.courier, before.door) == (True, None, None)
    await house.ride(BIKE, COURIER)
    after = await page.look()
    assert after.courier is not None
    assert after.courier.place == COURIER


async def test_the_door_before_is_not_shown_while_the_courier_stands_at_it(
    house: DeliveryWorld,
) -> None:
    first, second = await house.accepted(FAR), await house.accepted()
    page = await page_of(house, second)
    for order_id in (first, second):
        await house.pick_up(order_id)
    await house.ride(BIKE, FAR)
    await house.do(BIKE, CompleteDelivery(order_id=first))
    for away_m, within_m in (
        (0, house.delivers.coarse_m),
        (140, house.delivers.coarse_m),
        (160, 0),
    ):
        await house.ride(BIKE, Place(lat=FAR.lat + away_m / 111_195, lon=FAR.lon))
        view = await page.look()
        assert view.next_is_yours
        assert view.courier is not None
        assert view.courier.within_m == within_m, f"{away_m} m away"
        assert view.courier.place != FAR


async def test_who_comes_after_a_door_that_failed_is_next(house: DeliveryWorld) -> None:
    first, second = await house.accepted(FAR), await house.accepted()
    page = await page_of(house, second)
    for order_id in (first, second):
        await house.pick_up(order_id)
    await house.ride(BIKE, FAR)
    assert (await page.look()).stops_before == 1
    await house.do(BIKE, FailDelivery(order_id=first, reason="nobody opened"))
    await house.ride(BIKE, FAR)
    there = await page.look()
    assert (there.next_is_yours, there.stops_before) == (True, 0)
    assert there.courier is not None
    assert there.courier.within_m == house.delivers.coarse_m, "they stand at the other's door"
    await house.ride(BIKE, COURIER)
    on_the_road = await page.look()
    assert on_the_road.courier is not None
    assert (on_the_road.courier.place, on_the_road.courier.within_m) == (COURIER, 0)
    await house.set_out(first)
    assert (await page.look()).stops_before == 1, "they try there again first"


async def test_food_that_is_not_picked_up_comes_before_none_that_is(house: DeliveryWorld) -> None:
    later, mine = await house.accepted(FAR), await house.accepted()
    assert [(await house.delivery(each)).stop for each in (later, mine)] == [1, 2]
    page = await page_of(house, mine)
    await house.pick_up(mine)
    await house.ride(BIKE, COURIER)
    view = await page.look()
    assert (view.next_is_yours, view.stops_before) == (True, 0)
    assert view.courier is not None
    assert view.courier.within_m == 0


async def test_the_live_eta_is_shown_where_there_is_one(house: DeliveryWorld) -> None:
    order_id = await house.place_order()
    page = await page_of(house, order_id)
    thought = await page.look()
    assert not thought.live
    assert thought.p90_at == thought.promised_at
    at = house.now + timedelta(minutes=12)
    told = EtaState(
        order_id=order_id,
        p50_at=at,
        p90_at=at + timedelta(minutes=4),
        as_of=house.now,
        stale=True,
        confidence=Confidence.LOW,
    )
    message = outgoing(told, tenant=house.tenant, now=house.now)
    page.said[message.topic] = message.payload
    live = await page.look()
    assert (live.live, live.stale, live.p50_at, live.p90_at) == (
        True,
        True,
        told.p50_at,
        told.p90_at,
    )


async def test_a_link_that_is_forged_over_or_forgotten_shows_nothing(house: DeliveryWorld) -> None:
    order_id = await house.place_order()
    page = await page_of(house, order_id)
    assert (await page.look()).number
    good = page.token
    tenant, order, until, mark = good.split(".")
    for forged in (
        "",
        "x",
        f"{tenant}.{order}.{until}.{mark[::-1]}",
        f"{tenant}.{order}.{int(until, 16) + 3600:x}.{mark}",
        f"other.{order}.{until}.{mark}",
    ):
        page.token = forged
        await nothing(page)
    page.token = good
    await house.do(TILL, AssignDelivery(order_id=order_id, courier=ANNA))
    await house.do(BIKE, AcceptDelivery(order_id=order_id))
    await house.cook(order_id)
    await house.do(BIKE, StepDelivery(order_id=order_id, step=ByHand.PICK_UP))
    await house.do(BIKE, CompleteDelivery(order_id=order_id))
    await house.do(TILL, CloseOrder(order_id=order_id))
    assert (await page.look()).status is GuestStatus.DELIVERED
    await house.do(OURSELVES, ForgetGuest(order_id=order_id))
    await nothing(page)
    other = await page_of(house, await house.place_order())
    house.wait(timedelta(hours=house.delivers.link_hours))
    await nothing(other)


async def nothing(page: Page) -> None:
    """See that neither the page nor what it shows is there."""
    for route in (page.routes.view, page.routes.page):
        with pytest.raises(Denied) as denied:
            await route(page.call(), Nothing())
        assert denied.value.status == 404
