from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from services.migrations.upgrade import upgrade
from services.runtime.database import Database


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database at the newest version: once SQLite, once PostgreSQL."""
    made = Database(database_url)
    await upgrade(made)
    yield made
    await made.close()
