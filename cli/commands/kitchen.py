"""`heard kitchen`: see what the kitchen sees, and do what its cooks do."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue

import click
from rich.console import Console
from rich.live import Live

from cli.admission import as_device
from cli.application import Application, pass_application
from cli.commands import kitchen_queue, kitchen_report, kitchen_steps, kitchen_throttle
from cli.commands.quality import quality
from cli.grammar import Group, device_options, json_option
from cli.house_clock import zone_of_house
from cli.kitchen_screen import ChangeLines, StationScreen
from cli.names import NAME
from cli.onlooker import Onlooker
from cli.printing import note
from cli.span import SPAN
from devices.kitchen_display import KitchenDisplay
from devices.station_view import Changes, Freshness
from schemas.devices import Role
from services.runtime import house_rules
from services.runtime.database import Database


@click.group(cls=Group)
def kitchen() -> None:
    """See what the kitchen sees, and do what its cooks do."""


for _room in (kitchen_queue, kitchen_steps, kitchen_throttle):
    for _command in _room.COMMANDS:
        kitchen.add_command(_command)
kitchen.add_command(kitchen_report.report)
kitchen.add_command(quality)


@kitchen.command()
@device_options
@click.option("--station", type=NAME, required=True, metavar="NAME", help="grill, fry, bar, …")
@click.option("--hear", is_flag=True, help="Be a real display: say which tickets are heard.")
@click.option(
    "--merge/--no-merge",
    default=None,
    help="Show identical lines of a ticket as one; else as the house's rules say.",
)
@click.option("--for", "seconds", type=SPAN, metavar="SPAN", help="Stop after this: 20s, 5m.")
@json_option
@pass_application
def watch(
    app: Application,
    *,
    tenant: str | None,
    credentials: Path | None,
    station: str,
    hear: bool,
    merge: bool | None,
    seconds: float | None,
    as_json: bool,
) -> None:
    """Show a station's open tickets as they are to be made, until Ctrl-C.

    Rush first, then by age, held ones last; with courses, when each will be ready, what other
    stations make of the same order, what is still to be made all day, and alerts. Without
    --hear it only looks. What was added, changed or cancelled after it was sent says so.
    Piped, each change is one line; with --json one JSON document a line, in which `altered`
    are the numbers of the lines that say something else than before.

    Examples:
      heard kitchen watch --tenant demo --station grill
      heard kitchen watch --tenant demo --station grill --hear --merge
      heard kitchen watch --credentials grill-1.json --station grill --hear
    """
    news: SimpleQueue[tuple[Changes, Freshness]] = SimpleQueue()
    live = sys.stdout.isatty() and not as_json
    with as_device(app, tenant, credentials, Role.KITCHEN_DISPLAY, station=station) as admitted:
        # A display elsewhere has no database: there, who holds it and its machine say.
        here = credentials is None
        zone = zone_of_house(app, admitted.tenant) if here else None
        if merge is None:
            merge = here and _merges(app, admitted.tenant, station)
        display = (KitchenDisplay if hear else Onlooker)(
            admitted.address.host,
            admitted.address.port,
            station=station,
            on_change=None if live else lambda changes, fresh: news.put((changes, fresh)),
            on_problem=None if live else note,
            **admitted.options(),
        )
        until = None if seconds is None else time.monotonic() + seconds
        console = Console()
        with display:
            if live:
                screen = StationScreen(display, console, hears=hear, merge=merge, zone=zone)
                with Live(screen, console=console, refresh_per_second=4, screen=True):
                    while not _over(until):
                        time.sleep(0.1)
                return
            # Printed here, not in the callback: a reader that has gone ends the command.
            lines = ChangeLines(as_json=as_json, merge=merge, zone=zone)
            while not _over(until):
                with suppress(Empty):
                    lines.changed(*news.get(timeout=0.1))


def _over(until: float | None) -> bool:
    return until is not None and time.monotonic() >= until


def _merges(app: Application, tenant: str, station: str) -> bool:
    async def read(database: Database) -> bool:
        async with database.read() as connection:
            return (await house_rules.read(connection, tenant)).kitchen.station(station).merge

    return app.run(read)
