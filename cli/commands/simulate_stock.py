"""`heard simulate stock`: half a year of stock, and whether the books were right all along."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from cli.application import Application, pass_application
from cli.assumed_book import read_assumptions, read_book, with_thresholds
from cli.failures import Failure
from cli.grammar import Command, json_option
from cli.order_files import kind_of, read_orders
from cli.printing import say, show_json
from cli.progress import progress_bar
from cli.simulating_stock import StockHouse
from services.migrations.upgrade import upgrade
from services.runtime.database import Database

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(cls=Command)
@click.argument("file", type=_FILE)
@click.option("--menu", type=_FILE, metavar="FILE", required=True,
              help="The dishes, their sizes and prices.")  # fmt: skip
@click.option("--recipes", type=_FILE, metavar="FILE", required=True, help="What is in them.")
@click.option("--assume", type=_FILE, metavar="FILE",
              help="How much is in them, where another than Heard's own assumption.")  # fmt: skip
@click.option("--weeks", type=click.IntRange(1, 520), help="Only the first ones.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of late suppliers.")
@click.option("--database", metavar="URL",
              help="An empty one of its own; a file for the time being without.")  # fmt: skip
@json_option
@pass_application
def stock(
    app: Application,
    *,
    file: Path,
    menu: Path,
    recipes: Path,
    assume: Path | None,
    weeks: int | None,
    seed: int,
    database: str | None,
    as_json: bool,
) -> None:
    """Play a file's months in a house that buys by its alerts, and check its books.

    The services decide and a real database keeps; a clock of its own jumps from order to
    order. What came in and went out is added up beside, from the file and the recipes alone.
    After every half hour the shelves, the menu and what is promised are held against it; in
    the end the ledger is added up once more, and every stock-out must have been warned of,
    unless nothing could have told. Nothing of yours is read or changed.

    The exit code is 1 where anything was not as it was added up.

    Examples:
      heard simulate stock pizza_lines.csv --menu pizza_menu.csv --recipes pizza_recipes.csv
      heard simulate stock lines.csv --menu menu.csv --recipes recipes.csv --weeks 4 --json
    """
    del app  # a house of its own
    _, currency = kind_of(file)
    source = read_orders(file, currency=currency, prices=menu)
    if not source.orders:
        raise Failure(f"{file} has no orders")
    book = with_thresholds(read_book(recipes, menu, read_assumptions(assume)), source.orders)
    until = None if weeks is None else source.orders[0].placed_at + timedelta(weeks=weeks)
    orders = [each for each in source.orders if until is None or each.placed_at < until]

    async def run(url: str) -> dict[str, Any]:
        kept = Database(url)
        try:
            await upgrade(kept)
            house = StockHouse(kept, source, book, currency=currency, seed=seed)
            await house.open()
            with progress_bar(len(orders), show=not as_json and sys.stderr.isatty()) as progress:
                await house.play(orders, progress)
            return await house.finish()
        finally:
            await kept.close()

    with tempfile.TemporaryDirectory(prefix="heard-stock-") as folder:
        figures = asyncio.run(run(database or f"sqlite:///{folder}/heard.db"))
    if as_json:
        show_json(figures)
    else:
        for name, value in figures.items():
            say(f"{name:44} {value}")
    wrong = ("items_whose_ledger_is_apart", "reservations_leaked", "stock_outs_untold", "wrong")
    if any(figures[name] for name in (*wrong, "alerts_not_raised_and_cleared_in_turn")):
        raise Failure("the books were not what was added up: see the figures above")
