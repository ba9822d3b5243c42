"""`heard eta`: when orders will be at the door."""

from __future__ import annotations

import click

from cli.grammar import Group, LazyCommands, Place

# Each command has a file of its own, and is imported only when it is called.
PLACES: dict[str, Place] = {
    "evaluate": Place(
        "cli.commands.eta_evaluate", "evaluate", "Say how far off orders would have been told."
    ),
    "explain": Place(
        "cli.commands.eta_explain", "explain", "Say when an open order will be there, and why."
    ),
    "train": Place(
        "cli.commands.eta_train", "train", "Learn from what was delivered how long it takes."
    ),
}


@click.group(cls=Group, commands=LazyCommands(PLACES))
def eta() -> None:
    """Learn how long orders take to the door, and measure how well."""
