"""The unit of work: the rows one decision has read and will write.

A batch of messages shares one unit of work. Rows are read once, kept by their keys,
changed in memory, and written together at the end: a batch of a hundred orders costs
the database about as many round trips as one order does.

Nothing is locked while it is decided. Each row carries a version (its `guard` column),
and the write at the end says of every row which version it was decided from. If one has
changed meanwhile, nothing is written at all (`Stale`) and the batch is decided again.
So rows may also stay on a shelf from one batch to the next, and the commonest batch is a
single round trip.

Each message works on a `Draft` of its own. Only when its handler has ended well are
the draft's rows taken over; so a refused message leaves nothing behind, and its
neighbours in the batch never notice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final, TypeVar

from sqlalchemy import Select, Table, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime.among import among_bound
from services.runtime.changed import GUARD, Changed
from services.runtime.flush import flush

Row = Mapping[str, Any]
Key = tuple[str, Any]

SHELVED: Final = "shelved"
"""In a table's `info`: its rows may stay in memory between batches."""

OURS_ALONE: Final = "ours alone"
"""In a table's `info`: nobody but who serves writes it, so that a row that was not there is not
there until it is written here."""

SHELF_ROWS: Final = 50_000
"""How many rows of one table stay; the oldest go first."""

NAMES_AT_ONCE: Final = 10_000
"""How many rows one query names. A batch may ask after five times as many tickets, and SQLite
fails at 32 766, as it would were it away: the batch would be tried again for ever."""


T = TypeVar("T")


class Record(dict[str, Any]):
    """A row, and what was made of it, which need not be made again while it is remembered."""

    __slots__ = ("made",)

    made: Any


def made_of(row: Row, make: Callable[[Row], T]) -> T:
    """What a row reads as; each table has one way to be read, and what comes of it is frozen."""
    if not isinstance(row, Record):
        return make(row)
    try:
        made: T = row.made
    except AttributeError:
        row.made = made = make(row)
    return made


def key_of(table: Table, row: Row) -> Key:
    """The primary key's values of a row: the tenant, and the name or id."""
    tenant, name = _key_names(table)
    return row[tenant], row[name]


@cache
def _key_names(table: Table) -> tuple[str, str]:
    tenant, name = (column.name for column in table.primary_key)
    return tenant, name


class Shelf:
    """Rows that stay in memory from one unit of work to the next."""

    def __init__(self) -> None:
        self._rows: dict[Table, dict[Key, Row]] = {}
        self._absent: dict[Table, dict[Key, None]] = {}

    def take(self, table: Table, key: Key) -> Row | None:
        """A row that stayed, if it did."""
        return self._rows.get(table, {}).get(key)

    def keep(self, table: Table, rows: Mapping[Key, Row]) -> None:
        """Let rows stay, where their table allows it."""
        if not table.info.get(SHELVED):
            return
        shelved = self._rows.setdefault(table, {})
        absent = self._absent.get(table, {})
        for key, row in rows.items():
            shelved.pop(key, None)  # what is used moves to the end
            shelved[key] = row
            absent.pop(key, None)
        while len(shelved) > SHELF_ROWS:
            del shelved[next(iter(shelved))]

    def clear(self) -> None:
        """Forget everything: somebody else may have written."""
        self._rows.clear()
        self._absent.clear()

    def keep_absent(self, table: Table, keys: Iterable[Key]) -> None:
        """Remember which rows are not there, where their table allows it."""
        if table.info.get(OURS_ALONE):
            absent = self._absent.setdefault(table, {})
            absent.update(dict.fromkeys(keys))
            while len(absent) > SHELF_ROWS:
                del absent[next(iter(absent))]

    def lacks(self, table: Table, key: Key) -> bool:
        """Tell whether a row is known not to be there."""
        return key in self._absent.get(table, {})


