"""The servers of the tests are what the tests believe them to be."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from services.migrations.schema import METADATA
from services.migrations.version import NEWEST, version
from services.runtime.database import Database
from tests.conftest import SharedData
from tests.postgres import PostgresCluster, start_keeper, stop_keeper


async def _count_tables(url: str) -> int:
    engine = create_async_engine(url)
    listing = (
        "sqlite_master WHERE type = 'table'"
        if "sqlite" in url
        else ("information_schema.tables WHERE table_schema = 'public'")
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
