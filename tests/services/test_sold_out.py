"""86: what cannot be made is off every screen with the order that took the last of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from schemas.menu import MenuItem
from schemas.orders import CancelOrder, LineRequest, PlaceOrder
from schemas.refusals import RefusalCode
from services.runtime.database import Database
from tests.services.order_world import TILL, Asked
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


def shown(floor: StockFloor, item: str) -> MenuItem:
    """An item as every till shows it."""
    (found,) = [
        each
        for each in floor.standing().values()
        if isinstance(each, MenuItem) and each.item == item
    ]
    return found


async def test_the_last_portion_takes_the_item_off_and_what_is_called_off_brings_it_back(
    floor: StockFloor,
) -> None:
    await floor.fill(beef="600 g")
    assert shown(floor, "steak").left == 2
    first = await floor.order("steak")
    assert (shown(floor, "steak").left, shown(floor, "steak").available) == (1, True)
    await floor.order("steak")
    gone = shown(floor, "steak")
    assert (gone.left, gone.available, gone.why) == (0, False, "no Beef left")
    assert shown(floor, "chips").available
    (reply,) = await floor.say(Asked(TILL, of("steak"), at=floor.now))
    assert reply.code is RefusalCode.ITEM_UNAVAILABLE
    assert reply.message == "sold out: steak (no Beef left)"
    await floor.do(CancelOrder(order_id=first, reason="no time"), TILL)
    back = shown(floor, "steak")
    assert (back.left, back.available, back.why) == (1, True, "")
    await floor.fill(beef="10 kg")
    assert shown(floor, "steak").left is None, "enough is no news"
