"""`heard stock`: what comes, what is found, what is lost, and the ledger of all of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from devices.stock_tablet import StockTablet
from schemas.inventory import BaseUnit, Quantity, StockItem
from schemas.inventory_requests import CountedLine
from services.inventory.store import KeptRecipe, put
from services.runtime.database import Database
from tests.cli.conftest import Ended, Heard, until
from tests.cli.restaurant import Restaurant, open_another
from tests.patience import PATIENCE_S

ITEMS = (
    StockItem(item="beef", name="Beef", unit=BaseUnit.GRAM, low=1_000_000),
    StockItem(item="wine", name="Wine", unit=BaseUnit.EACH, place="cellar"),
    StockItem(item="salt", name="Salt", unit=BaseUnit.GRAM),
)


def with_stock(heard: Heard, folder: Path) -> Restaurant:
    """A restaurant whose burger takes 200 g of beef."""
    roma = open_another(heard, folder)
    url = heard.env.get("HEARD_DATABASE") or f"sqlite:///{heard.home / 'heard.db'}"

    async def keep() -> None:
        database = Database(url)
        try:
            async with database.write() as connection:
                burger = KeptRecipe("burger", {}, {"beef": 200_000})
                await put(connection, roma.tenant, ITEMS, [burger])
        finally:
            await database.close()

    asyncio.run(keep())
    return roma


@pytest.fixture
def roma(stack: Heard, tmp_path: Path) -> Restaurant:
    """Such a restaurant on each stack in turn."""
    return with_stock(stack, tmp_path)


@contextmanager
def tablet(roma: Restaurant, folder: Path, *, offline: bool) -> Iterator[StockTablet]:
    """A tablet with its outbox on its disk; offline it is not even switched on."""
    file = folder / "tablet.secret"
    if not file.exists():
        made = roma.heard.done(
            "device", "add", "tablet", *roma.at, "--role", "kitchen-display", "--json"
        )
        file.write_text(made.json["secret"])
    port = json.loads((roma.heard.home / "run.json").read_text())["port"]
    device = StockTablet(
        "127.0.0.1",
        port,
        tenant=roma.tenant,
        device="tablet",
        secret=file.read_text(),
        outbox=folder / "tablet.outbox",
        sheet=folder / "tablet.sheet",
    )
    try:
        yield device if offline else device.start()
    finally:
        device.close()


def asked(roma: Restaurant, *arguments: str) -> Ended:
    return roma.heard("stock", *arguments, *roma.at)


def done(roma: Restaurant, *arguments: str) -> Any:
    return roma.heard.done("stock", *arguments, *roma.at, "--json").json


def refused(roma: Restaurant, *arguments: str) -> str:
    ended = asked(roma, *arguments)
    assert ended.code != 0, (arguments, ended.out)
    return ended.complaint


def figures(roma: Restaurant, item: str) -> tuple[int, int, int, int]:
    """On hand, reserved, damaged and available."""
    (found,) = done(roma, "show", item)
    return found["on_hand"], found["reserved"], found["damaged"], found["available"]


def test_stock_follows_what_is_said_of_it_and_stands_retained(roma: Restaurant) -> None:
    # what comes
    soon = (datetime.now(UTC) + timedelta(days=5)).date().isoformat()
    done(roma, "receive", "--supplier", "metro", "--note", "4711", f"beef=5kg,expires={soon}",
         "wine=12,cost=60.00")  # fmt: skip
    again = refused(roma, "receive", "--supplier", "metro", "--note", "4711", "beef=5kg")
    assert "4711 of metro was received before" in again
    (lot,) = done(roma, "show", "beef", "--lots")[0]["lots"]
    assert (lot["left"], lot["expires_on"]) == (5_000_000, soon)

    # what everybody hears of it
    watched = ("--topic", f"+/+/{roma.tenant}/state/inventory/beef", "--retained", "--count", "1")
    told = roma.heard.done("tail", *roma.at, *watched, "--for", "60s", "--json").json
    level = told["data"]["level"]
    assert (level["on_hand"], level["available"], level["counted"]) == (5_000_000, 5_000_000, True)

    # what is sold
    roma.place("burger=2")
    assert figures(roma, "beef") == (5_000_000, 400_000, 0, 4_600_000)

    # what is lost
    done(roma, "damage", "beef", "500g", "--reason", "warm")
    assert figures(roma, "beef") == (5_000_000, 400_000, 500_000, 4_100_000)
    done(roma, "repair", "beef", "100g", "--reason", "fine")
    done(roma, "discard", "beef", "400g", "--reason", "warm")
    done(roma, "waste", "beef", "600 g", "--reason", "fell", "--person", "ada")
    done(roma, "return", "beef", "1kg", "--supplier", "metro", "--reason", "tough")
    assert figures(roma, "beef") == (3_000_000, 400_000, 0, 2_600_000)
    assert "only 3 kg" in refused(roma, "waste", "beef", "9kg", "--reason", "fell")
    done(roma, "transfer", "wine", "4", "--from", "cellar", "--to", "bar")
    assert "bar 4, cellar 8" in asked(roma, "show", "wine").out

    # what is found
    receipt = done(roma, "count", "night", "beef=2.9kg", "wine=3,place=bar", "salt=0")
    assert receipt["levels"] == [], "it is blind"
    explained = {each["item"]: each for each in done(roma, "count", "night", "--explain")}
    assert explained["beef"]["difference"] == -100_000
    assert explained["beef"]["moved"] == {
        "discard": -400_000, "receive": 5_000_000, "return": -1_000_000, "waste": -600_000
    }  # fmt: skip
    assert (explained["wine"]["difference"], explained["wine"]["moved"]) == (
        -1000,
        {"transfer": 4000},
    )
    assert (explained["salt"]["found"], explained["salt"]["difference"]) == (0, 0)
    shown = asked(roma, "count", "night", "--explain").out
    assert "-100 g" in shown
    assert "received +5 kg" in shown

    # all of it
    entries = done(roma, "ledger", "beef")
    assert [each["kind"] for each in entries] == [
        "receive", "reserve", "damage", "repair", "discard", "waste", "return", "count"
    ]  # fmt: skip
    assert [each["on_hand_after"] for each in entries][-3:] == [4_000_000, 3_000_000, 2_900_000]
    (waste,) = done(roma, "ledger", "beef", "--kind", "waste")
    assert (waste["person"], waste["why"]) == ("ada", "fell")
    assert "2.9 kg" in asked(roma, "ledger", "beef").out
    number = entries[1]["order"]
    assert number.startswith("ORD-"), "people call orders by their numbers"
    assert number in asked(roma, "ledger", "beef").out


def test_what_is_low_can_be_listed_by_itself(shared: Heard, tmp_path: Path) -> None:
    roma = with_stock(shared, tmp_path)
    done(roma, "count", "first", "beef=900g", "wine=2")
    assert [each["item"] for each in done(roma, "show", "--low")] == ["beef"]
    assert [each["item"] for each in done(roma, "show", "--place", "cellar")] == ["wine"]
    assert [each["item"] for each in done(roma, "sheet", "--place", "cellar")] == ["wine"]
    assert "900" not in asked(roma, "sheet").out, "it says nothing of how much there is"
    table = asked(roma, "show").out
    assert "not counted" in next(each for each in table.splitlines() if each.startswith("salt"))


WRONG = [
    (["waste", "beef", "lots", "--reason", "x"], "is no quantity"),
    (["waste", "beef", "-1kg", "--reason", "x"], "o such option"),
    (["waste", "beef", "0kg", "--reason", "x"], "is nothing"),
    (["waste", "beef", "3each", "--reason", "x"], "what a piece of it weighs"),
    (["waste", "gold", "1kg", "--reason", "x"], "the book has no item gold"),
    (["receive", "--supplier", "m", "--note", "1", "beef"], "write ITEM=QUANTITY"),
    (["receive", "--supplier", "m", "--note", "1", "beef=1kg,expires=soon"], "is no day"),
    (["receive", "--supplier", "m", "--note", "1", "beef=1kg,expires=2020-01-01"], "expired"),
    (["receive", "--supplier", "m", "--note", "1", "beef=1kg,colour=red"], "colour"),
    (["count", "night"], "nothing was counted"),
    (["count", "night", "--explain"], "has no count night"),
    (["show", "gold"], "no item gold"),
    (["sheet", "--place", "attic"], "lies at attic: look at cellar, kitchen"),
    (["ledger", "gold"], "no item gold"),
]


def test_what_cannot_be_is_refused_in_one_line(shared: Heard, tmp_path: Path) -> None:
    roma = with_stock(shared, tmp_path)
    for arguments, says in WRONG:
        assert says in refused(roma, *arguments), arguments
    assert figures(roma, "beef") == (0, 0, 0, 0)


def test_a_tablet_counts_offline_and_the_books_follow_when_it_is_back(
    shared: Heard, tmp_path: Path
) -> None:
    roma = with_stock(shared, tmp_path)
    done(roma, "receive", "--supplier", "metro", "--note", "1", "beef=5kg")
    with tablet(roma, tmp_path, offline=False) as first:
        until(lambda: len(first.sheet) == len(ITEMS), "it knows what to count")
    with tablet(roma, tmp_path, offline=True) as still:
        beef, _, wine = still.sheet
        assert (beef.name, beef.places, wine.places) == ("Beef", ("kitchen",), ("cellar",))
        found = Quantity(amount="4.5", unit="kg")
        handle = still.count_stock("night", [CountedLine(item="beef", quantity=found)])
        assert handle.wait_kept(PATIENCE_S)
    # It was never started: what was counted is on its disk. Meanwhile the kitchen goes on.
    done(roma, "waste", "beef", "1kg", "--reason", "fell")
    with tablet(roma, tmp_path, offline=False) as online:
        assert online.drain(PATIENCE_S)
    assert figures(roma, "beef")[0] == 3_500_000
    (explained,) = done(roma, "count", "night", "--explain")
    assert (explained["expected"], explained["difference"]) == (5_000_000, -500_000)
    assert explained["at"] < explained["kept_at"]