class UnitOfWork:
    """Rows by table and key, as this decision sees them.

    Args:
        connection: for reading, and for the one write at the end.
        shelf: rows that stayed from before.
    """

    def __init__(self, connection: AsyncConnection, shelf: Shelf | None = None) -> None:
        self.connection: Final = connection
        self._shelf: Final = Shelf() if shelf is None else shelf
        self._rows: dict[Table, dict[Key, Row | None]] = {}
        self._read: dict[Table, dict[Key, Row]] = {}
        self._changed: dict[Table, dict[Key, Row]] = {}
        self._relied: dict[Table, set[Key]] = {}
        self._absent: dict[Table, list[Key]] = {}
        self.notes: dict[tuple[Any, ...], Any] = {}
        """What an area's store has found out and need not ask again, for as long as this lasts."""

    async def fetch(self, table: Table, keys: Iterable[Key]) -> None:
        """Read the rows of these keys that are not known yet; one query a tenant, or a few."""
        known = self._rows.setdefault(table, {})
        missing: dict[str, list[Any]] = {}
        for key in keys:
            if key in known:
                continue
            shelved = self._shelf.take(table, key)
            if shelved is None and self._shelf.lacks(table, key):
                known[key] = None
            elif shelved is None:
                missing.setdefault(key[0], []).append(key[1])
                known[key] = None
            else:
                self.adopt(table, shelved)
                # A refusal too must not rest on what another process has changed meanwhile.
                if GUARD in table.info:
                    self.rely(table, key)
        for tenant, names in missing.items():
            query = _by_keys(table, self.connection.dialect.name)
            for start in range(0, len(names), NAMES_AT_ONCE):
                some = {"whose": tenant, "names": names[start : start + NAMES_AT_ONCE]}
                found = await self.connection.execute(query, some)
                for row in found.mappings():
                    self.adopt(table, Record(row))
            self._absent.setdefault(table, []).extend(
                (tenant, name) for name in names if known[tenant, name] is None
            )

    def adopt(self, table: Table, row: Row) -> None:
        """Take in a row that was read; one that is known already stays as it is."""
        key = key_of(table, row)
        known = self._rows.setdefault(table, {})
        if known.get(key) is None:
            known[key] = row
            self._read.setdefault(table, {})[key] = row

    def rely(self, table: Table, key: Key) -> None:
        """Decide only if this row, though it is not changed, is still the same at the end."""
        self._relied.setdefault(table, set()).add(key)

    def known(self, table: Table, key: Key) -> bool:
        """Tell whether the row was looked up already."""
        return key in self._rows.get(table, {})

    def peek(self, table: Table, key: Key) -> Row | None:
        """The row as it stands, if it was looked up and exists."""
        return self._rows.get(table, {}).get(key)

    def merge(self, changes: Mapping[Table, Mapping[Key, Row]]) -> None:
        """Take over what one message has decided."""
        for table, rows in changes.items():
            self._rows.setdefault(table, {}).update(rows)
            self._changed.setdefault(table, {}).update(rows)

    def unwritten(self, table: Table) -> Mapping[Key, Row]:
        """What was decided in this batch: no query sees it before the batch is written."""
        return self._changed.get(table, {})

    async def flush(self, appended: Mapping[Table, Sequence[Row]]) -> None:
        """Write all changes, and the `appended` rows that nobody will read back.

        Raises:
            Stale: a row was changed by somebody else meanwhile; nothing was written.
            Conflict: a row exists already, or breaks a constraint.
        """
        inserts: dict[Table, list[Row]] = {
            table: list(rows) for table, rows in appended.items() if rows
        }
        updates: dict[Table, list[Changed]] = {}
        for table, rows in self._changed.items():
            read = self._read.get(table, {})
            for key, row in rows.items():
                if key in read:
                    updates.setdefault(table, []).append(Changed(read[key], row))
                else:
                    inserts.setdefault(table, []).append(row)
        relied: dict[Table, list[Row]] = {}
        for table, keys in self._relied.items():
            changed = self._changed.get(table, {})  # those are guarded by themselves
            read = self._read.get(table, {})
            rows_relied = [read[key] for key in keys if key in read and key not in changed]
            if rows_relied:
                relied[table] = rows_relied
        if inserts or updates:
            await flush(self.connection, inserts, updates, relied)

    def shelve(self) -> None:
        """After the commit: let what was read and written stay for the next batch."""
        for table, absent in self._absent.items():
            self._shelf.keep_absent(table, absent)
        for table, read in self._read.items():
            self._shelf.keep(table, read)
        for table, changed in self._changed.items():
            self._shelf.keep(table, changed)


@cache
def _by_keys(table: Table, dialect: str) -> Select[Any]:
    tenant_column, name_column = table.primary_key
    query = select(table).where(tenant_column == bindparam("whose"))
    return query.where(among_bound(name_column, "names", dialect))


class Draft:
    """What one message has changed, until its handler has ended well."""

    def __init__(self, work: UnitOfWork) -> None:
        self.work: Final = work
        self.changes: dict[Table, dict[Key, Row]] = {}

    async def get(self, table: Table, tenant: str, name: Any) -> Row | None:
        """Read one row by its key."""
        key = (tenant, name)
        drafted = self.changes.get(table, {}).get(key)
        if drafted is not None:
            return drafted
        if not self.work.known(table, key):
            await self.work.fetch(table, [key])
        return self.work.peek(table, key)

    def unwritten(self, table: Table) -> list[Row]:
        """What was decided in this batch, here or before: no query sees it yet."""
        return [*{**self.work.unwritten(table), **self.changes.get(table, {})}.values()]

    def put(self, table: Table, row: Row) -> None:
        """Write one row, new or changed; all its columns must be given."""
        self.changes.setdefault(table, {})[key_of(table, row)] = row
