"""Books of recipes put into a house: all of one or none, and every decision rests on it."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Collection

import pytest

from schemas.identifiers import new_id
from schemas.inventory import Quantity
from schemas.inventory_requests import ReceivedLine, ReceiveStock, TransferStock
from services.inventory.book_files import Source, Unreadable
from services.inventory.book_reading import read_book
from services.inventory.importing import Standing, import_book, judge, standing
from services.inventory.ledger import Level
from services.inventory.tables import RECIPES, STOCK_ITEMS, SUPPLIERS
from services.runtime import house_rules
from services.runtime.database import Database
from tests.services.order_world import TILL
from tests.services.stock_floor import StockFloor

LIMIT_S = 60.0
"""Of one processor: a few seconds of this year's, and ten times that of a slow one."""
BOOK = """
suppliers: {dairy: {delivery_days: [mon]}}
items:
  stock: {name: Stock, unit: ml, low: 2 l}
  beef: {name: Beef, unit: g, piece: 250.5 g}
  potato: {name: Potatoes, unit: g}
  cream: {unit: ml, litre: 1013 g, packs: [{supplier: dairy, holds: 1 l, price: 4.20}]}
recipes:
  base: {yields: 1 l, parts: {stock: 900 ml, cream: 100 ml}}
  soup: {parts: {base: 300 ml, potato: {amount: 45 g, waste: 10%}}}
  steak: {parts: {beef: 250 g}}
modifiers:
  no-cream: {leaves_out: [cream]}
"""


class Importing(StockFloor):
    """A restaurant into which files are put."""

    async def put(
        self,
        text: str,
        *,
        replace: bool = False,
        dry_run: bool = False,
        dishes: Collection[str] = (),
    ) -> list[str]:
        written = read_book([Source("b", text)], currency="GBP")
        async with self.database.write() as connection:
            do = judge if dry_run else import_book
            found = await do(connection, self.tenant, written, dishes=dishes, replace=replace)
        return [f"{each.kind} {each.name}: {each.what}" for each in found.changes]

    async def complaints(
        self, text: str, *, replace: bool = False, dishes: Collection[str] = ()
    ) -> list[str]:
        before = await self.all()
        with pytest.raises(Unreadable) as error:
            await self.put(text, replace=replace, dishes=dishes)
        assert await self.all() == before, "something was done"
        return list(error.value.complaints)

    async def all(self) -> tuple[object, ...]:
        return (await self.rows(STOCK_ITEMS, RECIPES, SUPPLIERS), await self.version())

    async def version(self) -> int | None:
        async with self.database.read() as connection:
            rows = await connection.execute(house_rules.HOUSE_RULES.select())
            found: dict[str, int | None] = {row.tenant: row.stock_book for row in rows}
            return found[self.tenant]

    async def has(self) -> Standing:
        async with self.database.read() as connection:
            return await standing(connection, self.tenant)


@pytest.fixture
async def house(database_url: str) -> AsyncIterator[Importing]:
    database = Database(database_url)
    try:
        house = Importing(database)
        await house.open()
        await house.put(BOOK, replace=True)
        yield house
    finally:
        await database.close()


async def test_orders_take_what_the_imported_book_says(house: Importing) -> None:
    await house.fill(stock="5 l", cream="1 l", potato="1 kg")
    await house.order("soup")
    levels = await house.levels()
    assert levels["stock"] == Level(on_hand=5_000_000, reserved=270_000)
    assert levels["cream"] == Level(on_hand=1_000_000, reserved=30_000)
    assert levels["potato"] == Level(on_hand=1_000_000, reserved=50_000)


async def test_the_next_order_takes_what_the_new_recipe_says(house: Importing) -> None:
    await house.fill(stock="5 l", cream="1 l", potato="1 kg")
    await house.order("soup")
    said = await house.put("recipes: {base: {yields: 1 l, parts: {stock: 800 ml, cream: 200 ml}}}")
    assert said == ["recipe base: stock 900 ml → 800 ml, cream 100 ml → 200 ml"]
    await house.order("soup")
    levels = await house.levels()
    assert levels["stock"].reserved == 270_000 + 240_000, "the soup was reckoned anew with its part"
    assert levels["cream"].reserved == 30_000 + 60_000


