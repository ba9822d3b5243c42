"""`heard stock usage`, `suggest` and `purchase`: from what was used to what is bought."""

from __future__ import annotations

import asyncio
import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from schemas.inventory import BaseUnit, Pack, StockItem
from schemas.suppliers import Supplier
from services.inventory.store import KeptRecipe, put, put_suppliers
from services.inventory.tables import STOCK_USAGE
from services.inventory.usage import Usage, hour_of
from services.runtime.database import Database
from tests.cli.conftest import Heard
from tests.cli.restaurant import Restaurant, open_another

BUTCHER = Supplier(supplier="butcher", name="The <b>Butcher</b>", email="orders@butcher.example")
BEEF = StockItem(
    item="beef",
    name="Beef",
    unit=BaseUnit.GRAM,
    packs=(Pack(supplier="butcher", holds=2_000_000, price_minor=2500, name="2 kg"),),
)
SALT = StockItem(item="salt", name="Salt", unit=BaseUnit.GRAM)
DAYS = 70


def open_with_history(heard: Heard, folder: Path) -> Restaurant:
    """A restaurant that has used a kilogram of beef a day for ten weeks, at noon."""
    roma = open_another(heard, folder)
    url = heard.env.get("HEARD_DATABASE") or f"sqlite:///{heard.home / 'heard.db'}"
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    used = [
        {
            "tenant": roma.tenant,
            "item": "beef",
            "hour": hour_of(noon - timedelta(days=n)),
            **Usage(consumed=1_000_000, counted=-50_000 if n == 1 else 0)._asdict(),
        }
        for n in range(1, DAYS + 1)
    ]

    async def keep() -> None:
        database = Database(url)
        try:
            async with database.write() as connection:
                burger = KeptRecipe("burger", {}, {"beef": 200_000})
                await put(connection, roma.tenant, [BEEF, SALT], [burger])
                await put_suppliers(connection, roma.tenant, [BUTCHER])
                await connection.execute(STOCK_USAGE.insert(), used)
        finally:
            await database.close()

    asyncio.run(keep())
    return roma


@pytest.fixture
def roma(stack: Heard, tmp_path: Path) -> Restaurant:
    """Such a restaurant on each stack in turn."""
    return open_with_history(stack, tmp_path)


def test_what_was_used_is_forecast_suggested_ordered_and_received(
    roma: Restaurant, tmp_path: Path
) -> None:
    heard, at = roma.heard, roma.at
    heard.done(
        "stock", "receive", *at, "--supplier", "butcher", "--note", "N-1", "beef=600g,cost=9.00"
    )
    coming = heard.done("stock", "forecast", *at, "--json").json
    (beef,) = coming["items"]
    assert beef["item"] == "beef"
    assert 6_500_000 <= beef["expected"] <= 7_500_000
    assert beef["usable"] == 600_000
    assert beef["lasts_until"] is not None
    assert beef["off"] == pytest.approx(0, abs=0.001)
    assert beef["by_hour"] is None, "only of what was asked for by name"
    errors = heard.done("stock", "forecast", *at, "--evaluate", "--json").json
    assert errors["errors"]["forecast"] == pytest.approx(0, abs=0.001)

    first = (datetime.now(UTC) - timedelta(days=3)).date().isoformat()
    used = heard.done("stock", "usage", *at, "--since", first, "--json").json
    (beef,) = [each for each in used["items"] if each["item"] == "beef"]
    # What a gram cost when it came last: 9.00 for 600 g.
    assert beef["cost_minor"]["missing"] == 75
    assert (beef["consumed"], beef["missing"]) == (3_000_000, 50_000)
    assert beef["cost_told_by"] == "delivery N-1"
    table = heard.done("stock", "usage", *at, "--since", first, "--csv").out
    (row,) = [each for each in csv.DictReader(io.StringIO(table)) if each["item"] == "beef"]
    assert (row["consumed"], row["gone"], row["currency"]) == ("3000", "3050", "GBP")

    suggested = heard.done("stock", "suggest", *at, "--draft", "--json").json
    (basket,) = suggested["baskets"]
    (line,) = basket["lines"]
    assert (line["item"], basket["supplier"]) == ("beef", "butcher")
    assert line["packs"] >= 1
    assert line["reasons"][0] == "600 g is usable"
    number = basket["purchase"]

    purchase = ("stock", "purchase")
    sent = heard.done(*purchase, "send", number[-5:], *at, "--json").json
    assert sent["status"] == "sent"
    assert heard.done("stock", "suggest", *at, "--json").json["baskets"] == [], "it is on its way"
    heard.done(
        "stock", "receive", *at, "--supplier", "butcher", "--note", "N-2",
        "--purchase", sent["number"][-5:], f"beef={line['packs'] * 2}kg",
    )  # fmt: skip
    (listed,) = heard.done(*purchase, "list", *at, "--json").json
    assert (listed["number"], listed["status"]) == (number, "received")

    paper = tmp_path / "order.html"
    heard.done(*purchase, "show", number, *at, "--html", str(paper))
    written = paper.read_text(encoding="utf-8")
    assert number in written
    assert "The &lt;b&gt;Butcher&lt;/b&gt;" in written, "names are no markup"
    table = heard.done(*purchase, "show", number, *at, "--csv").out
    (row,) = csv.DictReader(io.StringIO(table))
    assert (row["item"], row["packs"], row["unit"]) == ("beef", str(line["packs"]), "g")


