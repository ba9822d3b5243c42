"""`heard dispatch`: who takes which order, and when."""

from __future__ import annotations

import click

from cli.grammar import Group, LazyCommands, Place

# Each command has a file of its own, and is imported only when it is called.
PLACES: dict[str, Place] = {
    "evaluate": Place(
        "cli.commands.dispatch_evaluate",
        "evaluate",
        "Run a day of Grubhub's delivery problem, and say how good the planner is.",
    ),
}


@click.group(cls=Group, commands=LazyCommands(PLACES))
def dispatch() -> None:
    """Plan who brings what, timed to the food; measure how well."""
