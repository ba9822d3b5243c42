from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.alerts import AlertKind
from schemas.catalogue import locate
from schemas.delivery_requests import (
    AcceptDelivery,
    AssignDelivery,
    ByHand,
    CompleteDelivery,
    FailDelivery,
    StepDelivery,
)
from schemas.envelope import envelope_of
from schemas.etas import EtaPart, EtaState
from schemas.message import Request
from schemas.replies import Reply
from services.delivery import lateness
from services.delivery.eta_book import EtaBook
from services.delivery.inside_late import LatenessSeen
from services.delivery.lateness import LateTimer
from services.delivery.tables import DELIVERIES, LATE_ORDERS
from services.kitchen.ready_times import ready_times
from services.runtime.alerts import ALERTS
from services.runtime.context import Outgoing
from services.runtime.database import Database
from services.runtime.intake import NotServing
from services.runtime.ready_times import OrderKey, ReadyTime
from tests.services.asked_of_ourselves import AskedOfOurselves
from tests.services.delivery_world import ANNA, BIKE, DeliveryWorld
from tests.services.order_world import MANAGER, TILL


class Evening:
    """A house that delivers, its live ETAs, and what makes alerts of them."""

    def __init__(self, house: DeliveryWorld) -> None:
        self.house = house
        self.told: list[EtaState] = []
        self.asked = AskedOfOurselves(house)
        self.timer = LateTimer(house.database, self.asked)  # type: ignore[arg-type]  # asks as its port does
        self.book = self.new_book()

    def new_book(self) -> EtaBook:
        book = EtaBook(self.house.database, ready_times, lambda: self.house.now)
        book.begin(self.announce)
        return book

    def announce(self, messages: Sequence[Outgoing]) -> None:
        for each in messages:
            if each.payload:
                kind = locate(each.topic).message
                said = envelope_of(kind).model_validate_json(each.payload).data
                assert isinstance(said, EtaState)
                self.told.append(said)

    async def look(self) -> None:
        await self.book.look()
        await self.timer.look()

    async def promise(self, order_id: UUID, from_now: timedelta) -> None:
        """Change what the guest was promised."""
        at = {"promised_at": self.house.now + from_now, "version": DELIVERIES.c.version + 1}
        async with self.house.database.write() as connection:
            this = DELIVERIES.c.order_id == order_id
            await connection.execute(update(DELIVERIES).where(this).values(**at))

    async def bag(self, order_id: UUID) -> None:
        """Have an order cooked and on its way."""
        house = self.house
        await house.do(TILL, AssignDelivery(order_id=order_id, courier=ANNA))
        await house.do(BIKE, AcceptDelivery(order_id=order_id))
        await house.cook(order_id)
        await house.moved(MANAGER, StepDelivery(order_id=order_id, step=ByHand.PICK_UP))

    async def kept(self) -> list[tuple[UUID, bool]]:
        """What the rows say of who is late."""
        (rows,) = await self.house.rows(LATE_ORDERS)
        return [(row["order_id"], row["late"]) for row in rows]

    async def alerts(self) -> list[str]:
        """The alerts that stand."""
        (rows,) = await self.house.rows(ALERTS)
        return [row["kind"] for row in rows if row["cleared_at"] is None]


@pytest.fixture
async def evening(database: Database) -> Evening:
    house = DeliveryWorld(database)
    await house.open()
    return Evening(house)


async def test_the_kitchen_is_asked_once_a_look_for_all_houses(evening: Evening) -> None:
    asked: list[set[OrderKey]] = []

    async def counted(
        connection: AsyncConnection, orders: Collection[OrderKey]
    ) -> Mapping[OrderKey, ReadyTime]:
        asked.append(set(orders))
        found = await ready_times(connection, orders)
        assert found.keys() == set(orders), "each house's tickets are found as its own"
        assert not await ready_times(connection, [("another", each) for _, each in orders])
        return found

    houses = [evening.house]
    for _ in range(2):
        other = DeliveryWorld(evening.house.database)
        await other.open()
        houses.append(other)
    placed = {(house.tenant, await house.place_order()) for house in houses}
    book = EtaBook(evening.house.database, counted, lambda: evening.house.now)
    book.begin(evening.announce)
    for looks in (1, 2):
        await book.look()
        assert asked == [placed] * looks
    assert {each.order_id for each in evening.told} == {order_id for _, order_id in placed}


async def test_an_order_is_promised_when_it_is_placed_and_its_tickets_make_its_eta(
    evening: Evening,
) -> None:
    house = evening.house
    order_id = await house.place_order()
    delivery = await house.delivery(order_id)
    assert delivery.promised_at is not None
    assert timedelta(minutes=10) < delivery.promised_at - house.now < timedelta(minutes=90)
    await evening.look()
    eta = evening.told[-1]
    assert eta.order_id == order_id
    assert eta.promised_at == delivery.promised_at
    assert not eta.late
    cooking = [each for each in eta.reasons if each.part is EtaPart.COOKING]
    assert [each.text for each in cooking] == ["the kitchen says"]
    await house.cook(order_id)
    await evening.look()
    assert EtaPart.COOKING not in [each.part for each in evening.told[-1].reasons]


