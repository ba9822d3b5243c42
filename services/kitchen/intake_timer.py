"""Channels that open again by themselves: the load is looked at, whether orders come or not."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.identifiers import derived_id
from schemas.kitchen_rules import KitchenRules
from schemas.orders import OrderKind
from services.kitchen import channels_store, throttling
from services.kitchen.channels_store import INTAKES
from services.kitchen.inside import AdjustIntakes
from services.kitchen.rulebooks import Rulebooks
from services.runtime.timers import Timer, one_by_one


class IntakeTimer(Timer):
    """Looks whether what is told of the channels still holds, and has it said anew."""

    usual_s = 5.0
    later = "channels are looked at"

    def _begin(self) -> None:
        self._books = Rulebooks()

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

        async def say_anew(tenant: str) -> bool:
            request = AdjustIntakes(stations=tuple(sorted(wrong[tenant])))
            request_id = derived_id(now, "adjust intakes", tenant, now.isoformat())
            return await self._ask(tenant, request, request_id)

        await one_by_one(wrong, say_anew)
        return sorted(wrong)

    async def _that_throttle(self, connection: AsyncConnection) -> set[str]:
        """The houses whose channels may change by themselves."""
        await self._books.read(connection)
        known = self._books.known.items()
        throttled = {tenant for tenant, book in known if book.throttle is not None}
        return throttled | set(await connection.scalars(select(INTAKES.c.tenant).distinct()))

    async def _stale(
        self, connection: AsyncConnection, tenant: str, now: datetime
    ) -> set[str] | None:
        """The stations by whose load another thing is to be told; None where all holds."""
        book = self._books.known.get(tenant) or KitchenRules()
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
