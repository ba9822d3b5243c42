from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Heard, looked, until

MENU = """
currency: GBP
items:
  - {name: Burger, station: grill, price: 9.50}
  - {name: Fries, station: fry, price: 3.95}
"""


def _open(heard: Heard, folder: Path) -> None:
    file = folder / "menu.yaml"
    file.write_text(MENU)
    heard.done("tenant", "add", "roma")
    heard.done("menu", "import", str(file), "--tenant", "roma")


def test_an_order_is_placed_heard_and_shown(stack: Heard, tmp_path: Path) -> None:
    _open(stack, tmp_path)
    at = ["--tenant", "roma"]
    with (
        stack.running("kitchen", "watch", *at, "--station", "grill", "--hear"),
        stack.running("kitchen", "watch", *at, "--station", "fry", "--hear"),
    ):
        placed = stack.done(
            "order", "place", *at, "burger=2:no onions", "fries", "--table", "7",
            "--reference", "till-1", "--wait-heard", "--json",
        ).json  # fmt: skip
    assert placed["total_minor"] == 2295
    assert set(placed["heard"]) == {"grill", "fry"}
    (listed,) = stack.done("order", "list", *at, "--status", "accepted", "--json").json
    assert listed["number"] == placed["number"]
    for name in (placed["number"], placed["number"][-4:], placed["order_id"], "till-1"):
        shown = stack.done("order", "show", name, *at, "--json").json
        assert [line["note"] for line in shown["lines"]] == ["no onions", ""]
        assert all(ticket["heard_by"].startswith("cli-") for ticket in shown["tickets"])
    assert "heard by" in stack.done("order", "show", "till-1", *at).out
    assert stack("order", "show", "nothing", *at).code == 1
    until(
        lambda: stack.done("device", "list", *at, "--json").json == [],
        "the commands' own devices are gone",
    )
    until(lambda: stack("doctor", "--json").code == 0, "the doctor finds nothing wrong")


def test_an_order_that_nobody_hears_or_that_is_refused_fails_in_one_line(
    embedded: Heard, tmp_path: Path
) -> None:
    _open(embedded, tmp_path)
    deaf = embedded(
        "order", "place", "--tenant", "roma", "burger", "--wait-heard", "--patience", "4s"
    )
    assert deaf.code == 1
    assert "grill" in deaf.complaint
    refused = embedded("order", "place", "--tenant", "roma", "caviar")
    assert refused.code == 1
    assert "caviar" in refused.complaint
    nobody = embedded("order", "place", "--tenant", "nobody", "burger")
    assert "there is no tenant nobody: heard tenant list" in nobody.complaint


def test_who_only_looks_is_not_taken_for_the_kitchen(embedded: Heard, tmp_path: Path) -> None:
    _open(embedded, tmp_path)
    at = ["--tenant", "roma"]
    embedded.done("order", "place", *at, "burger")
    watch = ("kitchen", "watch", *at, "--station", "grill", "--for")
    seen = looked(lambda span: embedded.done(*watch, span).out, lambda told: "CURRENT" in told)
    assert "1 Burger" in seen
    assert "CURRENT" in seen
    (shown,) = embedded.done("order", "list", *at, "--json").json
    tickets = embedded.done("order", "show", shown["number"], *at, "--json").json["tickets"]
    assert [ticket["heard_at"] for ticket in tickets] == [None]


def test_tail_shows_what_passes(embedded: Heard, tmp_path: Path) -> None:
    _open(embedded, tmp_path)
    process = embedded.start(
        "tail", "--tenant", "roma", "--filter", "event", "--count", "1", "--for", "60s", "--json"
    )
    until(
        lambda: any(
            each["status"] == "online" or each["role"] == "manager"
            for each in embedded.done("device", "list", "--json").json
        ),
        "the listener is let in",
    )
    while process.poll() is None:
        embedded.done("order", "place", "--tenant", "roma", "burger")
    out, err = process.communicate()
    assert "heard.order.placed.v1" in out, err


def test_a_menu_is_imported_and_the_difference_is_shown_before(
    embedded: Heard, tmp_path: Path
) -> None:
    _open(embedded, tmp_path)
    file = tmp_path / "menu.csv"
    file.write_text("name,station,price,category\nBurger,grill,10.50,Mains\nBeer,bar,5,Drinks\n")
    arguments = ["menu", "import", str(file), "--tenant", "roma", "--replace"]
    told = embedded.done(*arguments, "--dry-run", "--json").json["changes"]
    assert {each["item"]: each["what"] for each in told} == {
        "burger": "category  → Mains, price 9.50 GBP → 10.50 GBP",
        "beer": "new: Beer, bar, 5.00 GBP",
        "fries": "gone",
    }
    show = ["menu", "show", "--tenant", "roma", "--json"]
    assert [each["item"] for each in embedded.done(*show).json] == ["burger", "fries"]
    embedded.done(*arguments)
    assert {each["item"]: each["price_minor"] for each in embedded.done(*show).json} == {
        "burger": 1050,
        "beer": 500,
    }
    file.write_text("name,station,price\nBurger,grill,cheap\nBeer,The Bar,5\n,bar,5\n")
    refused = embedded(*arguments)
    assert refused.code == 1
    for line, what in ((2, "cheap"), (3, "The Bar"), (4, "name")):
        assert any(f"line {line}" in each and what in each for each in refused.err.splitlines())
    assert len(embedded.done(*show).json) == 2


def test_a_recorded_track_is_ridden(embedded: Heard, tmp_path: Path) -> None:
    embedded.done("tenant", "add", "roma")
    file = tmp_path / "track.csv"
    file.write_text(
        "recorded_at,lat,lon\n2008-01-01 10:00:00,39.9,116.3\n2008-01-01 10:00:05,39.91,116.3\n"
        "2008-01-01 10:00:06,399,116.3\nnonsense,1,1\n"
    )
    ended = embedded.done(
        "tracker", "run", "--tenant", "roma", "--file", str(file), "--speed", "max", "--json"
    )
    told = ended.json
    assert (told["sent"], told["left_out"], told["unreadable"]) == (2, 0, 2)
    assert "line 4" in ended.err
