"""Writing down how notices ended: many in one transaction, each once.

On its own each would cost the database a commit, and orders wait for those.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.notices import NoticeStatus
from services.notices import store
from services.notices.retrying import Delivered, Failed, Patience, Verdict, next_try
from services.notices.store import Row
from services.notices.writing import Dropped, Held
from services.runtime.context import Outgoing
from services.runtime.database import Database, is_away
from services.runtime.moment import Clock
from services.runtime.outbox import Parcel, enclose
from services.runtime.relay import Checkpoint, Relay

log = structlog.get_logger(__name__)

PAGE: Final = 200
AWAY_S: Final = 0.5

Ended = Verdict | Held | Dropped


@dataclass(slots=True)
class _Mark:
    """One notice, how it ended, and what goes into the outbox with that."""

    row: Row
    ended: Ended
    messages: Sequence[Outgoing]
    done: asyncio.Future[None] = field(default_factory=asyncio.Future)


class Marker:
    """Writes down how notices ended.

    Args:
        database: where they are.
        relay: publishes what goes over MQTT.
        clock: the time.
        patience: how often a notice is tried.
        checkpoint: called after the commit.
    """

    def __init__(
        self,
        database: Database,
        relay: Relay,
        clock: Clock,
        patience: Patience,
        checkpoint: Checkpoint,
    ) -> None:
        self._database: Final = database
        self._relay: Final = relay
        self._clock: Final = clock
        self._patience: Final = patience
        self._checkpoint: Final = checkpoint
        self._queue: asyncio.Queue[_Mark] = asyncio.Queue()

    async def mark(self, row: Row, ended: Ended, messages: Sequence[Outgoing] = ()) -> None:
        """Write it down; returns when it is kept.

        Raises:
            Exception: the row cannot be written, now or ever.
        """
        mark = _Mark(row, ended, messages)
        self._queue.put_nowait(mark)
        await mark.done

    async def run(self) -> None:
        """Write for ever: what has come meanwhile, in one transaction."""
        while True:
            marks = [await self._queue.get()]
            while len(marks) < PAGE and not self._queue.empty():
                marks.append(self._queue.get_nowait())
            # In one order, so that two who change the same rows do not wait for each other.
            marks.sort(key=lambda mark: (mark.row["tenant"], mark.row["notice_id"]))
            fault = await self._keep(marks)
            if fault is None or len(marks) == 1:
                _settle(marks, fault)
                continue
            for mark in marks:  # so that one bad row stops nobody else
                _settle([mark], await self._keep([mark]))

    async def _keep(self, marks: Sequence[_Mark]) -> Exception | None:
        """Keep all or none of these, however long the database is away; returns what failed."""
        while True:
            try:
                async with self._database.write() as connection:
                    messages: list[Outgoing] = []
                    for mark in marks:
                        messages += await self._one(connection, mark)
                    parcels: list[Parcel] = await enclose(connection, messages)
            except Exception as error:  # noqa: BLE001 - told to whoever waits for the mark
                if not is_away(error):
                    return error
                log.warning("database away; what was sent is marked later")
                await asyncio.sleep(AWAY_S)
            else:
                self._checkpoint("notice marked")
                self._relay.offer(parcels)
                return None

    async def _one(self, connection: AsyncConnection, mark: _Mark) -> Sequence[Outgoing]:
        """Change one row; returns what goes out with that."""
        current: Row | None = mark.row
        while current is not None and current["status"] == NoticeStatus.WAITING:
            if await store.change(connection, current, self._values(current, mark.ended)):
                return mark.messages
            # Somebody was at the row meanwhile; this is what came of it all the same.
            current = await store.find(connection, mark.row["tenant"], mark.row["notice_id"])
        return ()

    def _values(self, row: Row, ended: Ended) -> dict[str, Any]:
        now = self._clock()
        match ended:
            case Delivered():
                return store.sent(row, now)
            case Held(until=until):
                return store.held(until)
            case Dropped(why=why):
                return store.dropped(row, why, now)
            case Failed():
                return self._failed(row, ended, now)

    def _failed(self, row: Row, failed: Failed, now: datetime) -> dict[str, Any]:
        at = next_try(self._patience, row["notice_id"], row["attempts"] + 1, failed, now)
        if at is None:
            log.info("a notice is dead", tenant=row["tenant"], why=failed.why)
            return store.dead(row, failed.why, now)
        return store.again(row, failed.why, at)


def _settle(marks: Sequence[_Mark], fault: Exception | None) -> None:
    for mark in marks:
        if mark.done.done():
            continue  # whoever waited was told to end
        if fault is None:
            mark.done.set_result(None)
        else:
            mark.done.set_exception(fault)
