"""Positions that wait to be told, in a file that outlives a power cut. Bounded: the oldest go.

They are rounded as they are kept: to a centimetre, and a hundredth of whatever else. A phone's
own figures are twice as long, and tell no more. How often they are to be told stands beside them.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Final, Self

from pydantic import ValidationError

from devices.outbox import OutboxBroken, exclusively
from schemas.positions import OneFix, ReportingWish

_PLACES_OF_DEGREES: Final = 7
_PLACES: Final = 2

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS fix (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    fix      TEXT NOT NULL
)
"""
_WISH: Final = "CREATE TABLE IF NOT EXISTS wish (one INTEGER PRIMARY KEY, wish TEXT NOT NULL)"


@dataclass(frozen=True, slots=True)
class Waiting:
    """Some positions in a row.

    Attributes:
        first: the place of the oldest in the file.
        last: the place of the newest.
        fixes: oldest first.
    """

    first: int
    last: int
    fixes: tuple[OneFix, ...]


class Backlog:
    """Positions in one SQLite file, held exclusively; or in memory alone.

    All methods may be called from any thread.

    Args:
        path: the file; it and its folder are made when absent. None keeps all in memory.
        most: so many are kept; then the oldest go, and are counted.

    Raises:
        OutboxInUse: the file is open elsewhere.
        OutboxBroken: the file cannot be used.
    """

    def __init__(self, path: Path | None, *, most: int) -> None:
        self.dropped = 0
        """How many were never told, for there were too many; since it was opened."""
        self._path: Final = path
        self._most: Final = most
        self._lock: Final = threading.Lock()
        self._database = exclusively(path, _SCHEMA)
        self._execute(_WISH)
        self._count = int(self._execute("SELECT count(*) FROM fix").fetchone()[0])

    def __len__(self) -> int:
        return self._count

    def keep(self, fixes: Iterable[OneFix]) -> None:
        """Keep these; when this returns they survive a power cut.

        Raises:
            OutboxBroken: the disk did not take them; nothing has changed.
        """
        rows = [(_rounded(fix).model_dump_json(exclude_none=True),) for fix in fixes]
        if not rows:
            return
        with self._lock:
            try:
                self._database.execute("BEGIN IMMEDIATE")
                try:
                    self._database.executemany("INSERT INTO fix (fix) VALUES (?)", rows)
                    gone = self._count + len(rows) - self._most
                    if gone > 0:
                        self._database.execute(
                            "DELETE FROM fix WHERE position IN"
                            " (SELECT position FROM fix ORDER BY position LIMIT ?)",
                            (gone,),
                        )
                    self._database.execute("COMMIT")
                except BaseException:
                    if self._database.in_transaction:
                        self._database.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise OutboxBroken(self._path or Path(":memory:"), error) from error
            self._count += len(rows) - max(gone, 0)
            self.dropped += max(gone, 0)

    def after(self, position: int, most: int, most_bytes: int) -> Waiting | None:
        """The oldest after a place; None where there is none.

        Args:
            position: the place.
            most: so many at most.
            most_bytes: no more of them than so many bytes of JSON hold, but one at least.
        """
        rows = self._execute(
            "SELECT position, fix FROM fix WHERE position > ? ORDER BY position LIMIT ?",
            (position, most),
        ).fetchall()
        if not rows:
            return None
        sizes = accumulate(len(text) + len(",") for _, text in rows)
        fitting = max(1, sum(size <= most_bytes for size in sizes))
        rows = rows[:fitting]
        return Waiting(rows[0][0], rows[-1][0], _read([text for _, text in rows]))

    def newest(self) -> int:
        """The place of the newest; 0 for none."""
        (found,) = self._execute("SELECT coalesce(max(position), 0) FROM fix").fetchone()
        return int(found)

    def forget(self, told: Sequence[Waiting]) -> None:
        """These were told.

        Raises:
            OutboxBroken: the disk did not take it: they will be told again.
        """
        with self._lock:
            try:
                self._database.execute("BEGIN IMMEDIATE")
                gone = sum(
                    self._database.execute(
                        "DELETE FROM fix WHERE position BETWEEN ? AND ?", (each.first, each.last)
                    ).rowcount
                    for each in told
                )
                self._database.execute("COMMIT")
            except sqlite3.Error as error:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise OutboxBroken(self._path or Path(":memory:"), error) from error
            self._count -= gone

    @property
    def wish(self) -> ReportingWish | None:
        """What it was asked for last, in this life or an earlier one; None is nothing.

        Raises:
            OutboxBroken: the file cannot be read.
        """
        found = self._execute("SELECT wish FROM wish").fetchone()
        try:
            return None if found is None else ReportingWish.model_validate_json(found[0])
        except ValidationError:  # of another release: the broker will tell it anew
            return None

    def keep_wish(self, wish: ReportingWish | None) -> None:
        """Keep it beside the positions: one that starts with no connection follows it, too.

        Raises:
            OutboxBroken: the disk did not take it.
        """
        if wish is None:
            self._execute("DELETE FROM wish")
        else:
            self._execute("REPLACE INTO wish VALUES (1, ?)", (wish.model_dump_json(),))

    def close(self) -> None:
        """Give the file free. May be called twice."""
        with self._lock:
            self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _execute(self, statement: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        try:
            with self._lock:
                return self._database.execute(statement, values)
        except sqlite3.Error as error:
            raise OutboxBroken(self._path or Path(":memory:"), error) from error


def _rounded(fix: OneFix) -> OneFix:
    rounded: dict[str, float] = {
        "lat": round(fix.lat, _PLACES_OF_DEGREES),
        "lon": round(fix.lon, _PLACES_OF_DEGREES),
    }
    for name in ("accuracy_m", "speed_mps", "battery"):
        if (figure := getattr(fix, name)) is not None:
            rounded[name] = round(figure, _PLACES)
    if fix.heading_deg is not None:
        rounded["heading_deg"] = round(fix.heading_deg, _PLACES) % 360.0
    return fix.model_copy(update=rounded)


def _read(texts: Sequence[str]) -> tuple[OneFix, ...]:
    """Read them; what an older release wrote and none can read any more is left out."""
    found = []
    for text in texts:
        try:
            found.append(OneFix.model_validate_json(text))
        except ValidationError:
            continue
    return tuple(found)
