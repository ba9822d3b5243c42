"""The one write of a decision on PostgreSQL: one statement, which is its own transaction.

Each table's rows travel as one JSON parameter and are unpacked by the server
(``jsonb_to_recordset``), inside one data-modifying ``WITH``. One round trip and one
prepared statement per combination of tables, whatever the number of rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import count
from typing import Any

import asyncpg
from pydantic_core import to_json
from sqlalchemy import Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from services.runtime.changed import GUARD, WAS, Changed, Conflict, Row, Stale, names


async def flush(
    connection: AsyncConnection,
    inserts: Mapping[Table, Sequence[Row]],
    updates: Mapping[Table, Sequence[Changed]],
    relied: Mapping[Table, Sequence[Row]],
) -> None:
    """See `services.runtime.flush.flush`."""
    tables = (_sorted(inserts), _sorted(updates), _sorted(relied))
    values: list[str | int] = [
        *(_json([_plain(table, row) for row in inserts[table]]) for table in tables[0]),
        *(_json([_guarded(table, each) for each in updates[table]]) for table in tables[1]),
        *(_json([_plain(table, row) for row in relied[table]]) for table in tables[2]),
        *(len(updates[table]) for table in tables[1]),
        *(len(relied[table]) for table in tables[2]),
    ]
    # The driver's own call: SQLAlchemy's way to it would cost as much as the statement.
    raw = await connection.get_raw_connection()
    driver: asyncpg.Connection = raw.driver_connection
    try:
        await driver.fetchval(_statement(*tables), *values)
    except asyncpg.DivisionByZeroError:
        raise Stale from None
    except asyncpg.IntegrityConstraintViolationError as error:
        raise Conflict(str(error)) from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        if driver.is_closed():
            await connection.invalidate()
        raise


def _sorted(tables: Mapping[Table, object]) -> tuple[Table, ...]:
    return tuple(sorted(tables, key=lambda table: table.name))


def _json(rows: list[dict[str, Any]]) -> str:
    return to_json(rows).decode()


def _plain(table: Table, row: Row) -> dict[str, Any]:
    # PostgreSQL reads bytes from text in its own hexadecimal form.
    return {
        name: f"\\x{value.hex()}" if isinstance(value := row[name], bytes) else value
        for name in names(table)
    }


def _guarded(table: Table, change: Changed) -> dict[str, Any]:
    guard = table.info[GUARD]
    return {**_plain(table, change.after), f"{WAS}{guard}": change.before[guard]}


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
        columns.append(f'"{WAS}{guard}" {table.c[guard].type.compile(dialect=dialect)}')
    return f"jsonb_to_recordset(${number}::text::jsonb) AS x({', '.join(columns)})"


def _insert(table: Table, number: int) -> str:
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    source = _recordset(table, number)
    return f'INSERT INTO "{table.name}" ({columns}) SELECT {columns} FROM {source}'  # noqa: S608 - our own metadata


def _update(table: Table, number: int) -> str:
    keys = [column.name for column in table.primary_key]
    guard = table.info[GUARD]
    changes = ", ".join(
        f'"{column.name}" = x."{column.name}"'
        for column in table.columns
        if column.name not in keys
    )
    where = " AND ".join(f'"{table.name}"."{name}" = x."{name}"' for name in keys)
    where += f' AND "{table.name}"."{guard}" = x."{WAS}{guard}"'
    source = _recordset(table, number)
    return f'UPDATE "{table.name}" SET {changes} FROM {source} WHERE {where}'  # noqa: S608 - our own metadata


def _same(table: Table, number: int) -> str:
    same = [*(column.name for column in table.primary_key), table.info[GUARD]]
    where = " AND ".join(f'"{table.name}"."{name}" = x."{name}"' for name in same)
    source = _recordset(table, number)
    return f'SELECT 1 FROM "{table.name}", {source} WHERE {where}'  # noqa: S608 - our own metadata
