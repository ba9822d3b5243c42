from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from services.migrations.upgrade import upgrade
from services.runtime.database import Database
from tests.brokers import PrivateMosquitto
from tests.running import EMBEDDED, SERVERS
from tests.services.gateway_house import House, Start


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database at the newest version: once SQLite, once PostgreSQL."""
    made = Database(database_url)
    await upgrade(made)
    yield made
    await made.close()


@pytest.fixture(params=[EMBEDDED, SERVERS])
def start_house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Start]:
    """Start a house with settings of the test's own, on each broker and database."""
    mosquitto: PrivateMosquitto | None = None
    url: str | None = None
    if request.param == SERVERS:
        mosquitto = request.getfixturevalue("mosquitto_broker")
        url = request.getfixturevalue("postgresql_url")
    with ExitStack() as stack:

        def start(**settings: Any) -> House:
            house = House(tmp_path / "home", mosquitto, url, **settings)
            stack.callback(house.system.stop)
            return house.start()

        yield start
