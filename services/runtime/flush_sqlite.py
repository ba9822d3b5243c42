"""The one write of a decision on SQLite: one errand to the connection's thread.

What is relied on is looked at, and everything written and committed, without a word in
between: each errand costs more than a small statement does. Where a transaction is open
already, it is its owner who commits.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, cast

from sqlalchemy import Table
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime.changed import GUARD, Changed, Conflict, Row, Stale, keys, names
from services.runtime.sqlite_connection import PatientConnection

_DIALECT = sqlite.dialect()


@dataclass(frozen=True, slots=True)
class _Write:
    """One statement for many rows; `exactly` that many must have been changed."""

    statement: str
    values: list[tuple[Any, ...]]
    exactly: bool = False


async def flush(
    connection: AsyncConnection,
    inserts: Mapping[Table, Sequence[Row]],
    updates: Mapping[Table, Sequence[Changed]],
    relied: Mapping[Table, Sequence[Row]],
) -> None:
    """See `services.runtime.flush.flush`."""
    looks = [
        (_same(table), [_values(table, (*keys(table), table.info[GUARD]), row) for row in rows])
        for table, rows in relied.items()
    ]
    writes = [_inserting(table, inserts[table]) for table in _referred_first(inserts)]
    writes += [_updating(table, changes) for table, changes in updates.items()]
    raw = await connection.get_raw_connection()
    driver = cast("PatientConnection", raw.driver_connection)
    try:
        await driver.run(partial(_write, looks, writes))
    except sqlite3.IntegrityError as error:
        raise Conflict(str(error)) from error


def _write(
    looks: Sequence[tuple[str, list[tuple[Any, ...]]]],
    writes: Sequence[_Write],
    connection: sqlite3.Connection,
) -> None:
    """Do it, on the connection's own thread."""
    alone = not connection.in_transaction
    cursor = connection.cursor()
    try:
        if alone:
            cursor.execute("BEGIN IMMEDIATE")
        for statement, rows in looks:
            for values in rows:
                _expect(1, len(cursor.execute(statement, values).fetchall()))
        for write in writes:
            cursor.executemany(write.statement, write.values)
            if write.exactly:
                _expect(len(write.values), cursor.rowcount)
        if alone:
            cursor.execute("COMMIT")
    except BaseException:
        if alone and connection.in_transaction:
            cursor.execute("ROLLBACK")
        raise
    finally:
        cursor.close()


def _expect(wanted: int, found: int) -> None:
    if found != wanted:
        raise Stale


def _inserting(table: Table, rows: Sequence[Row]) -> _Write:
    return _Write(_insert(table), [_values(table, names(table), row) for row in rows])


def _updating(table: Table, changes: Sequence[Changed]) -> _Write:
    guard = table.info[GUARD]
    values = [
        (
            *_values(table, _changing(table), each.after),
            *_values(table, keys(table), each.after),
            *_values(table, (guard,), each.before),
        )
        for each in changes
    ]
    return _Write(_update(table), values, exactly=True)


def _values(table: Table, columns: Sequence[str], row: Row) -> tuple[Any, ...]:
    writers = _writers(table)
    return tuple(
        value if (writer := writers.get(name)) is None else writer(value)
        for name in columns
        for value in (row[name],)
    )


@cache
def _writers(table: Table) -> dict[str, Callable[[Any], Any]]:
    """How the values of a column are written, where not as they are."""
    found = {
        str(column.name): column.type.dialect_impl(_DIALECT).bind_processor(_DIALECT)
        for column in table.columns
    }
    return {name: writer for name, writer in found.items() if writer is not None}


@cache
def _changing(table: Table) -> tuple[str, ...]:
    return tuple(name for name in names(table) if name not in keys(table))


@cache
def _insert(table: Table) -> str:
    columns = ", ".join(f'"{name}"' for name in names(table))
    places = ", ".join("?" for _ in names(table))
    return f'INSERT INTO "{table.name}" ({columns}) VALUES ({places})'  # noqa: S608 - our own metadata


@cache
def _update(table: Table) -> str:
    changes = ", ".join(f'"{name}" = ?' for name in _changing(table))
    return f'UPDATE "{table.name}" SET {changes} WHERE {_where(table)}'  # noqa: S608 - our own metadata


@cache
def _same(table: Table) -> str:
    return f'SELECT 1 FROM "{table.name}" WHERE {_where(table)}'  # noqa: S608 - our own metadata


def _where(table: Table) -> str:
    return " AND ".join(f'"{name}" = ?' for name in (*keys(table), table.info[GUARD]))


def _referred_first(tables: Mapping[Table, object]) -> list[Table]:
    if len(tables) < 2:
        return list(tables)
    order = _positions(next(iter(tables)))
    return sorted(tables, key=lambda table: order[table.name])


@cache
def _positions(table: Table) -> dict[str, int]:
    return {each.name: place for place, each in enumerate(table.metadata.sorted_tables)}
