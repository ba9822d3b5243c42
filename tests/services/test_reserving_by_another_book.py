"""A book that changes while orders are open: what was promised stays as it was promised."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from schemas.identifiers import new_id
from schemas.inventory import MOST
from schemas.inventory_requests import CountedLine, CountStock
from schemas.kitchen_requests import BumpTicket, StartTicket
from schemas.order_changes import ServeOrder, VoidLines
from schemas.orders import AddLines, CancelOrder, LineRequest, OrderStatus, PlaceOrder
from schemas.refusals import RefusalCode
from schemas.replies import Outcome
from services.inventory.ledger import Level
from services.inventory.level_states import LevelTeller
from services.inventory.store import KeptRecipe, put
from services.runtime.database import Database
from tests.services.order_world import TILL, Asked
from tests.services.stock_floor import StockFloor

CHIPS = PlaceOrder(lines=(LineRequest(item="chips", quantity=1),))


@pytest.fixture
async def floor(database_url: str) -> AsyncIterator[StockFloor]:
    database = Database(database_url)
    try:
        floor = StockFloor(database)
        await floor.open()
        yield floor
    finally:
        await database.close()


async def another_book(floor: StockFloor, **takes: dict[str, int]) -> None:
    """Import recipes over those that stand."""
    recipes = [KeptRecipe(name, {}, each) for name, each in takes.items()]
    async with floor.database.write() as connection:
        await put(connection, floor.tenant, [], recipes)


async def none_left(floor: StockFloor, item: str) -> None:
    """Count an item, and find nothing."""
    await floor.do(CountStock(count="now", lines=(CountedLine(item=item),)), TILL)


async def test_a_recipe_that_came_later_takes_nothing_for_what_was_ordered_before(
    floor: StockFloor,
) -> None:
    await floor.fill(beef="2 kg")
    order = await floor.order("steak", "bread")  # nobody has written down how bread is made
    await none_left(floor, "potato")
    await another_book(floor, bread={"potato": 100_000})
    more = AddLines(order_id=order, lines=(LineRequest(item="steak", quantity=1),))
    await floor.do(more, TILL)
    await floor.do(VoidLines(order_id=order, lines=(3,), reason="changed their mind"), TILL)
    for station in ("bar", "grill"):
        ticket = await floor.at(station, order)
        await floor.do(StartTicket(ticket_id=ticket.ticket_id))
        await floor.do(BumpTicket(ticket_id=ticket.ticket_id))
    await floor.do(ServeOrder(order_id=order), TILL)
    assert await floor.status(order) is OrderStatus.SERVED
    assert (await floor.levels())["potato"] == Level()
    assert (await floor.levels())["beef"] == Level(on_hand=1_750_000)


async def test_what_is_added_to_an_order_of_a_later_day_takes_nothing_from_today(
    floor: StockFloor,
) -> None:
    bread = PlaceOrder(
        lines=(LineRequest(item="bread", quantity=1),), due_at=floor.now + timedelta(days=3)
    )
    asked = Asked(TILL, bread, at=floor.now)  # of which the stock knows nothing
    await floor.say(asked)
    await none_left(floor, "beef")
    steak = AddLines(order_id=asked.id, lines=(LineRequest(item="steak", quantity=1),))
    await floor.do(steak, TILL)
    assert (await floor.levels())["beef"] == Level(planned=250_000)


async def test_no_more_is_promised_than_the_books_can_hold(floor: StockFloor) -> None:
    await another_book(floor, chips={"potato": MOST})
    first = await floor.order("chips")
    (reply,) = await floor.say(Asked(TILL, CHIPS, new_id(), floor.now))
    assert (reply.outcome, reply.code) == (Outcome.REJECTED, RefusalCode.INVALID)
    telling = LevelTeller(floor.database, floor.relay, lambda: floor.now)
    assert [each.topic for each in await telling.look() if each.tenant == floor.tenant]
    await floor.do(CancelOrder(order_id=first, reason="no time"), TILL)
    assert not any((await floor.levels())["potato"])
