"""What ends the parties whose time is up, and forgets those that ended long ago."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Final

import structlog

from schemas.identifiers import derived_id
from services.orders import party_store
from services.orders.inside import EndParty
from services.runtime.database import Database, is_away
from services.runtime.intake import Intake, NotServing
from services.runtime.moment import Clock

log = structlog.get_logger(__name__)

EVERY_S: Final = 1.0
AT_ONCE: Final = 100
FORGET_EVERY: Final = 3600
"""Rounds."""
FORGOTTEN_AFTER: Final = timedelta(days=1)


class PartyTimer:
    """Looks at the parties' times, for as long as this process serves.

    Args:
        database: where parties are kept.
        intake: takes what the services ask of themselves.
        clock: the time.
        every_s: seconds between two looks.
    """

    def __init__(
        self, database: Database, intake: Intake, clock: Clock, *, every_s: float = EVERY_S
    ) -> None:
        self._database: Final = database
        self._intake: Final = intake
        self._clock: Final = clock
        self._every_s: Final = every_s

    async def run(self) -> None:
        """Look, for ever."""
        rounds = 0
        while True:
            try:
                await self.look()
                if rounds % FORGET_EVERY == 0:
                    await self._forget()
                rounds += 1
            except NotServing:
                pass  # the next round asks again, under the same ids
            except Exception as error:
                if not is_away(error):
                    raise
                log.warning("database away; parties are ended later")
            await asyncio.sleep(self._every_s)

    async def look(self) -> int:
        """End the parties whose time is up; returns how many there were."""
        async with self._database.read() as connection:
            overdue = await party_store.overdue(connection, self._clock(), AT_ONCE)
        for each in overdue:
            await self._intake.ask_of_ourselves(
                each.tenant,
                EndParty(party_id=each.party_id, ends_at=each.ends_at),
                derived_id(each.ends_at, "end-party", each.tenant, str(each.party_id)),
            )
        return len(overdue)

    async def _forget(self) -> None:
        async with self._database.write() as connection:
            forgotten = await party_store.forget_ended(connection, self._clock() - FORGOTTEN_AFTER)
        if forgotten:
            log.info("forgot parties that have ended", parties=forgotten)
