"""Keeping a tick: its fixes, its vehicles, and what was found with them, in one transaction.

Fixes do not go through the inbox: their key keeps out what comes twice. Nearly always all are
new, and on PostgreSQL go straight into the table; where one is there already the transaction
is taken again by way of a table of the session's own, which leaves out what is known.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any, Final

import asyncpg
import numpy as np
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime.among import among
from services.runtime.database import Database
from services.runtime.moment import Clock
from services.runtime.relay import Checkpoint, no_checkpoint
from services.runtime.tables import QUARANTINE, TENANTS
from services.tracking import vehicle_rows
from services.tracking.copying import COLUMNS, FixRows, written
from services.tracking.partitions import DAY_US, Partitions
from services.tracking.tables import CROSSINGS
from services.tracking.vehicle_rows import VehicleRows

_COMING: Final = "fixes_coming"
_STAGE: Final = f"create temporary table if not exists {_COMING} (like fixes) on commit delete rows"
_TAKE_OVER: Final = (
    f"insert into fixes ({', '.join(COLUMNS)}) select {', '.join(COLUMNS)} from {_COMING}"  # noqa: S608 - our own names
    " on conflict do nothing"
)
_PLACES: Final = ", ".join("?" for _ in COLUMNS)
_OF_NOBODY: Final = "23503"
"""What PostgreSQL says where a row's house is not there."""
_INSERT: Final = f"insert or ignore into fixes ({', '.join(COLUMNS)}) values ({_PLACES})"  # noqa: S608 - our own names


@dataclass(frozen=True, slots=True)
class Kept:
    """What a tick leaves in the database.

    Attributes:
        fixes: rows that nobody has told before, as far as is known.
        late: rows that may be there already.
        vehicles: rows of vehicles that changed.
        crossings: rows of who crossed a fence; one that is there already is left.
        strays: rows of the quarantine.
    """

    fixes: FixRows
    late: FixRows
    vehicles: VehicleRows
    crossings: Sequence[dict[str, Any]] = ()
    strays: Sequence[dict[str, Any]] = ()

    def __bool__(self) -> bool:
        rows = (self.fixes, self.late, self.vehicles, self.crossings, self.strays)
        return any(len(each) for each in rows)

    def tenants(self) -> set[str]:
        """Whose fixes and crossings these are."""
        names = {*self.fixes.tenant.tolist(), *self.late.tenant.tolist()}
        return {each.decode() for each in names} | {each["tenant"] for each in self.crossings}

    def of(self, tenants: set[str]) -> Kept:
        """The same, with fixes and crossings of these houses alone."""
        names = np.array(sorted(each.encode() for each in tenants), dtype="S64")
        return replace(
            self,
            fixes=self.fixes.some(np.isin(self.fixes.tenant, names)),
            late=self.late.some(np.isin(self.late.tenant, names)),
            crossings=[each for each in self.crossings if each["tenant"] in tenants],
        )


