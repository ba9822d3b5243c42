"""Writing many rows of many tables at once: all of them, or none.

One call to the database, whatever the number of rows and tables, and it is its own
transaction (unless one is open already): see `flush_postgresql` and `flush_sqlite`.

Every changed row names the version it was decided from, in the table's `guard` column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime import flush_postgresql, flush_sqlite
from services.runtime.changed import Changed, Row


async def flush(
    connection: AsyncConnection,
    inserts: Mapping[Table, Sequence[Row]],
    updates: Mapping[Table, Sequence[Changed]],
    relied: Mapping[Table, Sequence[Row]],
) -> None:
    """Insert and update the rows, if those `relied` on still are as they were read.

    Raises:
        Stale: a row to be changed, or relied on, is no longer as it was read.
        Conflict: a row exists already, or breaks a constraint.
    """
    of_this = flush_postgresql if connection.dialect.name == "postgresql" else flush_sqlite
    await of_this.flush(connection, inserts, updates, relied)
