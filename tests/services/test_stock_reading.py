"""How much there is, for whoever asks; and what there is to count, for who must not know."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from schemas.inventory import BaseUnit, Quantity, SheetLine, StockItem
from schemas.inventory_requests import ReadCountSheet, ReadStock, TransferStock
from schemas.refusals import RefusalCode
from schemas.replies import CountSheet, StockPage
from services.inventory.store import put
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


async def test_whoever_asks_reads_all_items_or_those_named(floor: StockFloor) -> None:
    await floor.fill(beef="2 kg")
    whole = await read(floor, ReadStock())
    assert [(each.item, each.on_hand, each.counted) for each in whole.levels] == [
        ("beef", 2_000_000, True),
        ("cake", 0, False),
        ("potato", 0, False),
        ("stock", 0, False),
    ]
    assert [each.item for each in (await read(floor, ReadStock(after="beef"))).levels] == [
        "cake",
        "potato",
        "stock",
    ]
    named = await read(floor, ReadStock(items=("potato", "beef")))
    assert [each.item for each in named.levels] == ["beef", "potato"]
    (reply,) = await floor.say(Asked(TILL, ReadStock(items=("gold",))))
    assert reply.code is RefusalCode.UNKNOWN_ITEM


async def read(floor: StockFloor, query: ReadStock) -> StockPage:
    (reply,) = await floor.say(Asked(TILL, query))
    assert isinstance(reply.result, StockPage), reply
    return reply.result


async def sheet(floor: StockFloor, after: str | None = None) -> CountSheet:
    (reply,) = await floor.say(Asked(TILL, ReadCountSheet(after=after)))
    assert isinstance(reply.result, CountSheet), reply
    return reply.result


async def test_who_counts_reads_what_there_is_to_count_and_where_and_in_what(
    floor: StockFloor,
) -> None:
    await floor.fill(beef="2 kg")
    carried = TransferStock(
        item="beef",
        quantity=Quantity(amount="500", unit="g"),
        place="kitchen",
        to_place="cellar",
    )
    await floor.do(carried, TILL)
    whole = await sheet(floor)
    assert [each.item for each in whole.lines] == ["beef", "cake", "potato", "stock"]
    assert whole.lines[0] == SheetLine(
        item="beef",
        name="Beef",
        unit=BaseUnit.GRAM,
        places=("kitchen", "cellar"),
        units=("g", "mg", "kg", "t", "oz", "lb"),
    )
    assert not whole.more
    assert [each.item for each in (await sheet(floor, "cake")).lines] == ["potato", "stock"]


async def test_what_has_a_weight_may_be_counted_in_pieces_too(floor: StockFloor) -> None:
    egg = StockItem(item="egg", name="Egg", unit=BaseUnit.EACH, piece_g=Decimal(60))
    async with floor.database.write() as connection:
        await put(connection, floor.tenant, [egg], [])
    (line,) = [each for each in (await sheet(floor)).lines if each.item == "egg"]
    assert line.units == ("each", "mg", "g", "kg", "t", "oz", "lb", "dozen")


async def test_a_house_of_many_items_is_read_page_by_page(floor: StockFloor) -> None:
    items = [StockItem(item=f"x-{n:04}", name=f"X {n}", unit=BaseUnit.GRAM) for n in range(1100)]
    async with floor.database.write() as connection:
        await put(connection, floor.tenant, items, [])
    names: list[str] = []
    more = True
    while more:
        page = await sheet(floor, names[-1] if names else None)
        names += [each.item for each in page.lines]
        more = page.more
    assert len(names) == len(set(names)) == 1104
