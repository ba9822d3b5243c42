"""What is done round after round, for as long as a process serves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from services.runtime.database import is_away
from services.runtime.intake import NotServing

log = structlog.get_logger(__name__)


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
