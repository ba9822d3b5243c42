from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cli.failures import Failure
from cli.order_files import kind_of, make_menu, read_orders
from schemas.menu import MenuItem
from tests.cli.conftest import Heard, until
from tests.conftest import SharedData

TAKEAWAY = """order_id,placed_at,item,quantity,unit_price,lines_in_order
1,2015-09-01T14:42:00,Onion Bhaji,1,3.95,1
2,2015-09-01T14:43:00,Chicken Tikka,2,3.95,3
2,2015-09-01T14:43:00,Chicken Tikka,1,7.95,3
2,2015-09-01T14:43:00,Pilau Rice,1000,2.95,3
3,2015-09-01T14:44:00,Pilau Rice,1,2.95,5
3,2015-09-01T14:44:00,Pilau Rice,1,2.95,5
4,2015-09-01T14:45:00,Plain Naan,0,2.60,2
4,2015-09-01T14:45:00,COBRA ( LARGE ),2,4.95,2
5,2015-09-01T14:46:00,Plain Naan,some,2.60,1
"""
TAKEAWAY_MINOR = 395 + 2 * 395 + 795 + 1000 * 295 + 2 * 295 + 2 * 495
PIZZAS = """placed_at,order_id,pizza_size_id,quantity
2015-01-01T11:38:36,1,hawaiian_m,1
2015-01-01T11:57:40,2,classic_dlx_m,1
2015-01-01T11:57:40,2,five_cheese_l,3
"""
PRICES = """pizza_id,pizza_type_id,size,price
hawaiian_m,hawaiian,M,13.25
classic_dlx_m,classic_dlx,M,16
five_cheese_l,five_cheese,L,18.5
"""
PIZZAS_MINOR = 1325 + 1600 + 3 * 1850


@pytest.fixture
def takeaway(tmp_path: Path) -> Path:
    path = tmp_path / "corner.csv"
    path.write_text(TAKEAWAY)
    return path


@pytest.fixture
def pizzas(tmp_path: Path) -> Path:
    (tmp_path / "pizza_menu.csv").write_text(PRICES)
    path = tmp_path / "pizzas.csv"
    path.write_text(PIZZAS)
    return path


def _whole(told: dict[str, Any], orders: int, total: int, *, added: int) -> None:
    assert told["orders_sent"] == told["orders_kept"] == told["orders_on_tickets"] == orders
    assert told["orders_heard"] == orders
    assert told["orders_added"] == added
    assert told["lost"] == told["duplicates"] == 0
    assert told["rejected"] == {}
    assert told["total_minor"] == told["file_total_minor"] == total


def test_a_file_replayed_twice_is_kept_once(stack: Heard, takeaway: Path, pizzas: Path) -> None:
    for added in (4, 0):
        told = stack.done("replay", "orders", str(takeaway), "--json").json
        _whole(told, 4, TAKEAWAY_MINOR, added=added)
        assert told["orders_on_displays"] == 4
    assert told["odd"] == {
        "line-count-differs": 2,
        "nothing-ordered": 1,
        "quantity-divided": 1,
        "repeated-item": 1,
        "several-prices": 1,
        "unreadable": 1,
    }
    for added in (2, 0):
        told = stack.done("replay", "orders", str(pizzas), "--cooks", "--json").json
        _whole(told, 2, PIZZAS_MINOR, added=added)
    closed = stack.done("order", "list", "--tenant", "pizzas", "--status", "closed", "--json").json
    assert {each["reference"] for each in closed} == {"1", "2"}
    until(lambda: stack("doctor").code == 0, "the doctor finds nothing wrong")


def test_where_no_heard_runs_one_runs_for_as_long_as_it_takes(heard: Heard, pizzas: Path) -> None:
    for added in (2, 0):
        ended = heard.done("replay", "orders", str(pizzas), "--speed", "100000x", "--json")
        _whole(ended.json, 2, PIZZAS_MINOR, added=added)
        assert "no heard runs here" in ended.err
    assert not (heard.home / "run.json").exists()


@pytest.mark.parametrize("name", ["uk_takeaway.csv", "pizza_lines.csv"])
def test_real_orders_are_kept_to_the_penny(
    heard: Heard, shared_data: SharedData, name: str
) -> None:
    file = shared_data.file(f"orders/{name}")
    told = heard.done("replay", "orders", str(file), "--limit", "150", "--json").json
    _whole(told, 150, told["file_total_minor"], added=150)


@pytest.mark.parametrize("name", ["uk_takeaway.csv", "pizza_lines.csv"])
def test_real_orders_that_change_cost_and_owe_what_the_messages_alone_say(
    heard: Heard, shared_data: SharedData, name: str
) -> None:
    file = shared_data.file(f"orders/{name}")
    asked = ("replay", "orders", str(file), "--limit", "200", "--changes", "5", "--json")
    first, again = heard.done(*asked).json, heard.done(*asked).json
    changes = first["changes"]
    assert changes["database"] == changes["recounted"]
    assert (changes["orders_apart"], changes["unexpected"]) == (0, 0)
    for much in ("add-lines", "change-line", "void-lines", "pay", "settle-payment", "refund"):
        assert changes["done"][much] >= 5, changes["done"]
    assert changes["refused"]["pay: wrong-amount"], "a tip of -1 is asked for, too"
    assert changes["database"]["account_cash_minor"] > 0
    assert changes["database"]["account_provider_minor"] > 0
    assert first["total_minor"] != first["file_total_minor"]
    assert (again["orders_added"], again["changes"]) == (0, changes)


def test_the_real_takeaway_is_read_whole(shared_data: SharedData) -> None:
    file = read_orders(shared_data.file("orders/uk_takeaway.csv"), currency="GBP")
    assert len(file.orders) == 10_127
    assert sum(order.total_minor for order in file.orders) == 34_097_050
    items, names = make_menu(file, currency="GBP")
    assert names["Chicken Tikka", 395] == "chicken-tikka"
    assert names["Chicken Tikka", 795] == "chicken-tikka-795"
    assert make_menu(file, currency="GBP", standing=items)[1] == names


def test_a_tenants_own_prices_are_never_changed(takeaway: Path) -> None:
    file = read_orders(takeaway, currency="GBP")
    own = MenuItem(
        item="pilau-rice", name="Pilau Rice", station="rice", price_minor=500, currency="GBP"
    )
    items, names = make_menu(file, currency="GBP", standing=[own])
    assert names["Pilau Rice", 295] == "pilau-rice-295"
    assert own.item not in {item.item for item in items}


def test_an_order_of_too_many_lines_is_divided(tmp_path: Path) -> None:
    path = tmp_path / "party.csv"
    rows = "".join(f"7,2015-09-01T14:42:00,Thing {n},1,1.00\n" for n in range(450))
    path.write_text("order_id,placed_at,item,quantity,unit_price\n" + rows)
    file = read_orders(path, currency="GBP")
    assert [len(order.lines) for order in file.orders] == [200, 200, 50]
    assert [order.reference for order in file.orders] == ["7", "7/2", "7/3"]
    assert file.odd.counts == {"order-divided": 1}


def test_what_is_no_file_of_orders_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(Failure, match="order_id"):
        kind_of(path)
    path.write_text(PIZZAS)
    with pytest.raises(Failure, match="--prices"):
        read_orders(path, currency="USD")
    path.write_text("order_id,placed_at,item,quantity,unit_price\n")
    with pytest.raises(Failure, match="no order"):
        read_orders(path, currency="GBP")