class Keeper:
    """Writes ticks, one after another.

    Args:
        database: where to.
        clock: tells for which days partitions are made.
        checkpoint: called where a crash would be worst.
    """

    def __init__(
        self, database: Database, clock: Clock, checkpoint: Checkpoint = no_checkpoint
    ) -> None:
        self._database: Final = database
        self._clock: Final = clock
        self._checkpoint: Final = checkpoint
        self._partitions: Final = Partitions(database)
        self._standing: AsyncConnection | None = None
        self.repeated = 0
        """How often a tick held what was kept already."""

    async def keep(self, kept: Kept) -> None:
        """Write it, all or nothing.

        Raises:
            Exception: whatever the database says; of the tick nothing is kept then, or all: the
                same again does no harm.
        """
        if not kept:
            return
        if self._database.is_sqlite:
            await self._keep_sqlite(kept)
            return
        days = np.unique(np.concatenate((kept.fixes.at_us, kept.late.at_us)) // DAY_US)
        await self._partitions.make(days.tolist(), self._clock().date())
        try:
            await self._keep_postgresql(kept, wary=False)
        except asyncpg.UniqueViolationError:
            self.repeated += 1
            await self._keep_postgresql(kept, wary=True)
        except (asyncpg.ForeignKeyViolationError, IntegrityError) as error:
            if getattr(getattr(error, "orig", error), "sqlstate", None) != _OF_NOBODY:
                raise
            # A house was removed in this very moment; now it is seen that it is gone.
            await self._keep_postgresql(kept, wary=True)

    async def close(self) -> None:
        """Give the connection back."""
        standing, self._standing = self._standing, None
        if standing is not None:
            await standing.close()

    async def _keep_sqlite(self, kept: Kept) -> None:
        async with self._database.write() as connection:
            kept = await _of_houses(connection, kept)
            for rows in (kept.fixes, kept.late):
                if len(rows):
                    await connection.exec_driver_sql(_INSERT, rows.tuples())
            if len(kept.vehicles):
                await connection.exec_driver_sql(vehicle_rows.SQLITE, kept.vehicles.tuples())
            if kept.crossings:
                mine = insert_sqlite(CROSSINGS).on_conflict_do_nothing()
                await connection.execute(mine, kept.crossings)
            if kept.strays:
                strays = insert_sqlite(QUARANTINE).on_conflict_do_nothing()
                await connection.execute(strays, kept.strays)
            self._checkpoint("fixes written")
        self._checkpoint("fixes committed")

    async def _keep_postgresql(self, kept: Kept, *, wary: bool) -> None:
        async with self._connection() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            async with driver.transaction():
                kept = await _of_houses(connection, kept)
                if wary:
                    await _take_over(driver, kept.fixes)
                elif len(kept.fixes):
                    await _copy(driver, "fixes", kept.fixes)
                await _take_over(driver, kept.late)
                if len(kept.vehicles):
                    await driver.execute(vehicle_rows.POSTGRESQL, *kept.vehicles.columns)
                if kept.crossings:
                    mine = insert_postgresql(CROSSINGS).on_conflict_do_nothing()
                    await connection.execute(mine, kept.crossings)
                if kept.strays:
                    strays = insert_postgresql(QUARANTINE).on_conflict_do_nothing()
                    await connection.execute(strays, kept.strays)
                self._checkpoint("fixes written")
        self._checkpoint("fixes committed")

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection]:
        """The one that stands ready; after an error, the next is a new one."""
        if self._standing is None:
            opened = await self._database.engine.connect()
            # No transaction of SQLAlchemy's own around the driver's.
            self._standing = await opened.execution_options(isolation_level="AUTOCOMMIT")
        try:
            yield self._standing
        except asyncpg.UniqueViolationError:
            raise  # rolled back: the connection is as good as before
        except BaseException:
            standing, self._standing = self._standing, None
            await asyncio.shield(_put_away(standing))
            raise


async def _of_houses(connection: AsyncConnection, kept: Kept) -> Kept:
    """What is of houses that are there: a tracker may go on speaking for one that was removed."""
    wanted = kept.tenants()
    if not wanted:
        return kept
    mine = among(TENANTS.c.tenant, wanted, connection.dialect.name)
    there = set(await connection.scalars(select(TENANTS.c.tenant).where(mine)))
    return kept if there == wanted else kept.of(there)


async def _copy(driver: Any, table: str, rows: FixRows) -> None:
    source = BytesIO(b"".join(written(rows)))
    await driver.copy_to_table(table, source=source, columns=COLUMNS, format="binary")


async def _take_over(driver: Any, rows: FixRows) -> None:
    if len(rows):
        await driver.execute(_STAGE)
        await _copy(driver, _COMING, rows)
        await driver.execute(_TAKE_OVER)


async def _put_away(connection: AsyncConnection | None) -> None:
    if connection is not None:
        await connection.invalidate()
        await connection.close()
