"""The unit of work: the rows one transaction has read and will write.

A batch of messages shares one unit of work. Rows are read once, kept by their keys,
changed in memory, and written together at the end: a batch of a hundred orders costs
the database about as many round trips as one order does.

Each message works on a `Draft` of its own. Only when its handler has ended well are
the draft's rows taken over; so a refused message leaves nothing behind, and its
neighbours in the batch never notice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Select, Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime.among import among
from services.runtime.flush import flush

Row = Mapping[str, Any]
Key = tuple[Any, ...]

_ABSENT: Final = None


def key_of(table: Table, row: Row) -> Key:
    """The primary key's values of a row, in the table's order."""
    return tuple(row[column.name] for column in table.primary_key)


class UnitOfWork:
    """Rows by table and key, as this transaction sees them."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection: Final = connection
        self._rows: dict[Table, dict[Key, Row | None]] = {}
        self._stored: dict[Table, set[Key]] = {}
        self._changed: dict[Table, dict[Key, Row]] = {}

    async def fetch(self, table: Table, keys: Iterable[Key]) -> None:
        """Read and lock the rows of these keys ``(tenant, id)`` that are not known yet.

        One query a tenant. Rows are locked in the order of their keys, everywhere, so
        that two workers never wait for each other.
        """
        known = self._rows.setdefault(table, {})
        missing = sorted({key for key in keys if key not in known}, key=_sortable)
        if not missing:
            return
        columns = tuple(table.primary_key)
        query: Select[Any] = select(table).order_by(*columns).with_for_update()
        for tenant in sorted({key[0] for key in missing}):
            ids = [key[1] for key in missing if key[0] == tenant]
            chosen = among(columns[1], ids, self.connection.dialect.name)
            found = await self.connection.execute(query.where(columns[0] == tenant).where(chosen))
            for row in found.mappings():
                self.adopt(table, dict(row))
        for key in missing:
            known.setdefault(key, _ABSENT)

    def adopt(self, table: Table, row: Row) -> None:
        """Take in a row that a query of an area's store has read; a changed one stays."""
        key = key_of(table, row)
        if key not in self._changed.get(table, {}):
            self._rows.setdefault(table, {})[key] = row
        self._stored.setdefault(table, set()).add(key)

    def known(self, table: Table, key: Key) -> bool:
        """Tell whether the row was looked up already."""
        return key in self._rows.get(table, {})

    def peek(self, table: Table, key: Key) -> Row | None:
        """The row as it stands, if it was looked up and exists."""
        return self._rows.get(table, {}).get(key)

    def rows(self, table: Table) -> Iterable[Row]:
        """Every row of the table that this unit of work holds."""
        return [row for row in self._rows.get(table, {}).values() if row is not None]

    def merge(self, changes: Mapping[Table, Mapping[Key, Row]]) -> None:
        """Take over what one message has decided."""
        for table, rows in changes.items():
            self._rows.setdefault(table, {}).update(rows)
            self._changed.setdefault(table, {}).update(rows)

    async def flush(self, appended: Mapping[Table, Sequence[Row]]) -> None:
        """Write all changes, and the `appended` rows that nobody will read back."""
        inserts: dict[Table, list[Row]] = {
            table: list(rows) for table, rows in appended.items() if rows
        }
        updates: dict[Table, list[Row]] = {}
        for table, rows in self._changed.items():
            stored = self._stored.get(table, set())
            for key, row in rows.items():
                (updates if key in stored else inserts).setdefault(table, []).append(row)
        self._changed = {}
        if inserts or updates:
            await flush(self.connection, inserts, updates)


class Draft:
    """What one message has changed, until its handler has ended well."""

    def __init__(self, work: UnitOfWork) -> None:
        self.work: Final = work
        self.changes: dict[Table, dict[Key, Row]] = {}

    async def get(self, table: Table, *key: Any) -> Row | None:
        """Read one row by its key, locked for this transaction."""
        drafted = self.changes.get(table, {}).get(key)
        if drafted is not None:
            return drafted
        if not self.work.known(table, key):
            await self.work.fetch(table, [key])
        return self.work.peek(table, key)

    def put(self, table: Table, row: Row) -> None:
        """Write one row, new or changed; all its columns must be given."""
        self.changes.setdefault(table, {})[key_of(table, row)] = row

    def rows(self, table: Table) -> list[Row]:
        """Every row of the table known so far, as this message sees it."""
        merged = {key_of(table, row): row for row in self.work.rows(table)}
        merged.update(self.changes.get(table, {}))
        return list(merged.values())


def _sortable(key: Key) -> tuple[str, ...]:
    return tuple(str(part) for part in key)
