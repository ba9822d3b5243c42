"""The database's version, told without Alembic: every command asks, and few migrate."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, inspect, text

from services.runtime.database import Database

NEWEST: Final = "0008"
"""The version that this code works with; a test holds it against the migrations."""

_TABLE: Final = "alembic_version"


async def version(database: Database) -> str | None:
    """The version the database is at; None for one that was never set up."""
    async with database.read() as connection:
        return await connection.run_sync(_version)


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_TABLE):
        return None
    found: str | None = connection.scalar(text(f"SELECT version_num FROM {_TABLE}"))  # noqa: S608 - our own name
    return found
