"""Two tills sell the last portion at one instant: exactly one of them gets it, a thousand times."""

from __future__ import annotations

import random
from typing import Final

from schemas.house_rules import OrderRules
from schemas.inventory import BaseUnit, Quantity, StockItem
from schemas.inventory_requests import ReceivedLine, ReceiveStock
from schemas.menu import MenuItem
from schemas.orders import LineRequest, PlaceOrder
from schemas.refusals import RefusalCode
from schemas.replies import Outcome
from services.inventory.moves import level_of
from services.inventory.store import KeptRecipe, put
from services.inventory.tables import STOCK_LEVELS
from services.runtime.database import Database
from tests.services.order_world import OTHER, TILL, Asked, OrderWorld

RACES: Final = 1000
AT_ONCE: Final = 20
"""So many dishes are sold out in one evening's minute, each with a race of its own."""
DISHES: Final = [f"dish-{n}" for n in range(AT_ONCE)]
MENU: Final = [
    MenuItem(item=each, name=each.title(), station="grill", price_minor=500, currency="GBP")
    for each in DISHES
]
ITEMS: Final = [
    StockItem(item=f"of-{each}", name=each.title(), unit=BaseUnit.EACH) for each in DISHES
]


async def test_of_two_tills_that_want_the_last_portion_exactly_one_gets_it(
    database_url: str,
) -> None:
    random_ = random.Random(20261121)  # noqa: S311 - the same races each time
    database = Database(database_url)
    world = OrderWorld(database, OrderRules(), MENU)
    winners: list[str] = []
    try:
        await world.open()
        recipes = [KeptRecipe(each, {}, {f"of-{each}": 1000}) for each in DISHES]
        async with database.write() as connection:
            await put(connection, world.tenant, ITEMS, recipes)
        for round_ in range(RACES // AT_ONCE):
            await world.say(Asked(TILL, one_of_each(str(round_)), at=world.now))
            asked = [
                (dish, Asked(till, PlaceOrder(lines=(LineRequest(item=dish, quantity=1),))))
                for dish in DISHES
                for till in (TILL, OTHER)
            ]
            random_.shuffle(asked)
            cut = random_.choice([0, random_.randrange(len(asked))])
            replies = [
                *(await world.say(*[each for _, each in asked[:cut]])),
                *(await world.say(*[each for _, each in asked[cut:]])),
            ]
            told = list(zip(asked, replies, strict=True))
            for dish in DISHES:
                both = [(ask, reply) for (what, ask), reply in told if what == dish]
                won = [ask for ask, reply in both if reply.outcome is Outcome.ACCEPTED]
                lost = [reply for _, reply in both if reply.outcome is Outcome.REJECTED]
                assert len(won) == 1, f"{len(won)} have the last {dish} of round {round_}"
                assert [each.code for each in lost] == [RefusalCode.ITEM_UNAVAILABLE]
                winners.append(won[0].device)
        (rows,) = await world.rows(STOCK_LEVELS)
    finally:
        await database.close()
    assert len(winners) == RACES
    assert set(winners) == {TILL, OTHER}, "neither of them always wins"
    assert {level_of(row).available for row in rows} == {0}


def one_of_each(note: str) -> ReceiveStock:
    one = Quantity(amount="1", unit="each")
    lines = tuple(ReceivedLine(item=each.item, quantity=one) for each in ITEMS)
    return ReceiveStock(supplier="market", note=note, lines=lines)
