"""86: what cannot be had is off every screen with what caused it, and comes back by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, time, timedelta
from typing import Any, cast

import pytest
from sqlalchemy import event

from schemas.house_rules import OrderRules
from schemas.menu import (
    MenuItem,
    Modifier,
    ModifierGroup,
    ModifierRequest,
    RestoreItem,
    SellOut,
    ServedHours,
)
from schemas.order_changes import ChangeLine
from schemas.orders import AddLines, CancelOrder, LineRequest, PlaceOrder
from schemas.refusals import RefusalCode
from schemas.replies import ItemReceipt, OrderReceipt, Outcome, Reply
from schemas.stock_rules import StockRules
from services.inventory.all_portions import PortionsWatch
from services.inventory.store import KeptRecipe, put
from services.menu.handlers import put_menu
from services.menu.store import MENU_AVAILABILITY
from services.menu.timers import MenuWatch, SellOutTimer
from services.runtime import house_rules
from services.runtime.database import Database
from services.runtime.intake import Intake
from tests.services.asked_of_ourselves import AskedOfOurselves
from tests.services.kitchen_floor import MENU
from tests.services.order_world import MANAGER, OTHER, SCREEN, TILL, Asked
from tests.services.stock_floor import ITEMS, StockFloor

SAUCES = ModifierGroup(
    group="sauces",
    modifiers=(
        Modifier(modifier="pepper", name="Pepper sauce"),
        Modifier(modifier="butter", name="Herb butter"),
    ),
)
WITH_SAUCE = MENU[2].model_copy(update={"groups": (SAUCES,)})
BREAKFAST = MENU[1].model_copy(update={"hours": (ServedHours(since=time(7), until=time(11)),)})


class Floor(StockFloor):
    """A kitchen that keeps stock, with what timers ask of it."""

    async def open(self) -> None:
        await super().open()
        intake = cast("Intake", AskedOfOurselves(self))

        def now() -> datetime:
            return self.now

        self.sell_outs = SellOutTimer(self.database, intake, now)
        self.menus = MenuWatch(self.database, intake, now)
        self.portions = PortionsWatch(self.database, intake, now)
        await self.menus.look()

    async def put(self, *items: MenuItem, replace: bool = False) -> None:
        """Import items from outside, as the command line does; and let it go out."""
        async with self.database.write() as connection:
            await put_menu(connection, self.tenant, items, self.now, replace=replace)
        await self.relay.collect(everything=True)
        await self.relay.finish()

    async def order_of(self, *lines: LineRequest, **more: Any) -> Reply:
        (reply,) = await self.say(Asked(TILL, PlaceOrder(lines=lines, **more), at=self.now))
        return reply

    def shown(self, item: str) -> MenuItem:
        """An item as every till shows it."""
        (found,) = [
            each
            for each in self.standing().values()
            if isinstance(each, MenuItem) and each.item == item
        ]
        return found

    async def check(self) -> None:
        """What stands on every till is what follows from the rows."""
        await super().check()
        await self.check_menu()

    async def check_menu(self) -> None:
        expected = await self.expected()
        for topic, standing in self.standing().items():
            if isinstance(standing, MenuItem):
                assert standing == expected[topic]


@pytest.fixture
async def floor(database_url: str) -> AsyncIterator[Floor]:
    database = Database(database_url)
    try:
        floor = Floor(database)
        await floor.open()
        yield floor
    finally:
        await database.close()


def one(item: str, quantity: int = 1, *modifiers: str) -> LineRequest:
    chosen = tuple(ModifierRequest(modifier=each) for each in modifiers)
    return LineRequest(item=item, quantity=quantity, modifiers=chosen)


def refused(reply: Reply, says: str) -> None:
    assert (reply.outcome, reply.code) == (Outcome.REJECTED, RefusalCode.ITEM_UNAVAILABLE), reply
    assert says in (reply.message or "")


# -- by the stock -----------------------------------------------------------------------------


async def test_the_last_portion_takes_the_item_off_and_what_is_called_off_brings_it_back(
    floor: Floor,
) -> None:
    await floor.fill(beef="600 g")
    assert floor.shown("steak").left == 2
    first = await floor.order("steak")
    assert (floor.shown("steak").left, floor.shown("steak").available) == (1, True)
    await floor.order("steak")
    gone = floor.shown("steak")
    assert (gone.left, gone.available, gone.why) == (0, False, "no Beef left")
    assert floor.shown("chips").available
    reply = await floor.order_of(one("steak"), one("chips"))
    refused(reply, "sold out: steak (no Beef left)")
    await floor.do(CancelOrder(order_id=first, reason="no time"), TILL)
    back = floor.shown("steak")
    assert (back.left, back.available, back.why) == (1, True, "")
    await floor.fill(beef="10 kg")
    assert floor.shown("steak").left is None, "enough is no news"


async def test_more_than_are_left_are_refused_with_how_many_there_are(floor: Floor) -> None:
    await floor.fill(beef="600 g")
    refused(await floor.order_of(one("steak", 3)), "only 2 can still be made")
    assert floor.shown("steak").left == 2


async def test_an_order_for_a_later_day_is_taken_of_what_is_sold_out_today(floor: Floor) -> None:
    await floor.fill(beef="250 g")
    await floor.order("steak")
    assert not floor.shown("steak").available
    refused(await floor.order_of(one("steak"), due_at=floor.now + timedelta(hours=3)), "sold out")
    reply = await floor.order_of(one("steak"), due_at=floor.now + timedelta(days=3))
    assert reply.outcome is Outcome.ACCEPTED, reply.message
    await floor.check()


async def test_a_modifier_that_runs_out_is_sold_out_with_every_item_that_offers_it(
    floor: Floor,
) -> None:
    await floor.put(WITH_SAUCE, MENU[0].model_copy(update={"groups": (SAUCES,)}))
    recipes = [KeptRecipe("with:pepper", {}, {"cake": 1000})]
    async with floor.database.write() as connection:
        await put(connection, floor.tenant, [], recipes)
    await floor.fill(beef="20 kg", cake="1 each")
    assert floor.shown("steak").sold_out == ()
    assert (await floor.order_of(one("steak", 1, "pepper"))).outcome is Outcome.ACCEPTED
    for item in ("steak", "soup"):
        assert floor.shown(item).sold_out == ("pepper",)
        assert floor.shown(item).available
    refused(await floor.order_of(one("steak", 1, "pepper")), "Steak: pepper is sold out")
    assert (await floor.order_of(one("steak", 1, "butter"))).outcome is Outcome.ACCEPTED
    await floor.check()


async def test_an_item_of_which_nothing_can_be_chosen_any_more_is_off(floor: Floor) -> None:
    must = SAUCES.model_copy(update={"least": 1, "name": "Sauce"})
    await floor.put(WITH_SAUCE.model_copy(update={"groups": (must,)}))
    for sauce in ("pepper", "butter"):
        await floor.do(SellOut(item=sauce, modifier=True, reason="burnt"), SCREEN)
    steak = floor.shown("steak")
    assert (steak.available, steak.why) == (False, "no Sauce left")
    await floor.do(RestoreItem(item="butter", modifier=True), SCREEN)
    assert floor.shown("steak").available


async def test_what_is_promised_to_a_line_stays_and_more_of_it_is_refused(floor: Floor) -> None:
    await floor.put(WITH_SAUCE)
    reply = await floor.order_of(one("steak", 1, "pepper"))
    assert isinstance(reply.result, OrderReceipt)
    order_id = reply.result.order_id
    await floor.do(SellOut(item="pepper", modifier=True, reason="burnt"), SCREEN)
    await floor.do(SellOut(item="steak", reason="the grill is cold"), SCREEN)

    async def change(**what: Any) -> Reply:
        asked = ChangeLine(order_id=order_id, line=1, version=1, **what)
        (reply,) = await floor.say(Asked(TILL, asked, at=floor.now))
        return reply

    refused(await change(quantity=2), "steak (the grill is cold)")
    both = (ModifierRequest(modifier="pepper"),)
    assert (await change(modifiers=both, note="hot")).outcome is Outcome.ACCEPTED
    more = AddLines(order_id=order_id, lines=(one("steak"),))
    (reply,) = await floor.say(Asked(TILL, more, at=floor.now))
    refused(reply, "the grill is cold")


async def test_a_new_book_of_recipes_counts_everything_anew(floor: Floor) -> None:
    await floor.portions.look()
    await floor.fill(beef="1 kg", cake="3 each")
    assert (floor.shown("steak").left, floor.shown("cake").left) == (4, 3)
    recipes = [KeptRecipe("steak", {}, {"beef": 500_000})]
    async with floor.database.write() as connection:
        await put(connection, floor.tenant, ITEMS, recipes, gone_recipes=["cake"])
    assert floor.shown("steak").left == 4, "nobody has looked yet"
    assert await floor.portions.look() == 1
    assert (floor.shown("steak").left, floor.shown("cake").left) == (2, None)
    assert await floor.portions.look() == 0
    await floor.check_menu()


async def test_from_how_many_on_they_are_counted_down_is_the_houses_to_say(floor: Floor) -> None:
    await floor.portions.look()
    await floor.fill(cake="30 each")
    assert floor.shown("cake").left is None
    async with floor.database.write() as connection:
        await house_rules.write(connection, floor.tenant, stock=StockRules(countdown=50))
    await floor.portions.look()
    assert floor.shown("cake").left == 30


# -- by hand ----------------------------------------------------------------------------------


@pytest.mark.parametrize("device", [TILL, SCREEN, MANAGER])
async def test_what_somebody_takes_off_is_off_until_it_is_restored(
    floor: Floor, device: str
) -> None:
    reply = await floor.do(SellOut(item="soup", reason="burnt", person="ada"), device)
    assert reply.result == ItemReceipt(item="soup", available=False, why="burnt")
    assert (floor.shown("soup").available, floor.shown("soup").why) == (False, "burnt")
    refused(await floor.order_of(one("soup")), "soup (burnt)")
    reply = await floor.do(RestoreItem(item="soup"), OTHER)
    assert reply.result == ItemReceipt(item="soup", available=True)
    assert floor.shown("soup").available
    await floor.order("soup")
    again = await floor.do(RestoreItem(item="soup"), OTHER)
    assert again.result == reply.result, "that it could be had is no fault"


async def test_what_is_restored_can_be_had_only_as_far_as_the_stock_allows(floor: Floor) -> None:
    await floor.fill(beef="250 g")
    await floor.order("steak")
    await floor.do(SellOut(item="steak", reason="no cook"), SCREEN)
    assert floor.shown("steak").why == "no cook", "what somebody says comes first"
    reply = await floor.do(RestoreItem(item="steak"), SCREEN)
    want = ItemReceipt(item="steak", available=False, left=0, why="no Beef left")
    assert reply.result == want


async def test_what_is_off_until_a_time_comes_back_at_that_time(floor: Floor) -> None:
    back = floor.now + timedelta(minutes=20)
    await floor.do(SellOut(item="soup", reason="on the stove", until=back), SCREEN)
    assert floor.shown("soup").back_at == back
    assert await floor.sell_outs.look() == 0
    later = await floor.order_of(one("soup"), due_at=back + timedelta(hours=1))
    assert later.outcome is Outcome.ACCEPTED, "by then it can be had"
    floor.wait(timedelta(minutes=20))
    assert (await floor.order_of(one("soup"))).outcome is Outcome.ACCEPTED, "the clock decides"
    assert await floor.sell_outs.look() == 1
    assert (floor.shown("soup").available, floor.shown("soup").back_at) == (True, None)
    assert await floor.sell_outs.look() == 0
    await floor.check()


async def test_a_later_time_holds_instead_of_the_one_that_comes_first(floor: Floor) -> None:
    first, second = (floor.now + timedelta(minutes=each) for each in (10, 30))
    await floor.do(SellOut(item="soup", reason="stove", until=first), SCREEN)
    await floor.do(SellOut(item="soup", reason="stove", until=second), SCREEN)
    floor.wait(timedelta(minutes=10))
    assert await floor.sell_outs.look() == 0
    refused(await floor.order_of(one("soup")), "stove")
    await floor.do(SellOut(item="soup", reason="all day"), SCREEN)
    floor.wait(timedelta(days=1))
    assert await floor.sell_outs.look() == 0
    assert floor.shown("soup").why == "all day"


@pytest.mark.parametrize(
    ("wanted", "code", "says"),
    [
        (SellOut(item="lobster", reason="none"), RefusalCode.UNKNOWN_ITEM, "lobster"),
        (
            SellOut(item="soup", modifier=True, reason="x"),
            RefusalCode.UNKNOWN_ITEM,
            "modifier",
        ),
        (RestoreItem(item="lobster"), RefusalCode.UNKNOWN_ITEM, "lobster"),
        (
            SellOut(item="soup", reason="x", until=datetime.fromisoformat("2020-01-01T00:00:00Z")),
            RefusalCode.INVALID,
            "later time",
        ),
    ],
)
async def test_what_is_not_on_the_menu_or_is_over_already_cannot_be_taken_off(
    floor: Floor, wanted: SellOut | RestoreItem, code: RefusalCode, says: str
) -> None:
    before = floor.standing()
    (reply,) = await floor.say(Asked(SCREEN, wanted, at=floor.now))
    assert (reply.outcome, reply.code) == (Outcome.REJECTED, code)
    assert says in (reply.message or "")
    assert floor.standing() == before
    assert await floor.rows(MENU_AVAILABILITY) == [[]]


# -- by the clock -----------------------------------------------------------------------------


async def test_an_item_is_served_in_its_hours_by_the_houses_own_clock(floor: Floor) -> None:
    async with floor.database.write() as connection:
        rules = OrderRules(time_zone="Europe/Rome")
        await house_rules.write(connection, floor.tenant, orders=rules)
    await floor.put(BREAKFAST)
    await floor.menus.look()
    bread = floor.shown("bread")
    opens = datetime.fromisoformat("2026-03-15T06:00:00Z")
    assert (bread.available, bread.why, bread.back_at) == (False, "not at this hour", opens)
    refused(await floor.order_of(one("bread")), "bread (not at this hour)")
    early = await floor.order_of(one("bread"), due_at=opens + timedelta(hours=1))
    assert early.outcome is Outcome.ACCEPTED, "for when it is served"
    floor.now = opens - timedelta(seconds=1)
    assert await floor.menus.look() == 0
    floor.now = opens
    assert await floor.menus.look() == 1
    assert (floor.shown("bread").available, floor.shown("bread").back_at) == (True, None)
    assert await floor.menus.look() == 0
    floor.now = opens + timedelta(hours=4)
    refused(await floor.order_of(one("bread")), "not at this hour")
    assert await floor.menus.look() == 1
    assert not floor.shown("bread").available
    await floor.check()


# -- with who imports a menu ------------------------------------------------------------------


async def test_a_menu_that_is_imported_shows_what_is_sold_out(floor: Floor) -> None:
    await floor.fill(beef="250 g")
    await floor.order("steak")
    await floor.do(SellOut(item="soup", reason="burnt"), SCREEN)
    await floor.put(*(each.model_copy(update={"price_minor": 600}) for each in MENU))
    for item, why in (("steak", "no Beef left"), ("soup", "burnt"), ("chips", "")):
        shown = floor.shown(item)
        assert (shown.price_minor, shown.why, shown.available) == (600, why, not why)
    refused(await floor.order_of(one("steak")), "no Beef left")
    await floor.check()


async def test_what_was_sold_while_a_menu_was_on_its_way_is_told_once_more(floor: Floor) -> None:
    await floor.fill(beef="250 g")
    async with floor.database.write() as connection:
        dearer = MENU[2].model_copy(update={"price_minor": 600})
        await put_menu(connection, floor.tenant, [dearer], floor.now, replace=False)
    # The last one is sold before what the import says has gone out.
    await floor.say(Asked(TILL, PlaceOrder(lines=(one("steak"),)), at=floor.now))
    assert await floor.menus.look() == 0, "it has not gone out yet"
    await floor.relay.collect(everything=True)
    await floor.relay.finish()
    assert floor.shown("steak").available, "this is what the import knew"
    assert await floor.menus.look() == 1
    assert (floor.shown("steak").available, floor.shown("steak").price_minor) == (False, 600)
    await floor.check()


async def test_an_item_that_leaves_the_menu_and_returns_is_as_scarce_as_before(
    floor: Floor,
) -> None:
    await floor.fill(cake="2 each")
    await floor.put(*MENU[:4], replace=True)
    await floor.fill(cake="1 each")
    await floor.put(*MENU)
    assert floor.shown("cake").left == 3
    assert (await floor.order_of(one("cake", 3))).outcome is Outcome.ACCEPTED
    refused(await floor.order_of(one("cake")), "no Cake left")


# -- what it costs ----------------------------------------------------------------------------


async def test_an_order_of_what_is_not_scarce_asks_nothing_of_the_menu_twice(
    floor: Floor,
) -> None:
    await floor.fill(beef="250 g", potato="100 kg")
    for _ in range(2):
        assert (await floor.order_of(one("chips"))).outcome is Outcome.ACCEPTED
    asked: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    engine = floor.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        assert (await floor.order_of(one("chips"))).outcome is Outcome.ACCEPTED
    finally:
        event.remove(engine, "before_cursor_execute", note)
    assert [each for each in asked if "menu" in each and each.startswith("SELECT")] == []
