"""The servers that tests run on: fresh databases of SQLite and PostgreSQL.

One private PostgreSQL cluster serves all the workers of a run; the first test that
needs it starts it, and the run's end ends it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.postgres import PostgresCluster, ServerUnavailable, start_keeper, stop_keeper

_STATE = pytest.StashKey[Path]()


class _HandsStateToWorkers:
    """Only registered where xdist is: its hook is unknown without it."""

    @pytest.hookimpl
    def pytest_configure_node(self, node: object) -> None:
        config: pytest.Config = node.config  # type: ignore[attr-defined]  # xdist has no types
        node.workerinput["heard_servers"] = (  # type: ignore[attr-defined]  # the same
            str(config.stash[_STATE]),
            os.getpid(),
        )


def _worker_input(config: pytest.Config) -> tuple[str, int] | None:
    given: dict[str, tuple[str, int]] | None = getattr(config, "workerinput", None)
    return None if given is None else given["heard_servers"]


def pytest_configure(config: pytest.Config) -> None:
    given = _worker_input(config)
    if given is not None:
        config.stash[_STATE] = Path(given[0])
        return
    config.stash[_STATE] = Path(tempfile.mkdtemp(prefix="heard-run-"))
    if config.pluginmanager.hasplugin("xdist"):
        config.pluginmanager.register(_HandsStateToWorkers())


def pytest_unconfigure(config: pytest.Config) -> None:
    # Called after failures and Ctrl-C too; after a kill, the keeper sees to itself.
    if _worker_input(config) is None and _STATE in config.stash:
        stop_keeper(config.stash[_STATE])
        shutil.rmtree(config.stash[_STATE], ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_cluster(pytestconfig: pytest.Config) -> PostgresCluster:
    """The cluster that the whole run shares: make databases in it, never stop it."""
    state = pytestconfig.stash[_STATE]
    given = _worker_input(pytestconfig)
    with (state / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = state / "directory"
        if not known.exists():
            try:
                start_keeper(os.getpid() if given is None else given[1], state)
            except ServerUnavailable as error:
                pytest.fail(str(error), pytrace=False)
        return PostgresCluster(Path(known.read_text()))


@pytest.fixture
def own_postgres() -> Iterator[PostgresCluster]:
    """A cluster of the test's own, which it may stop, kill and start again."""
    try:
        with PostgresCluster.running() as cluster:
            yield cluster
    except ServerUnavailable as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def new_postgres_database(postgres_cluster: PostgresCluster) -> Iterator[Callable[[], str]]:
    """Make empty PostgreSQL databases, as many as the test asks for; all are dropped after it."""
    made: list[str] = []

    def new() -> str:
        name = f"heard_{uuid4().hex}"
        postgres_cluster.execute(f"CREATE DATABASE {name}")
        made.append(name)
        return postgres_cluster.url(name)

    yield new
    if made:
        postgres_cluster.execute(*(f"DROP DATABASE {name} WITH (FORCE)" for name in made))


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The address of an SQLite database that does not exist yet."""
    return f"sqlite+aiosqlite:///{tmp_path / 'heard.db'}"


@pytest.fixture
def postgresql_url(new_postgres_database: Callable[[], str]) -> str:
    """The address of a fresh, empty PostgreSQL database."""
    return new_postgres_database()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of a fresh, empty database: the test runs once on each kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url
