"""Writing many rows of many tables at once: all of them, or none.

On PostgreSQL all of it is one statement: each table's rows travel as one JSON
parameter and are unpacked by the server (``jsonb_to_recordset``), inside one
data-modifying ``WITH``. One round trip and one prepared statement per combination of
tables, whatever the number of rows; the statement is its own transaction. On SQLite,
which is in the process, each table is one ``executemany``.

Every changed row names the version it was decided from, in the table's `guard` column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count
from typing import Any, Final

import asyncpg
from pydantic_core import to_json
from sqlalchemy import Table, bindparam, func, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

Row = Mapping[str, Any]

GUARD: Final = "guard"
"""In a table's `info`: the column that changes whenever the row does."""

_WAS: Final = "was_"


class Stale(Exception):
    """A row has changed since it was read; nothing was written."""


class Conflict(Exception):
    """A row exists already, or would break a constraint; nothing was written."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A row as it was read, and as it shall be."""

    before: Row
    after: Row


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
    if connection.dialect.name == "postgresql":
        await _flush_at_once(connection, inserts, updates, relied)
        return
    try:
        await _flush_in_turn(connection, inserts, updates, relied)
    except IntegrityError as error:
        raise Conflict(str(error.orig)) from error


async def _flush_at_once(
    connection: AsyncConnection,
    inserts: Mapping[Table, Sequence[Row]],
    updates: Mapping[Table, Sequence[Changed]],
    relied: Mapping[Table, Sequence[Row]],
) -> None:
    names = (_sorted(inserts), _sorted(updates), _sorted(relied))
    values: list[str | int] = [
        *(_json([_plain(table, row) for row in inserts[table]]) for table in names[0]),
        *(_json([_guarded(table, each) for each in updates[table]]) for table in names[1]),
        *(_json([_plain(table, row) for row in relied[table]]) for table in names[2]),
        *(len(updates[table]) for table in names[1]),
        *(len(relied[table]) for table in names[2]),
    ]
    # The driver's own call: SQLAlchemy's way to it would cost as much as the statement.
    raw = await connection.get_raw_connection()
    driver: asyncpg.Connection = raw.driver_connection
    try:
        await driver.fetchval(_statement(*names), *values)
    except asyncpg.DivisionByZeroError:
        raise Stale from None
    except asyncpg.IntegrityConstraintViolationError as error:
        raise Conflict(str(error)) from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        if driver.is_closed():
            await connection.invalidate()
        raise


async def _flush_in_turn(
    connection: AsyncConnection,
    inserts: Mapping[Table, Sequence[Row]],
    updates: Mapping[Table, Sequence[Changed]],
    relied: Mapping[Table, Sequence[Row]],
) -> None:
    for table, rows in relied.items():
        guard = table.c[table.info[GUARD]]
        for row in rows:
            query = select(func.count()).select_from(table).where(guard == row[guard.name])
            for column in table.primary_key:
                query = query.where(column == row[column.name])
            if not await connection.scalar(query):
                raise Stale
    for table in _referred_first(inserts):
        await connection.execute(table.insert(), [dict(row) for row in inserts[table]])
    for table, changes in updates.items():
        guard_name = table.info[GUARD]
        done = await connection.execute(
            _update_by_key(table),
            [
                {f"b_{name}": value for name, value in each.after.items()}
                | {f"{_WAS}{guard_name}": each.before[guard_name]}
                for each in changes
            ],
        )
        if done.rowcount != len(changes):
            raise Stale


def _sorted(tables: Mapping[Table, object]) -> tuple[Table, ...]:
    return tuple(sorted(tables, key=lambda table: table.name))


def _referred_first(tables: Mapping[Table, object]) -> list[Table]:
    if len(tables) < 2:
        return list(tables)
    order = _positions(next(iter(tables)))
    return sorted(tables, key=lambda table: order[table.name])


@cache
def _positions(table: Table) -> dict[str, int]:
    return {each.name: place for place, each in enumerate(table.metadata.sorted_tables)}


