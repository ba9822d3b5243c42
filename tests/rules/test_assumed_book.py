"""Recipes without quantities: what is assumed, and what is wrong with files is said."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.assumed_book import read_assumptions, read_book, used_by, with_thresholds
from cli.failures import Failure
from cli.order_files import read_orders
from schemas.inventory import BaseUnit


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "menu.csv").write_text(
        "pizza_id,pizza_type_id,size,price\nham_s,ham,S,9\nham_l,ham,L,15\n"
    )
    # As spreadsheets write it: a quotation mark that is no UTF-8.
    (tmp_path / "recipes.csv").write_bytes(
        b"pizza_type_id,name,category,ingredients\n"
        b'ham,Ham,Classic,"Sliced Ham, Pears, \x91Nduja Salami, Pesto Sauce, Artichoke"\n'
    )
    lines = [f"2015-01-{day:02}T{11 + day % 2}:38:36,{day},ham_l,2" for day in range(1, 29)]
    (tmp_path / "lines.csv").write_text(
        "placed_at,order_id,pizza_size_id,quantity\n" + "\n".join(lines) + "\n"
    )
    return tmp_path


def test_amounts_are_assumed_by_words_and_sizes(folder: Path) -> None:
    book = read_book(folder / "recipes.csv", folder / "menu.csv", read_assumptions())
    assert book.items["pears"].unit is BaseUnit.EACH
    assert book.items["pesto-sauce"].unit is BaseUnit.MILLILITRE
    assert set(book.takes) == {"ham_s", "ham_l"}
    small, large = book.takes["ham_s"], book.takes["ham_l"]
    assert small["sliced-ham"] == small["nduja-salami"] == 49_000
    assert large["sliced-ham"] == 2 * small["sliced-ham"]
    assert small["pears"] == 350, "a third of a pear"
    assert "artichokes" in small, "one thing under two names"
    assert all(item.packs for item in book.items.values())
    assert book.keeps_days["sliced-ham"] < book.keeps_days["pesto-sauce"]


def test_what_orders_took_is_known_by_the_hour_and_thresholds_follow(folder: Path) -> None:
    book = read_book(folder / "recipes.csv", folder / "menu.csv", read_assumptions())
    placed = read_orders(folder / "lines.csv", currency="USD", prices=folder / "menu.csv").orders
    used = used_by(book, placed)["sliced-ham"]
    assert used[datetime(2015, 1, 2, 11, tzinfo=UTC)] == 196_000
    assert sum(used.values()) == 28 * 196_000
    ham = with_thresholds(book, placed).items["sliced-ham"]
    assert (ham.par, ham.low, ham.critical) == (8 * 196_000, 3 * 196_000, 196_000)


def test_what_is_wrong_with_a_file_is_said(folder: Path) -> None:
    assumed = folder / "assumed.yaml"
    assumed.write_text("sizes: {S: 1}\n")
    with pytest.raises(Failure, match=r"assumed\.yaml: currency"):
        read_assumptions(assumed)
    ours = read_assumptions()
    with pytest.raises(Failure, match="its first line must have pizza_type_id,ingredients"):
        read_book(folder / "menu.csv", folder / "menu.csv", ours)
    small = ours.model_copy(update={"sizes": {"S": ours.sizes["S"]}})
    with pytest.raises(Failure, match="nothing is assumed of size L"):
        read_book(folder / "recipes.csv", folder / "menu.csv", small)
    by_spoon = ours.model_copy(
        update={"rules": (ours.default.model_copy(update={"words": ("ham",), "amount": "1 tsp"}),)}
    )
    with pytest.raises(Failure, match="say it in g, ml, each"):
        read_book(folder / "recipes.csv", folder / "menu.csv", by_spoon)
