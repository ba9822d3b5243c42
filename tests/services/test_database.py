"""Both databases keep the same, and are what the code believes."""

from __future__ import annotations

import asyncio
import gc
import random
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.util import await_only

from services.migrations import upgrade as migrating
from services.migrations.upgrade import differences, newest, upgrade, version
from services.runtime.database import Database, DatabaseUnusable, is_away
from services.runtime.moment import Moment
from services.runtime.tables import TENANTS
from tests.patience import PATIENCE_S

DIALECTS = [sqlite.dialect(), postgresql.dialect()]  # type: ignore[no-untyped-call]  # SQLAlchemy
TIMES = [
    datetime(2026, 3, 14, 12, 0, 0, 123_456, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(2026, 7, 1, 0, 0, 0, 1, tzinfo=timezone(timedelta(hours=14))),
    datetime(1900, 1, 1, tzinfo=timezone(timedelta(hours=-12))),
]


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
@given(
    at=st.datetimes(
        datetime(1, 1, 2),  # noqa: DTZ001 - hypothesis adds the zone
        datetime(9999, 12, 30),  # noqa: DTZ001 - the same
        timezones=st.integers(-23, 23).map(lambda hours: timezone(timedelta(hours=hours))),
    )
)
def test_a_moment_comes_back_to_the_microsecond(dialect: object, at: datetime) -> None:
    moment = Moment()
    written = moment.process_bind_param(at, dialect)  # type: ignore[arg-type]  # any dialect
    back = moment.process_result_value(written, dialect)  # type: ignore[arg-type]  # the same
    assert back == at
    assert back.tzinfo is UTC


async def test_times_are_kept_and_compared_alike_on_both_databases(database: Database) -> None:
    async with database.write() as connection:
        for number, at in enumerate(TIMES):
            await connection.execute(
                TENANTS.insert().values(
                    tenant=f"t-{number}", name="x", currency="GBP", created_at=at
                )
            )
    async with database.read() as connection:
        query = select(TENANTS.c.created_at).order_by(TENANTS.c.created_at)
        assert list(await connection.scalars(query)) == sorted(TIMES)
        later = query.where(TENANTS.c.created_at > TIMES[2])
        assert set(await connection.scalars(later)) == {TIMES[0], TIMES[3]}


async def test_a_time_without_a_zone_never_reaches_the_database(database: Database) -> None:
    naive = TIMES[0].replace(tzinfo=None)
    with pytest.raises(StatementError, match="without a zone"):
        async with database.write() as connection:
            await connection.execute(
                TENANTS.insert().values(tenant="t", name="x", currency="GBP", created_at=naive)
            )


async def test_migrating_from_empty_gives_what_the_code_believes(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    assert await version(database) is None
    assert await upgrade(database) == (None, newest())
    assert await version(database) == newest()
    assert await differences(database) == []
    assert await upgrade(database) == (newest(), newest()), "a second time does no harm"
    assert await differences(database) == []
    await database.close()


async def test_a_second_process_that_migrates_waits_for_the_first(
    empty_postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other, eye = (
        Database(empty_postgresql_url),
        Database(empty_postgresql_url),
        Database(empty_postgresql_url),
    )
    real, done, gate = migrating._upgrade, asyncio.Event(), asyncio.Event()

    def slowly(connection: Connection) -> None:
        real(connection)
        done.set()
        await_only(gate.wait())  # all is done, and nothing is committed

    monkeypatch.setattr(migrating, "_upgrade", slowly)
    first = asyncio.create_task(upgrade(one))
    await done.wait()
    second = asyncio.create_task(upgrade(other))
    await somebody_waits(eye)
    gate.set()
    assert await first == (None, newest())
    await second
    assert await differences(eye) == []
    for each in (one, other, eye):
        await each.close()


def test_who_is_stopped_while_a_connection_is_made_leaves_none_behind(database_url: str) -> None:
    chance = random.Random(7)  # noqa: S311 - a seed, so that it can be had again

    async def read(database: Database) -> None:
        while True:
            async with database.read() as connection:
                await connection.execute(text("SELECT 1"))

    async def stopped_soon() -> None:
        database = Database(database_url)
        reading = asyncio.create_task(read(database))
        await asyncio.sleep(chance.uniform(0, 0.02))
        reading.cancel()
        await asyncio.wait({reading})
        assert reading.cancelled()
        await database.close()

    # What is left behind speaks up as a warning: when its loop is gone, or it is collected.
    for _ in range(100):
        asyncio.run(stopped_soon())
    gc.collect()


@pytest.mark.parametrize("how", ["write", "decide"])
async def test_writers_who_are_stopped_hold_up_nobody_who_comes_after(
    database_url: str, how: str
) -> None:
    chance = random.Random(7)  # noqa: S311 - a seed, so that it can be had again

    async def write(database: Database) -> None:
        while True:
            async with database.write() if how == "write" else database.decide() as connection:
                await connection.execute(text("SELECT 1"))
                await connection.execute(text("SELECT 2"))

    ends = []
    for _ in range(60):
        database = Database(database_url)
        writing = [asyncio.create_task(write(database)) for _ in range(8)]
        await asyncio.sleep(chance.uniform(0, 0.03))
        for each in writing:
            each.cancel()
        # A lock that a stopped writer has left would hold the next one for half a minute.
        async with asyncio.timeout(20):
            # Their ends are kept: what an exception holds on to is not collected meanwhile.
            ends += await asyncio.gather(*writing, return_exceptions=True)
            await database.close()
    assert all(isinstance(end, asyncio.CancelledError) for end in ends), ends


async def somebody_waits(eye: Database) -> None:
    """Wait until another connection waits for a lock."""
    query = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND wait_event_type = 'Lock'"
    )
    async with asyncio.timeout(PATIENCE_S):
        while True:
            async with eye.read() as connection:
                if await connection.scalar(query):
                    return
            await asyncio.sleep(0.01)


async def test_what_was_written_in_a_failed_transaction_is_gone(database: Database) -> None:
    row = {"tenant": "t", "name": "x", "currency": "GBP", "created_at": TIMES[0]}

    async def write_twice() -> None:
        async with database.write() as connection:
            await connection.execute(TENANTS.insert().values(**row))
            await connection.execute(TENANTS.insert().values(**row))

    with pytest.raises(IntegrityError):
        await write_twice()
    async with database.read() as connection:
        assert (await connection.execute(select(TENANTS))).all() == []


async def test_a_reader_sees_one_moment_and_never_waits_for_a_writer(database: Database) -> None:
    row = {"tenant": "t", "name": "x", "currency": "GBP", "created_at": TIMES[0]}
    async with database.read() as reading:
        assert (await reading.execute(select(TENANTS))).all() == []
        async with asyncio.timeout(PATIENCE_S), database.write() as writing:
            await writing.execute(TENANTS.insert().values(**row))
        assert (await reading.execute(select(TENANTS))).all() == []
    async with database.read() as reading:
        assert len((await reading.execute(select(TENANTS))).all()) == 1


@pytest.mark.parametrize("url", ["mysql://x/y", "what is this", "", "oracle://x"])
def test_an_address_of_no_database_is_refused_with_what_to_write(url: str) -> None:
    with pytest.raises(DatabaseUnusable, match="sqlite"):
        Database(url)


async def test_a_database_that_cannot_be_reached_is_away_and_a_mistake_is_not(
    empty_postgresql_url: str,
) -> None:
    nowhere = Database("postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(ConnectionRefusedError) as away:
        async with nowhere.read():
            pass
    assert is_away(away.value)
    await nowhere.close()
    empty = Database(empty_postgresql_url)
    with pytest.raises(Exception, match="does not exist") as mistake:
        async with empty.read() as connection:
            await connection.execute(select(TENANTS))
    assert not is_away(mistake.value)
    await empty.close()
