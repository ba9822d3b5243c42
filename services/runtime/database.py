"""The database: SQLite beside the process, or PostgreSQL.

One engine, two kinds of connection: `write` opens a transaction that will change
rows (on SQLite it takes the write lock at once, so that it can never fail half-way
for want of it), `read` one that will not.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import asyncpg
from sqlalchemy import event, make_url
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import (
    DBAPIError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from services.runtime.changed import Conflict, Stale
from services.runtime.sqlite_connection import PatientConnection

_BEGINS: Final = "heard_begins"
"""With what a transaction on SQLite begins; None opens none."""

# An OLTP connection looks rows up by their keys and by nothing else. Plans are cached
# per connection, and one made while a table was small would go on reading it whole.
_POSTGRESQL_SETTINGS: Final = {
    "application_name": "heard",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
}


class DatabaseUnusable(Exception):
    """The database's address cannot be used; the message says what to change."""


def parse_url(text: str) -> URL:
    """Read a database address, choosing the asynchronous driver.

    Raises:
        DatabaseUnusable: it is neither SQLite nor PostgreSQL.
    """
    try:
        url = make_url(text)
    except SQLAlchemyError:
        raise DatabaseUnusable(
            f"{text!r} is no database address: use sqlite:///FILE or postgresql://USER@HOST/NAME"
        ) from None
    match url.get_backend_name():
        case "sqlite":
            return url.set(drivername="sqlite+aiosqlite")
        case "postgresql" | "postgres":
            return url.set(drivername="postgresql+asyncpg")
    raise DatabaseUnusable(f"{url.drivername} is not supported: use sqlite or postgresql")


class Database:
    """One database, reached through an asynchronous engine."""

    def __init__(self, url: str) -> None:
        self.url: Final = parse_url(url)
        self._leaving: Final[set[asyncio.Future[None]]] = set()
        self.engine: Final = self._engine()
        self._autocommit: Final = self.engine.execution_options(
            **({_BEGINS: None} if self.is_sqlite else {"isolation_level": "AUTOCOMMIT"})
        )
        self._standing: AsyncConnection | None = None
        self._one_writer = asyncio.Lock()

    @property
    def is_sqlite(self) -> bool:
        """True for SQLite: one writer, no row locks."""
        return self.url.get_backend_name() == "sqlite"

    @property
    def shown(self) -> str:
        """The address without its password, for people."""
        return self.url.set(drivername=self.url.get_backend_name()).render_as_string()

    def _engine(self) -> AsyncEngine:
        if not self.is_sqlite:
            return create_async_engine(
                self.url,
                hide_parameters=True,  # they would stand in the texts of errors, and so in logs
                pool_size=5,
                max_overflow=5,
                pool_timeout=5,
                connect_args={
                    "timeout": 5,
                    "command_timeout": 30,
                    "server_settings": _POSTGRESQL_SETTINGS,
                },
            )
        if self.url.database and self.url.database != ":memory:":
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)

        async def connect(database: str, **options: Any) -> PatientConnection:
            connection = PatientConnection(database, leaving=self._leaving, **options)
            await connection
            return connection

        engine = create_async_engine(
            self.url,
            hide_parameters=True,
            connect_args={"timeout": 30, "async_creator_fn": connect},
        )
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
        return engine

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that changes rows; committed at the end, rolled back on errors."""
        # SQLite's own way to wait for another writer is to sleep and look again: in
        # one process a lock is quicker and fair.
        async with AsyncExitStack() as stack:
            if self.is_sqlite:
                await stack.enter_async_context(self._one_writer)
            connection = await stack.enter_async_context(self._connection())
            await stack.enter_async_context(connection.begin())
            yield connection

    @asynccontextmanager
    async def decide(self) -> AsyncIterator[AsyncConnection]:
        """A connection for reads and one `flush` at the end, which is atomic by itself.

        No transaction is opened around them: that saves two round trips of three, and the
        flush says which versions of the rows it was decided from.
        """
        # One connection stands ready for this: fetching one from the pool and giving it
        # back costs a quarter of a small decision.
        async with self._one_writer:
            if self._standing is None:
                self._standing = await self._connect(self._autocommit)
            try:
                yield self._standing
            except (Stale, Conflict):
                raise  # the connection is as good as before
            except BaseException:
                # Whatever happened, the next decision begins on a connection of its own.
                standing, self._standing = self._standing, None
                await self._finished(_put_away(standing))
                raise

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """One consistent view of the rows; it never waits for a writer."""
        async with self._connection() as connection:
            await connection.execution_options(
                **(
                    {_BEGINS: "BEGIN"}
                    if self.is_sqlite
                    else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
                )
            )
            async with connection.begin():
                yield connection

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection]:
        connection = await self._connect(self.engine)
        try:
            yield connection
        finally:
            await self._finished(connection.close())

    async def _connect(self, engine: AsyncEngine) -> AsyncConnection:
        """Take a connection of the pool.

        One that is only being made must not be forgotten half made when the one who waits
        for it is cancelled: it is finished without him, and closed.
        """
        opening = asyncio.ensure_future(_open(engine))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            self._leave(_close_when_open(opening))
            raise

    def _leave(self, doing: Coroutine[Any, Any, None]) -> asyncio.Future[None]:
        """Have it done, whoever waits for it or not; `close` does."""
        leaving = asyncio.ensure_future(doing)
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)
        return leaving

    async def _finished(self, doing: Coroutine[Any, Any, None]) -> None:
        await asyncio.shield(self._leave(doing))

    async def close(self) -> None:
        """Close every connection, those too that were left while they were made or given back."""
        standing, self._standing = self._standing, None
        if standing is not None:
            self._leave(standing.close())
        while self._leaving:
            await asyncio.wait(self._leaving)
        await self.engine.dispose()


async def _open(engine: AsyncEngine) -> AsyncConnection:
    return await engine.connect()


async def _close_when_open(opening: asyncio.Future[AsyncConnection]) -> None:
    with suppress(SQLAlchemyError, OSError, asyncpg.InterfaceError, asyncpg.PostgresError):
        await (await opening).close()


async def _put_away(connection: AsyncConnection) -> None:
    await connection.invalidate()
    await connection.close()


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver must not begin transactions by itself: `_begin_sqlite` does.
    connection.isolation_level = None
    cursor = connection.cursor()
    # FULL: what was answered must survive a power cut, not only a crash.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    begins = connection.get_execution_options().get(_BEGINS, "BEGIN IMMEDIATE")
    if begins is not None:
        connection.exec_driver_sql(begins)


def is_away(error: BaseException) -> bool:
    """Tell whether an error means that the database cannot be reached, now.

    What is away comes back: the work waits. Any other error is the work's own.
    """
    if isinstance(error, OSError | PoolTimeout | asyncio.TimeoutError | sqlite3.OperationalError):
        return True
    if isinstance(error, asyncpg.InterfaceError | asyncpg.InternalClientError):
        # The driver speaks so of a connection that broke under it; but a value that it
        # cannot write stays so, however often one tries.
        return not isinstance(error, ValueError)
    if isinstance(error, asyncpg.PostgresError):
        return _passing(error)
    if isinstance(error, DBAPIError):
        if error.connection_invalidated or isinstance(error, InterfaceError | OperationalError):
            return True
        return _passing(error.orig)
    return False


def _passing(error: object) -> bool:
    # 57P0x: the server is shutting down or starting; 53xxx: out of resources; 40xxx: rolled
    # back for another's sake; 08xxx: the connection.
    state = str(getattr(error, "sqlstate", None) or "")
    return state.startswith(("57P", "53", "40", "08"))
