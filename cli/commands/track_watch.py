"""`heard track watch`: a live map of who is on the road."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Final
from zoneinfo import ZoneInfo

import click
from rich.console import Console
from rich.live import Live

from broker_config.settings import BrokerSettings
from cli.admission import visiting
from cli.application import Application, pass_application
from cli.fleet_scene import TAILS, Scene, Told
from cli.fleet_screen import Screen
from cli.following import Following
from cli.grammar import Command, json_option, tenant_option
from cli.known_houses import the_house
from cli.names import NAME
from cli.printing import json_line, note, say
from cli.span import SPAN
from schemas.devices import Role
from schemas.positions import Place, VehicleState
from schemas.topics import Plane, plane_filter
from services.runtime import house_rules
from services.runtime.bus import Delivery
from services.runtime.database import Database
from services.runtime.moment import system_clock

_EVERY_S: Final = 0.5


@click.command(cls=Command)
@tenant_option
@click.option("--vehicle", "vehicles", type=NAME, multiple=True, metavar="NAME",
              help="This one alone; may be given again.")  # fmt: skip
@click.option("--for", "seconds", type=SPAN, metavar="SPAN", help="Stop after this: 20s, 5m.")
@json_option
@pass_application
def watch(
    app: Application,
    *,
    tenant: str,
    vehicles: tuple[str, ...],
    seconds: float | None,
    as_json: bool,
) -> None:
    """Show who is on the road on a map in the terminal, until Ctrl-C.

    R is the restaurant, an arrow is a vehicle and where it goes, a dot one that stands, ? one
    that is silent; red is one with which something is wrong. Numbers are doors in the sequence
    of their courier, o is a door that nobody is to go to yet; orders are called by the end of
    their number. A legend below the map says it again. Then comes each vehicle with its next door
    and in how many minutes it will be there: as likely sooner as later, and nine times of ten;
    "old" rests on a position that is too old. Should the connection be lost, it is made again,
    on another port too. Piped, each change is one line; with --json one document a line.

    Examples:
      heard track watch --tenant demo
      heard track watch --tenant demo --vehicle bike-1 --for 5m
      heard track watch --tenant demo --json --for 1m > ride.jsonl
    """
    scene = Scene()

    async def read(database: Database) -> tuple[Place | None, ZoneInfo]:
        async with database.read() as connection:
            zone = await the_house(connection, tenant)
            return (await house_rules.read(connection, tenant)).delivery.place, zone

    scene.place, zone = app.run(read)
    screen = Screen(scene, vehicles, zone)
    live = sys.stdout.isatty() and not as_json
    with visiting(app, tenant, Role.MANAGER) as (admitted,):

        def find() -> BrokerSettings:
            # Asked anew each time: what was started again may listen on another port.
            return replace(admitted, address=app.address()).settings()

        asyncio.run(_Watching(find, tenant, screen, live=live, as_json=as_json).run(seconds))


class _Watching(Following):
    """Shows what comes.

    Args:
        find: where the broker is now, and who we are there.
        tenant: whose vehicles.
        screen: what is shown.
        live: whether it is drawn; else each change is a line.
        as_json: as a document of JSON.
    """

    def __init__(
        self,
        find: Callable[[], BrokerSettings],
        tenant: str,
        screen: Screen,
        *,
        live: bool,
        as_json: bool,
    ) -> None:
        super().__init__(
            find, [plane_filter(Plane.STATE, tenant=tenant, tail=tail) for tail in TAILS]
        )
        self._screen: Final = screen
        self._live: Final = live
        self._as_json: Final = as_json

    def beside(self) -> list[asyncio.Future[None]]:
        """See `Following`."""
        return [asyncio.ensure_future(self._show())] if self._live else []

    def connected(self) -> None:
        """See `Following`."""
        screen = self._screen
        # What has gone meanwhile nobody clears for us; what stands is told anew.
        screen.scene.clear()
        if screen.trouble and not self._live:
            note("connected again")
        screen.connected, screen.trouble = True, ""

    def torn(self) -> None:
        """See `Following`."""
        self._screen.connected = False

    def take(self, arrival: Delivery) -> None:
        """See `Following`."""
        told = self._screen.scene.take(arrival)
        if told is not None and not self._live:
            self._tell(told)

    def lost(self, why: str) -> None:
        """See `Following`."""
        screen = self._screen
        if why != screen.trouble and not self._live:
            note(f"no connection: {why}")
        screen.connected, screen.trouble = False, why

    def _tell(self, told: Told) -> None:
        """Print one change, at once."""
        now, said = system_clock(), told.says
        if not self._as_json:
            line = self._screen.line(told, now)
            if line is not None:
                say(line)
                sys.stdout.flush()
        elif not isinstance(said, VehicleState) or self._screen.shows(said.vehicle):
            data = None if said is None else said.model_dump(mode="json", exclude_none=True)
            json_line({"at": now, "about": told.topic, "says": data})

    async def _show(self) -> None:
        console = Console()
        with Live(console=console, screen=True, auto_refresh=False) as shown:
            while True:
                size = console.size
                shown.update(self._screen.rendered(size.width, size.height), refresh=True)
                await asyncio.sleep(_EVERY_S)
