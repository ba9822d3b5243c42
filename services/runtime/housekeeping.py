"""Throwing away what nobody needs any more: answers, and what nobody could understand.

An answer is kept so that a request which comes again gets it. A request that is older than
`MAX_AGE` is refused anyway, so its answer is not needed for longer. Whoever plays an old
evening again gives every order the id that it had then (`schemas.identifiers.derived_id`):
answers to such ids stay, for their requests may come again at any time.

Little by little: a few hundred rows a transaction, so that no order waits for it.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import Select, Table, delete, select

from schemas.envelope import MAX_AGE
from services.runtime.among import among
from services.runtime.database import Database
from services.runtime.moment import Clock
from services.runtime.rounds import for_ever
from services.runtime.tables import INBOX, QUARANTINE

log = structlog.get_logger(__name__)

EVERY_S: Final = 3600.0
PAGE: Final = 500
PAUSE_S: Final = 0.05
MARGIN: Final = timedelta(days=1)
"""For clocks that disagree."""
HISTORIC: Final = timedelta(days=400)
"""An id made so long before its request was answered belongs to an evening played again."""
QUARANTINE_AGE: Final = timedelta(days=30)
QUARANTINE_ROWS: Final = 1_000
"""Of each tenant, the newest."""

_FIRST: Final = 0x7 << 76 | 0b10 << 62
"""Version and variant of a UUIDv7, below its 48 bits of milliseconds."""


class Housekeeping:
    """Keeps inbox and quarantine small.

    Args:
        database: where they are.
        clock: tells what is old.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database: Final = database
        self._clock: Final = clock

    async def run(self) -> None:
        """Look once an hour, for ever."""
        await for_ever(self.tidy, EVERY_S, "old rows are thrown away")

    async def tidy(self) -> tuple[int, int]:
        """Throw away what is old; returns how many answers and entries of quarantine."""
        answers = await self._answers()
        entries = await self._entries()
        if answers or entries:
            log.info("threw away what nobody needs", answers=answers, quarantine=entries)
        return answers, entries

    async def _answers(self) -> int:
        before = self._clock() - MAX_AGE - MARGIN
        thrown = 0
        for tenant in await self._tenants(INBOX):
            # By the times in their ids, so that only what is old is looked at; and then
            # those whose ids tell no time, or a wrong one.
            old = first_id_at(before)
            for low, high in ((first_id_at(before - HISTORIC), old), (old, None)):
                query = select(INBOX.c.request_id).where(
                    INBOX.c.tenant == tenant,
                    INBOX.c.request_id >= low,
                    INBOX.c.received_at < before,
                )
                if high is not None:
                    query = query.where(INBOX.c.request_id < high)
                thrown += await self._throw(INBOX, tenant, query.limit(PAGE))
        return thrown

    async def _entries(self) -> int:
        before = self._clock() - QUARANTINE_AGE
        thrown = 0
        for tenant in await self._tenants(QUARANTINE):
            of_tenant = select(QUARANTINE.c.entry_id).where(QUARANTINE.c.tenant == tenant)
            too_old = of_tenant.where(QUARANTINE.c.received_at < before)
            newest = of_tenant.order_by(QUARANTINE.c.entry_id.desc())
            async with self._database.read() as connection:
                last = await connection.scalar(newest.offset(QUARANTINE_ROWS - 1).limit(1))
            thrown += await self._throw(QUARANTINE, tenant, too_old.limit(PAGE))
            if last is not None:
                too_many = of_tenant.where(QUARANTINE.c.entry_id < last)
                thrown += await self._throw(QUARANTINE, tenant, too_many.limit(PAGE))
        return thrown

    async def _tenants(self, table: Table) -> list[str]:
        """Every tenant that has rows, one look-up by key each: a table may have millions."""
        found: list[str] = []
        async with self._database.read() as connection:
            while True:
                query = select(table.c.tenant).order_by(table.c.tenant).limit(1)
                if found:
                    query = query.where(table.c.tenant > found[-1])
                tenant = await connection.scalar(query)
                if tenant is None:
                    return found
                found.append(tenant)

    async def _throw(self, table: Table, tenant: str, some: Select[tuple[UUID]]) -> int:
        thrown = 0
        key = list(table.primary_key)[1]
        while True:
            async with self._database.read() as connection:
                ids = list(await connection.scalars(some))
            if not ids:
                return thrown
            async with self._database.write() as connection:
                chosen = among(key, ids, connection.dialect.name)
                await connection.execute(delete(table).where(table.c.tenant == tenant, chosen))
            thrown += len(ids)
            await asyncio.sleep(PAUSE_S)


def first_id_at(at: datetime) -> UUID:
    """The least UUIDv7 that was made at a time: ids are in the order of their times."""
    milliseconds = max(0, int(at.timestamp() * 1000)) & ((1 << 48) - 1)
    return UUID(int=milliseconds << 80 | _FIRST)
