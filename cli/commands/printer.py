"""`heard printer`: a station's tickets on paper."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from cli.admission import as_device
from cli.application import Application, pass_application
from cli.failures import Failure
from cli.files import make_home
from cli.grammar import Group, device_options, json_option
from cli.names import NAME
from cli.printing import note, say, show_json
from cli.span import SPAN
from devices.escpos_printer import (
    USUAL_PROFILE,
    NoPrinting,
    Printer,
    PrinterAway,
    PrinterUnsure,
    printer_at,
    slip_bytes,
)
from devices.print_memory import MemoryBroken, MemoryInUse
from devices.receipt_paper import LEAST_COLUMNS, USUAL_COLUMNS, Row, as_text, paper
from devices.ticket_printer import TicketPrinter
from schemas.devices import Role
from schemas.identifiers import new_id
from schemas.kitchen import LineMark, Ticket, TicketLine, TicketStatus


class _Address(click.ParamType[tuple[str, Printer]]):
    """Where a printer is."""

    name = "printer"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Printer]:
        """Read an address; wrong ones are named."""
        try:
            printer_at(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return value, printer_at(value, answers=ctx is None or not ctx.params.get("blind"))


_OPTIONS: Final = (
    click.option(
        "--blind",
        is_flag=True,
        is_eager=True,
        help="The printer tells no status: what is sent counts as printed.",
    ),
    click.option(
        "--to",
        type=_Address(),
        required=True,
        metavar="PRINTER",
        help="HOST:9100, usb:VENDOR:PRODUCT (see lsusb) or file:/dev/usb/lp0.",
    ),
    click.option(
        "--columns",
        type=click.IntRange(LEAST_COLUMNS, 96),
        default=USUAL_COLUMNS,
        show_default=True,
        help="Letters on a line: 42 or 48 on paper of 80 mm, 32 on 58 mm.",
    ),
    click.option(
        "--profile",
        default=USUAL_PROFILE,
        show_default=True,
        metavar="NAME",
        help="The printer, as python-escpos knows it: TM-T88V, TM-T20II, NT-5890K, …",
    ),
)


def _printer_options(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@click.group(cls=Group)
def printer() -> None:
    """Print a station's tickets."""


@printer.command()
@device_options
@_printer_options
@click.option("--station", type=NAME, required=True, metavar="NAME", help="grill, fry, bar, …")
@click.option(
    "--last-resort",
    is_flag=True,
    help="Print only what nobody heard on a screen, and what is asked for on paper.",
)
@click.option(
    "--memory",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="What it has printed, so that nothing comes out twice  [default: in the home folder]",
)
@click.option("--for", "seconds", type=SPAN, metavar="SPAN", help="Stop after this: 20s, 5m.")
@pass_application
def run(
    app: Application,
    *,
    tenant: str | None,
    credentials: Path | None,
    station: str,
    to: tuple[str, Printer],
    last_resort: bool,
    columns: int,
    profile: str,
    blind: bool,  # noqa: ARG001 - what `--to` asks
    memory: Path | None,
    seconds: float | None,
) -> None:
    """Be a station's printer, until Ctrl-C.

    Each ticket is printed once, and heard when the printer has taken it. While the printer is
    away its tickets stay unheard, and the house asks somebody else. What may have come out
    before says DUPLICATE. It needs python-escpos: pip install 'heard[printer]'.

    Examples:
      heard printer run --tenant demo --station grill --to 192.168.1.50:9100
      heard printer run --tenant demo --station bar --to usb:04b8:0202 --columns 32
      heard printer run --credentials grill-paper.json --station grill --to file:/dev/usb/lp0
      heard printer run --tenant demo --station grill --last-resort --to 127.0.0.1:9100
    """
    with as_device(app, tenant, credentials, Role.KITCHEN_DISPLAY, station=station) as admitted:
        if memory is None:
            memory = make_home(app.settings) / f"printed-{admitted.tenant}-{station}.db"
        problems: list[str] = []

        def tell(problem: str) -> None:
            problems.append(problem)
            note(problem)

        try:
            device = TicketPrinter(
                admitted.address.host,
                admitted.address.port,
                station=station,
                printer=to[1],
                memory=memory,
                last_resort=last_resort,
                columns=columns,
                profile=profile,
                on_problem=tell,
                **admitted.options(),
            )
        except (NoPrinting, MemoryInUse, MemoryBroken) as error:
            raise Failure(str(error)) from error
        with device:
            if not device.wait_online(10):
                raise Failure(problems[-1] if problems else f"no connection to {admitted.address}")
            what = "what nobody hears" if last_resort else "every ticket"
            note(f"prints {what} of {admitted.tenant}'s {station} to {to[0]}")
            until = None if seconds is None else time.monotonic() + seconds
            while until is None or time.monotonic() < until:
                time.sleep(0.1)
        note(f"{device.slips} slips came out")


@printer.command()
@_printer_options
@json_option
@click.option("--show", is_flag=True, help="Show the paper here too.")
def test(
    *,
    to: tuple[str, Printer],
    columns: int,
    profile: str,
    blind: bool,  # noqa: ARG001 - what `--to` asks
    show: bool,
    as_json: bool,
) -> None:
    """Print a ticket of a made-up order, to see whether it can be read.

    Examples:
      heard printer test --to 192.168.1.50:9100
      heard printer test --to file:slip.bin --show
      heard printer test --to usb:04b8:0202 --columns 32 --profile NT-5890K
    """
    heads = [Row("TEST: DO NOT MAKE", bold=True, centre=True)]
    rows = [*heads, *paper(_sample(), columns=columns)]
    try:
        slip = slip_bytes(rows, profile=profile)
        to[1].send(slip)
    except (NoPrinting, PrinterAway, PrinterUnsure) as error:
        raise Failure(str(error)) from error
    if as_json:
        show_json({"printer": to[0], "bytes": len(slip), "printed": True})
        return
    if show:
        say(as_text(rows))
    say(f"{to[0]} has taken it")


def _sample() -> Ticket:
    now = datetime.now(UTC)
    return Ticket(
        ticket_id=new_id(),
        station="grill",
        order_id=new_id(),
        order_number="TEST-0000",
        status=TicketStatus.SENT,
        version=1,
        sequence=1,
        table="7",
        placed_at=now,
        sent_at=now,
        lines=(
            TicketLine(line=1, item="burger", name="Burger", quantity=2, note="well done"),
            TicketLine(
                line=2,
                item="creme-brulee",
                name="Crème brûlée",
                quantity=1,
                allergens=("egg", "milk"),
                avoid=("nuts",),
                mark=LineMark.NEW,
            ),
        ),
    )
