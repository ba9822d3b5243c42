"""What is done round after round, for as long as a process serves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from services.runtime.database import is_away
from services.runtime.intake import NotServing

log = structlog.get_logger(__name__)

FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 60.0


async def for_ever(look: Callable[[], Awaitable[object]], every_s: float, later: str) -> None:
    """Look, and look again after a while; what cannot be done now is done in a later round.

    Args:
        look: does what is due, and finds in the rows what that is.
        every_s: seconds between two rounds.
        later: for the log, what waits while the database is away.
    """
    while True:
        try:
            await look()
        except NotServing:
            pass  # whoever serves next finds what is due, and asks under the same ids
        except Exception as error:
            if not is_away(error):
                raise
            log.warning("database away", later=later, why=str(error)[:200])
        await asyncio.sleep(every_s)


async def begun_again(
    task: Callable[[], Awaitable[None]],
    *,
    pause_s: float = FIRST_PAUSE_S,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Run a task that never ends; one that fails is begun again, and what runs beside it goes on.

    That the database is away is no fault of the task: who holds the lease has to know of it.

    Args:
        task: what runs.
        pause_s: seconds before it is begun again; twice as many each time that it fails soon.
        sleep: waits so many seconds.

    Raises:
        Exception: the database is away.
    """
    pause = pause_s
    while True:
        began = time.monotonic()
        try:
            await task()
        except Exception as error:
            if is_away(error):
                raise
            if time.monotonic() - began > LONGEST_PAUSE_S:
                pause = pause_s
            name = getattr(task, "__qualname__", repr(task))
            log.exception("a task failed; it is begun again", task=name, in_s=pause)
        await sleep(pause)
        pause = min(LONGEST_PAUSE_S, pause * 2)
