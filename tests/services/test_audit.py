"""The audit: only added to, chained, and longer-lived than its tenant."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.people import store
from services.people.leaving import dismiss_tenant
from services.people.store import Tenant
from services.runtime import audit
from services.runtime.audit import AUDIT, Broken
from services.runtime.database import Database

NOW = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


async def _record(database: Database, count: int, tenant: str = "roma") -> list[str]:
    digests = []
    for number in range(count):
        async with database.write() as connection:
            digests.append(
                await audit.record(
                    connection,
                    tenant=tenant,
                    actor="person:roma/ada",
                    action="device.revoked",
                    subject=f"roma/pos-{number}",
                    now=NOW + timedelta(seconds=number),
                    note="naïve \N{HOT BEVERAGE} 'quoted'",
                    count=number,
                )
            )
    return digests


async def _forge(database: Database, *statements: str) -> None:
    """Do what a thief with the database's password can do: take the guards away first."""
    async with database.write() as connection:
        for guard in await _guards(connection):
            await connection.execute(text(guard))
        for statement in statements:
            await connection.execute(text(statement))


async def _guards(connection: AsyncConnection) -> list[str]:
    if connection.dialect.name == "sqlite":
        return ["DROP TRIGGER audit_keeps_update", "DROP TRIGGER audit_keeps_delete"]
    return ["DROP TRIGGER audit_keeps ON audit"]


async def _verify(database: Database, head: str | None = None) -> int:
    async with database.read() as connection:
        return await audit.verify(connection, "roma", head)


async def test_what_was_recorded_holds_and_reads_as_it_was_written(database: Database) -> None:
    digests = await _record(database, 5)
    assert await _verify(database) == 5
    assert await _verify(database, digests[2]) == 5
    async with database.read() as connection:
        found = await audit.entries(connection, "roma")
        newest = await audit.entries(connection, "roma", newest=2)
        about = await audit.entries(connection, "roma", about="roma/pos-3")
    assert [each.serial for each in found] == [1, 2, 3, 4, 5]
    assert found[3].details == {"note": "naïve \N{HOT BEVERAGE} 'quoted'", "count": 3}
    assert found[3].at == NOW + timedelta(seconds=3)
    assert newest == found[3:]
    assert about == [found[3]]


async def test_the_database_itself_refuses_to_change_or_delete_an_entry(
    database: Database,
) -> None:
    await _record(database, 2)
    for statement in (update(AUDIT).values(actor="nobody"), delete(AUDIT)):
        with pytest.raises(DBAPIError, match="only added to"):
            async with database.write() as connection:
                await connection.execute(statement)
    if not database.is_sqlite:
        with pytest.raises(DBAPIError, match="only added to"):
            async with database.write() as connection:
                await connection.execute(text("TRUNCATE audit"))
    assert await _verify(database) == 2


@pytest.mark.parametrize(
    ("forgery", "says"),
    [
        ("UPDATE audit SET actor = 'nobody' WHERE serial = 2", "entry 2 was changed"),
        ("UPDATE audit SET details = '{}' WHERE serial = 3", "entry 3 was changed"),
        ("DELETE FROM audit WHERE serial = 2", "entry 2 is missing"),
        ("DELETE FROM audit WHERE serial = 1", "entry 1 is missing"),
        ("UPDATE audit SET previous = digest WHERE serial = 3", "entry 3 does not continue"),
    ],
)
async def test_a_forgery_is_found(database: Database, forgery: str, says: str) -> None:
    await _record(database, 4)
    await _forge(database, forgery)
    with pytest.raises(Broken, match=says):
        await _verify(database)


async def test_an_end_that_was_cut_off_shows_against_a_noted_digest(database: Database) -> None:
    digests = await _record(database, 4)
    await _forge(database, "DELETE FROM audit WHERE serial = 4")
    assert await _verify(database) == 3, "the chain alone cannot know what is gone at its end"
    with pytest.raises(Broken, match="cut off"):
        await _verify(database, digests[3])


async def test_two_chains_do_not_touch_and_many_writers_keep_one_whole(
    database: Database,
) -> None:
    await asyncio.gather(*(_record(database, 5) for _ in range(4)), _record(database, 3, "napoli"))
    assert await _verify(database) == 20
    async with database.read() as connection:
        assert await audit.verify(connection, "napoli") == 3
        assert await audit.chains(connection) == ["napoli", "roma"]


async def test_an_entry_is_kept_with_the_change_or_not_at_all(database: Database) -> None:
    async def fail_after_recording() -> None:
        async with database.write() as connection:
            await audit.record(
                connection, tenant="roma", actor="a", action="b", subject="c", now=NOW
            )
            raise RuntimeError("the change failed")

    with pytest.raises(RuntimeError, match="the change failed"):
        await fail_after_recording()
    assert await _verify(database) == 0


async def test_what_was_done_to_a_tenant_outlives_it(database: Database) -> None:
    async with database.write() as connection:
        await store.add_tenant(connection, Tenant("roma", "Roma", "EUR", NOW))
    await _record(database, 2)
    async with database.write() as connection:
        await dismiss_tenant(connection, "roma", [])
    assert await _verify(database) == 2
