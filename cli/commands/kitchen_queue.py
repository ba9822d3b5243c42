"""`heard kitchen queue` and `heard kitchen all-day`: what is still to be made."""

from __future__ import annotations

import sys
import textwrap
import time
from contextlib import ExitStack
from datetime import datetime, tzinfo
from typing import Any, Final

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from cli.admission import visiting
from cli.application import Application, pass_application
from cli.demo_view import FRESHNESS
from cli.grammar import Command, json_option, tenant_option
from cli.house_clock import on_screen, zone_of_house
from cli.kitchen_screen import LATE_S
from cli.known_houses import must_be_there
from cli.known_stations import check_station
from cli.names import NAME
from cli.onlooker import Onlooker
from cli.printing import age, json_line, note, say, show_json, show_table
from cli.span import SPAN
from cli.ticket_view import lateness, line_text, place, since
from devices.all_day import AllDay, Count
from devices.station_view import Freshness, in_the_queue
from schemas.devices import Role
from schemas.kitchen import HoldReason, Ticket, TicketStatus
from services.kitchen.store import heads, open_tickets
from services.runtime.database import Database
from services.runtime.moment import system_clock

TABLE_COLUMNS: Final = 100
"""A narrower terminal has no room for the table: each ticket stands by itself there."""
_WORST: Final = [Freshness.SILENT, Freshness.BEHIND, Freshness.CURRENT]
_PRIORITY: Final = {"normal": "", "high": "high", "rush": "RUSH"}


@click.command(cls=Command)
@tenant_option
@click.option("--station", type=NAME, metavar="NAME", help="That one alone.")
@json_option
@pass_application
def queue(app: Application, *, tenant: str, station: str | None, as_json: bool) -> None:
    """List the open tickets as they are to be made: rush first, then by age, held ones last.

    Examples:
      heard kitchen queue --tenant demo
      heard kitchen queue --tenant demo --station grill --json
    """
    found = sorted(_tickets(app, tenant, station), key=lambda t: (t.station, *in_the_queue(t)))
    if as_json:
        show_json([each.model_dump(mode="json") for each in found])
        return
    now, zone = system_clock(), zone_of_house(app, tenant)
    if sys.stdout.isatty() and found and Console().width < TABLE_COLUMNS:
        for each in found:
            say(_narrow(each, now, zone, Console().width))
        return
    show_table(
        ("station", "order", "course", "", "since", "now", "ready", "where", "what"),
        (_row(each, now, zone) for each in found),
        empty="nothing to do",
    )


@click.command("all-day", cls=Command)
@tenant_option
@click.option("--station", type=NAME, metavar="NAME", help="That one alone.")
@click.option("--watch", "live", is_flag=True, help="Follow every change, until Ctrl-C.")
@click.option("--for", "seconds", type=SPAN, metavar="SPAN", help="Stop watching after this.")
@json_option
@pass_application
def all_day(
    app: Application,
    *,
    tenant: str,
    station: str | None,
    live: bool,
    seconds: float | None,
    as_json: bool,
) -> None:
    """Count what is still to be made, by item and by component; what is held stands apart.

    Five double burgers are ten patties, where the menu says what a burger is made of. With
    --watch it follows every change over MQTT, and says whether it is current; piped, each
    change of a number prints all of them, and with --json as a document a line.

    Examples:
      heard kitchen all-day --tenant demo
      heard kitchen all-day --tenant demo --station grill --watch
    """
    if not live:
        counts = AllDay(_tickets(app, tenant, station))
        if as_json:
            show_json(_document(counts.items(station), counts.components(station)))
        else:
            _print(counts.items(station), counts.components(station))
        return
    _watch(app, tenant, station, seconds, as_json=as_json)


def _watch(
    app: Application, tenant: str, station: str | None, seconds: float | None, *, as_json: bool
) -> None:
    """Look at every station at once, each with a device of its own."""
    stations = [station] if station is not None else app.run(lambda it: _stations(it, tenant))
    if not stations:
        note(f"{tenant} has no station yet: nothing was ever made there")
        return
    until = None if seconds is None else time.monotonic() + seconds
    roles = [Role.KITCHEN_DISPLAY] * len(stations)
    with ExitStack() as stack:
        admitted = stack.enter_context(visiting(app, tenant, *roles))
        counts = _Together(
            stack.enter_context(
                Onlooker(one.address.host, one.address.port, station=name, **one.options())
            )
            for one, name in zip(admitted, stations, strict=True)
        )
        if sys.stdout.isatty() and not as_json:
            console = Console()
            stack.enter_context(Live(counts, console=console, refresh_per_second=4, screen=True))
        told: object = None
        while until is None or time.monotonic() < until:
            time.sleep(0.1)
            if sys.stdout.isatty() and not as_json:
                continue
            now = {"freshness": counts.freshness.value} | _document(*counts.both())
            if now != told:
                told = now
                if as_json:
                    json_line(now)
                else:
                    _print(*counts.both(), freshness=counts.freshness)
                    sys.stdout.flush()