def _json(rows: list[dict[str, Any]]) -> str:
    return to_json(rows).decode()


def _plain(table: Table, row: Row) -> dict[str, Any]:
    # PostgreSQL reads bytes from text in its own hexadecimal form.
    return {
        name: f"\\x{value.hex()}" if isinstance(value := row[name], bytes) else value
        for name in _names(table)
    }


@cache
def _names(table: Table) -> tuple[str, ...]:
    # Plain text: SQLAlchemy's own kind of text makes the JSON encoder look twice at each.
    return tuple(str.__str__(column.name) for column in table.columns)


def _guarded(table: Table, change: Changed) -> dict[str, Any]:
    guard = table.info[GUARD]
    return {**_plain(table, change.after), f"{_WAS}{guard}": change.before[guard]}


@cache
def _statement(
    inserts: tuple[Table, ...], updates: tuple[Table, ...], relied: tuple[Table, ...]
) -> str:
    numbers = count(1)
    parts = [f"i_{table.name}_ AS ({_insert(table, next(numbers))})" for table in inserts]
    parts += [
        f"u_{table.name}_ AS ({_update(table, next(numbers))} RETURNING 1)" for table in updates
    ]
    parts += [f"r_{table.name}_ AS ({_same(table, next(numbers))})" for table in relied]
    counts = [
        f"(SELECT count(*) FROM {kind}_{table.name}_) = ${next(numbers)}::bigint"  # noqa: S608 - our own metadata
        for kind, tables in (("u", updates), ("r", relied))
        for table in tables
    ]
    # The only way to undo a statement from within is to make it fail.
    proof = f"1 / (CASE WHEN {' AND '.join(counts) or 'true'} THEN 1 ELSE 0 END)"
    return f"WITH {', '.join(parts)} SELECT {proof}"


def _recordset(table: Table, number: int) -> str:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]  # untyped in SQLAlchemy
    columns = [
        f'"{column.name}" {column.type.compile(dialect=dialect)}' for column in table.columns
    ]
    guard = table.info.get(GUARD)
    if guard is not None:
        columns.append(f'"{_WAS}{guard}" {table.c[guard].type.compile(dialect=dialect)}')
    return f"jsonb_to_recordset(${number}::text::jsonb) AS x({', '.join(columns)})"


def _insert(table: Table, number: int) -> str:
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    source = _recordset(table, number)
    return f'INSERT INTO "{table.name}" ({names}) SELECT {names} FROM {source}'  # noqa: S608 - our own metadata


def _update(table: Table, number: int) -> str:
    keys = [column.name for column in table.primary_key]
    guard = table.info[GUARD]
    changes = ", ".join(
        f'"{column.name}" = x."{column.name}"'
        for column in table.columns
        if column.name not in keys
    )
    where = " AND ".join(f'"{table.name}"."{name}" = x."{name}"' for name in keys)
    where += f' AND "{table.name}"."{guard}" = x."{_WAS}{guard}"'
    source = _recordset(table, number)
    return f'UPDATE "{table.name}" SET {changes} FROM {source} WHERE {where}'  # noqa: S608 - our own metadata


def _same(table: Table, number: int) -> str:
    names = [*(column.name for column in table.primary_key), table.info[GUARD]]
    where = " AND ".join(f'"{table.name}"."{name}" = x."{name}"' for name in names)
    source = _recordset(table, number)
    return f'SELECT 1 FROM "{table.name}", {source} WHERE {where}'  # noqa: S608 - our own metadata


@cache
def _update_by_key(table: Table) -> Any:
    keys = {column.name for column in table.primary_key}
    guard = table.c[table.info[GUARD]]
    statement = table.update().values(
        {
            column.name: bindparam(f"b_{column.name}")
            for column in table.columns
            if column.name not in keys
        }
    )
    for column in table.primary_key:
        statement = statement.where(column == bindparam(f"b_{column.name}"))
    return statement.where(guard == bindparam(f"{_WAS}{guard.name}"))
