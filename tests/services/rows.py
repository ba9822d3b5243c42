"""Looking at whole tables."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table, select

from services.runtime.database import Database


async def all_rows(database: Database, table: Table) -> list[dict[str, Any]]:
    """Every row of a table, of all tenants, in the order of its key."""
    async with database.read() as connection:
        found = await connection.execute(select(table).order_by(*table.primary_key))
        return [dict(row) for row in found.mappings()]