async def test_what_is_put_again_changes_nothing(house: Importing) -> None:
    before = await house.all()
    assert await house.put(BOOK) == []
    assert await house.put(BOOK, replace=True) == []
    assert await house.all() == before, "and nobody has to read the book again"


async def test_what_is_only_looked_at_changes_nothing(house: Importing) -> None:
    before = await house.all()
    assert await house.put("items: {salt: {unit: g}}", dry_run=True) == ["item salt: new"]
    assert await house.all() == before


async def test_files_add_to_the_book_or_replace_it(house: Importing) -> None:
    assert await house.put("recipes: {chips: {parts: {potato: 200 g}}}") == ["recipe chips: new"]
    assert set((await house.has()).book.recipes) == {
        "base",
        "chips",
        "soup",
        "steak",
        "with:no-cream",
    }
    only = "items: {potato: {unit: g, name: Potatoes}}\nrecipes: {chips: {parts: {potato: 200 g}}}"
    assert await house.put(only, replace=True) == [
        "supplier dairy: gone",
        "item beef: gone",
        "item cream: gone",
        "item stock: gone",
        "recipe base: gone",
        "recipe soup: gone",
        "recipe steak: gone",
        "modifier no-cream: gone",
    ]
    book = (await house.has()).book
    assert (set(book.items), set(book.recipes), book.suppliers) == ({"potato"}, {"chips"}, {})


async def test_what_was_moved_stays_on_the_book_and_nobody_buys_it(house: Importing) -> None:
    await house.fill(stock="5 l")
    said = await house.put("items: {salt: {unit: g}}", replace=True)
    assert "item stock: nobody watches or buys it any more; it stays, for it was moved" in said
    stock = (await house.has()).book.items["stock"]
    assert (stock.name, stock.low, stock.packs) == ("Stock", None, ())
    await house.check()


async def test_what_lies_at_a_place_is_carried_before_it_is_taken_from_another(
    house: Importing,
) -> None:
    await house.put("items: {potato: {unit: g, name: Potatoes}}")
    await house.fill(potato="1 kg")
    elsewhere = "items: {potato: {unit: g, name: Potatoes, place: cellar}}"
    said = "b, line 1: the books have potato at kitchen: carry it there first"
    with pytest.raises(Unreadable, match=said):
        await house.put(elsewhere)
    kilo = Quantity(amount="1", unit="kg")
    carry = TransferStock(item="potato", quantity=kilo, place="kitchen", to_place="cellar")
    await house.do(carry, TILL)
    await house.put(elsewhere)
    assert (await house.has()).book.items["potato"].place == "cellar"


async def test_the_unit_of_what_was_moved_stays(house: Importing) -> None:
    await house.put("items: {potato: {unit: each, piece: 150 g, name: Potatoes}}")
    assert (await house.has()).takes["soup"]["potato"] == 334, "a third of one, rounded up"
    await house.fill(potato="10 each")
    said = "b, line 1: potato is counted in each, and was moved: it cannot be counted in g now; "
    assert await house.complaints("items: {potato: {unit: g}}") == [
        f"{said}give the new one another name"
    ]


async def test_an_order_that_moves_first_is_seen_by_whoever_changes_the_unit(
    house: Importing,
) -> None:
    """Whatever comes first: an item that was moved is counted in the unit it was moved in."""
    lines = (ReceivedLine(item="beef", quantity=Quantity(amount="2", unit="kg")),)
    received = asyncio.create_task(
        house.do(ReceiveStock(supplier="market", note=new_id().hex, lines=lines), TILL)
    )
    changed = asyncio.create_task(house.put("items: {beef: {unit: each, piece: 250 g}}"))
    refused = (await asyncio.gather(received, changed, return_exceptions=True))[1]
    unit = (await house.has()).book.items["beef"].unit
    amount = (await house.levels())["beef"].on_hand
    assert (unit, amount) == (
        ("g", 2_000_000) if isinstance(refused, Unreadable) else ("each", 8_000)
    )


