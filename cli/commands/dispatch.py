"""`heard dispatch`: who takes which order, and when."""

from __future__ import annotations

import click

from cli.grammar import Group, LazyCommands, Place

# Each command has a file of its own, and is imported only when it is called.
PLACES: dict[str, Place] = {
    "plan": Place(
        "cli.commands.dispatch_looking", "plan", "Show who would bring what, as things stand now."
    ),
    "status": Place(
        "cli.commands.dispatch_looking",
        "status",
        "Show where each open order stands, and what comes next of it.",
    ),
    "run": Place(
        "cli.commands.dispatch_run",
        "run",
        "Have couriers asked by themselves, and show each decision.",
    ),
    "pin": Place(
        "cli.commands.dispatch_saying", "pin", "Have an order brought by this courier alone."
    ),
    "unpin": Place(
        "cli.commands.dispatch_saying", "unpin", "Have an order brought by whoever is best."
    ),
    "override": Place(
        "cli.commands.dispatch_saying", "override", "Ask this courier now, whatever the plan says."
    ),
    "evaluate": Place(
        "cli.commands.dispatch_evaluate",
        "evaluate",
        "Run a day of Grubhub's delivery problem, and say how good the planner is.",
    ),
    "simulate": Place(
        "cli.commands.dispatch_simulate",
        "simulate",
        "Live through an evening with late kitchens, policies side by side.",
    ),
    "quote": Place(
        "cli.commands.dispatch_quote",
        "quote",
        "Say what a delivery order would be promised that is placed now.",
    ),
}


@click.group(cls=Group, commands=LazyCommands(PLACES))
def dispatch() -> None:
    """Plan who brings what, timed to the food; measure how well."""
