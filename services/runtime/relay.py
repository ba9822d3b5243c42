"""The relay: publishes the outbox, in order, and forgets a row after its PUBACK.

What this process has just committed is handed over in memory and goes out at once;
what an earlier life of it left behind, or another process (the command line) wrote,
is found in the table. A crash anywhere sends a message again, with the same id;
whoever receives it drops it.

Order: messages go out in the order of their ids, on one connection, and after a
reconnection from the first unconfirmed one on. So what is retained on the broker
always ends as the newest word.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import delete, func, select

from schemas.identifiers import derived_id
from services.runtime.among import among
from services.runtime.bus import ConnectionLost, Session
from services.runtime.context import Outgoing
from services.runtime.database import Database, is_away
from services.runtime.moment import Clock
from services.runtime.tables import OUTBOX

log = structlog.get_logger(__name__)

PAGE: Final = 2_000
WINDOW: Final = 2_000
"""How many messages may be on their way to the broker, unconfirmed."""
HIGH_WATER: Final = 20_000
"""With this many waiting, no new work is begun."""

Checkpoint = Callable[[str], None]
"""Called by name at the points where a crash would be worst; tests crash there."""


def no_checkpoint(_name: str) -> None:
    """Nothing happens in production."""


class Relay:
    """Publishes messages of the outbox and transient ones, and marks what was taken."""

    def __init__(
        self, database: Database, clock: Clock, checkpoint: Checkpoint = no_checkpoint
    ) -> None:
        self._database: Final = database
        self._clock: Final = clock
        self._checkpoint: Final = checkpoint
        self._session: Session | None = None
        self._queue: deque[tuple[Outgoing, bool]] = deque()
        self._in_flight: dict[int, tuple[Outgoing, bool]] = {}
        self._taken: list[tuple[str, UUID]] = []
        self._known: set[UUID] = set()
        self._wake = asyncio.Event()
        self._settled = asyncio.Event()
        self.published = 0

    def offer(self, messages: Iterable[Outgoing], *, kept: bool = True) -> None:
        """Take over messages that were committed just now, or that are not kept at all.

        Without a connection kept ones stay in the table until there is one, and
        transient ones are dropped: whoever misses them asks again.
        """
        if self._session is None:
            return
        for message in messages:
            if kept:
                self._known.add(message.message_id)
            self._queue.append((message, kept))
        self._pump()

    @property
    def backlog(self) -> int:
        """How many messages wait or are unconfirmed."""
        return len(self._queue) + len(self._in_flight)

    async def room(self) -> None:
        """Wait while too much is waiting."""
        while self.backlog > HIGH_WATER:
            self._settled.clear()
            await self._settled.wait()

    async def attach(self, session: Session) -> None:
        """Begin on a new connection: with all that is still in the table, in order."""
        while self._taken:
            await self._mark()
        self._queue.clear()
        self._in_flight.clear()
        self._known.clear()
        self._session = session
        session.on_confirmed(self._confirm)
        session.on_lost(self.detach)
        await self.collect(everything=True)
        await self.drain()

    def detach(self) -> None:
        """The connection is gone: what was not confirmed is still in the table."""
        self._session = None
        self._queue.clear()
        self._in_flight.clear()
        self._settled.set()

    async def collect(self, *, everything: bool = False) -> None:
        """Find rows of the table that nobody handed over: all, or those a second old."""
        last: UUID | None = None
        before = derived_id(self._clock() - timedelta(seconds=1))
        while True:
            query = select(OUTBOX).order_by(OUTBOX.c.message_id).limit(PAGE)
            if last is not None:
                query = query.where(OUTBOX.c.message_id > last)
            if not everything:
                query = query.where(OUTBOX.c.message_id < before)
            async with self._database.read() as connection:
                rows = (await connection.execute(query)).all()
            found = [
                Outgoing(
                    row.tenant,
                    row.message_id,
                    row.topic,
                    row.payload.encode(),
                    row.qos,
                    row.retain,
                )
                for row in rows
            ]
            self.offer(each for each in found if each.message_id not in self._known)
            if len(rows) < PAGE:
                return
            last = rows[-1].message_id
            await self.room()

    async def drain(self) -> None:
        """Wait until nothing waits and nothing is unconfirmed."""
        while self.backlog and self._session is not None:
            self._settled.clear()
            await self._settled.wait()

    def _pump(self) -> None:
        session = self._session
        if session is None:
            return
        while self._queue and len(self._in_flight) < WINDOW:
            message, kept = self._queue[0]
            try:
                tag = session.publish(
                    message.topic, message.payload, qos=message.qos, retain=message.retain
                )
            except ConnectionLost:
                return  # kept messages are in the table; the next connection finds them
            self._queue.popleft()
            self.published += 1
            if message.qos:
                self._in_flight[tag] = (message, kept)
            elif kept:
                self._taken.append((message.tenant, message.message_id))
        session.send_now()

    def _confirm(self, tag: int) -> None:
        entry = self._in_flight.pop(tag, None)
        if entry is None:
            return
        message, kept = entry
        if kept:
            self._checkpoint("confirmed")
            self._taken.append((message.tenant, message.message_id))
            self._wake.set()
        if self._queue and len(self._in_flight) < WINDOW // 2:
            self._pump()
        if self.backlog < HIGH_WATER:
            self._settled.set()

    async def mark(self) -> None:
        """Forget confirmed rows, for ever: many at a time, a moment after they were taken."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(0.05)
            self._wake.clear()
            while self._taken:
                try:
                    await self._mark()
                except Exception as error:
                    if not is_away(error):
                        raise
                    log.warning("database away; what was published is marked later")
                    await asyncio.sleep(0.5)

    async def _mark(self) -> None:
        batch = self._taken[:PAGE]
        by_tenant: dict[str, list[UUID]] = {}
        for tenant, message_id in batch:
            by_tenant.setdefault(tenant, []).append(message_id)
        async with self._database.write() as connection:
            for tenant in sorted(by_tenant):
                chosen = among(OUTBOX.c.message_id, by_tenant[tenant], connection.dialect.name)
                await connection.execute(
                    delete(OUTBOX).where(OUTBOX.c.tenant == tenant).where(chosen)
                )
        self._checkpoint("marked")
        del self._taken[: len(batch)]
        self._known.difference_update(message_id for _, message_id in batch)

    async def finish(self) -> None:
        """Publish and mark what is left, before a graceful end."""
        await self.drain()
        while self._taken:
            await self._mark()

    async def watch(self) -> None:
        """Look for what other processes wrote, every second, for ever."""
        while True:
            await asyncio.sleep(1.0)
            try:
                await self.collect()
            except Exception as error:
                if not is_away(error):
                    raise
                log.warning("database away; looking again in a second")


async def waiting(database: Database) -> int:
    """Count what stands in the outbox."""
    async with database.read() as connection:
        count = await connection.scalar(select(func.count()).select_from(OUTBOX))
    return int(count or 0)
