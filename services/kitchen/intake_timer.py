"""Channels that open again by themselves: the load is looked at, whether orders come or not."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.identifiers import derived_id
from schemas.kitchen_rules import KitchenRules
from schemas.orders import OrderKind
from services.kitchen import channels_store, throttling
from services.kitchen.channels_store import INTAKES
from services.kitchen.inside import AdjustIntakes
from services.kitchen.rulebooks import Rulebooks
from services.runtime.database import Database
from services.runtime.intake import Intake
from services.runtime.moment import Clock
from services.runtime.rounds import for_ever

log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 5.0


class IntakeTimer:
    """Looks whether what is told of the channels still holds, and has it said anew.

    Args:
        database: where the load stands.
        intake: where it is said.
        clock: tells which quarter it is.
        look_every_s: seconds between two looks.
    """

    def __init__(
        self,
        database: Database,
        intake: Intake,
        clock: Clock,
        *,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._database: Final = database
        self._intake: Final = intake
        self._clock: Final = clock
        self._look_every_s: Final = look_every_s
        self._books: Final = Rulebooks()

    async def run(self) -> None:
        """Look, for ever."""
        await for_ever(self.look, self._look_every_s, "channels are looked at")

    async def look(self) -> list[str]:
        """Have said anew what does not hold any more; returns of which houses.

        Raises:
            NotServing: this process does not serve; later, or elsewhere.
        """
        now = self._clock()
        async with self._database.read() as connection:
            wrong = {
                tenant: stations
                for tenant in await self._that_throttle(connection)
                if (stations := await self._stale(connection, tenant, now)) is not None
            }
        for tenant, stations in wrong.items():
            request = AdjustIntakes(stations=tuple(sorted(stations)))
            request_id = derived_id(now, "adjust intakes", tenant, now.isoformat())
            await self._intake.ask_of_ourselves(tenant, request, request_id)
        return sorted(wrong)

    async def _that_throttle(self, connection: AsyncConnection) -> set[str]:
        """The houses whose channels may change by themselves."""
        await self._books.read(connection)
        known = self._books.known.items()
        throttled = {tenant for tenant, book in known if book.rules.throttle is not None}
        return throttled | set(await connection.scalars(select(INTAKES.c.tenant).distinct()))

    async def _stale(
        self, connection: AsyncConnection, tenant: str, now: datetime
    ) -> set[str] | None:
        """The stations by whose load another thing is to be told; None where all holds."""
        known = self._books.known.get(tenant)
        book = KitchenRules() if known is None else known.rules
        work_s = await channels_store.work_now(connection, tenant, now)
        load = throttling.fullest(book, work_s)
        standings = await channels_store.standings(connection, tenant)
        for channel in OrderKind:
            before = standings.get(channel)
            if before is None and book.throttle is None:
                continue  # nothing is told of it, and nothing needs to be
            after = throttling.decide(channel, book.throttle, load, before, now)
            if throttling.differs(before, after):
                return set(work_s)
        return None
