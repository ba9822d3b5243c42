"""What `heard up --demo` shows: the kitchen at a glance."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from broker_config.settings import BrokerAddress
from cli.demo import CURRENCY, EXPO, LATE_S, Demo
from cli.printing import age, counted
from cli.ticket_view import ticket_lines
from devices.kitchen_display import KitchenDisplay
from devices.station_view import Freshness
from schemas.kitchen import TicketStatus
from schemas.money import to_text
from schemas.orders import Order

NARROWEST: Final = 30
LOWEST: Final = 8
"""Less than this shows no ticket whole: then fewer stations are shown."""
HEAD: Final = 3
FOOT: Final = 3
FRESHNESS: Final = {
    Freshness.CURRENT: ("● CURRENT", "green"),
    Freshness.BEHIND: ("▲ CATCHING UP", "yellow"),
    Freshness.SILENT: ("✖ NO CONNECTION - DO NOT TRUST THIS SCREEN", "bold white on red"),
}


def fitting(texts: Sequence[Text], height: int) -> list[Text]:
    """The first of them that find room in so many lines, one line left for what does not.

    One that is too high by itself is cut off, and says so: an empty panel would say nothing.
    """
    shown: list[Text] = []
    room = height
    for number, text in enumerate(texts, start=1):
        needed = text.plain.count("\n") + 1
        left = 0 if number == len(texts) else 1
        if needed > room - left:
            break
        room -= needed
        shown.append(text)
    if texts and not shown:
        lines = texts[0].split("\n")[: max(1, height - 2)]
        shown.append(Text("\n").join([*lines, Text("       …", style="dim")]))
    return shown


def side_by_side(facts: Sequence[str], width: int) -> Text:
    """As many of them as find room on one line, whole and apart, the first of them first."""
    line = Text()
    for fact in facts:
        shown = Text.from_markup(fact)
        longer = Text("   ").join([line, shown]) if line else shown
        if longer.cell_len > width:
            break
        line = longer
    return line


def station_panel(display: KitchenDisplay, *, height: int, width: int) -> Panel:
    """One station: its freshness and its oldest tickets, in a panel of this size."""
    tickets = display.tickets
    word, colour = FRESHNESS[display.freshness]
    texts = [ticket_lines(ticket, width=width - 4, late_s=LATE_S, merge=True) for ticket in tickets]
    chosen = fitting(texts, height - 3)
    shown: list[RenderableType] = [Text(word, style=colour), *chosen]
    if len(tickets) > len(chosen):
        shown.append(Text(f"and {len(tickets) - len(chosen)} more", style="dim"))
    if not tickets:
        shown.append(Text("nothing to do", style="dim"))
    held = sum(ticket.status is TicketStatus.HELD for ticket in tickets)
    waits = f", {held} held" if held else ""
    title = f"[bold]{display.station.upper()}[/] · {len(tickets) - held} to make{waits}"
    return Panel(Group(*shown), title=title, border_style=colour, width=width, height=height)


class DemoView:
    """The whole screen; rich asks for it a few times a second."""

    def __init__(self, demo: Demo, address: BrokerAddress, console: Console) -> None:
        self._demo: Final = demo
        self._address: Final = address
        self._console: Final = console
        self._began: Final = time.monotonic()

    def __rich__(self) -> RenderableType:
        return Group(self._head(), self._stations(), self._orders(), self._foot())

    def _head(self) -> RenderableType:
        tally = self._demo.tally
        online = sum(device.online for device in self._demo.devices)
        heard = tally.median_ms()
        taken = to_text(self._demo.waiter.taken_minor, CURRENCY)
        facts = [
            f"{age(time.monotonic() - self._began)} · {self._address}",
            f"[bold green]{tally.placed}[/] orders",
            f"[bold]{online}[/]/{len(self._demo.devices)} online",
            f"heard after [bold]{'-' if heard is None else f'{heard:.0f} ms'}[/]",
            f"[bold]{tally.per_minute()}[/] in the last minute",
            f"[bold]{self._demo.waiter.closed}[/] closed, [bold]{taken}[/] taken",
        ]
        line = side_by_side(facts, self._console.size.width - 4)
        return Panel(line, title="[bold]heard[/] - the demo diner", border_style="blue")

    def _stations(self) -> RenderableType:
        displays = sorted(self._demo.displays, key=_by_interest)
        size = self._console.size
        room = max(LOWEST, size.height - HEAD - self._last() - FOOT)
        in_a_row = max(1, min(len(displays), size.width // NARROWEST))
        rows = min(-(-len(displays) // in_a_row), room // LOWEST)
        shown, rest = displays[: rows * in_a_row], displays[rows * in_a_row :]
        panels = [
            station_panel(display, height=room // rows, width=size.width // in_a_row)
            for display in shown
        ]
        grid = Table.grid()
        for start in range(0, len(panels), in_a_row):
            grid.add_row(*panels[start : start + in_a_row])
        others = ", ".join(f"{each.station} {len(each.tickets)} open" for each in rest)
        more = [Text(f" also: {others}", style="dim")] if rest else []
        return Group(grid, *more)

    def _last(self) -> int:
        """How many of the last orders find room."""
        return max(2, self._console.size.height // 6)

    def _orders(self) -> RenderableType:
        table = Table(box=None, header_style="bold", pad_edge=False)
        for head in ("last orders", "till", "total", "", "now", "due"):
            table.add_column(head)
        now = time.monotonic()
        with self._demo.tally.lock:
            last = list(self._demo.tally.last)
        open_ = self._demo.waiter_till.orders
        for each in last[: self._last()]:
            receipt = each.receipt
            total = to_text(receipt.total_minor, receipt.currency)
            order = open_.get(receipt.order_id)
            stands = ("closed", "") if order is None else _stands(order)
            table.add_row(receipt.number, each.device, total, f"{age(now - each.at)} ago", *stands)
        return table

    def _foot(self) -> RenderableType:
        return Text(
            "Ctrl-C closes the diner. In another terminal: "
            "heard order place --tenant demo burger=2 cheesecake --table 7, then "
            "heard kitchen queue --tenant demo",
            style="dim",
        )


def _by_interest(display: KitchenDisplay) -> tuple[bool, bool, str]:
    """The grill and the pass first: there one sees how an order comes together."""
    return display.station != "grill", display.station != EXPO, display.station


def _stands(order: Order) -> tuple[str, str]:
    """Where an order stands, and what its guests still owe."""
    payment = "" if order.payment is None else f", {order.payment.value}"
    due = to_text(order.due_minor, order.currency) if order.due_minor else ""
    return f"{order.status.value}{payment}", due


def plain_line(demo: Demo, began: float) -> str:
    """The same in one line, for a log or a pipe."""
    tally = demo.tally
    heard = tally.median_ms()
    stations = ", ".join(
        f"{display.station} {len(display.tickets)} ({display.freshness})"
        for display in demo.displays
    )
    online = sum(device.online for device in demo.devices)
    taken = to_text(demo.waiter.taken_minor, CURRENCY)
    return (
        f"{age(time.monotonic() - began):>6}  {counted(tally.placed, 'order')}, "
        f"{tally.per_minute()}/min; open: {stations}; {demo.waiter.closed} closed, "
        f"{taken} taken; heard after {'-' if heard is None else f'{heard:.0f} ms'}; "
        f"{online}/{counted(len(demo.devices), 'device')} online"
    )
