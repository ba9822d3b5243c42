"""The servers of the tests are what the tests believe them to be."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from services.migrations.schema import METADATA
from services.migrations.version import NEWEST, version
from services.runtime.database import Database
from tests.conftest import SharedData
from tests.postgres import PostgresCluster, start_keeper, stop_keeper
from tests.reused_databases import ReusedDatabases


async def _count_tables(url: str) -> int:
    engine = create_async_engine(url)
    listing = (
        "sqlite_master WHERE type = 'table'"
        if "sqlite" in url
        # A table that is kept by the day is one.
        else "pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') "
        "AND NOT relispartition"
    )
    async with engine.begin() as connection:
        found = await connection.scalar(text(f"SELECT count(*) FROM {listing}"))  # noqa: S608 - two literals above
        await connection.execute(text("CREATE TABLE guest (id integer)"))
    await engine.dispose()
    return int(found or 0)


@pytest.mark.parametrize("turn", [1, 2])
async def test_every_test_gets_an_empty_database(empty_database_url: str, turn: int) -> None:
    assert await _count_tables(empty_database_url) == 0, (
        f"turn {turn} saw the tables of another test"
    )


@pytest.mark.parametrize("turn", [1, 2])
async def test_every_test_gets_a_database_of_its_own_at_the_newest_version(
    database_url: str, turn: int
) -> None:
    database = Database(database_url)
    assert await version(database) == NEWEST
    await database.close()
    count = await _count_tables(database_url)
    assert count == len(METADATA.tables) + 1, f"turn {turn} saw the tables of another test"


@pytest.fixture
def databases(
    postgres_cluster: PostgresCluster, postgres_template: str
) -> Iterator[ReusedDatabases]:
    made = ReusedDatabases(postgres_cluster, postgres_template)
    yield made
    made.close()


ROWS: Final = (
    "INSERT INTO tenants VALUES ('roma', 'Roma', 'EUR', now())",
    "INSERT INTO house_rules (tenant, book, version) VALUES ('roma', 'main', 1)",
)


async def _do(cluster: PostgresCluster, name: str, *statements: str) -> asyncpg.Connection:
    """Do what a test might, and leave the connection open."""
    connection = await asyncpg.connect(user="heard", database=name, host=str(cluster.directory))
    for statement in statements:
        await connection.execute(statement)
    return connection


def test_a_database_that_was_given_back_is_empty_and_nobody_is_in_it(
    databases: ReusedDatabases, postgres_cluster: PostgresCluster
) -> None:
    with asyncio.Runner() as runner:
        first = databases.take()
        here = runner.run(_do(postgres_cluster, first, *ROWS))
        runner.run(here.execute("BEGIN; UPDATE tenants SET name = 'Napoli'"))
        databases.give_back(first)
        with pytest.raises(asyncpg.PostgresError):
            runner.run(here.execute("COMMIT"))
        runner.run(here.close())
        second = databases.take()
        assert databases.made == 1, "it is the same one"
        with pytest.raises(asyncpg.InvalidCatalogNameError):
            runner.run(_do(postgres_cluster, first))
        there = runner.run(_do(postgres_cluster, second))
        for table in METADATA.tables:
            query = f"SELECT count(*) FROM {table}"  # noqa: S608 - a name of ours
            assert runner.run(there.fetchval(query)) == 0, table
        runner.run(there.close())
        databases.give_back(second)


def test_a_database_to_which_somebody_came_back_is_nobody_elses(
    databases: ReusedDatabases, postgres_cluster: PostgresCluster
) -> None:
    with asyncio.Runner() as runner:
        first = databases.take()
        databases.give_back(first)
        late = runner.run(_do(postgres_cluster, first))
        second = databases.take()
        assert databases.made == 2, "it is another one"
        with pytest.raises(asyncpg.PostgresError):
            runner.run(late.execute("SELECT 1"))
        runner.run(late.close())
        databases.give_back(second)


@pytest.mark.parametrize(
    "change",
    [
        "CREATE TABLE guest (id integer)",
        "ALTER TABLE tenants ALTER COLUMN name DROP NOT NULL",
        "ALTER TABLE house_rules DROP CONSTRAINT ck_house_rules_version",
        "UPDATE alembic_version SET version_num = 'another'",
        "ANALYZE tenants",
        "INSERT INTO tenants SELECT n, 'x', 'EUR', now() FROM generate_series(1, 70000) n",
    ],
)
def test_a_database_that_is_not_as_it_was_made_is_nobody_elses(
    databases: ReusedDatabases, postgres_cluster: PostgresCluster, change: str
) -> None:
    with asyncio.Runner() as runner:
        name = databases.take()
        runner.run(runner.run(_do(postgres_cluster, name, *ROWS, change)).close())
        databases.give_back(name)
    assert not databases.free


async def test_a_cluster_of_ones_own_keeps_what_was_committed_through_a_crash(
    own_postgres: PostgresCluster,
) -> None:
    await _count_tables(own_postgres.url())
    own_postgres.stop("immediate")
    own_postgres.start()
    assert await _count_tables_only(own_postgres.url()) == 1


async def _count_tables_only(url: str) -> int:
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        found = await connection.scalar(
            text("SELECT count(*) FROM pg_tables WHERE tablename = 'guest'")
        )
    await engine.dispose()
    return int(found or 0)


def test_the_shared_cluster_ends_with_a_run_that_was_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as run:
        start_keeper(run.pid, tmp_path)
        directory = Path((tmp_path / "directory").read_text())
        keeper = os.pidfd_open(int((tmp_path / "pid").read_text()))
        assert (directory / "data" / "postmaster.pid").exists()
        run.send_signal(signal.SIGKILL)
    assert _ended(keeper), "the keeper outlived its run"
    assert not directory.exists()
    stop_keeper(tmp_path)  # what is gone already is no error


def _ended(process: int) -> bool:
    ready, _, _ = select.select([process], [], [], 60)
    os.close(process)
    return bool(ready)


def test_real_data_is_skipped_only_where_the_whole_folder_is_absent(tmp_path: Path) -> None:
    with pytest.raises(pytest.skip.Exception, match="no real data"):
        SharedData(tmp_path / "absent").file("orders/uk_takeaway.csv")
    with pytest.raises(pytest.fail.Exception, match=r"has no orders/uk_takeaway\.csv"):
        SharedData(tmp_path).file("orders/uk_takeaway.csv")
