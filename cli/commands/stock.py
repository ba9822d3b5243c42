"""`heard stock`: what is on the shelves, and what people do with it."""

from __future__ import annotations

import click

from cli.grammar import Group, LazyCommands, Place

# Each room of the stock adds its line here, and is imported only when it is called.
PLACES: dict[str, Place] = {
    "alerts": Place("cli.commands.stock_alerts", "alerts", "List what is wrong with the stock."),
    "rules": Place("cli.commands.stock_house", "rules", "Say how a house looks after its stock."),
    "sensors": Place(
        "cli.commands.stock_sensors",
        "sensors",
        "Say which thermometers there are, and see what they read.",
    ),
    "show": Place("cli.commands.stock_levels", "show", "Show how much there is of what."),
    "sheet": Place("cli.commands.stock_levels", "sheet", "List what there is to count, and where."),
    "ledger": Place("cli.commands.stock_levels", "ledger", "Show the movements of an item."),
    "receive": Place("cli.commands.stock_moves", "receive", "Put a delivery on the shelves."),
    "count": Place("cli.commands.stock_count", "count", "Say what was found on the shelves."),
    "waste": Place("cli.commands.stock_moves", "waste", "Say that something was thrown away."),
    "damage": Place("cli.commands.stock_moves", "damage", "Set something aside as damaged."),
    "repair": Place("cli.commands.stock_moves", "repair", "Say that it was not damaged after all."),
    "discard": Place("cli.commands.stock_moves", "discard", "Throw away what was damaged."),
    "transfer": Place("cli.commands.stock_moves", "transfer", "Carry something elsewhere."),
    "return": Place("cli.commands.stock_moves", "return_", "Send something back."),
    "usage": Place("cli.commands.stock_usage", "usage", "Show what was used, and what it cost."),
    "suggest": Place("cli.commands.stock_suggest", "suggest_", "Suggest what to order today."),
    "purchase": Place("cli.commands.stock_purchase", "purchase", "Order of suppliers."),
    "forecast": Place(
        "cli.commands.stock_forecast", "forecast", "Say what will be used in the next days."
    ),
}


@click.group(cls=Group, commands=LazyCommands(PLACES))
def stock() -> None:
    """See what is on the shelves, and say what comes, goes and is lost."""
