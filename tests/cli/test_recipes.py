"""`heard recipe`: books of recipes from files, what is wrong with them, and what dishes cost."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from cli.demo import CURRENCY, demo_book, demo_menu
from services.inventory.book_remarks import remarks
from services.inventory.whole_book import WholeBook
from tests.cli.conftest import Heard, until, up_beside
from tests.cli.restaurant import AT, MENU

BOOK = """
currency: GBP
suppliers: {smith: {name: Smith & Sons, delivery_days: [mon]}}
items:
  beef: {unit: g, packs: [{supplier: smith, holds: 5 kg, price: 40.00}]}
  bun: {unit: each, packs: [{supplier: smith, holds: 48, price: 24.00, name: tray}]}
  potato: {unit: g}
  bottle: {unit: each}
recipes:
  patty: {parts: {beef: {amount: 180 g, waste: 10%}}}
  burger: {name: Burger, parts: {patty: 1, bun: 1}}
  fries: {parts: {potato: 250 g}}
modifiers:
  bacon: {leaves_out: [bun]}
"""


@pytest.fixture
def roma(heard: Heard, tmp_path: Path, sqlite_template: Path) -> Heard:
    """A restaurant with a menu; nothing of it runs."""
    heard.home.mkdir(mode=0o700)
    shutil.copyfile(sqlite_template, heard.home / "heard.db")
    heard.done("tenant", "add", "roma", "--currency", "GBP")
    (tmp_path / "menu.yaml").write_text(MENU, encoding="utf-8")
    heard.done("menu", "import", str(tmp_path / "menu.yaml"), *AT)
    (tmp_path / "book.yaml").write_text(BOOK, encoding="utf-8")
    return heard


def written(folder: Path, text: str, name: str = "other.yaml") -> str:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_a_book_is_looked_at_imported_and_shown(roma: Heard, tmp_path: Path) -> None:
    file = str(tmp_path / "book.yaml")
    dry = roma.done("recipe", "import", file, *AT, "--dry-run")
    assert "9 entries of the book would change" in dry.out
    assert "has no recipes yet" in roma.done("recipe", "list", *AT).err
    done = roma.done("recipe", "import", file, *AT)
    assert "recipe burger: new" in done.out
    assert "9 entries of the book changed" in done.out
    assert "remark: cola is on the menu and has no recipe" in done.err
    assert "remark: bottle goes into nothing" in done.err
    assert "0 entries" in roma.done("recipe", "import", file, *AT).out
    shown = roma.done("recipe", "show", "burger", *AT).out
    assert "1 patty" in shown
    assert "  200 g beef\n  1 bun" in shown
    assert "goes into: burger" in roma.done("recipe", "show", "patty", *AT).out
    (bacon,) = roma.done("recipe", "show", "bacon", *AT, "--json").json
    assert (bacon["modifier"], bacon["leaves_out"], bacon["takes"]) == ("bacon", ["bun"], {})
    listed = roma.done("recipe", "list", *AT).out
    assert "patty\t\t1\t180 g beef (10 % waste)" in listed


def test_tables_are_put_together(roma: Heard, tmp_path: Path) -> None:
    items = written(tmp_path, "item,unit,sells\nbottle,each,1\ncola,ml,330 ml\n", "items.csv")
    recipes = written(tmp_path, "recipe,part,amount\nfries,bottle,2\n", "recipes.csv")
    changes = roma.done("recipe", "import", items, recipes, *AT, "--json").json["changes"]
    assert {(each["kind"], each["name"]) for each in changes} == {
        ("item", "bottle"),
        ("item", "cola"),
        ("recipe", "bottle"),
        ("recipe", "cola"),
        ("recipe", "fries"),
    }
    assert "cola: sold as it is, 330 ml cola" in roma.done("recipe", "show", "cola", *AT).out


def test_all_that_is_wrong_is_told_line_by_line_and_nothing_is_imported(
    roma: Heard, tmp_path: Path
) -> None:
    file = written(
        tmp_path,
        "items: {flour: {unit: g}}\nrecipes:\n"
        "  dough: {yields: 1 kg, parts: {flower: 1 kg}}\n"
        "  pie: {parts: {crust: 1}}\n"
        "  crust: {parts: {pie: 1}}\n"
        "  fries: {yields: 1 kg, parts: {flour: 1 kg}}\n",
    )
    ended = roma("recipe", "import", file, *AT)
    lines = ended.err.splitlines()
    assert ended.code == 1
    assert lines[0] == f"{file}, line 3: dough: flower is neither an ingredient nor a recipe"
    assert lines[1] == f"{file}, line 5: crust: it contains itself: crust > pie > crust"
    assert lines[2].startswith(f"heard: {file}, line 6: fries is on the menu: say how many come")
    assert lines[2].endswith("(nothing was imported)")
    assert roma.done("recipe", "list", *AT, "--json").json == []
    checked = roma("recipe", "check", file, *AT, "--json")
    assert (checked.code, len(checked.json["problems"])) == (1, 3)
    alone = roma("recipe", "check", file)
    assert (alone.code, len(alone.err.splitlines())) == (1, 2), "nobody knows of a menu"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("book.txt", b"", "is neither .yaml nor .csv"),
        ("book.yaml", b"\xff\xfe", "is no UTF-8 text"),
        ("book.yaml", b"items: {a: {unit: g}}\ncurrency: EUR", "the file says EUR, the tenant has"),
    ],
)
def test_a_file_that_is_no_book_is_refused_in_one_line(
    roma: Heard, tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    ended = roma("recipe", "import", str(tmp_path / name), *AT)
    assert ended.code != 0
    assert said in ended.complaint


def test_what_is_not_there_is_said_to_be_missing(roma: Heard) -> None:
    assert "heard recipe list --tenant roma" in roma("recipe", "show", "pie", *AT).complaint
    assert "heard recipe list --tenant roma" in roma("recipe", "cost", "pie", *AT).complaint
    assert "heard tenant list" in roma("recipe", "list", "--tenant", "nowhere").complaint


def test_a_dish_costs_what_its_parts_cost_and_leaves_the_rest_of_its_price(
    roma: Heard, tmp_path: Path
) -> None:
    roma.done("recipe", "import", str(tmp_path / "book.yaml"), *AT)
    roma.done("tenant", "rules", "set", "taxes.standard=20%", *AT)
    burger, fries = roma.done("recipe", "cost", "burger", "fries", *AT, "--json").json
    if burger["recipe"] == "fries":
        burger, fries = fries, burger
    # 200 g of beef at 8.00 a kilo, a bun of 48 for 24.00; 9.50 with a fifth of tax.
    assert burger["cost_minor"] == 210
    assert burger["net_minor"] == 791.6667
    assert (burger["margin_minor"], burger["margin_percent"]) == (581.6667, 73.5)
    assert [each["item"] for each in burger["used"]] == ["beef", "bun"]
    assert (fries["unknown"], fries["margin_minor"]) == (["potato"], None)
    table = roma.done("recipe", "cost", *AT)
    assert "burger\t7.92 GBP\t2.10 GBP\t5.82 GBP\t73.5 %" in table.out
    assert "nothing tells what the unknown ones cost" in table.err
    assert "patty: 1.60 GBP\n" in roma.done("recipe", "cost", "patty", *AT).out


def test_the_demo_has_a_book_of_all_that_is_on_its_menu() -> None:
    written_ = demo_book()
    book = WholeBook({}, {}, {}).with_files(written_, (), replace=True)
    assert [*written_.complaints, *book.wrong(written_)] == []
    assert list(remarks(book, demo_menu())) == []
    assert all(item.currency == CURRENCY for item in demo_menu())
    takes = book.takes()
    assert all(takes[item.item] for item in demo_menu())


def test_the_demo_keeps_stock_of_all_that_it_sells(heard: Heard) -> None:
    packs = {name: item.packs[0].holds for name, item in demo_book().items.items()}

    def shelves() -> list[dict[str, Any]]:
        shown = heard("stock", "show", "--tenant", "demo", "--json")
        found: list[dict[str, Any]] = [] if shown.code else shown.json
        return found

    def filled() -> bool:
        shown = shelves()
        return bool(shown) and all(each["counted"] and each["on_hand"] > 0 for each in shown)

    def eaten_of() -> bool:
        """Something is promised, or a pack is begun."""
        return any(each["reserved"] or each["on_hand"] % packs[each["item"]] for each in shelves())

    with up_beside(heard, "--demo", "--rate", "120"):
        until(filled, "the shelves are filled")
        assert {each["item"] for each in shelves()} == packs.keys()
        until(eaten_of, "guests eat")
