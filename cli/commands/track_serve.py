"""`heard track serve`: positions, in a process of their own."""

from __future__ import annotations

import asyncio
import signal

import click
import structlog
import uvloop

from cli.application import Application, pass_application
from cli.failures import Failure, of_another_version
from cli.files import admin_secret, services_secret
from cli.grammar import Command
from cli.position_line import position_line
from cli.printing import note
from cli.span import SPAN
from services.migrations.version import NEWEST, version
from services.people.limit_book import LimitBook, usual_gate
from services.people.suspension import Suspensions
from services.people.sweeping import Sweeper
from services.runtime.database import Database
from services.runtime.moment import system_clock

log = structlog.get_logger(__name__)


@click.command(cls=Command)
@click.option("--for", "seconds", type=SPAN, metavar="SPAN", help="Stop after this: 20s, 5m.")
@pass_application
def serve(app: Application, *, seconds: float | None) -> None:
    """Take positions, judge and keep them, and reckon ETAs: in a process of their own.

    `heard serve` does it too, unless it is told --positions apart; of several, one takes
    positions and the others stand by. The database must be at this program's version.

    Examples:
      heard track serve --broker mosquitto
      HEARD_DATABASE=postgresql://heard@localhost/heard heard track serve --broker mosquitto
    """
    if app.embedded:
        raise Failure(
            "with the embedded broker positions are taken inside `heard up`: name another "
            "with --broker mosquitto"
        )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(app, seconds))


async def _serve(app: Application, seconds: float | None) -> None:
    database = Database(app.settings.database_url)
    try:
        at = await version(database)
        if at != NEWEST:
            raise of_another_version(database.shown, at)
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        gate = usual_gate()
        book = LimitBook(database, gate)
        address = app.address()
        secret = services_secret(app.settings)
        sweeper = Sweeper(address, secret)
        keeper = Suspensions(database, address, admin_secret(app.settings), sweeper)
        line = position_line(database, address, secret, gate, keeper, clock=system_clock)
        note(f"taking positions at {address}; Ctrl-C ends it")
        tasks = [asyncio.ensure_future(each) for each in (line.run(), book.run(), keeper.watch())]
        ending = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait(
                {*tasks, ending}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            for each in (*tasks, ending):
                each.cancel()
            ends = await asyncio.gather(*tasks, ending, return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception):
                raise end
    finally:
        await database.close()
