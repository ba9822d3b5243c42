"""What `heard kitchen watch` shows: a station as its cooks see it, or each change as a line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from typing import Final

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from cli.demo_view import FRESHNESS
from cli.printing import json_line, say
from cli.ticket_view import Lateness, lateness, line_text, place, standing, ticket_lines
from devices.all_day import Count
from devices.kitchen_display import KitchenDisplay
from devices.station_view import Changes, Freshness
from devices.ticket_lines import merged
from schemas.alerts import Severity
from schemas.kitchen import Ticket, TicketStatus

LATE_S: Final = 600
WIDE: Final = 42
NARROW: Final = 39
"""A ticket has between so many columns: two stand side by side on a terminal of 80."""
COUNTED: Final = 8
"""So many items and components are counted on the screen."""
_COLOURS: Final = {
    Lateness.AHEAD: "none",
    Lateness.WARN: "yellow",
    Lateness.LATE: "red",
}


class ChangeLines:
    """Each change as a line, for a pipe."""

    def __init__(self, *, as_json: bool, merge: bool, zone: tzinfo | None = None) -> None:
        self._as_json = as_json
        self._merge = merge
        self._zone = zone
        self._told: Freshness | None = None

    def changed(self, changes: Changes, freshness: Freshness) -> None:
        """Print what changed."""
        if freshness is not self._told:
            self._told = freshness
            self._print({"freshness": freshness.value}, f"-- {FRESHNESS[freshness][0]}")
        altered = {each.ticket.ticket_id: each.lines for each in changes.altered}
        for ticket in changes.shown:
            lines = altered.get(ticket.ticket_id, ())
            self._print(
                {"ticket": ticket.model_dump(mode="json"), "altered": list(lines)},
                self._line(ticket, look=bool(lines)),
            )
        for ended in changes.ended:
            self._print({"ended": str(ended)}, f"{ended}  ended")

    def _line(self, ticket: Ticket, *, look: bool) -> str:
        shown = [each.line for each in merged(ticket.lines)] if self._merge else ticket.lines
        made = ", ".join(line_text(line) for line in shown)
        more = "; ".join(standing(ticket, datetime.now(UTC), self._zone))
        told = f"{ticket.order_number}  {ticket.status.value:<8}  {place(ticket)}"
        return f"{told}{'  LOOK: ' if look else '  '}{made}{f'  [{more}]' if more else ''}"

    def _print(self, document: dict[str, object], text: str) -> None:
        if self._as_json:
            json_line(document)
        else:
            say(text)
            sys.stdout.flush()


class StationScreen:
    """The whole terminal as a station's screen.

    Args:
        display: whose tickets it shows; started and closed by its owner.
        console: where it is drawn.
        hears: whether it is a real display.
        merge: whether identical lines are shown as one.
        zone: the house's; None is this machine's.
    """

    def __init__(
        self,
        display: KitchenDisplay,
        console: Console,
        *,
        hears: bool,
        merge: bool,
        zone: tzinfo | None = None,
    ) -> None:
        self._display = display
        self._console = console
        self._hears = hears
        self._merge = merge
        self._zone = zone

    def __rich__(self) -> RenderableType:
        now = datetime.now(UTC)
        tickets = self._display.tickets
        top = Group(self._banner(tickets), *self._alerts(), *self._all_day())
        panels = self._fitting(tickets, now, self._console.size.height - self._rows(top))
        hidden = len(tickets) - len(panels)
        more = [Text(f"and {hidden} more", style="dim")] if hidden else []
        return Group(top, Columns(panels), *more)

    def _fitting(self, tickets: list[Ticket], now: datetime, room: int) -> list[Panel]:
        """As many of the first tickets as the screen has room for: one row of them at least."""
        width = self._console.size.width + 1
        across = max(1, width // (NARROW + 1))
        wide = min(WIDE, width // across - 1)
        panels: list[Panel] = []
        for at in range(0, len(tickets), across):
            row = [self._ticket(each, now, wide) for each in tickets[at : at + across]]
            tallest = max(map(self._rows, row))
            below = 1 if at + across < len(tickets) else 0
            if panels and tallest + below > room:
                break
            panels += row
            room -= tallest
        return panels

    def _rows(self, drawn: RenderableType) -> int:
        return len(self._console.render_lines(drawn, self._console.options, pad=False))

    def _banner(self, tickets: list[Ticket]) -> RenderableType:
        word, colour = FRESHNESS[self._display.freshness]
        held = sum(ticket.status is TicketStatus.HELD for ticket in tickets)
        told = [word, f"{len(tickets) - held} to make"]
        if self._display.unused and self._display.freshness is Freshness.CURRENT:
            told = [word, "no tickets yet at this station"]
        told += [f"{held} held"] if held else []
        head = self._display.head
        if head is not None:
            told += [f"{-(-head.work_s // 60)} min of work"] if head.work_s else []
            told += [f"CLOSED: {head.closed}"] if head.closed else []
        return Panel(
            Text("   ".join(told), style=colour, justify="center"),
            title=f"[bold]{self._display.tenant} · {self._display.station.upper()}[/]",
            subtitle="a real display" if self._hears else "only looking (--hear to be heard)",
            border_style=colour,
        )

    def _alerts(self) -> Iterator[Text]:
        for alert in self._display.alerts:
            critical = alert.severity is Severity.CRITICAL
            seen = f" (seen by {alert.acknowledged_by})" if alert.acknowledged_by else ""
            word = "ALERT" if critical else "note"
            style = "bold white on red" if critical and not seen else "bold yellow"
            yield Text(f" {word} {alert.alert}: {alert.text}{seen}", style=style)

    def _all_day(self) -> Iterator[Text]:
        for what, counts in (
            ("all day", self._display.items),
            ("made of", self._display.components),
        ):
            if counts:
                yield Text(f" {what}: {counted(counts)}", style="dim")

    def _ticket(self, ticket: Ticket, now: datetime, wide: int) -> Panel:
        late = lateness(ticket, now, late_s=LATE_S)
        held = ticket.status is TicketStatus.HELD
        return Panel(
            ticket_lines(
                ticket, width=wide - 4, late_s=LATE_S, merge=self._merge, now=now, zone=self._zone
            ),
            title=ticket.order_number[-4:],
            width=wide,
            border_style="blue" if held else _COLOURS[late],
        )


def counted(counts: list[Count]) -> str:
    """The largest counts on one line; what is held stands behind a plus, or alone."""
    told = [f"{each.name} {to_make(each)}" for each in counts[:COUNTED]]
    more = len(counts) - COUNTED
    return ", ".join(told) + (f" and {more} more" if more > 0 else "")


def to_make(count: Count) -> str:
    """``2``, ``2 +1 held``, or ``1 held`` where there is nothing to be made yet."""
    if not count.held:
        return str(count.now)
    return f"{count.now} +{count.held} held" if count.now else f"{count.held} held"
