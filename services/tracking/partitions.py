"""Fixes on PostgreSQL lie in partitions, one a day: an old day goes at once, and for nothing.

A partition is made before the first fix of its day is written, for the days around today
alone; what is told of any other day lies in ``fixes_other``, so nobody's clock can make
partitions without end.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from services.runtime.database import Database, is_away

log = structlog.get_logger(__name__)

PREFIX: Final = "fixes_"
OTHER: Final = "fixes_other"
AHEAD_DAYS: Final = 2
BEHIND_DAYS: Final = 2
DAY_US: Final = 86_400_000_000
_FIRST: Final = date(1970, 1, 1)


def name_of(day: date) -> str:
    """The partition of a day (UTC)."""
    return f"{PREFIX}{day:%Y%m%d}"


def day_of(name: str) -> date | None:
    """The day of a partition, by its name; None for one that is of no day."""
    try:
        return datetime.strptime(name, f"{PREFIX}%Y%m%d").replace(tzinfo=UTC).date()
    except ValueError:
        return None


class Partitions:
    """Makes partitions before they are needed.

    Args:
        database: on PostgreSQL; on SQLite there is nothing to make.
    """

    def __init__(self, database: Database) -> None:
        self._database: Final = database
        self._there: set[date] = set()

    async def make(self, days_us: Iterable[int], today: date) -> None:
        """See that there are partitions for today, and for the days of these fixes.

        Args:
            days_us: days as numbers, counted from 1970: microseconds over `DAY_US`.
            today: by our own clock.
        """
        if self._database.is_sqlite:
            return
        wanted = {_FIRST + timedelta(days=each) for each in days_us if abs(each) < 100_000}
        near = {
            each
            for each in wanted
            if -BEHIND_DAYS <= (each - today).days <= AHEAD_DAYS
        } | {today, today + timedelta(days=1)}  # fmt: skip
        for day in sorted(near - self._there):
            await self._make(day)
            self._there.add(day)
        if len(self._there) > 30:
            self._there = {each for each in self._there if abs((each - today).days) < 10}

    async def _make(self, day: date) -> None:
        make = text(
            f"create table if not exists {name_of(day)} partition of fixes"
            f" for values from ('{day} 00:00+00') to ('{day + timedelta(days=1)} 00:00+00')"
        )
        try:
            async with self._database.write() as connection:
                await connection.execute(make)
        except DBAPIError as error:
            if is_away(error):
                raise
            # Fixes of that day lie among the others already: there they stay, and so do more.
            log.warning("no partition of its own", day=str(day), why=str(error.orig)[:200])
