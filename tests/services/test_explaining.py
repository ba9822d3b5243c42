"""A count explained: what was found before, and what moved since, is what the books had."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from random import Random

import pytest

from schemas.inventory import MovementKind, Quantity
from schemas.inventory_requests import (
    CountedLine,
    CountStock,
    LoseStock,
    ReceivedLine,
    ReceiveStock,
    StockLoss,
    TransferStock,
)
from schemas.kitchen_requests import StartTicket
from services.inventory.explaining import Explained, explain
from services.runtime.database import Database
from tests.services.order_world import TILL
from tests.services.stock_floor import StockFloor

Kind = MovementKind


@pytest.fixture
async def floor(database_url: str) -> AsyncIterator[StockFloor]:
    database = Database(database_url)
    try:
        floor = StockFloor(database)
        await floor.open()
        yield floor
    finally:
        await database.close()


def grams(amount: int) -> Quantity:
    return Quantity(amount=str(amount), unit="g")


async def count(
    floor: StockFloor,
    name: str,
    found: int,
    place: str | None = None,
    at: datetime | None = None,
) -> None:
    line = CountedLine(item="beef", quantity=grams(found), place=place, at=at)
    await floor.do(CountStock(count=name, lines=(line,)), TILL)


async def explained(floor: StockFloor, name: str) -> list[Explained]:
    async with floor.database.read() as connection:
        found = await explain(connection, floor.tenant, name)
    for each in found:
        assert each.adds_up, each
    return found


async def test_a_difference_comes_with_all_that_moved_since_the_count_before(
    floor: StockFloor,
) -> None:
    await floor.fill(beef="2 kg")
    floor.wait(timedelta(hours=1))
    await count(floor, "monday", 1900)
    floor.wait(timedelta(hours=1))
    order = await floor.order("steak")
    await floor.do(StartTicket(ticket_id=(await floor.at("grill", order)).ticket_id))
    await floor.fill(beef="3 kg")
    floor.wait(timedelta(hours=1))
    await count(floor, "tuesday", 4500)

    (monday,) = await explained(floor, "monday")
    assert monday.before is None
    assert (monday.now.difference, monday.moved) == (-100_000, {Kind.RECEIVE: 2_000_000})
    (tuesday,) = await explained(floor, "tuesday")
    assert tuesday.before is not None
    assert tuesday.before.found == 1_900_000
    assert tuesday.moved == {Kind.CONSUME: -250_000, Kind.RECEIVE: 3_000_000}
    assert (tuesday.now.expected, tuesday.now.difference) == (4_650_000, -150_000)


async def test_a_count_that_nobody_made_explains_nothing(floor: StockFloor) -> None:
    assert await explained(floor, "never") == []


async def test_a_superseded_count_says_so_and_explains_no_later_one(floor: StockFloor) -> None:
    await floor.fill(beef="2 kg")
    floor.wait(timedelta(hours=1))
    early = floor.now
    floor.wait(timedelta(hours=1))
    await count(floor, "late", 1500)
    await count(floor, "early", 1900, at=early)
    (early_one,) = await explained(floor, "early")
    assert early_one.now.superseded
    floor.wait(timedelta(hours=1))
    await count(floor, "next", 1500)
    (following,) = await explained(floor, "next")
    assert following.before is not None
    assert following.before.count == "late"


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_moved_between_two_places_the_books_can_be_followed(
    floor: StockFloor, seed: int
) -> None:
    random = Random(seed)  # noqa: S311 - what happens to the shelves, not a secret
    await floor.fill(beef="50 kg")
    names = []
    for step in range(25):
        floor.wait(timedelta(minutes=random.randint(1, 30)))
        place, other = random.sample(["kitchen", "cellar"], 2)
        match random.choice(["receive", "waste", "carry", "cook", "count", "late", "damage"]):
            case "receive":
                line = ReceivedLine(item="beef", quantity=grams(2000), place=place)
                await floor.do(ReceiveStock(supplier="market", note=str(step), lines=(line,)), TILL)
            case "waste":
                await floor.ask(_lost(StockLoss.WASTE, place), TILL)
            case "damage":
                await floor.ask(_lost(StockLoss.DAMAGE, place), TILL)
            case "carry":
                carried = TransferStock(
                    item="beef", quantity=grams(900), place=place, to_place=other
                )
                await floor.ask(carried, TILL)
            case "cook":
                order = await floor.order("steak")
                await floor.do(StartTicket(ticket_id=(await floor.at("grill", order)).ticket_id))
            case what:
                ago = timedelta(minutes=random.randint(0, 90) if what == "late" else 0)
                names.append(f"count-{step}")
                found = random.randint(10_000, 60_000)
                await count(floor, names[-1], found, place, floor.now - ago)
    for name in names:
        assert len(await explained(floor, name)) == 1


def _lost(what: StockLoss, place: str) -> LoseStock:
    return LoseStock(what=what, item="beef", quantity=grams(400), reason="fell", place=place)
