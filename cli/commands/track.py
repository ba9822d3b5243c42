"""`heard track`: where vehicles are."""

from __future__ import annotations

import click

from cli.grammar import Group, LazyCommands, Place

# Each of them is imported only when it is called.
PLACES: dict[str, Place] = {
    "replay": Place("cli.commands.track_replay", "replay", "Ride recorded tracks again."),
    "watch": Place("cli.commands.track_watch", "watch", "Show who is on the road, on a live map."),
    "serve": Place("cli.commands.track_serve", "serve", "Take positions in a process of its own."),
    "show": Place("cli.commands.track_show", "show", "Show what is known of a vehicle, or of all."),
}


@click.group(cls=Group, commands=LazyCommands(PLACES))
def track() -> None:
    """See where vehicles are, and what their trackers are told."""
