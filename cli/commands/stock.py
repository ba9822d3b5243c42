"""`heard stock`: what is on the shelves, and what people do with it."""

from __future__ import annotations

import click

from cli.grammar import Group, LazyCommands, Place

# Each room of the stock adds its line here, and is imported only when it is called.
PLACES: dict[str, Place] = {
    "forecast": Place(
        "cli.commands.stock_forecast", "forecast", "Say what will be used in the next days."
    ),
}


@click.group(cls=Group, commands=LazyCommands(PLACES))
def stock() -> None:
    """See what is on the shelves, and say what comes, goes and is lost."""
