"""Bring a database to the version of this code, or tell how far it is."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from services.migrations.schema import METADATA
from services.runtime.database import Database

_HOME: Final = Path(__file__).parent
_LOCK: Final = 0x48454152_444D  # "HEARDM"


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_HOME))
    return config


def newest() -> str:
    """The version that this code works with."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        raise RuntimeError("the migrations are missing: heard is not installed whole")
    return head


async def version(database: Database) -> str | None:
    """The version the database is at; None for one that was never set up."""
    async with database.read() as connection:
        return await connection.run_sync(_version)


async def upgrade(database: Database) -> tuple[str | None, str]:
    """Migrate to the newest version; return the version before and the one after.

    Running it again, or from two processes at once, does no harm: the migration runs in
    one transaction, and the second finds nothing left to do.
    """
    before = await version(database)
    after = newest()
    if before == after:
        return before, after
    async with database.write() as connection:
        if not database.is_sqlite:
            # Of two that create the same table PostgreSQL lets the second fail.
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        await connection.run_sync(_upgrade)
    return before, after


async def differences(database: Database) -> list[str]:
    """What stands in the database otherwise than the code believes; empty when all is well."""
    async with database.read() as connection:
        return await connection.run_sync(_differences)


def _version(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _upgrade(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _differences(connection: Connection) -> list[str]:
    context = MigrationContext.configure(
        connection, opts={"include_name": lambda name, kind, _: not _is_partition(name, kind)}
    )
    return [str(each) for each in compare_metadata(context, METADATA)]


def _is_partition(name: str | None, kind: str) -> bool:
    # They are made as their days come (`services.tracking`), and are none of the code's tables.
    return kind == "table" and name is not None and name.startswith("fixes_")