class _Together:
    """Several stations' counts as one."""

    def __init__(self, displays: Any) -> None:
        self._displays: list[Onlooker] = list(displays)

    @property
    def freshness(self) -> Freshness:
        """That of the worst: a sum with a hole in it is no truth."""
        return min((each.freshness for each in self._displays), key=_WORST.index)

    def both(self) -> tuple[list[Count], list[Count]]:
        """By item and by component."""
        counts = AllDay(ticket for each in self._displays for ticket in each.tickets)
        of = None if len(self._displays) > 1 else self._displays[0].station
        return counts.items(of), counts.components(of)

    def __rich__(self) -> RenderableType:
        word, colour = FRESHNESS[self.freshness]
        items, components = self.both()
        return Group(Text(word, style=colour), Text("\n".join(_lines(items, components))))


def _tickets(app: Application, tenant: str, station: str | None) -> list[Ticket]:
    async def read(database: Database) -> list[Ticket]:
        async with database.read() as connection:
            await must_be_there(connection, tenant)
            if station is not None:
                await check_station(connection, tenant, station)
            return await open_tickets(connection, tenant)

    return [each for each in app.run(read) if station in (None, each.station)]


async def _stations(database: Database, tenant: str) -> list[str]:
    async with database.read() as connection:
        return [now.station for _, now in await heads(connection, tenant)]


def _row(ticket: Ticket, now: datetime, zone: tzinfo) -> tuple[object, ...]:
    return (
        ticket.station,
        ticket.order_number,
        ticket.course,
        _PRIORITY[ticket.priority.value],
        age((now - since(ticket)).total_seconds()),
        _status(ticket, now),
        _ready(ticket, now, zone),
        place(ticket),
        _what(ticket),
    )


def _narrow(ticket: Ticket, now: datetime, zone: tzinfo, width: int) -> str:
    """A ticket where a table has no room: what it is, and below what is to be made."""
    ready = _ready(ticket, now, zone)
    told = [
        f"{ticket.station} {ticket.order_number[-4:]}",
        place(ticket),
        f"course {ticket.course}" if ticket.course > 1 else "",
        _PRIORITY[ticket.priority.value],
        age((now - since(ticket)).total_seconds()),
        _status(ticket, now),
        f"~{ready}" if ready else "",
    ]
    head = textwrap.fill("  ".join(filter(None, told)), width, subsequent_indent="  ")
    indent = "    "
    made = textwrap.fill(_what(ticket), width, initial_indent=indent, subsequent_indent=indent)
    return f"{head}\n{made}"


def _status(ticket: Ticket, now: datetime) -> str:
    late = lateness(ticket, now, late_s=LATE_S)
    told = [ticket.status.value]
    if _waits(ticket) and ticket.held_for not in (None, HoldReason.BY_HAND):
        told = [f"held: {ticket.held_for}"]
    told += [late.value] if late else []
    told += ["recalled"] if ticket.recalls and ticket.status is TicketStatus.STARTED else []
    return " ".join(told)


def _ready(ticket: Ticket, now: datetime, zone: tzinfo) -> str:
    ready = ticket.ready_p50_at
    return "" if ready is None or _waits(ticket) else on_screen(ready, now, zone)


def _waits(ticket: Ticket) -> bool:
    return ticket.status is TicketStatus.HELD


def _what(ticket: Ticket) -> str:
    return ", ".join(line_text(line) for line in ticket.lines)


def _document(items: list[Count], components: list[Count]) -> dict[str, Any]:
    return {
        "items": [{"item": c.what, "name": c.name, "now": c.now, "held": c.held} for c in items],
        "components": [{"component": c.what, "now": c.now, "held": c.held} for c in components],
    }


def _lines(items: list[Count], components: list[Count]) -> list[str]:
    told = [_line(each) for each in items]
    if components:
        told += ["", "made of", *(_line(each) for each in components)]
    return told or ["nothing to do"]


def _line(count: Count) -> str:
    held = f"  {'+' if count.now else ''}{count.held} held" if count.held else ""
    return f"{count.now or '':>5}  {count.name}{held}"


def _print(
    items: list[Count], components: list[Count], *, freshness: Freshness | None = None
) -> None:
    if freshness is not None:
        note(f"-- {FRESHNESS[freshness][0]}")
    rows = [("item", each.name, each.now, each.held or "") for each in items]
    rows += [("component", each.name, each.now, each.held or "") for each in components]
    show_table(("", "what", "to make", "held"), rows, empty="nothing to do")


COMMANDS: Final = (queue, all_day)
