"""The durable outbox: what a device has asked, until it is answered.

A request is written here, and the disk has said that it has it, before it is ever
published; it leaves only when its reply has come. So a device may lose power at any
moment and still knows, when it starts again, what it has to send once more.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self
from uuid import UUID

log = logging.getLogger("heard.devices.outbox")

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS request (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    id       BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    topic    TEXT NOT NULL,
    payload  BLOB NOT NULL,
    created  TEXT NOT NULL
)
"""
# Not INSERT OR IGNORE: that would also swallow what breaks another constraint.
_PUT: Final = (
    "INSERT INTO request (id, topic, payload, created) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (id) DO NOTHING"
)
_CLEAR: Final = "DELETE FROM request WHERE id = ?"
_WAITING: Final = "SELECT id, topic, payload, created FROM request ORDER BY position"


class OutboxInUse(RuntimeError):
    """Another process or object has this outbox open; a device has one outbox, open once."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is in use: stop the other process, or give this device its own")
        self.path = path


class OutboxBroken(RuntimeError):
    """The outbox cannot be read or written: no space, no permission, or not an outbox."""

    def __init__(self, path: Path, why: object) -> None:
        super().__init__(f"the outbox {path} cannot be used: {why}")
        self.path = path


@dataclass(frozen=True, slots=True)
class Entry:
    """One request as it waits.

    Attributes:
        id: the request's id, under which its reply will come.
        topic: where it is published.
        payload: the bytes that are published, each time the same.
        created: when it was asked, by the device's clock, in UTC.
    """

    id: UUID
    topic: str
    payload: bytes
    created: datetime


def exclusively(path: Path | None, schema: str) -> sqlite3.Connection:
    """Open a file of a device's own, with its one table, so that nobody else can meanwhile.

    What it commits survives a power cut. None is a database in memory alone.

    Raises:
        OutboxInUse: the file is already open, here or in another process.
        OutboxBroken: the file cannot be used.
    """
    where = path or Path(":memory:")
    try:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(where, timeout=0, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise OutboxBroken(where, error) from error
    try:
        # Exclusive before WAL: then the lock lasts until close, and no file of
        # shared memory is needed.
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("BEGIN IMMEDIATE")
        database.execute(schema)
        database.execute("COMMIT")
    except sqlite3.Error as error:
        database.close()
        if getattr(error, "sqlite_errorcode", None) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            raise OutboxInUse(where) from error
        raise OutboxBroken(where, error) from error
    return database


class Outbox:
    """Requests in one SQLite file that survive kill -9 and power cuts.

    The file is held exclusively while open: the lock goes with the process, however
    it ends. All methods may be called from any thread.

    Args:
        path: the file; it and its folder are made when absent.

    Raises:
        OutboxInUse: the file is already open, here or in another process.
        OutboxBroken: the file cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self._lock = threading.Lock()
        self._database = exclusively(path, _SCHEMA)

    def put(self, id: UUID, topic: str, payload: bytes, created: datetime) -> None:  # noqa: A002 - the word of CloudEvents
        """Keep one request; when this returns, it survives a power cut.

        Raises:
            OutboxBroken: the disk did not take it.
        """
        self.commit(puts=[Entry(id, topic, payload, created)])

    def put_many(self, entries: Iterable[Entry]) -> None:
        """Keep many requests with one write to the disk: all of them or none.

        Raises:
            OutboxBroken: the disk did not take them.
        """
        self.commit(puts=entries)

    def clear(self, id: UUID) -> None:  # noqa: A002 - the word of CloudEvents
        """Forget an answered request; one that is not there is no error.

        Raises:
            OutboxBroken: the disk did not take it.
        """
        self.commit(clears=[id])

    def commit(self, *, puts: Iterable[Entry] = (), clears: Iterable[UUID] = ()) -> None:
        """Keep and forget in one transaction. An id that is already there stays as it was.

        Raises:
            OutboxBroken: the disk did not take it; nothing has changed.
        """
        rows = [(e.id.bytes, e.topic, e.payload, e.created.isoformat()) for e in puts]
        gone = [(id_.bytes,) for id_ in clears]
        try:
            if len(rows) == 1 and not gone:
                with self._lock:
                    # One statement is a transaction of its own, at a third of the calls.
                    self._database.execute(_PUT, rows[0])
                return
            with self._lock, self._transaction():
                if gone:
                    self._database.executemany(_CLEAR, gone)
                if rows:
                    self._database.executemany(_PUT, rows)
        except sqlite3.Error as error:
            raise OutboxBroken(self.path, error) from error

    def waiting(self) -> list[Entry]:
        """Every request without a reply, in the order in which they were put."""
        try:
            with self._lock:
                rows = self._database.execute(_WAITING).fetchall()
        except sqlite3.Error as error:
            raise OutboxBroken(self.path, error) from error
        return [
            Entry(UUID(bytes=id_), topic, payload, datetime.fromisoformat(created).astimezone(UTC))
            for id_, topic, payload, created in rows
        ]

    def close(self) -> None:
        """Give the file free. May be called twice."""
        with self._lock:
            self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            # A failed COMMIT may have rolled back by itself: then there is nothing to undo.
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise


