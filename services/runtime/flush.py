"""Writing many rows of many tables at once.

On PostgreSQL all of it is one statement: each table's rows travel as one JSON
parameter and are unpacked by the server (``jsonb_to_recordset``), inside one
data-modifying ``WITH``. One round trip, one prepared statement per combination of
tables, whatever the number of rows. On SQLite, which is in the process, each table
is one ``executemany``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from pydantic_core import to_json
from sqlalchemy import Table, TextClause, bindparam, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

Row = Mapping[str, Any]
Rows = Mapping[Table, Sequence[Row]]


async def flush(connection: AsyncConnection, inserts: Rows, updates: Rows) -> None:
    """Insert and update the rows; referenced tables first.

    Raises:
        sqlalchemy.exc.IntegrityError: a row exists already, or breaks a constraint.
    """
    inserts = _in_order(inserts)
    updates = _in_order(updates)
    if connection.dialect.name == "postgresql":
        statement = _statement(tuple(inserts), tuple(updates))
        values = {
            **{f"i_{table.name}": _json(table, rows) for table, rows in inserts.items()},
            **{f"u_{table.name}": _json(table, rows) for table, rows in updates.items()},
        }
        await connection.execute(statement, values)
        return
    for table, rows in inserts.items():
        await connection.execute(table.insert(), [dict(row) for row in rows])
    for table, rows in updates.items():
        await connection.execute(
            _update_by_key(table),
            [{f"b_{column.name}": row[column.name] for column in table.columns} for row in rows],
        )


def _in_order(rows: Rows) -> dict[Table, Sequence[Row]]:
    """Tables in the order of their foreign keys, so that SQLite finds what is referred to."""
    if len(rows) < 2:
        return dict(rows)
    order = _positions(next(iter(rows)))
    return {table: rows[table] for table in sorted(rows, key=lambda table: order[table.name])}


@cache
def _positions(table: Table) -> dict[str, int]:
    return {each.name: place for place, each in enumerate(table.metadata.sorted_tables)}


def _json(table: Table, rows: Sequence[Row]) -> str:
    names = [column.name for column in table.columns]
    return to_json([{name: _plain(row[name]) for name in names} for row in rows]).decode()


def _plain(value: Any) -> Any:
    # PostgreSQL reads bytes from text in its own hexadecimal form.
    return f"\\x{value.hex()}" if isinstance(value, bytes) else value


@cache
def _statement(inserts: tuple[Table, ...], updates: tuple[Table, ...]) -> TextClause:
    parts = [
        *(f"i_{table.name}_ AS ({_insert(table)})" for table in inserts),
        *(f"u_{table.name}_ AS ({_update(table)})" for table in updates),
    ]
    return text(f"WITH {', '.join(parts)} SELECT 1")


def _recordset(table: Table, parameter: str) -> str:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]  # untyped in SQLAlchemy
    columns = ", ".join(
        f'"{column.name}" {column.type.compile(dialect=dialect)}' for column in table.columns
    )
    return f"jsonb_to_recordset(CAST(:{parameter} AS text)::jsonb) AS x({columns})"


def _insert(table: Table) -> str:
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    source = _recordset(table, f"i_{table.name}")
    return f'INSERT INTO "{table.name}" ({names}) SELECT {names} FROM {source}'  # noqa: S608 - our own metadata


def _update(table: Table) -> str:
    keys = {column.name for column in table.primary_key}
    changes = ", ".join(
        f'"{column.name}" = x."{column.name}"'
        for column in table.columns
        if column.name not in keys
    )
    where = " AND ".join(f'"{table.name}"."{name}" = x."{name}"' for name in sorted(keys))
    source = _recordset(table, f"u_{table.name}")
    return f'UPDATE "{table.name}" SET {changes} FROM {source} WHERE {where}'  # noqa: S608 - our own metadata


@cache
def _update_by_key(table: Table) -> Any:
    keys = {column.name for column in table.primary_key}
    statement = table.update().values(
        {
            column.name: bindparam(f"b_{column.name}")
            for column in table.columns
            if column.name not in keys
        }
    )
    for column in table.primary_key:
        statement = statement.where(column == bindparam(f"b_{column.name}"))
    return statement
