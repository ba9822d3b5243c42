"""Deliveries are paused by themselves, and taken again: through the real worker, on real rows."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from schemas.deliveries import Courier
from schemas.delivery_requests import PutCourier, QuoteDelivery, RemoveCourier, SetDuty
from schemas.delivery_rules import DeliveryRules
from schemas.kitchen_pace import ChannelState, Intake, PauseChannel, ResumeChannel
from schemas.message import Request
from schemas.orders import CancelOrder, Guest, LineRequest, OrderKind, PlaceOrder
from schemas.refusals import RefusalCode
from schemas.replies import ChannelReceipt, DeliveryQuote, Reply
from services.delivery.pause_timer import PauseTimer
from services.delivery.pausing import NOBODY
from services.kitchen.intake_timer import IntakeTimer
from services.runtime import house_rules
from services.runtime.database import Database
from services.runtime.house_rules import HOUSE_RULES
from services.runtime.timers import NotNow
from tests.services.asked_of_ourselves import AskedOfOurselves
from tests.services.delivery_world import ANNA, BIKE, BO, DOOR, HERE, DeliveryWorld
from tests.services.order_world import MANAGER, POINTS, TILL

MARKS = DeliveryRules(place=HERE, pause_over_min=80, resume_under_min=60)


class Asks:
    """What timers ask of the services, asked of whichever house it is about."""

    def __init__(self, *houses: DeliveryWorld) -> None:
        self._of = {each.tenant: AskedOfOurselves(each) for each in houses}

    async def ask_of_ourselves(self, tenant: str, message: Request, request_id: UUID) -> Reply:
        """See `services.runtime.intake.Intake.ask_of_ourselves`."""
        return await self._of[tenant].ask_of_ourselves(tenant, message, request_id)


def timer_of(*houses: DeliveryWorld) -> PauseTimer:
    """A process that has just begun to look."""
    asks: Any = Asks(*houses)
    first = houses[0]
    return PauseTimer(first.database, asks, lambda: first.now, first.worker._ports)


async def opened(database: Database, rules: DeliveryRules = MARKS) -> DeliveryWorld:
    made = DeliveryWorld(database, rules)
    await made.open()
    return made


@pytest.fixture
async def house(database: Database) -> DeliveryWorld:
    return await opened(database)


def channel(house: DeliveryWorld) -> ChannelState | None:
    """How deliveries are taken, as it stands retained."""
    return next(
        (
            each
            for each in house.standing().values()
            if isinstance(each, ChannelState) and each.channel is OrderKind.DELIVERY
        ),
        None,
    )


def paused(house: DeliveryWorld) -> bool:
    state = channel(house)
    return state is not None and state.intake is Intake.PAUSED


def delivery() -> PlaceOrder:
    guest = Guest(name="Ada", address="Mannerheimintie 1", place=DOOR)
    lines = (LineRequest(item="burger", quantity=2),)
    return PlaceOrder(lines=lines, kind=OrderKind.DELIVERY, guest=guest)


async def queue_up(house: DeliveryWorld, timer: PauseTimer) -> list[UUID]:
    """Order until deliveries are paused."""
    orders: list[UUID] = []
    while not paused(house):
        assert len(orders) < 60, "it is never paused"
        orders.append(await house.place_order())
        await timer.look()
    return orders


async def rule(house: DeliveryWorld, rules: DeliveryRules) -> None:
    async with house.database.write() as connection:
        await house_rules.write(connection, house.tenant, delivery=rules)


async def test_a_queue_pauses_deliveries_alone_and_they_are_taken_again_once_it_is_gone(
    house: DeliveryWorld,
) -> None:
    timer = timer_of(house)
    assert await timer.look() == []
    orders = await queue_up(house, timer)
    state = channel(house)
    assert state is not None
    assert state.why.startswith("deliveries are paused: a new one would take ")
    assert not state.by_hand
    refused = await house.ask(TILL, delivery())
    assert (refused.code, refused.message) == (RefusalCode.CHANNEL_PAUSED, state.why)
    takeaway = PlaceOrder(lines=(LineRequest(item="ale", quantity=1),), kind=OrderKind.TAKEAWAY)
    await house.do(TILL, takeaway)
    told = (await house.do(TILL, QuoteDelivery(place=DOOR))).result
    assert isinstance(told, DeliveryQuote)
    assert (told.taken, told.why_not) == (False, state.why)

    turned = 0
    for order_id in orders:
        was = paused(house)
        await house.do(TILL, CancelOrder(order_id=order_id, reason="gone"))
        await timer.look()
        turned += paused(house) != was
    assert turned == 1, "once, and not back again"
    assert not paused(house)
    await house.do(TILL, delivery())
    assert await timer.look() == [], "one more does not turn it over"


async def test_what_is_paused_is_paused_in_the_next_life_and_stands_retained(
    house: DeliveryWorld,
) -> None:
    orders = await queue_up(house, timer_of(house))
    state = channel(house)
    await house.live()
    expected = (await house.expected()).values()
    assert state in expected
    assert await house.refused(TILL, delivery()) is RefusalCode.CHANNEL_PAUSED
    timer = timer_of(house)
    assert await timer.look() == [], "nothing has changed"
    for order_id in orders:
        await house.do(TILL, CancelOrder(order_id=order_id, reason="gone"))
    assert await timer.look() == [house.tenant]
    assert not paused(house)


@pytest.mark.parametrize("point", POINTS)
async def test_wherever_a_life_ends_what_is_paused_is_told_and_kept(
    house: DeliveryWorld, point: str
) -> None:
    timer = timer_of(house)
    for courier in (ANNA, BO):
        await house.do(TILL, RemoveCourier(courier=courier))
    house.die_at = point
    await timer.look()
    assert house.deaths == 1
    assert paused(house)
    assert channel(house) in (await house.expected()).values()
    assert await timer_of(house).look() == []


async def test_without_a_courier_nothing_is_taken_until_there_is_one(house: DeliveryWorld) -> None:
    timer = timer_of(house)
    for courier in (ANNA, BO):
        assert await timer.look() == []
        await house.do(TILL, RemoveCourier(courier=courier))
    assert await timer.look() == [house.tenant]
    reply = await house.ask(TILL, delivery())
    assert (reply.code, reply.message) == (RefusalCode.CHANNEL_PAUSED, NOBODY)
    await house.do(TILL, PutCourier(courier=Courier(courier=ANNA, name="Anna", device=BIKE)))
    assert await timer.look() == [house.tenant]
    await house.do(TILL, delivery())


async def test_with_the_last_shift_that_ends_nothing_is_taken_until_somebody_is_on_duty(
    house: DeliveryWorld,
) -> None:
    timer = timer_of(house)
    ends = house.now + timedelta(minutes=20)
    await house.do(TILL, SetDuty(courier=ANNA, on_duty=True, until=ends))
    await house.do(TILL, SetDuty(courier=BO, on_duty=False))
    assert await timer.look() == []
    house.wait(timedelta(minutes=20))
    assert await timer.look() == [house.tenant]
    reply = await house.ask(TILL, delivery())
    assert (reply.code, reply.message) == (RefusalCode.CHANNEL_PAUSED, NOBODY)
    await house.do(TILL, SetDuty(courier=BO, on_duty=True))
    assert await timer.look() == [house.tenant]
    await house.do(TILL, delivery())


@pytest.mark.parametrize(
    "rules", [DeliveryRules(pause_over_min=10), DeliveryRules(place=HERE)], ids=["place", "mark"]
)
async def test_a_house_that_lacks_a_place_or_a_mark_pauses_nothing(
    database: Database, rules: DeliveryRules
) -> None:
    house = await opened(database, rules)
    for courier in (ANNA, BO):
        await house.do(TILL, RemoveCourier(courier=courier))
    for _ in range(8):
        await house.place_order()
    assert await timer_of(house).look() == []
    assert channel(house) is None


async def test_marks_that_are_taken_back_hold_no_more(house: DeliveryWorld) -> None:
    timer = timer_of(house)
    await queue_up(house, timer)
    await rule(house, DeliveryRules(place=HERE))
    assert await timer.look() == [house.tenant]
    assert not paused(house)
    assert await timer.look() == []


async def test_somebodys_hand_wins_and_deliveries_own_reason_holds_after_it(
    house: DeliveryWorld,
) -> None:
    timer = timer_of(house)
    await house.do(MANAGER, PauseChannel(channel=OrderKind.DELIVERY, why="snow", for_s=600))
    for courier in (ANNA, BO):
        await house.do(TILL, RemoveCourier(courier=courier))
    await timer.look()
    state = channel(house)
    assert state is not None
    assert (state.by_hand, state.why) == (True, "snow")
    reply = await house.ask(TILL, delivery())
    assert reply.message is not None
    assert "snow" in reply.message

    resumed = (await house.do(MANAGER, ResumeChannel(channel=OrderKind.DELIVERY))).result
    assert isinstance(resumed, ChannelReceipt)
    assert (resumed.intake, resumed.why) == (Intake.PAUSED, NOBODY), "there is nobody still"
    again = ResumeChannel(channel=OrderKind.DELIVERY)
    assert await house.refused(MANAGER, again) is RefusalCode.WRONG_STATE

    await house.do(MANAGER, PauseChannel(channel=OrderKind.DELIVERY, why="ice", for_s=600))
    await house.do(TILL, PutCourier(courier=Courier(courier=ANNA, name="Anna", device=BIKE)))
    await timer.look()
    assert await house.refused(TILL, delivery()) is RefusalCode.CHANNEL_PAUSED, "ice is ice"
    house.wait(timedelta(seconds=600))
    asks: Any = AskedOfOurselves(house)
    await IntakeTimer(house.database, asks, lambda: house.now).look()
    assert not paused(house)
    await house.do(TILL, delivery())


async def test_a_pause_by_hand_that_is_over_leaves_what_deliveries_hold(
    house: DeliveryWorld,
) -> None:
    timer = timer_of(house)
    for courier in (ANNA, BO):
        await house.do(TILL, RemoveCourier(courier=courier))
    await timer.look()
    await house.do(MANAGER, PauseChannel(channel=OrderKind.DELIVERY, why="snow", for_s=60))
    house.wait(timedelta(seconds=61))
    reply = await house.ask(TILL, delivery())
    assert reply.message == NOBODY, "whoever says so first"
    asks: Any = AskedOfOurselves(house)
    assert await IntakeTimer(house.database, asks, lambda: house.now).look() == [house.tenant]
    state = channel(house)
    assert state is not None
    assert (state.by_hand, state.why) == (False, NOBODY)


async def test_houses_are_looked_at_each_for_itself(
    database: Database, house: DeliveryWorld
) -> None:
    other = await opened(database)
    timer = timer_of(house, other)
    for courier in (ANNA, BO):
        await house.do(TILL, RemoveCourier(courier=courier))
    assert await timer.look() == [house.tenant]
    assert paused(house)
    assert channel(other) is None


@pytest.mark.parametrize("book", ["kitchen", "delivery"])
async def test_rules_that_nobody_can_read_stop_no_other_house(
    database: Database, house: DeliveryWorld, book: str
) -> None:
    other = await opened(database)
    timer = timer_of(house, other)
    for each in (house, other):
        for courier in (ANNA, BO):
            await each.do(TILL, RemoveCourier(courier=courier))
    async with database.write() as connection:
        mine = update(HOUSE_RULES).where(HOUSE_RULES.c.tenant == house.tenant)
        broken = {book: {"stations": 7, "place": "of another release"}}
        await connection.execute(mine.values(**broken, version=HOUSE_RULES.c.version + 1))
    with suppress(NotNow):  # for the one that cannot be looked at, which is tried again
        await timer.look()
    assert paused(other)
    assert channel(house) is None


async def test_a_kitchens_rules_that_nobody_can_read_keep_no_other_channels_from_opening(
    database: Database, house: DeliveryWorld
) -> None:
    other = await opened(database)
    pause = PauseChannel(channel=OrderKind.DELIVERY, why="snow", for_s=60)
    await other.do(MANAGER, pause)
    async with database.write() as connection:
        mine = update(HOUSE_RULES).where(HOUSE_RULES.c.tenant == house.tenant)
        broken = {"stations": "of another release"}
        await connection.execute(mine.values(kitchen=broken, version=HOUSE_RULES.c.version + 1))
    other.wait(timedelta(seconds=61))
    asks: Any = Asks(house, other)
    with suppress(NotNow):
        await IntakeTimer(database, asks, lambda: other.now).look()
    assert not paused(other)