class OutboxWriter:
    """Writes an outbox so that what came in meanwhile goes in one commit.

    A commit costs a wait for the disk; so the busier the device, the more requests
    share one. Who may write at once calls `flush`; where nobody does, a thread of the
    writer's own writes. Clearing is lazy, at most `LAZY_S` late: a clear that a power
    cut undoes only costs one more sending of a request that the services know already.

    Args:
        outbox: closed with the writer.
        name: the thread's name.
        on_kept: called, on the thread that wrote, with the ids that are now safe.
        on_failed: called there with ids that the disk did not take, and why.
    """

    LAZY_S: Final = 0.2

    def __init__(
        self,
        outbox: Outbox,
        *,
        name: str,
        on_kept: Callable[[list[UUID]], None],
        on_failed: Callable[[list[UUID], OutboxBroken], None],
    ) -> None:
        self._outbox = outbox
        self._on_kept = on_kept
        self._on_failed = on_failed
        self._work = threading.Condition()
        self._writing = threading.Lock()
        self._puts: list[Entry] = []
        self._clears: list[UUID] = []
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, entries: Iterable[Entry], *, flushed: bool = False) -> None:
        """Have these kept; `on_kept` says when they are.

        Args:
            entries: the requests.
            flushed: the caller sees to it that someone calls `flush` at once; it
                spares waking the writer's thread.

        Raises:
            RuntimeError: the writer is closed.
        """
        with self._work:
            if self._closing:
                raise RuntimeError(f"the outbox {self._outbox.path} is closed")
            self._puts.extend(entries)
            if not flushed:
                self._work.notify()

    def clear(self, ids: Iterable[UUID]) -> None:
        """Have these forgotten, soon."""
        with self._work:
            idle = not self._clears
            self._clears.extend(ids)
            if idle:
                self._work.notify()

    def nudge(self) -> None:
        """Nobody flushes from now on: the writer's thread sees to it."""
        with self._work:
            self._work.notify()

    def flush(self) -> bool:
        """Write what was put, now, on the calling thread; clearing is left for later.

        Returns:
            Whether there was anything to write.
        """
        if not self._puts:
            return False
        self._write(clearing=False)
        return True

    def close(self) -> None:
        """Write what waits, then close the outbox."""
        with self._work:
            self._closing = True
            self._work.notify()
        self._thread.join()
        self._outbox.close()

    def _run(self) -> None:
        while True:
            with self._work:
                self._work.wait_for(lambda: self._puts or self._clears or self._closing)
                self._work.wait_for(lambda: self._puts or self._closing, self.LAZY_S)
                closing = self._closing
            self._write()
            if closing:
                return

    def _write(self, *, clearing: bool = True) -> None:
        with self._writing:
            clears: list[UUID] = []
            with self._work:
                puts, self._puts = self._puts, []
                if clearing:
                    clears, self._clears = self._clears, []
            if not puts and not clears:
                return
            ids = [entry.id for entry in puts]
            try:
                self._outbox.commit(puts=puts, clears=clears)
            except OutboxBroken as error:
                log.error("%s", error)  # noqa: TRY400 - one line for people; the cause is in it
                with self._work:
                    self._clears = clears + self._clears
                if ids:
                    self._on_failed(ids, error)
            else:
                if ids:
                    self._on_kept(ids)
