"""The servers that tests run on: fresh databases of SQLite and PostgreSQL.

One private PostgreSQL cluster serves all the workers of a run; the first test that
needs it starts it, and the run's end ends it.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest

from services.migrations.upgrade import upgrade
from services.runtime.database import Database
from tests.postgres import PostgresCluster, ServerUnavailable, start_keeper, stop_keeper
from tests.reused_databases import ReusedDatabases

_STATE = pytest.StashKey[Path]()
_TEMPLATE: Final = "heard_template"


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


@pytest.fixture(scope="session")
def postgres_template(postgres_cluster: PostgresCluster, pytestconfig: pytest.Config) -> str:
    """The name of a database at the newest version, which others are copied from."""
    state = pytestconfig.stash[_STATE]
    with (state / "template-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (state / "template").exists():
            postgres_cluster.execute(f"CREATE DATABASE {_TEMPLATE}")
            _upgrade(postgres_cluster.url(_TEMPLATE))
            (state / "template").touch()
    return _TEMPLATE


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file at the newest version, which others are copied from."""
    file = tmp_path_factory.mktemp("template") / "heard.db"
    _upgrade(f"sqlite+aiosqlite:///{file}")
    return file


def _upgrade(url: str) -> None:
    async def upgraded() -> None:
        database = Database(url)
        await upgrade(database)
        await database.close()

    # A loop of its own, and never the current one: pytest-asyncio owns that.
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(upgraded())
    finally:
        loop.close()


@pytest.fixture(scope="session")
def reused_databases(
    postgres_cluster: PostgresCluster, postgres_template: str
) -> Iterator[ReusedDatabases]:
    """Databases at the newest version, which a worker's tests have one after the other."""
    databases = ReusedDatabases(postgres_cluster, postgres_template)
    yield databases
    databases.close()


@pytest.fixture
def sqlite_url(tmp_path: Path, sqlite_template: Path) -> str:
    """The address of a fresh SQLite database at the newest version."""
    shutil.copyfile(sqlite_template, tmp_path / "heard.db")
    return f"sqlite+aiosqlite:///{tmp_path / 'heard.db'}"


@pytest.fixture
def postgresql_url(
    postgres_cluster: PostgresCluster, reused_databases: ReusedDatabases
) -> Iterator[str]:
    """The address of an empty PostgreSQL database at the newest version."""
    name = reused_databases.take()
    yield postgres_cluster.url(name)
    reused_databases.give_back(name)


@pytest.fixture
def empty_sqlite_url(tmp_path: Path) -> str:
    """The address of an SQLite database that does not exist yet."""
    return f"sqlite+aiosqlite:///{tmp_path / 'heard.db'}"


@pytest.fixture
def empty_postgresql_url(postgres_cluster: PostgresCluster) -> Iterator[str]:
    """The address of a fresh PostgreSQL database with nothing in it."""
    name = f"heard_{uuid4().hex}"
    postgres_cluster.execute(f"CREATE DATABASE {name}")
    yield postgres_cluster.url(name)
    postgres_cluster.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of a fresh database at the newest version: once on each kind.

    It is a copy of one: migrating an empty database takes longer than most tests.
    """
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest) -> str:
    """The address of a fresh, empty database: the test runs once on each kind."""
    url: str = request.getfixturevalue(f"empty_{request.param}_url")
    return url