async def test_an_order_that_will_be_late_is_told_of_once_and_over_when_it_is_there(
    evening: Evening,
) -> None:
    house = evening.house
    order_id = await house.place_order()
    await evening.look()
    assert await evening.alerts() == []
    house.wait(timedelta(hours=1))
    await evening.look()
    assert await evening.alerts() == [AlertKind.LATE_DELIVERY]
    assert evening.told[-1].late
    for _ in range(3):
        house.wait(timedelta(seconds=30))
        await evening.look()
    assert len(evening.asked.requests) == 1
    await house.do(TILL, AssignDelivery(order_id=order_id, courier=ANNA))
    await house.do(BIKE, AcceptDelivery(order_id=order_id))
    await house.cook(order_id)
    await house.moved(MANAGER, StepDelivery(order_id=order_id, step=ByHand.PICK_UP))
    await house.moved(MANAGER, CompleteDelivery(order_id=order_id))
    assert await evening.alerts() == []
    await evening.look()
    assert await house.rows(LATE_ORDERS) == [[]]


async def test_a_late_order_is_told_of_once_though_processes_die(evening: Evening) -> None:
    house = evening.house
    await house.place_order()
    house.wait(timedelta(hours=1))
    await evening.book.look()  # the row is kept, and here its process dies
    evening.book = evening.new_book()
    await evening.look()
    await evening.look()
    assert await evening.alerts() == [AlertKind.LATE_DELIVERY]
    assert len(evening.asked.requests) == 1


async def test_an_order_that_is_late_no_more_is_told_of_no_more(evening: Evening) -> None:
    house = evening.house
    order_id = await house.place_order()
    house.wait(timedelta(hours=1))
    await evening.look()
    assert await evening.alerts() == [AlertKind.LATE_DELIVERY]
    await evening.promise(order_id, timedelta(hours=2))
    await evening.look()
    assert await evening.alerts() == []
    assert await evening.kept() == [(order_id, False)]
    await evening.bag(order_id)
    await house.moved(MANAGER, CompleteDelivery(order_id=order_id))
    await evening.look()
    assert await evening.kept() == []


async def test_rows_of_orders_that_ended_while_nobody_looked_are_gone(evening: Evening) -> None:
    house = evening.house
    orders = [await house.place_order() for _ in range(2)]
    house.wait(timedelta(hours=1))
    await evening.look()
    await evening.promise(orders[0], timedelta(hours=2))
    await evening.look()
    assert sorted(await evening.kept()) == sorted([(orders[0], False), (orders[1], True)])
    for order_id in orders:
        await evening.bag(order_id)
        await house.moved(MANAGER, CompleteDelivery(order_id=order_id))
    evening.book = evening.new_book()
    await evening.look()
    assert await evening.kept() == []


async def test_an_order_that_failed_at_its_door_is_late_until_it_is_known_to_be_in_time(
    evening: Evening,
) -> None:
    house = evening.house
    order_id = await house.place_order()
    await evening.bag(order_id)
    house.wait(timedelta(hours=1))
    await evening.look()
    await house.moved(MANAGER, FailDelivery(order_id=order_id, reason="nobody opens"))
    for again in (False, True):
        if again:
            evening.book = evening.new_book()
        await evening.look()
        assert await evening.alerts() == [AlertKind.LATE_DELIVERY]
        assert await evening.kept() == [(order_id, True)]
    await evening.promise(order_id, timedelta(hours=2))
    await house.moved(MANAGER, StepDelivery(order_id=order_id, step=ByHand.SET_OUT))
    await evening.look()
    assert await evening.alerts() == []
    assert await evening.kept() == [(order_id, False)]


async def test_a_process_that_begins_anew_knows_who_was_late(evening: Evening) -> None:
    house = evening.house
    order_id = await house.place_order()
    house.wait(timedelta(hours=1))
    await evening.look()
    assert evening.told[-1].late
    # A little before its promise: who was late is so still, who was not is not.
    left = evening.told[-1].p50_at - house.now
    await evening.promise(order_id, left + timedelta(seconds=10))
    evening.book = evening.new_book()
    await evening.look()
    assert evening.told[-1].late
    assert len(evening.asked.requests) == 1
    assert await evening.alerts() == [AlertKind.LATE_DELIVERY]


class Picky(AskedOfOurselves):
    """Fails with one order."""

    poison: UUID | None = None

    async def ask_of_ourselves(self, tenant: str, message: Request, request_id: UUID) -> Reply:
        if isinstance(message, LatenessSeen) and message.order_id == self.poison:
            raise RuntimeError("a fault of ours")
        return await super().ask_of_ourselves(tenant, message, request_id)


async def test_a_finding_that_fails_holds_up_no_other(
    evening: Evening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lateness, "AT_ONCE", 1)
    house = evening.house
    orders = [await house.place_order() for _ in range(3)]
    house.wait(timedelta(hours=1))
    await evening.book.look()
    asked = Picky(house)
    asked.poison = min(orders)  # the first of what was found at one time
    timer = LateTimer(house.database, asked)  # type: ignore[arg-type]  # asks as its port does
    for _ in range(2):
        with pytest.raises(NotServing):
            await timer.look()
        assert len(await evening.alerts()) == len(orders) - 1
    asked.poison = None
    await timer.look()
    assert len(await evening.alerts()) == len(orders)
    assert len(asked.requests) == len(orders)
