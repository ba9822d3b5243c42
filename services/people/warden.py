"""The warden: ends what is over, and clears what nobody owns, for as long as it serves.

Secrets and devices whose time is up are ended within half a second, on the broker too. Once
a minute it looks at what stands retained on the devices' planes, for a broker that cannot
tell a presence from anything else keeps whatever a device retains.
"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from broker_config.dynamic_security import DynamicSecurityRefused
from services.people import claims, sweeping
from services.people.admission import Admission
from services.people.sweeping import Sweeper
from services.runtime.bus import ConnectionLost
from services.runtime.database import is_away

log = structlog.get_logger(__name__)

EVERY_S: Final = 0.5
SWEEP_EVERY_S: Final = 60.0
MANY: Final = 1_000


class Warden:
    """Looks after the door while nobody watches.

    Args:
        admission: ends what is over, in its own name.
        sweeper: clears what stands.
        every_s: seconds between two looks at what is over.
        sweep_every_s: seconds between two looks at what stands.
    """

    def __init__(
        self,
        admission: Admission,
        sweeper: Sweeper,
        *,
        every_s: float = EVERY_S,
        sweep_every_s: float = SWEEP_EVERY_S,
    ) -> None:
        self._admission: Final = admission
        self._sweeper: Final = sweeper
        self._every_s: Final = every_s
        self._sweep_every_s: Final = sweep_every_s

    async def run(self) -> None:
        """Look after it for ever."""
        loop = asyncio.get_running_loop()
        sweep_at = loop.time()
        while True:
            try:
                await self._admission.end_expired()
                if loop.time() >= sweep_at:
                    sweep_at = loop.time() + self._sweep_every_s
                    while await self.sweep() >= MANY:
                        pass  # a broker shows no more at once than it may queue
            except Exception as error:
                if not (_comes_back(error) or is_away(error)):
                    raise
                log.warning("what is over is ended later", why=str(error)[:200])
                await asyncio.sleep(self._every_s)
            await asyncio.sleep(self._every_s)

    async def sweep(self) -> int:
        """Clear what nobody owns, once; returns how many topics that were."""
        database = self._admission.database
        async with database.write() as connection:
            await claims.forget_old(connection, self._admission.clock())
        stray = await sweeping.unowned(database, self._sweeper)
        await self._sweeper.clear_topics(stray)
        return len(stray)


def _comes_back(error: BaseException) -> bool:
    return isinstance(error, ConnectionLost | DynamicSecurityRefused | TimeoutError)
