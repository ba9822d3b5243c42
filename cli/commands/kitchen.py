"""`heard kitchen`: see what the kitchen sees."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue

import click
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

from cli.admission import as_device
from cli.application import Application, pass_application
from cli.demo_view import FRESHNESS
from cli.grammar import Group as CommandGroup
from cli.grammar import device_options, json_option
from cli.names import NAME
from cli.printing import json_line, note, say
from cli.span import SPAN
from cli.ticket_view import line_text, place, ticket_lines
from devices.kitchen_display import KitchenDisplay
from devices.station_view import Changes, Freshness
from schemas.devices import Role

LATE_S = 600


class Onlooker(KitchenDisplay):
    """A display that looks and says nothing: that is left to the one in the kitchen."""

    attends = False

    def _hear(self, now: float) -> float:  # noqa: ARG002 - the hook's shape
        self._unheard.clear()
        return float("inf")


@click.group(cls=CommandGroup)
def kitchen() -> None:
    """See what the kitchen sees."""


@kitchen.command()
@device_options
@click.option("--station", type=NAME, required=True, metavar="NAME", help="grill, fry, bar, …")
@click.option("--hear", is_flag=True, help="Be a real display: say which tickets are heard.")
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
    seconds: float | None,
    as_json: bool,
) -> None:
    """Show a station's open tickets, the oldest first, until Ctrl-C.

    Without --hear it only looks. What was added, changed or cancelled after it was sent
    says so. Piped, each change is one line; with --json one JSON document a line, in
    which `altered` are the numbers of the lines that say something else than before.

    Examples:
      heard kitchen watch --tenant demo --station grill
      heard kitchen watch --tenant demo --station grill --hear
      heard kitchen watch --credentials grill-1.json --station grill --hear
    """
    news: SimpleQueue[tuple[Changes, Freshness]] = SimpleQueue()
    live = sys.stdout.isatty() and not as_json
    with as_device(app, tenant, credentials, Role.KITCHEN_DISPLAY, station=station) as admitted:
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
                screen = _Screen(display, console, hears=hear)
                with Live(screen, console=console, refresh_per_second=4, screen=True):
                    while not _over(until):
                        time.sleep(0.1)
                return
            # Printed here, not in the callback: a reader that has gone ends the command.
            lines = _Lines(as_json=as_json)
            while not _over(until):
                with suppress(Empty):
                    lines.changed(*news.get(timeout=0.1))


def _over(until: float | None) -> bool:
    return until is not None and time.monotonic() >= until


class _Lines:
    """Each change as a line, for a pipe."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._told: Freshness | None = None

    def changed(self, changes: Changes, freshness: Freshness) -> None:
        """Print what changed."""
        if freshness is not self._told:
            self._told = freshness
            self._print({"freshness": freshness.value}, f"-- {FRESHNESS[freshness][0]}")
        altered = {each.ticket.ticket_id: each.lines for each in changes.altered}
        for ticket in changes.shown:
            made = ", ".join(line_text(line) for line in ticket.lines)
            lines = altered.get(ticket.ticket_id, ())
            look = "  LOOK: " if lines else "  "
            self._print(
                {"ticket": ticket.model_dump(mode="json"), "altered": list(lines)},
                f"{ticket.order_number}  {ticket.status.value:<8}  {place(ticket)}{look}{made}",
            )
        for ended in changes.ended:
            self._print({"ended": str(ended)}, f"{ended}  ended")

    def _print(self, document: dict[str, object], text: str) -> None:
        if self._as_json:
            json_line(document)
        else:
            say(text)
            sys.stdout.flush()


class _Screen:
    """The whole terminal as a station's screen."""

    def __init__(self, display: KitchenDisplay, console: Console, *, hears: bool) -> None:
        self._display = display
        self._console = console
        self._hears = hears

    def __rich__(self) -> RenderableType:
        word, colour = FRESHNESS[self._display.freshness]
        tickets = self._display.tickets
        size = self._console.size
        room = max(1, (size.width // 44) * max(1, (size.height - 6) // 8))
        banner = Panel(
            Text(f"{word}   {len(tickets)} open", style=colour, justify="center"),
            title=f"[bold]{self._display.tenant} · {self._display.station.upper()}[/]",
            subtitle="a real display" if self._hears else "only looking (--hear to be heard)",
            border_style=colour,
        )
        shown = [
            Panel(
                ticket_lines(ticket, width=38, late_s=LATE_S),
                title=ticket.order_number[-4:],
                width=42,
            )
            for ticket in tickets[:room]
        ]
        more = [Text(f"and {len(tickets) - room} more", style="dim")] if len(tickets) > room else []
        return Group(banner, Columns(shown), *more)