async def test_all_that_is_wrong_with_files_and_book_together_is_told_and_nothing_is_done(
    house: Importing,
) -> None:
    assert await house.complaints("""
items: {cream: {unit: g, packs: {supplier: farm, holds: 1 kg, price: 4}}, Salt: {unit: g}}
recipes:
  stock: {parts: {beef: 1 g}}
  base: {yields: 1 l, parts: {soup: 1}}
  pie: {parts: {beet: 100 g}}
""") == [
        "b, line 2: 'Salt' is no name: lower-case letters, digits and hyphens, as 'salt'",
        "b, line 4: stock: stock is an ingredient too: give one of them another name",
        "b, line 6: pie: beet is neither an ingredient nor a recipe",
        "b, line 5: base: it contains itself: base > soup > base",
        "b, line 2: cream: there is no supplier farm",
    ]


async def test_a_recipe_that_a_file_breaks_from_afar_is_named(house: Importing) -> None:
    [said] = await house.complaints("items: {cream: {unit: each}}")
    assert said.startswith("on the book already: base: cream: ml is not counted in each: say what")


async def test_a_part_cannot_go_while_something_is_made_of_it(house: Importing) -> None:
    text = "items: {beef: {unit: g}, cream: {unit: ml}}\nrecipes: {soup: {parts: {base: 300 ml}}}"
    assert await house.complaints(text, replace=True) == [
        "b, line 2: soup: base is neither an ingredient nor a recipe"
    ]


async def test_a_dish_comes_out_in_pieces(house: Importing) -> None:
    text = "recipes: {broth: {yields: 2 l, parts: {stock: 2 l}}}"
    said = "b, line 1: broth is on the menu: say how many come out (yields: 8), not how much"
    assert await house.complaints(text, dishes={"broth"}) == [said]
    assert await house.put(text) == ["recipe broth: new"]


async def test_two_imports_at_once_both_count(house: Importing) -> None:
    await asyncio.gather(
        house.put("items: {salt: {unit: g}}\nrecipes: {chips: {parts: {salt: 1 g, potato: 1 g}}}"),
        house.put("items: {oil: {unit: ml}}\nrecipes: {fries: {parts: {oil: 1 ml, base: 1 l}}}"),
    )
    book = await house.has()
    assert {"chips", "fries"} <= set(book.takes)
    assert {"salt", "oil"} <= set(book.book.items)


async def test_an_empty_book_is_refused(house: Importing) -> None:
    assert await house.complaints("currency: GBP") == [
        "there is nothing in it: no item, no recipe, no supplier"
    ]


def large(items: int, recipes: int, depth: int) -> str:
    """A book of so many items, and recipes that stand in each other."""
    chance = random.Random(7)  # noqa: S311 - a book, not a secret
    lines = ["items:"]
    lines += [f"  i{n}: {{unit: g, low: {n % 9 + 1} kg, place: cellar}}" for n in range(items)]
    lines.append("recipes:")
    each = recipes // depth
    for n in range(recipes):
        level = n // each
        parts = {f"i{chance.randrange(items)}": f"{chance.randint(1, 500)} g" for _ in range(6)}
        if level:
            for _ in range(3):
                parts[f"r{chance.randrange((level - 1) * each, level * each)}"] = "0.5"
        inside = ", ".join(f"{name}: {amount}" for name, amount in parts.items())
        lines.append(f"  r{n}: {{parts: {{{inside}}}}}")
    return "\n".join(lines)


async def test_ten_thousand_items_and_two_thousand_recipes_take_seconds(house: Importing) -> None:
    text = large(10_000, 2_000, 4)
    began = time.process_time()  # the machine may have other things to do
    assert len(await house.put(text)) == 12_000
    took = time.process_time() - began
    deepest = (await house.has()).takes["r1999"]
    assert len(deepest) > 100, "parts of parts of parts"
    assert took < LIMIT_S, f"{took:.1f} s"