def test_what_cannot_be_asked_of_purchase_orders_is_one_line(shared: Heard, tmp_path: Path) -> None:
    roma = open_with_history(shared, tmp_path)
    heard, at = roma.heard, roma.at
    purchase = ("stock", "purchase")

    def complaint(*arguments: str) -> str:
        ended = heard(*arguments)
        assert ended.code in {1, 2}, ended
        return ended.complaint

    assert "has no purchase order NIX" in complaint(*purchase, "show", "NIX", *at)
    nobody = complaint("stock", "suggest", *at, "--supplier", "nobody")
    assert "has no supplier nobody: look at butcher" in nobody
    draft = (*purchase, "draft", *at, "--supplier", "butcher")
    assert "nobody does" in complaint(*draft, "salt=1")
    assert "ITEM=PACKS" in complaint(*draft, "beef")
    made = heard.done(*draft, "beef=2", "--json").json
    cancel = (*purchase, "cancel", made["number"], *at, "--reason", "no need")
    assert "cancelled" in heard.done(*cancel).out
    assert "is cancelled: draft another one" in complaint(*purchase, "send", made["number"], *at)
    edit = (*purchase, "edit", made["number"], *at, "beef=3")
    assert "is cancelled" in complaint(*edit)
    assert "--orders is for --evaluate" in complaint("stock", "forecast", "--orders", __file__)
    assert "name the restaurant" in complaint("stock", "forecast")
    assert "is no day" in complaint("stock", "usage", *at, "--since", "soon")
    assert "is before" in complaint(
        "stock", "usage", *at, "--since", "2026-03-02", "--until", "2026-03-01"
    )
    assert "no item nix" in complaint("stock", "forecast", *at, "--item", "nix")
    wrong = heard.done("stock", "usage", *at, "--recount").err
    assert f"{DAYS} figures corrected" in wrong, "nothing of it is in the ledger"


def test_the_forecast_of_a_file_needs_its_recipes_and_says_how_far_off_it_was(
    heard: Heard, tmp_path: Path
) -> None:
    orders = tmp_path / "lines.csv"
    first = datetime(2026, 1, 5, 12, tzinfo=UTC)
    rows = [
        f"{first + timedelta(days=n):%Y-%m-%dT%H:%M:%S},{n},margherita_m,{1 + n % 3}"
        for n in range(DAYS)
    ]
    orders.write_text("placed_at,order_id,pizza_size_id,quantity\n" + "\n".join(rows))
    evaluate = ("stock", "forecast", "--evaluate", "--orders", str(orders))
    refused = heard(*evaluate)
    assert "name it with --menu" in refused.complaint
    menu, recipes = tmp_path / "menu.csv", tmp_path / "recipes.csv"
    menu.write_text("pizza_id,pizza_type_id,size,price\nmargherita_m,margherita,M,9.50\n")
    recipes.write_text(
        'pizza_type_id,name,category,ingredients\nmargherita,M,C,"Tomatoes, Fresh Cheese"\n'
    )
    given = (*evaluate, "--menu", str(menu), "--recipes", str(recipes))
    found = heard.done(*given, "--json").json
    assert [each["item"] for each in found["items"]] == ["fresh-cheese", "tomatoes"]
    assert (found["weeks"], found["first_week"]) == (3, 8)
    week = found["items"][0]["weeks"][0]
    # 90 g a pizza, by the rule for cheese.
    pizzas = sum(1 + n % 3 for n in range(49, 56))
    assert (week["begins"], week["used"]) == ("2026-02-23", pizzas * 90_000)
    assert "off" in heard.done(*given).out
