"""`heard recipe`: how dishes are made, of what, and what they cost."""

from __future__ import annotations

import click

from cli.grammar import Group, LazyCommands, Place

PLACES: dict[str, Place] = {
    "import": Place(
        "cli.commands.recipe_import",
        "import_",
        "Put files of items, recipes, modifiers and suppliers into a house's book.",
    ),
    "check": Place(
        "cli.commands.recipe_import", "check", "Say what is wrong with files, and what looks odd."
    ),
    "list": Place("cli.commands.recipe_show", "list_", "List what is made, and of how much."),
    "show": Place("cli.commands.recipe_show", "show", "Show how something is made."),
    "cost": Place(
        "cli.commands.recipe_cost", "cost", "Say what dishes cost to make, and what is left."
    ),
}


@click.group(cls=Group, commands=LazyCommands(PLACES))
def recipe() -> None:
    """Say how dishes are made, of what, and see what they cost."""
