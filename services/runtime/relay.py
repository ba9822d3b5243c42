"""The relay: publishes the outbox, in order, and forgets a parcel after its PUBACKs.

What this process has just committed is handed over in memory and goes out at once;
what an earlier life of it left behind, or another process (the command line) wrote,
is found in the table. A crash anywhere sends a message again, with the same id;
whoever receives it drops it.

Order: parcels go out in the order of their ids, on one connection, and after a
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
from sqlalchemy import delete, select

from schemas.identifiers import derived_id
from services.runtime.among import among
from services.runtime.bus import ConnectionLost, Session
from services.runtime.context import Outgoing
from services.runtime.database import Database, is_away
from services.runtime.moment import Clock
from services.runtime.outbox import Parcel, unpack
from services.runtime.tables import OUTBOX

log = structlog.get_logger(__name__)

PAGE: Final = 500
WINDOW: Final = 2_000
"""How many messages may be on their way to the broker, unconfirmed."""
HIGH_WATER: Final = 20_000
"""With this many waiting, no new work is begun."""

Checkpoint = Callable[[str], None]
"""Called by name at the points where a crash would be worst; tests crash there."""


def no_checkpoint(_name: str) -> None:
    """Nothing happens in production."""


class Relay:
    """Publishes parcels of the outbox and passing words, and forgets what was taken."""

    def __init__(
        self, database: Database, clock: Clock, checkpoint: Checkpoint = no_checkpoint
    ) -> None:
        self._database: Final = database
        self._clock: Final = clock
        self._checkpoint: Final = checkpoint
        self._session: Session | None = None
        self._queue: deque[tuple[Outgoing, Parcel | None]] = deque()
        self._in_flight: dict[int, Parcel | None] = {}
        self._left: dict[UUID, int] = {}
        self._taken: list[Parcel] = []
        self._known: set[UUID] = set()
        self._wake = asyncio.Event()
        self._settled = asyncio.Event()
        self.published = 0

    def offer(self, parcels: Iterable[Parcel]) -> None:
        """Take over parcels that were committed just now, or found in the table: each once.

        Without a connection they stay in the table until there is one.
        """
        if self._session is None:
            return
        for parcel in parcels:
            if parcel.parcel_id in self._known:
                continue
            self._known.add(parcel.parcel_id)
            self._left[parcel.parcel_id] = len(parcel.messages)
            self._queue.extend((message, parcel) for message in parcel.messages)
        self._pump()

    def say(self, messages: Iterable[Outgoing]) -> None:
        """Publish words that are not kept: whoever misses them asks again."""
        if self._session is not None:
            self._queue.extend((message, None) for message in messages)
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
        self.detach()
        self._known.clear()
        self._session = session
        # An earlier connection may still have a word to say: it must not touch this one.
        session.on_confirmed(lambda tag: self._confirm(tag) if self._session is session else None)
        session.on_lost(lambda: self.detach() if self._session is session else None)
        await self.collect(everything=True)
        await self.drain()

    def detach(self) -> None:
        """The connection is gone: what was not confirmed is still in the table."""
        self._session = None
        self._queue.clear()
        self._in_flight.clear()
        self._left.clear()
        self._settled.set()

    async def collect(self, *, everything: bool = False) -> None:
        """Find parcels in the table that nobody handed over: all, or those a second old."""
        last: UUID | None = None
        before = derived_id(self._clock() - timedelta(seconds=1))
        while True:
            query = select(OUTBOX).order_by(OUTBOX.c.parcel_id).limit(PAGE)
            if last is not None:
                query = query.where(OUTBOX.c.parcel_id > last)
            if not everything:
                query = query.where(OUTBOX.c.parcel_id < before)
            async with self._database.read() as connection:
                found = [unpack(dict(row)) for row in (await connection.execute(query)).mappings()]
            self.offer(found)
            if len(found) < PAGE:
                return
            last = found[-1].parcel_id
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
            message, parcel = self._queue[0]
            try:
                tag = session.publish(
                    message.topic, message.payload, qos=message.qos, retain=message.retain
                )
            except ConnectionLost:
                return  # parcels are in the table; the next connection finds them
            self._queue.popleft()
            self.published += 1
            if message.qos:
                self._in_flight[tag] = parcel
            else:
                self._count_down(parcel)
        session.send_now()

    def _confirm(self, tag: int) -> None:
        if tag not in self._in_flight:
            return
        self._count_down(self._in_flight.pop(tag))
        if self._queue and len(self._in_flight) < WINDOW // 2:
            self._pump()
        if self.backlog < HIGH_WATER:
            self._settled.set()

    def _count_down(self, parcel: Parcel | None) -> None:
        if parcel is None:
            return
        self._left[parcel.parcel_id] -= 1
        if not self._left[parcel.parcel_id]:
            del self._left[parcel.parcel_id]
            self._checkpoint("confirmed")
            self._taken.append(parcel)
            self._wake.set()

    async def mark(self) -> None:
        """Forget confirmed parcels, for ever: many at a time, a moment after they were taken."""
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
        for parcel in batch:
            by_tenant.setdefault(parcel.tenant, []).append(parcel.parcel_id)
        async with self._database.write() as connection:
            for tenant in sorted(by_tenant):
                chosen = among(OUTBOX.c.parcel_id, by_tenant[tenant], connection.dialect.name)
                await connection.execute(
                    delete(OUTBOX).where(OUTBOX.c.tenant == tenant).where(chosen)
                )
        self._checkpoint("marked")
        del self._taken[: len(batch)]
        self._known.difference_update(parcel.parcel_id for parcel in batch)

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
