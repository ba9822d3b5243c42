"""Orders and the stock: reserved when placed, taken when cooked, given back when called off."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Select, Table

from schemas.identifiers import new_id
from schemas.kitchen_requests import StartTicket
from schemas.order_changes import VoidLines
from schemas.orders import CancelOrder, LineRequest, PlaceOrder
from schemas.refusals import RefusalCode
from schemas.replies import Outcome
from services.inventory.inside import ReservePlanned
from services.inventory.ledger import Level
from services.inventory.of_orders import moved_for_order
from services.inventory.tables import STOCK_HOLDS, STOCK_LEVELS
from services.runtime import work
from services.runtime.database import Database
from tests.services.order_world import MANAGER, OTHER, OURSELVES, SCREEN, TILL, Asked
from tests.services.stock_floor import StockFloor


@pytest.fixture
async def floor(database_url: str) -> AsyncIterator[StockFloor]:
    database = Database(database_url)
    try:
        floor = StockFloor(database)
        await floor.open()
        yield floor
    finally:
        await database.close()


def of(item: str, quantity: int = 1) -> PlaceOrder:
    return PlaceOrder(lines=(LineRequest(item=item, quantity=quantity),))


async def test_what_is_ordered_is_reserved_and_what_is_begun_is_taken(floor: StockFloor) -> None:
    await floor.fill(beef="2 kg", potato="1 kg")
    order = await floor.order("steak", "chips")
    assert (await floor.levels())["beef"] == Level(on_hand=2_000_000, reserved=250_000)
    grill = await floor.at("grill", order)
    await floor.do(StartTicket(ticket_id=grill.ticket_id))
    levels = await floor.levels()
    assert levels["beef"] == Level(on_hand=1_750_000)
    assert levels["potato"] == Level(on_hand=1_000_000, reserved=200_000), "nobody fries yet"


async def test_all_that_an_order_takes_is_looked_up_at_once(
    floor: StockFloor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await floor.fill(beef="2 kg", potato="1 kg", stock="3 l")
    asked: list[Table] = []
    as_it_is, ours = work._by_keys, threading.current_thread()

    def by_keys(table: Table, dialect: str) -> Select[Any]:
        if threading.current_thread() is ours:  # the system of other tests has one of its own
            asked.append(table)
        return as_it_is(table, dialect)

    monkeypatch.setattr(work, "_by_keys", by_keys)
    await floor.worker.begin()
    await floor.order("soup", "steak", "chips")
    assert asked.count(STOCK_LEVELS) == 1


async def test_an_orders_story_tells_what_it_took_from_the_shelves(floor: StockFloor) -> None:
    await floor.fill(beef="2 kg")
    order = await floor.order("steak")
    grill = await floor.at("grill", order)
    await floor.do(StartTicket(ticket_id=grill.ticket_id))
    async with floor.database.read() as connection:
        moved = await moved_for_order(connection, floor.tenant, order)
    assert [(each.kind.value, each.amounts) for each in moved] == [
        ("reserve", {"Beef": "250 g"}),
        ("consume", {"Beef": "250 g"}),
    ]


@pytest.mark.parametrize("first", ["cook", "guest"])
async def test_whoever_is_first_in_one_instant_decides_whether_food_is_taken(
    floor: StockFloor, first: str
) -> None:
    await floor.fill(potato="1 kg")
    order = await floor.order("soup", "bread")
    grill = await floor.at("grill", order)
    both = [
        Asked(SCREEN, StartTicket(ticket_id=grill.ticket_id), at=floor.now),
        Asked(MANAGER, VoidLines(order_id=order, lines=(1,), reason="no time"), at=floor.now),
    ]
    await floor.say(*(both if first == "cook" else both[::-1]))
    await floor.check()
    taken = 50_000 if first == "cook" else 0
    assert (await floor.levels())["potato"] == Level(on_hand=1_000_000 - taken)


async def test_what_is_called_off_is_given_back(floor: StockFloor) -> None:
    await floor.fill(beef="2 kg")
    order = await floor.order("steak")
    await floor.do(CancelOrder(order_id=order, reason="no time"), TILL)
    assert (await floor.levels())["beef"] == Level(on_hand=2_000_000)


@pytest.mark.parametrize("together", [True, False])
async def test_of_two_that_want_the_last_portion_one_gets_it(
    floor: StockFloor, together: bool
) -> None:
    await floor.fill(beef="300 g")
    asked = [Asked(TILL, of("steak")), Asked(OTHER, of("steak"))]
    if together:
        replies = await floor.say(*asked)
    else:
        replies = [*(await floor.say(asked[0])), *(await floor.say(asked[1]))]
    await floor.check()
    assert sorted(each.outcome.value for each in replies) == ["accepted", "rejected"]
    (lost,) = [each for each in replies if each.outcome is Outcome.REJECTED]
    assert lost.code is RefusalCode.ITEM_UNAVAILABLE
    assert (await floor.levels())["beef"].available == 50_000


async def test_what_nobody_has_counted_limits_nothing(floor: StockFloor) -> None:
    await floor.order("soup")
    assert (await floor.levels())["stock"] == Level(reserved=300_000)


async def test_an_order_for_a_later_day_takes_nothing_from_today(floor: StockFloor) -> None:
    await floor.fill(beef="300 g")
    due = floor.now + timedelta(days=3)
    later = PlaceOrder(lines=(LineRequest(item="steak", quantity=1),), due_at=due)
    asked = Asked(TILL, later, at=floor.now)
    await floor.say(asked)
    await floor.check()
    assert (await floor.levels())["beef"] == Level(on_hand=300_000, planned=250_000)
    assert await planned_until(floor, asked.id) == due - timedelta(hours=12)
    floor.now = due - timedelta(hours=12)
    await floor.do(ReservePlanned(order_id=asked.id, plan_until=floor.now), OURSELVES)
    assert (await floor.levels())["beef"] == Level(on_hand=300_000, reserved=250_000)
    (reply,) = await floor.say(Asked(TILL, of("steak"), new_id(), floor.now))
    assert reply.code is RefusalCode.ITEM_UNAVAILABLE


async def planned_until(floor: StockFloor, order_id: UUID) -> object:
    (rows,) = await floor.rows(STOCK_HOLDS)
    return next(row["plan_until"] for row in rows if row["order_id"] == order_id)
