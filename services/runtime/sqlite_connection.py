"""A connection to SQLite that may be cancelled at any instant, and leaves nothing behind.

A statement runs on the connection's own thread, and nobody can take it back: who is
cancelled while he waits for it goes, and it goes on. The driver then closes the connection
below it; SQLite keeps such a connection alive, with the lock that its transaction holds,
until Python collects the last cursor; and when the event loop ends before the thread has
answered, the thread fails. So here whoever is cancelled is told so only when his statement
has ended, and a connection is rolled back before it is closed.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final

import aiosqlite

_ROWS_AT_ONCE: Final = 64


class PatientConnection(aiosqlite.Connection):
    """What `aiosqlite.connect` returns, with a patient end to everything.

    Args:
        database: the file.
        leaving: closings that go on although nobody waits for them; see `close`.
        options: of `sqlite3.connect`.
    """

    def __init__(
        self, database: str, *, leaving: set[asyncio.Future[None]], **options: Any
    ) -> None:
        super().__init__(partial(sqlite3.connect, database, **options), _ROWS_AT_ONCE)
        self._thread.daemon = True
        self._leaving: Final = leaving
        self._closing: asyncio.Future[None] | None = None
        self._stopped: asyncio.Future[Any] | None = None

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if not self._running or not self._connection:
            raise ValueError("Connection closed")
        answer = asyncio.get_running_loop().create_future()
        self._tx.put_nowait((answer, partial(fn, *args, **kwargs)))
        try:
            return await asyncio.shield(answer)
        except asyncio.CancelledError:
            while not answer.done():
                # Cancelled once more: he waits all the same, for it is soon over.
                with suppress(asyncio.CancelledError):
                    await asyncio.wait({answer})
            answer.exception()  # nobody else will ask
            raise

    async def close(self) -> None:
        """Roll back what is not committed, and close.

        It is brought to its end, and stands in `leaving` until then, when the caller does
        not wait for it.
        """
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._close())
            self._leaving.add(self._closing)
            self._closing.add_done_callback(self._leaving.discard)
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        # A cursor that was not read to its end would keep the transaction open.
        with suppress(sqlite3.Error, ValueError):
            await self.rollback()
        await super().close()

    def stop(self) -> asyncio.Future[Any] | None:
        """End the thread; asked twice, it is one end, and both have the same to wait for."""
        if self._stopped is None:
            self._stopped = super().stop()
        return self._stopped
