"""PostgreSQL databases that tests have one after the other: emptied between two, not made anew.

Making one copies hundreds of files, which is half a second of a processor; emptying one takes
milliseconds. One that was left in another shape than it was made in, or large, is thrown away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, Final, TypeVar
from uuid import uuid4

import asyncpg

from services.migrations.schema import METADATA
from tests.postgres import PostgresCluster

T = TypeVar("T")
_GROWN: Final = 4_000_000
"""Bytes: what was deleted stays in the files, and is gone through."""

# A changed definition is another version of its row in the catalogue. How many rows a table has
# is only known to the planner once somebody has counted: then it plans otherwise.
_SHAPE: Final = """
WITH ours AS (SELECT *, xmin FROM pg_class WHERE relnamespace = 'public'::regnamespace)
SELECT md5(string_agg(said, ',' ORDER BY said)) FROM (
    SELECT concat_ws(' ', 'class', oid, xmin, relfilenode, reltuples) FROM ours
    UNION ALL SELECT concat_ws(' ', 'column', attrelid, attnum, xmin) FROM pg_attribute
        WHERE attrelid IN (SELECT oid FROM ours)
    UNION ALL SELECT concat_ws(' ', 'constraint', oid, xmin) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT concat_ws(' ', 'trigger', oid, xmin) FROM pg_trigger
        WHERE tgrelid IN (SELECT oid FROM ours)
    UNION ALL SELECT concat_ws(' ', 'function', oid, xmin) FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT concat_ws(' ', 'schema', oid, xmin) FROM pg_namespace
        WHERE nspname !~ '^pg_(temp|toast)'
    UNION ALL SELECT concat_ws(' ', 'version', version_num, xmin) FROM alembic_version
) AS all_of_it(said)
"""
_SIZE: Final = """
SELECT sum(pg_relation_size(oid)) FROM pg_class WHERE relnamespace = 'public'::regnamespace
"""
_ALONE: Final = """
SELECT bool_and(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
_WITHOUT_DAYS: Final = """
DO $$ DECLARE one regclass; BEGIN
    FOR one IN SELECT inhrelid FROM pg_inherits JOIN pg_class ON oid = inhrelid
        WHERE relispartition AND relkind = 'r' AND relname <> 'fixes_other'
    LOOP EXECUTE format('DROP TABLE %s', one); END LOOP;
END $$
"""
"""The days of positions are tables that the services make."""
_EMPTY: Final = [
    "SET session_replication_role = replica",  # in whatever order
    "SET lock_timeout = '10s'",
    _WITHOUT_DAYS,
    *(f"DELETE FROM {table}" for table in METADATA.tables),  # noqa: S608 - names of ours
]


class ReusedDatabases:
    """Databases at the newest version, each somebody's until it is given back.

    Args:
        cluster: where they are.
        template: what they are copies of; its tables are empty.
    """

    def __init__(self, cluster: PostgresCluster, template: str) -> None:
        self._cluster: Final = cluster
        self._template: Final = template
        self.free: Final[list[str]] = []
        """Those that nobody has."""
        self._shapes: Final[dict[str, str]] = {}
        self.made = 0
        # A loop of its own, and never the current one: pytest-asyncio owns that.
        self._loop: Final = asyncio.new_event_loop()

    def take(self) -> str:
        """An empty database's name: one that nobody had before."""
        name = f"heard_{uuid4().hex}"
        while self.free:
            before = self.free.pop()
            # Whoever still knows it by its old name does not come in.
            try:
                self._cluster.execute(f"ALTER DATABASE {before} RENAME TO {name}")
            except asyncpg.ObjectInUseError:  # somebody came back to it since it was emptied
                self._drop(before)
                continue
            self._shapes[name] = self._shapes.pop(before)
            return name
        self._cluster.execute(f"CREATE DATABASE {name} TEMPLATE {self._template}")
        self._shapes[name], _ = self._do(self._look(name))
        self.made += 1
        return name

    def give_back(self, name: str) -> None:
        """Empty it for the next one; or throw it away, where that does not make it as it was."""
        shape, size = self._do(self._emptied(name))
        if shape == self._shapes[name] and size < _GROWN:
            self.free.append(name)
        else:
            self._drop(name)

    def close(self) -> None:
        """Throw away those that nobody has."""
        for name in self.free:
            self._drop(name)
        self.free.clear()
        self._loop.close()

    def _drop(self, name: str) -> None:
        del self._shapes[name]
        self._cluster.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _do(self, doing: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(doing)

    async def _look(self, name: str, first: Sequence[str] = ()) -> tuple[str, int]:
        connection = await asyncpg.connect(
            user="heard", database=name, host=str(self._cluster.directory)
        )
        try:
            if first:
                await connection.fetchval(_ALONE)
                await connection.execute("; ".join(first))
            return await connection.fetchval(_SHAPE), await connection.fetchval(_SIZE)
        finally:
            await connection.close()

    async def _emptied(self, name: str) -> tuple[str, int]:
        try:
            return await self._look(name, _EMPTY)
        except asyncpg.PostgresError:
            return "", 0  # a table is gone, or is held: whatever it is, it is not as it was
