"""`heard up`: everything in one process."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Final
from uuid import UUID

import click
from rich.console import Console
from rich.live import Live
from sqlalchemy import func, select

from cli import logs
from cli.application import Application, pass_application
from cli.demo import BY_ITSELF_S, TENANT, Demo, prepare
from cli.demo_view import DemoView, plain_line
from cli.files import Running, make_home, said_to_run, say_running
from cli.grammar import Command, drop_option, json_option
from cli.printing import counted, note, say, show_json
from cli.span import SPAN
from cli.system import System
from schemas.kitchen import TicketStatus
from services.kitchen.store import TICKETS
from services.orders.store import ORDERS
from services.runtime.database import Database

LINE_EVERY_S: Final = 2.0
LOG_NAME: Final = "heard.log"


@contextmanager
def until_signalled() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set, instead of what they do else."""
    stop = threading.Event()

    def ask(_number: int, _frame: object) -> None:
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@click.command(cls=Command)
@click.option("--demo", is_flag=True, help="Open a small restaurant with guests and cooks.")
@click.option("--for", "seconds", type=SPAN, metavar="SPAN", help="Stop after this: 20s, 5m.")
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True, max=6000),
    default=40.0,
    show_default=True,
    help="Orders a minute in the demonstration.",
)
@json_option
@drop_option
@pass_application
def up(app: Application, *, demo: bool, seconds: float | None, rate: float, as_json: bool) -> None:
    """Run broker, services and database in this one process.

    The broker is embedded and listens on this machine alone; the database is a file in
    the home folder. Other commands find both by themselves. With --broker mosquitto the
    services use that one. Ctrl-C ends it, with nothing lost.

    Examples:
      heard up
      heard up --demo
      heard up --demo --for 20s --json
      heard up --drop /srv/orders
    """
    live = demo and not as_json and sys.stdout.isatty()
    settings = app.settings
    if live:
        logs.configure(settings.log_level, settings.log_format, file=make_home(settings) / LOG_NAME)
    with (
        until_signalled() as stop,
        said_to_run(settings) as path,
        System(settings, migrate=True) as system,
    ):
        address = system.address
        url = settings.database_url
        say_running(
            path,
            Running(
                os.getpid(),
                address.host,
                address.port,
                settings.broker.value,
                url,
                system.gateway_url,
            ),
        )
        if not system.wait_serving() and not stop.is_set():
            note("not serving yet: the log says why")
        if system.usual_port_taken:
            note(f"port 1883 is taken: the broker listens on {address.port}")
        answers = f", {system.gateway_url}" if system.gateway_url else ""
        note(f"heard is up: {address}{answers}, files in {settings.home}; Ctrl-C ends it")
        if demo:
            summary = _demonstrate(app, system, stop, seconds, rate=rate, live=live)
            _show_summary(summary, as_json=as_json)
            return
        note("try it: heard tenant add NAME, or heard up --demo")
        until = None if seconds is None else time.monotonic() + seconds
        while not stop.is_set() and not _over(until):
            if system.wait(0.1):
                break


def _over(until: float | None) -> bool:
    return until is not None and time.monotonic() >= until


def _demonstrate(
    app: Application,
    system: System,
    stop: threading.Event,
    seconds: float | None,
    *,
    rate: float,
    live: bool,
) -> dict[str, Any]:
    admitted = prepare(app, system.address)
    began = time.monotonic()
    until = None if seconds is None else began + seconds
    line_at = began + LINE_EVERY_S
    with Demo(app, admitted, rate_per_minute=rate) as demo:
        console = Console()
        view = DemoView(demo, system.address, console)
        drawing: Any = (
            Live(view, console=console, refresh_per_second=4, screen=True)
            if live
            else nullcontext()
        )
        with drawing:
            while not stop.is_set() and not _over(until):
                if system.wait(0.1):
                    break
                if not live and time.monotonic() >= line_at:
                    line_at += LINE_EVERY_S
                    note(plain_line(demo, began))
            if _over(until) and not stop.is_set():
                demo.patience_s = BY_ITSELF_S
    return app.run(lambda database: _count(database, demo)) | {
        "orders_placed": demo.tally.placed,
        "orders_refused": demo.tally.refused,
        "orders_unanswered": max(0, demo.sent - demo.tally.placed - demo.tally.refused),
        "heard_p50_ms": demo.tally.median_ms(),
        "seconds": round(time.monotonic() - began, 1),
    }


async def _count(database: Database, demo: Demo) -> dict[str, Any]:
    """What the database has of this run."""
    since = (ORDERS.c.tenant == TENANT) & (ORDERS.c.placed_at >= demo.began)
    unheard = (
        select(TICKETS.c.order_id)
        # A course that waits is for later, and what was taken back is nobody's to hear.
        .where(TICKETS.c.tenant == TENANT, TICKETS.c.status == TicketStatus.SENT.value)
        .where(TICKETS.c.placed_at >= demo.began)
    )
    async with database.read() as connection:
        kept: set[UUID] = set(await connection.scalars(select(ORDERS.c.order_id).where(since)))
        missing: set[UUID] = set(await connection.scalars(unheard))
        total = await connection.scalar(select(func.sum(ORDERS.c.total_minor)).where(since))
    return {
        "orders_kept": len(kept),
        "orders_heard": len(kept - missing),
        "total_minor": int(total or 0),
    }


def _show_summary(summary: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show_json(summary)
        return
    heard = summary["heard_p50_ms"]
    say(
        f"{counted(summary['orders_placed'], 'order')} placed, {summary['orders_kept']} kept, "
        f"{summary['orders_heard']} heard"
        + ("" if heard is None else f" (half of them within {heard:.0f} ms)")
        + f", in {summary['seconds']:.0f} s"
    )
