"""A child: the services, which also take requests from a drop folder.

`live` takes the fields of `Dropping` as JSON. It ends gracefully on
SIGTERM, and kills itself where `Serving.crash` says, as ``kill -9`` would.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import uvloop

from broker_config.access import service_credentials
from broker_config.embedded import EmbeddedBroker
from broker_config.settings import BrokerAddress
from cli.compose import assemble
from services.people.credentials import DatabaseDirectory
from services.runtime.database import Database
from services.runtime.file_drop import FileDrop
from services.runtime.moment import system_clock
from services.runtime.relay import no_checkpoint
from tests.faults.serving import Serving, crashing


class Dropping(Serving):
    """What one such process needs to know."""

    drop: str
    """The folder."""


async def serve(given: Dropping) -> None:
    """Serve until SIGTERM."""
    async with AsyncExitStack() as stack:
        database = Database(given.database_url)
        stack.push_async_callback(database.close)
        if given.embedded:
            directory = DatabaseDirectory(database, service_credentials(given.secret))
            await stack.enter_async_context(EmbeddedBroker(directory, port=given.port))
        checkpoint = no_checkpoint if given.crash is None else crashing(given.crash)
        address = BrokerAddress(port=given.port)
        served = assemble(database, address, given.secret, checkpoint=checkpoint)
        backbone = served.backbone
        drop = FileDrop(
            Path(given.drop),
            served.systems,
            database,
            system_clock,
            serving=backbone.ready.is_set,
            checkpoint=checkpoint,
        )
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, backbone.stop)
        watching = asyncio.create_task(drop.run())
        try:
            await backbone.run()
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


def live(given: str) -> None:
    """Be such a process."""
    said = Dropping.model_validate_json(given)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(said))
