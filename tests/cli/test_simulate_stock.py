"""A house's first days, played from real orders: its books say what was added up beside."""

from __future__ import annotations

from tests.cli.conftest import Heard
from tests.conftest import SharedData

NOTHING = (
    "items_whose_ledger_is_apart",
    "reservations_leaked",
    "alerts_not_raised_and_cleared_in_turn",
    "stock_outs_untold",
    "wrong",
)


def test_the_books_of_a_played_week_are_what_was_added_up_beside(
    heard: Heard, database_url: str, shared_data: SharedData
) -> None:
    orders, menu, recipes = (
        str(shared_data.file(f"orders/pizza_{name}.csv")) for name in ("lines", "menu", "recipes")
    )
    told = ("--menu", menu, "--recipes", recipes, "--database", database_url)
    figures = heard.done("simulate", "stock", orders, *told, "--weeks", "1", "--json").json
    assert {name: figures[name] for name in NOTHING} == dict.fromkeys(NOTHING, 0), figures
    assert figures["orders"] + figures.get("refused", 0) == 431, (
        "all that the file has of that week"
    )
    assert figures["alerts_raised"] > 10
    assert figures["comparisons"] > 100
