"""A child: a sender alone, which kills itself at a checkpoint, as ``kill -9`` would.

``python -m tests.services.notice_child DATABASE_URL POINT``
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from services.notices.sender import Sender
from services.runtime.database import Database
from services.runtime.moment import system_clock
from services.runtime.relay import Relay
from tests.faults.mortal import die_with
from tests.services.notice_world import quick


async def send(url: str, point: str) -> None:
    """Send until the point is passed."""

    def pass_by(name: str) -> None:
        if name == point:
            os.kill(os.getpid(), signal.SIGKILL)

    database = Database(url)
    relay = Relay(database, system_clock)
    await Sender(database, relay, system_clock, pass_by, quick()).run()


if __name__ == "__main__":
    die_with(os.getppid())
    asyncio.run(send(*sys.argv[1:]))
