"""What stands retained of the stock: told a moment after it changed, and gone with its item."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from schemas.inventory import BaseUnit, Quantity, StockItem, StockState
from schemas.inventory_requests import ReceivedLine, ReceiveStock
from schemas.kitchen_requests import StartTicket
from schemas.refusals import RefusalCode
from schemas.replies import Outcome
from services.inventory.level_states import LevelTeller
from services.inventory.moves import MAX_PLACES
from services.inventory.store import put
from services.runtime.database import Database
from tests.services.order_world import TILL
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


def teller(floor: StockFloor) -> LevelTeller:
    return LevelTeller(floor.database, floor.relay, lambda: floor.now)


def shown(floor: StockFloor) -> dict[str, int]:
    """What is on hand of each item, by what stands retained."""
    return {
        said.item: said.level.on_hand
        for said in floor.standing().values()
        if isinstance(said, StockState)
    }


async def wanted(floor: StockFloor) -> dict[str, StockState]:
    found = await floor.expected()
    return {topic: said for topic, said in found.items() if isinstance(said, StockState)}


async def look(floor: StockFloor, telling: LevelTeller) -> int:
    """Look, and hold what stands against what the rows say."""
    told = [each for each in await telling.look() if each.tenant == floor.tenant]
    await floor.relay.drain()
    standing = {t: said for t, said in floor.standing().items() if isinstance(said, StockState)}
    assert standing == await wanted(floor)
    return len(told)


async def test_what_moved_often_is_told_once_as_it_stands(floor: StockFloor) -> None:
    telling = teller(floor)
    assert await look(floor, telling) == 0
    await floor.fill(beef="2 kg", potato="1 kg")
    await floor.fill(beef="1 kg")
    await floor.order("steak")
    assert await look(floor, telling) == 2
    assert shown(floor) == {"beef": 3_000_000, "potato": 1_000_000}
    assert await look(floor, telling) == 0, "nothing is told twice"


async def test_what_is_kept_later_than_it_was_decided_is_told_all_the_same(
    floor: StockFloor,
) -> None:
    telling = teller(floor)
    decided = floor.now
    for _ in range(4):
        floor.wait(timedelta(seconds=1))
        await look(floor, telling)
    looked, floor.now = floor.now, decided
    await floor.fill(beef="2 kg")
    floor.now = looked
    assert await look(floor, telling) == 1


async def test_an_item_that_left_the_book_is_cleared_and_shown_when_it_is_back(
    floor: StockFloor,
) -> None:
    telling = teller(floor)
    await floor.fill(beef="2 kg", cake="3 each")
    await look(floor, telling)
    async with floor.database.write() as connection:
        await put(connection, floor.tenant, [], [], gone_items=["cake"])
    assert await look(floor, telling) == 1
    assert shown(floor) == {"beef": 2_000_000}
    floor.wait(timedelta(hours=1))
    for _ in range(12):
        await look(floor, telling)
    cake = StockItem(item="cake", name="Cake", unit=BaseUnit.EACH)
    async with floor.database.write() as connection:
        await put(connection, floor.tenant, [cake], [])
    assert await look(floor, telling) == 1
    assert shown(floor) == {"beef": 2_000_000, "cake": 3000}


async def test_an_item_lies_at_no_more_places_than_can_be_told(floor: StockFloor) -> None:
    def delivery(note: str, since: int, until: int) -> ReceiveStock:
        one = Quantity(amount="1", unit="kg")
        lines = [
            ReceivedLine(item="beef", quantity=one, place=f"shelf-{n}-{'x' * 50}")
            for n in range(since, until)
        ]
        return ReceiveStock(supplier="market", note=note, lines=tuple(lines))

    await floor.do(delivery("N-1", 0, MAX_PLACES), TILL)
    reply = await floor.ask(delivery("N-2", MAX_PLACES, MAX_PLACES + 1), TILL)
    assert (reply.outcome, reply.code) == (Outcome.REJECTED, RefusalCode.INVALID)
    await floor.do(delivery("N-3", 0, 1), TILL)
    order = await floor.order("steak")
    await floor.do(StartTicket(ticket_id=(await floor.at("grill", order)).ticket_id))
    assert await look(floor, teller(floor))
