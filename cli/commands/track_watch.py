"""`heard track watch`: a live map of who is on the road."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cli.admission import Admitted, visiting
from cli.application import Application, pass_application
from cli.fleet_map import Mark, arrow, draw
from cli.fleet_scene import TAILS, Scene, minutes
from cli.grammar import Command, json_option, tenant_option
from cli.known_houses import the_house
from cli.names import NAME
from cli.printing import json_line, say
from cli.span import SPAN
from schemas.devices import Role
from schemas.positions import Place, VehicleState
from schemas.topics import Plane, plane_filter
from services.runtime import house_rules
from services.runtime.bus import Session
from services.runtime.database import Database
from services.runtime.moment import system_clock
from services.runtime.mqtt_bus import MqttBus

_EVERY_S: Final = 0.5
_KMH: Final = 3.6
_LEAST_MAP: Final = 8


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
    that is silent; numbers are doors in the sequence of their courier. Below, each vehicle with
    its next door and when it will be there. Piped, each change is one line; with --json one
    document a line.

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
    screen = _Screen(scene, vehicles, zone)
    live = sys.stdout.isatty() and not as_json
    with visiting(app, tenant, Role.MANAGER) as (admitted,):
        asyncio.run(_follow(admitted, screen, seconds, live=live, as_json=as_json))


class _Screen:
    """The scene as it is shown."""

    def __init__(self, scene: Scene, only: tuple[str, ...], zone: ZoneInfo) -> None:
        self.scene: Final = scene
        self.connected = False
        self._only: Final = only
        self._zone: Final = zone

    def shows(self, vehicle: str) -> bool:
        """Whether a vehicle is wanted."""
        return not self._only or vehicle in self._only

    def vehicles(self) -> list[VehicleState]:
        """Those that are wanted, by name."""
        return [each for name, each in sorted(self.scene.vehicles.items()) if self.shows(name)]

    def marks(self) -> list[Mark]:
        """What stands on the map, the most important on top."""
        scene, marks = self.scene, []
        for each in scene.stops.values():
            if each.device is None or self.shows(each.device):
                sign = "x" if each.stop is None else str(each.stop % 10)
                marks.append(
                    Mark(each.place.lat, each.place.lon, sign, "yellow", f" {each.number}")
                )
        if scene.place is not None:
            marks.append(Mark(scene.place.lat, scene.place.lon, "R", "bold white on blue"))
        for vehicle in self.vehicles():
            style = "bold red" if scene.alerts_of(vehicle.vehicle) else "bold green"
            sign = "?" if vehicle.silent else arrow(vehicle.heading_deg if vehicle.moving else None)
            marks.append(Mark(vehicle.lat, vehicle.lon, sign, style, f" {vehicle.vehicle}"))
        return marks

    def row(self, each: VehicleState, now: datetime) -> tuple[str, ...]:
        """One vehicle, in the table."""
        scene = self.scene
        courier, stop = scene.couriers.get(each.vehicle), scene.next_stop(each.vehicle)
        eta = None if stop is None else scene.etas.get(stop.order_id)
        due = ""
        if eta is not None:
            due = f"{minutes(eta.p50_at, now)}-{minutes(eta.p90_at, now)} min"
            due += " late" if eta.late else " ?" if eta.stale else ""
        does = "silent" if each.silent else "stands" if not each.moving else (
            f"{each.speed_mps * _KMH:.0f} km/h")  # fmt: skip
        return (
            each.vehicle,
            "" if courier is None else courier.name,
            does,
            "" if stop is None else f"{stop.number} ({stop.status.value})",
            due,
            "" if each.battery is None else f"{each.battery:.0%}",
            f"{max(0, round((now - each.at).total_seconds()))}s",
            ", ".join(alert.kind.value for alert in scene.alerts_of(each.vehicle)),
        )

    def rendered(self, width: int, height: int) -> RenderableType:
        """Map above, table below, in so many characters."""
        now = system_clock()
        found = self.vehicles()
        clock = f"{now.astimezone(self._zone):%H:%M:%S}"
        head = Text(f"{clock}  {len(found)} on the road, {len(self.scene.stops)} to bring")
        if not self.connected:
            head.append("  ✖ NO CONNECTION - DO NOT TRUST THIS SCREEN", "bold white on red")
        room = max(3, min(len(found) + 1, height // 2))
        table = Table(box=None, pad_edge=False, header_style="bold")
        heads = ("vehicle", "who", "does", "brings", "in", "battery", "told", "wrong")
        for name in heads:
            table.add_column(name, no_wrap=True)
        for each in found[: room - 1]:
            table.add_row(*self.row(each, now))
        left = height - 2 - room
        if left < _LEAST_MAP:
            return Group(head, table)
        return Group(head, draw(self.marks(), width, left), table)

    def tell(self, what: str, said: Any, *, as_json: bool) -> None:
        """Print one change, at once."""
        now = system_clock()
        if not as_json:
            line = self.line(what, said, now)
            if line is not None:
                say(line)
                sys.stdout.flush()
        elif not isinstance(said, VehicleState) or self.shows(said.vehicle):
            data = None if said is None else said.model_dump(mode="json", exclude_none=True)
            json_line({"at": now, "about": what, "says": data})

    def line(self, what: str, said: Any, now: datetime) -> str | None:
        """One change, for whoever reads a pipe; None for what is not wanted."""
        area, _, about = what.partition("/")
        clock = f"{now.astimezone(self._zone):%H:%M:%S}"
        if isinstance(said, VehicleState):
            if not self.shows(said.vehicle):
                return None
            cells = "\t".join(self.row(said, now)[1:])
            return f"{clock}\t{said.vehicle}\t{said.lat:.5f}\t{said.lon:.5f}\t{cells}"
        if self._only:
            return None
        if said is None:
            return f"{clock}\t{area}\t{about}\tover"
        return None if area == "positions" else f"{clock}\t{area}\t{about}\t{_short(said)}"


def _short(said: Any) -> str:
    for name in ("delivery", "courier", "alert"):
        inner = getattr(said, name, None)
        if inner is not None:
            status = getattr(inner, "status", None) or getattr(inner, "text", None) or inner.name
            return str(getattr(status, "value", status))
    return f"{said.p50_at:%H:%M:%S} {said.p90_at:%H:%M:%S}"


async def _follow(
    admitted: Admitted, screen: _Screen, seconds: float | None, *, live: bool, as_json: bool
) -> None:
    filters = [plane_filter(Plane.STATE, tenant=admitted.tenant, tail=tail) for tail in TAILS]

    async def use(session: Session) -> None:
        session.on_lost(lambda: setattr(screen, "connected", False))
        screen.connected = True
        while True:
            batch = await session.receive(500)
            session.acknowledge(batch)
            for arrival in batch:
                told = screen.scene.take(arrival)
                if told is not None and not live:
                    screen.tell(*told, as_json=as_json)

    async def show() -> None:
        console = Console()
        with Live(console=console, screen=True, auto_refresh=False) as shown:
            while True:
                size = console.size
                shown.update(screen.rendered(size.width, size.height), refresh=True)
                await asyncio.sleep(_EVERY_S)

    bus = MqttBus(admitted.settings(), filters, clean=True)
    tasks = [asyncio.ensure_future(bus.keep(use))]
    if live:
        tasks.append(asyncio.ensure_future(show()))
    try:
        done, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)
