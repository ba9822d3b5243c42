"""Fixtures of running systems (a pytest plugin); see `tests.system`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from uuid import uuid4

import pytest

from tests.brokers import BrokerDidNotStart, EmbeddedInTest, PrivateMosquitto, RunningBroker
from tests.postgres import PostgresCluster
from tests.system import RunningSystem, RunningTenant, running_system

EMBEDDED = "embedded+sqlite"
SERVERS = "mosquitto+postgresql"

StartSystem = Callable[..., RunningSystem]


@pytest.fixture(scope="session", params=[EMBEDDED, SERVERS])
def system(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningSystem]:
    """A system that a worker's tests share, in both of its usual forms; never to be stopped."""
    home = tmp_path_factory.mktemp("system")
    broker: RunningBroker
    if request.param == EMBEDDED:
        broker = EmbeddedInTest()
        with running_system(broker, f"sqlite+aiosqlite:///{home / 'heard.db'}") as running:
            yield running
        broker.close()
        return
    cluster: PostgresCluster = request.getfixturevalue("postgres_cluster")
    try:
        broker = PrivateMosquitto(home / "mosquitto")
    except BrokerDidNotStart as error:
        pytest.fail(str(error), pytrace=False)
    name = f"heard_{uuid4().hex}"
    cluster.execute(f"CREATE DATABASE {name}")
    with running_system(broker, cluster.url(name)) as running:
        yield running
    cluster.execute(f"DROP DATABASE {name} WITH (FORCE)")
    broker.kill()


@pytest.fixture
def tenant(system: RunningSystem) -> RunningTenant:
    """A restaurant of the test's own, with a menu, on the shared system."""
    return system.add_tenant()


@pytest.fixture(params=[EMBEDDED, SERVERS])
def start_system(request: pytest.FixtureRequest) -> Iterator[StartSystem]:
    """Start a system of the test's own; takes what `RunningSystem` takes by name."""
    broker_kind, database_kind = request.param.split("+")
    # Asked for at once, so that both outlive the systems.
    broker: RunningBroker = request.getfixturevalue(f"{broker_kind}_broker")
    url: str = request.getfixturevalue(f"{database_kind}_url")
    with ExitStack() as stack:

        def start(**options: Any) -> RunningSystem:
            return stack.enter_context(running_system(broker, url, **options))

        yield start


@pytest.fixture
def own_system(start_system: StartSystem) -> RunningSystem:
    """A system of the test's own, which it may stop, and whose broker it may kill."""
    return start_system()
