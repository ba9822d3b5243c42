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
from typing import Any, Final, Self, TypeVar

import aiosqlite

T = TypeVar("T")

_ROWS_AT_ONCE: Final = 256


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

    async def run(self, doing: Callable[[sqlite3.Connection], T]) -> T:
        """Do something on the connection's thread, in one errand."""
        done: T = await self._execute(doing, self._conn)
        return done

    def cursor(self) -> Any:
        """A cursor for one statement."""
        return WholeCursor(self)

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


class WholeCursor:
    """A cursor whose statement, rows and end are one errand to the connection's thread.

    The driver's own makes four of them (make, execute, fetch, close), and each costs more
    than a small statement does. Only of many rows some are left for another errand.
    """

    def __init__(self, connection: PatientConnection) -> None:
        self._connection: Final = connection
        self._open: sqlite3.Cursor | None = None
        self._found: list[Any] = []
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.arraysize = 1

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, statement: str, parameters: Any = ()) -> Self:
        """Run one statement, and read what it finds."""
        await self._connection.run(partial(self._run, "execute", statement, parameters))
        return self

    async def executemany(self, statement: str, parameters: Any) -> Self:
        """Run one statement once for each of these parameters."""
        await self._connection.run(partial(self._run, "executemany", statement, parameters))
        return self

    def _run(self, how: str, statement: str, values: Any, connection: sqlite3.Connection) -> None:
        self._open = cursor = connection.cursor()
        try:
            getattr(cursor, how)(statement, values)
        except BaseException:
            self._end()
            raise
        self.description = cursor.description
        self.rowcount, self.lastrowid = cursor.rowcount, cursor.lastrowid
        if cursor.description:
            self._read(_ROWS_AT_ONCE)
        else:
            self._end()

    def _read(self, size: int) -> None:
        if self._open is not None:
            more = self._open.fetchmany(size)
            self._found += more
            if len(more) < size:
                self._end()

    def _end(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    async def fetchall(self) -> list[Any]:
        """Give all that was found and not given yet."""
        while self._open is not None:
            await self._more(_ROWS_AT_ONCE * 16)
        return self._take(len(self._found))

    async def fetchmany(self, size: int | None = None) -> list[Any]:
        """Give the next rows, as many as there are."""
        wanted = size or self.arraysize
        if len(self._found) < wanted:
            await self._more(max(wanted, _ROWS_AT_ONCE))
        return self._take(wanted)

    async def fetchone(self) -> Any:
        """Give the next row; None after the last."""
        return next(iter(await self.fetchmany(1)), None)

    async def _more(self, size: int) -> None:
        if self._open is not None:
            await self._connection.run(lambda _: self._read(size))

    def _take(self, count: int) -> list[Any]:
        taken, self._found = self._found[:count], self._found[count:]
        return taken

    async def close(self) -> None:
        """End it; most have ended with their first errand."""
        if self._open is not None:
            await self._connection.run(lambda _: self._end())
