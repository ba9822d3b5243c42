"""A child: a sender alone, which kills itself at a checkpoint, as ``kill -9`` would.

`live` takes the fields of `Sending` as JSON.
"""

from __future__ import annotations

import asyncio
import os
import signal

from pydantic import BaseModel, ConfigDict

from services.notices.sender import Sender
from services.runtime.database import Database
from services.runtime.moment import system_clock
from services.runtime.relay import Relay
from tests.services.notice_world import quick


class Sending(BaseModel):
    """From where it sends, and where it dies."""

    model_config = ConfigDict(frozen=True)

    database_url: str
    point: str


async def send(url: str, point: str) -> None:
    """Send until the point is passed."""

    def pass_by(name: str) -> None:
        if name == point:
            os.kill(os.getpid(), signal.SIGKILL)

    database = Database(url)
    relay = Relay(database, system_clock)
    await Sender(database, relay, system_clock, pass_by, quick()).run()


def live(given: str) -> None:
    """Be such a process."""
    said = Sending.model_validate_json(given)
    asyncio.run(send(said.database_url, said.point))
