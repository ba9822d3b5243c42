"""What nobody needs any more is thrown away; what may still be asked for stays."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from schemas.envelope import MAX_AGE, MAX_AHEAD
from schemas.identifiers import derived_id, new_id
from services.people.store import Tenant, add_tenant
from services.runtime import housekeeping
from services.runtime.database import Database
from services.runtime.housekeeping import QUARANTINE_AGE, Housekeeping
from services.runtime.tables import INBOX, QUARANTINE

NOW = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
Make = Callable[[datetime], UUID]


async def answered(database: Database, tenant: str, at: datetime, id_: UUID) -> UUID:
    row = {"tenant": tenant, "request_id": id_, "device": "pos-1", "digest": "x"}
    row |= {"type": "heard.order.place.v1", "reply": "{}"}
    async with database.write() as connection:
        await connection.execute(INBOX.insert().values(row | {"received_at": at}))
    return id_


async def quarantined(database: Database, tenant: str, at: datetime, count: int = 1) -> None:
    rows = [
        {"tenant": tenant, "entry_id": new_id(), "topic": "t", "payload": b"%d" % number,
         "reason": "r", "received_at": at}
        for number in range(count)
    ]  # fmt: skip
    async with database.write() as connection:
        await connection.execute(QUARANTINE.insert(), rows)


async def left(database: Database) -> set[UUID]:
    async with database.read() as connection:
        return set(await connection.scalars(select(INBOX.c.request_id)))


@pytest.fixture
async def kept(database: Database) -> Database:
    async with database.write() as connection:
        for tenant in ("roma", "oslo"):
            await add_tenant(connection, Tenant(tenant, tenant, "EUR", NOW))
    return database


async def test_an_answer_is_kept_for_as_long_as_its_request_may_come_again(
    kept: Database,
) -> None:
    longest = MAX_AGE + MAX_AHEAD
    for tenant in ("roma", "oslo"):
        for age in (timedelta(0), DAY, longest, longest + timedelta(hours=12)):
            at = NOW - age
            await answered(kept, tenant, at, derived_id(at + MAX_AHEAD, tenant, "ahead"))
            await answered(kept, tenant, at, derived_id(at - timedelta(days=6), tenant, "late"))
            await answered(kept, tenant, at, uuid4())
    before = await left(kept)
    assert await Housekeeping(kept, lambda: NOW).tidy() == (0, 0)
    assert await left(kept) == before


@pytest.mark.parametrize(
    "make",
    [
        lambda at: derived_id(at, "x"),
        lambda at: derived_id(at - timedelta(days=7), "x"),
        lambda at: derived_id(at + timedelta(days=3000), "x"),
        lambda _: UUID("ffffffff-ffff-4fff-bfff-ffffffffffff"),
    ],
    ids=["an id of its time", "asked a week before", "a clock far ahead", "an id of another kind"],
)
async def test_an_answer_that_nobody_can_ask_for_any_more_is_thrown_away(
    make: Make, kept: Database
) -> None:
    at = NOW - MAX_AGE - DAY - timedelta(minutes=1)
    await answered(kept, "roma", at, make(at))
    stays = await answered(kept, "roma", NOW, new_id())
    assert await Housekeeping(kept, lambda: NOW).tidy() == (1, 0)
    assert await left(kept) == {stays}


async def test_the_answers_to_an_evening_that_was_played_again_stay(kept: Database) -> None:
    of_2019 = derived_id(datetime(2019, 8, 3, 19, 30, tzinfo=UTC), "roma", "order 7")
    await answered(kept, "roma", NOW - timedelta(days=90), of_2019)
    assert await Housekeeping(kept, lambda: NOW).tidy() == (0, 0)
    assert await left(kept) == {of_2019}


async def test_thousands_go_in_pages_and_all_of_them_go(
    kept: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "PAGE", 7)
    monkeypatch.setattr(housekeeping, "PAUSE_S", 0.0)
    at = NOW - timedelta(days=20)
    for number in range(40):
        await answered(kept, "oslo", at, derived_id(at, str(number)))
    assert await Housekeeping(kept, lambda: NOW).tidy() == (40, 0)
    assert await left(kept) == set()


async def test_quarantine_keeps_the_newest_of_each_tenant_and_nothing_for_ever(
    kept: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "QUARANTINE_ROWS", 10)
    await quarantined(kept, "roma", NOW - QUARANTINE_AGE - DAY, 3)
    await quarantined(kept, "roma", NOW, 5)
    await quarantined(kept, "-", NOW, 25)
    assert await Housekeeping(kept, lambda: NOW).tidy() == (0, 3 + 15)
    async with kept.read() as connection:
        query = select(QUARANTINE.c.tenant, QUARANTINE.c.payload).order_by(QUARANTINE.c.entry_id)
        rows = (await connection.execute(query)).all()
    assert [row.payload for row in rows if row.tenant == "-"] == [b"%d" % n for n in range(15, 25)]
    assert len([row for row in rows if row.tenant == "roma"]) == 5
