"""`heard serve`: the services alone."""

from __future__ import annotations

import sys

import click

from cli.application import Application, pass_application
from cli.commands.up import until_signalled
from cli.failures import Failure
from cli.grammar import Command, drop_option
from cli.printing import note
from cli.settings import BrokerKind
from cli.span import SPAN
from cli.system import System


@click.command(cls=Command)
@click.option("--for", "seconds", type=SPAN, metavar="SPAN", help="Stop after this: 20s, 5m.")
@click.option(
    "--positions",
    type=click.Choice(["beside", "apart"]),
    default="beside",
    show_default=True,
    help="Take positions beside everything else, or leave them to `heard track serve`.",
)
@drop_option
@pass_application
def serve(app: Application, *, seconds: float | None, positions: str) -> None:
    """Run the services against a broker and database of their own.

    The database must be at this program's version (`heard db upgrade`). A second one on
    the same database stands by, and takes over by itself when the first is gone.

    Examples:
      heard serve --broker mosquitto --broker-host mqtt.example
      heard serve --broker mosquitto --positions apart
      HEARD_DATABASE=postgresql://heard@localhost/heard heard serve --broker mosquitto
    """
    settings = app.settings
    if settings.broker is BrokerKind.EMBEDDED:
        raise Failure(
            "the embedded broker runs inside `heard up` alone: use that, or name a broker "
            "with --broker mosquitto"
        )
    beside = positions == "beside"
    with until_signalled() as stop, System(settings, migrate=False, positions=beside) as system:
        answers = f", answering at {system.gateway_url}" if system.gateway_url else ""
        note(f"serving at {system.address}{answers}; Ctrl-C ends it")
        waited = 0.0
        while not stop.is_set() and (seconds is None or waited < seconds):
            if system.wait(0.1):
                break
            waited += 0.1
        sys.stderr.flush()
