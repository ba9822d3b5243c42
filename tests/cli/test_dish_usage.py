"""`heard stock usage --dishes`: what dishes sold, what went into them, and what is left."""

from __future__ import annotations

import asyncio
import csv
import io
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from uuid import UUID

import pytest

from cli.dish_usage import DishUsage, dish_usage
from schemas.house_rules import STANDARD_TAX, OrderRules
from schemas.inventory import MovementKind, Quantity
from schemas.inventory_requests import ReceivedLine, ReceiveStock
from schemas.kitchen_requests import StartTicket
from schemas.order_changes import VoidLines, VoidOrder
from services.inventory import cooked_orders
from services.inventory.tables import STOCK_MOVEMENTS
from services.runtime.database import Database
from tests.cli.conftest import Heard
from tests.services.order_world import BEGAN, MANAGER, TILL
from tests.services.stock_floor import StockFloor

DAY = timedelta(days=1)
TODAY = BEGAN.replace(hour=0)
TAX_PPM = 200_000
STEAK_MINOR = Fraction(250 * 2500, 2000)
"""250 g of beef, of which 2 kg cost 25.00."""
CHIPS_MINOR = Fraction(200 * 100, 1000)
NET_MINOR = 417
"""Of 5.00, with a fifth of tax on it."""


async def open_floor(database: Database) -> StockFloor:
    """A restaurant with taxes, that knows what its beef and potatoes cost."""
    floor = StockFloor(database)
    floor.rules = OrderRules(taxes={STANDARD_TAX: TAX_PPM})
    await floor.open()
    lines = (
        ReceivedLine(item="beef", quantity=Quantity(amount="2", unit="kg"), cost_minor=2500),
        ReceivedLine(item="potato", quantity=Quantity(amount="3", unit="kg"), cost_minor=300),
    )
    await floor.do(ReceiveStock(supplier="market", note="N-1", lines=lines), TILL)
    return floor


async def begin(floor: StockFloor, order: UUID, *stations: str) -> None:
    for station in stations:
        ticket = await floor.at(station, order)
        await floor.do(StartTicket(ticket_id=ticket.ticket_id))


async def play(floor: StockFloor) -> None:
    """An evening, and an order that goes on after midnight."""
    both = await floor.order("steak", "chips")
    await begin(floor, both, "grill", "fry")
    await begin(floor, await floor.order("soup", "bread"), "grill", "bar")
    unfried = await floor.order("steak", "chips")
    await begin(floor, unfried, "grill")
    burnt = await floor.order("steak", "chips")
    await begin(floor, burnt, "grill", "fry")
    await floor.do(VoidLines(order_id=burnt, lines=(1,), reason="burnt"), MANAGER)
    gone = await floor.order("chips")
    await begin(floor, gone, "fry")
    await floor.do(VoidOrder(order_id=gone, reason="the guest left"), MANAGER)
    late = await floor.order("steak", "chips")
    await begin(floor, late, "grill")
    floor.wait(DAY)
    await begin(floor, late, "fry")
    await begin(floor, await floor.order("chips"), "fry")


async def between(floor: StockFloor, first: int, days: int) -> dict[str, DishUsage]:
    async with floor.database.read() as connection:
        since = TODAY + first * DAY
        found = await dish_usage(connection, floor.tenant, since, since + days * DAY)
    assert [each.item for each in found] == sorted(each.item for each in found)
    return {each.item: each for each in found}


async def test_dishes_cost_what_was_cooked_of_them_and_bring_what_was_not_called_off(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cooked_orders, "PAGE", 2)
    database = Database(database_url)
    try:
        floor = await open_floor(database)
        await play(floor)
        evening = await between(floor, 0, 1)
        assert evening.keys() == {"steak", "chips", "soup"}, "the stock knows nothing of bread"
        steak, chips, soup = evening["steak"], evening["chips"], evening["soup"]
        assert (steak.sold, steak.called_off) == (3, 1)
        assert steak.cost_minor == 4 * STEAK_MINOR
        assert steak.net_minor == 3 * NET_MINOR
        assert steak.margin_minor == 3 * NET_MINOR - 4 * STEAK_MINOR
        # Begun in the evening, though fried after midnight; what nobody fried is not there.
        assert (chips.sold, chips.called_off) == (3, 1)
        assert chips.cost_minor == 4 * CHIPS_MINOR
        # Of its potatoes alone it is known what they cost.
        assert (soup.unknown, soup.margin_minor) == ({"stock"}, None)
        assert soup.cost_minor == CHIPS_MINOR / 4
        morning = await between(floor, 1, 1)
        assert {name: each.sold for name, each in morning.items()} == {"chips": 1}
        assert await between(floor, 2, 30) == {}

        whole = await between(floor, 0, 2)
        (rows,) = await floor.rows(STOCK_MOVEMENTS)
        taken = [row["amounts"] for row in rows if row["kind"] == MovementKind.CONSUME.value]
        beef, potato = (sum(each.get(item, 0) for each in taken) for item in ("beef", "potato"))
        assert sum(each.cost_minor for each in whole.values()) == (
            beef * Fraction(2500, 2_000_000) + potato * Fraction(300, 3_000_000)
        ), "dishes cost what the ledger says was taken for them"
    finally:
        await database.close()


def test_the_usage_of_dishes_is_shown_written_and_told(database_url: str, tmp_path: Path) -> None:
    async def evening() -> str:
        database = Database(database_url)
        try:
            floor = await open_floor(database)
            await play(floor)
            return floor.tenant
        finally:
            await database.close()

    heard = Heard(tmp_path / "home", {"HEARD_DATABASE": database_url})
    at = ("--tenant", asyncio.run(evening()))
    asked = ("stock", "usage", "--dishes", "--since", f"{TODAY:%Y-%m-%d}")
    day = (*asked, "--until", f"{TODAY:%Y-%m-%d}")
    told = heard.done(*day, *at, "--json").json
    chips, soup, steak = told["dishes"]
    assert steak == {
        "dish": "steak",
        "name": "Steak",
        "sold": 3,
        "called_off": 1,
        "cost_minor": 1250,
        "net_minor": 1251,
        "margin_minor": 1,
        "margin_share": 0.0008,
        "unknown": [],
    }
    assert chips["sold"] == 3
    assert (soup["unknown"], soup["margin_minor"], soup["margin_share"]) == (["stock"], None, None)
    assert (told["cost_minor"], told["net_minor"]) == (1335, 2919)
    (row,) = csv.DictReader(io.StringIO(heard.done(*day, *at, "--item", "chips", "--csv").out))
    assert row == {
        "dish": "chips",
        "name": "Chips",
        "sold": "3",
        "called_off": "1",
        "cost": "0.80",
        "net": "12.51",
        "margin": "11.71",
        "currency": "GBP",
        "unknown": "",
    }
    shown = heard.done(*day, *at)
    table = shown.out
    assert "nothing tells what stock cost" in shown.err
    assert "steak\t3\t1\t12.50 GBP\t12.51 GBP\t0.01 GBP\t0.1%" in table
    assert "29.19 GBP without tax, 13.35 GBP went into it" in table
    nothing = heard.done(*asked, "--until", f"{TODAY:%Y-%m-%d}", "--item", "nix", *at)
    assert "no dish with a recipe was cooked" in nothing.err
