"""Who serves: one process at a time, another may stand by.

Positions have a lease of their own: they may be taken by another process than orders are.

The relay's order and the order numbers rest on a single serving process. A second one
waits until the first is gone, and takes over by itself. On PostgreSQL the lease is an
advisory lock, which the server gives back when the connection dies; on SQLite it is a
lock on a file beside the database, which the kernel gives back when the process dies.
"""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime.database import Database, is_away

log = structlog.get_logger(__name__)

_LOCK: Final = 0x48454152_44  # "HEARD"
SERVING: Final = ""
"""What is leased: to serve, ..."""
POSITIONS: Final = "positions"
"""... or to take positions."""
_LOCKS: Final = {SERVING: _LOCK, POSITIONS: _LOCK + 1}
RETRY_S: Final = 0.5


class LeaseLost(Exception):
    """The database let another process serve: this one must stop at once."""


@asynccontextmanager
async def lease(database: Database, of: str = SERVING) -> AsyncIterator[asyncio.Event]:
    """Hold the right to serve, or to take positions; the event is set when it was lost.

    Waits, and says so once, while another process does.
    """
    if database.is_sqlite:
        async with _file_lease(database, of) as lost:
            yield lost
    else:
        async with _advisory_lease(database, of) as lost:
            yield lost


@asynccontextmanager
async def _file_lease(database: Database, of: str) -> AsyncIterator[asyncio.Event]:
    path = Path(f"{database.url.database}{of and f'.{of}'}.lease")
    with path.open("a") as file:  # noqa: ASYNC230 - an empty file beside the database
        said = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                said = said or _stand_by(database, of)
                await asyncio.sleep(RETRY_S)
        yield asyncio.Event()


@asynccontextmanager
async def _advisory_lease(database: Database, of: str) -> AsyncIterator[asyncio.Event]:
    lost = asyncio.Event()
    connection = await _queue(database, of)
    try:

        async def watch() -> None:
            while True:
                await asyncio.sleep(RETRY_S)
                try:
                    await connection.execute(text("SELECT 1"))
                except Exception as error:  # noqa: BLE001 - whatever broke it, the lock is gone
                    log.warning("the lease is lost", why=str(error)[:200])
                    lost.set()
                    return

        watching = asyncio.create_task(watch())
        try:
            yield lost
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
    finally:
        await asyncio.shield(_end(connection))


async def _queue(database: Database, of: str) -> AsyncConnection:
    """Wait for the lock, however often the database goes away meanwhile; return who holds it."""
    said = False
    while True:
        try:
            connection = await database.engine.connect()
            try:
                await connection.execution_options(isolation_level="AUTOCOMMIT")
                while not await connection.scalar(
                    text("SELECT pg_try_advisory_lock(:key)"), {"key": _LOCKS[of]}
                ):
                    said = said or _stand_by(database, of)
                    await asyncio.sleep(RETRY_S)
            except BaseException:
                await asyncio.shield(_end(connection))
                raise
        except Exception as error:
            if not is_away(error):
                raise
            log.warning("database away; trying again", why=str(error)[:200])
            await asyncio.sleep(RETRY_S)
        else:
            return connection


async def _end(connection: AsyncConnection) -> None:
    # Back in the pool it would go on holding the lock.
    await connection.invalidate()
    await connection.close()


async def is_held(database: Database) -> bool:
    """Tell whether some process serves this database now, without ever taking the lease."""
    if not database.is_sqlite:
        query = text(
            "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " AND classid = :high AND objid = :low AND objsubid = 1)"
        )
        async with database.engine.connect() as connection:
            parts = {"high": _LOCK >> 32, "low": _LOCK & 0xFFFF_FFFF}
            return bool(await connection.scalar(query, parts))
    try:
        with Path(f"{database.url.database}.lease").open() as file:  # noqa: ASYNC230 - the same
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _stand_by(database: Database, of: str) -> bool:
    text_ = "another heard serves this database; standing by"
    if of == POSITIONS:
        text_ = "another heard takes the positions of this database; standing by"
    log.warning(text_, database=database.shown)
    return True
