"""What is decided together is written together, or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

import pytest
from sqlalchemy import Table, update

from schemas.identifiers import new_id
from schemas.orders import OrderStatus
from services.kitchen.store import STATIONS
from services.menu.store import MENUS
from services.migrations.schema import METADATA  # noqa: F401 - it registers all tables
from services.orders.store import ORDERS
from services.runtime.changed import Changed, Conflict, Stale
from services.runtime.database import Database
from services.runtime.flush import flush
from services.runtime.sqlite_connection import PatientConnection
from services.runtime.tables import INBOX, OUTBOX, QUARANTINE, TENANTS
from services.runtime.work import Draft, Shelf, UnitOfWork
from tests.services.rows import all_rows as rows

NOON = datetime(2026, 3, 14, 12, 0, 0, 5, tzinfo=UTC)
ODD = "crème \N{HAMBURGER} 寿司 \u202e\"'\\ \\u0000 \\x00 {} %s :x $1\n\t\x1b"

Row = dict[str, Any]


def an_order(tenant: str = "roma", **values: Any) -> Row:
    id_ = new_id()
    return {
        "tenant": tenant,
        "order_id": id_,
        "number": f"ORD-{str(id_)[-8:]}",
        "status": OrderStatus.PLACED.value,
        "version": 1,
        "status_version": 1,
        "device": "pos-1",
        "kind": "dine-in",
        "reference": None,
        "table": None,
        "covers": None,
        "guest": None,
        "participants": None,
        "waits_for": ["payment"],
        "currency": "GBP",
        "total_minor": 995,
        "tax_minor": 0,
        "paid_minor": 0,
        "tips_minor": 0,
        "refunded_minor": 0,
        "due_minor": 995,
        "payment": None,
        "payments": None,
        "lines": [{"line": 1, "note": ODD, "nested": {"null": None, "yes": True, "n": 2**53}}],
        "placed_at": NOON,
        "due_at": None,
        "wake_at": None,
        "closed_at": None,
        "reason": None,
        **values,
    }


CANCELLED: dict[str, Any] = {
    "status": "cancelled",
    "reason": ODD,
    "closed_at": NOON,
    "waits_for": None,
}


def a_station(sequence: int, station: str = "grill", tenant: str = "roma") -> Row:
    counts = {"version": sequence, "sequence": sequence, "open": 0, "work_s": 0}
    nothing = dict.fromkeys((column.name for column in STATIONS.c), None)
    return {**nothing, "tenant": tenant, "station": station, **counts}


def an_answer(request_id: UUID) -> Row:
    return {
        "tenant": "roma",
        "request_id": request_id,
        "device": "pos-1",
        "type": "heard.order.place.v1",
        "digest": "0" * 64,
        "reply": '{"text": "\\u0000"}',
        "received_at": NOON,
    }


@asynccontextmanager
async def deciding(database: Database, shelf: Shelf | None = None) -> AsyncIterator[UnitOfWork]:
    async with database.decide() as connection:
        yield UnitOfWork(connection, shelf)


async def insert(database: Database, table: Table, *values: Row) -> None:
    async with database.write() as connection:
        await connection.execute(table.insert(), list(values))


@pytest.fixture
async def roma(database: Database) -> Database:
    await insert(
        database,
        TENANTS,
        {"tenant": "roma", "name": "Roma", "currency": "GBP", "created_at": NOON},
    )
    return database


async def test_rows_of_many_tables_come_back_as_they_were_written(roma: Database) -> None:
    orders = [an_order(reference=ODD, table=ODD[:32]), an_order(**CANCELLED)]
    quarantined = {
        "tenant": "-",
        "entry_id": new_id(),
        "topic": ODD,
        "payload": bytes(range(256)),
        "reason": "",
        "received_at": NOON,
    }
    empty = {**quarantined, "entry_id": new_id(), "payload": b""}
    parcel = {"tenant": "roma", "parcel_id": new_id(), "messages": '["\\u0000", "\\\\x00"]'}
    written = {
        ORDERS: orders,
        QUARANTINE: [quarantined, empty],
        OUTBOX: [parcel],
        STATIONS: [a_station(2**40)],
        INBOX: [an_answer(new_id())],
    }
    async with roma.decide() as connection:
        await flush(connection, written, {}, {})
    for table, expected in written.items():
        assert await rows(roma, table) == expected, table.name


async def test_inserts_and_updates_are_one(roma: Database) -> None:
    await insert(roma, STATIONS, a_station(7), a_station(1, "bar"))
    before = an_order()
    await insert(roma, ORDERS, before)
    after = {**before, "version": 2, "status": "ready", "waits_for": None, "total_minor": 1}
    added = an_order()
    async with roma.decide() as connection:
        await flush(
            connection,
            {ORDERS: [added]},
            {
                ORDERS: [Changed(before, after)],
                STATIONS: [
                    Changed(a_station(7), a_station(9)),
                    Changed(a_station(1, "bar"), a_station(2, "bar")),
                ],
            },
            {},
        )
    assert await rows(roma, ORDERS) == [after, added]
    assert await rows(roma, STATIONS) == [a_station(2, "bar"), a_station(9)]


@pytest.mark.parametrize("how", ["changed", "gone", "relied on", "relied on and gone"])
async def test_nothing_at_all_is_written_when_a_row_has_changed_since(
    how: str, roma: Database
) -> None:
    await insert(roma, STATIONS, a_station(1, "bar"))
    if "gone" not in how:
        await insert(roma, STATIONS, a_station(8))  # somebody else was quicker than 7
    relied = {STATIONS: [a_station(7)]} if "relied" in how else {}
    changes = [Changed(a_station(1, "bar"), a_station(2, "bar"))]
    if "relied" not in how:
        changes.append(Changed(a_station(7), a_station(8)))
    standing = await rows(roma, STATIONS)
    with pytest.raises(Stale):
        async with roma.decide() as connection:
            await flush(
                connection,
                {ORDERS: [an_order()], INBOX: [an_answer(new_id())]},
                {STATIONS: changes},
                relied,
            )
    assert await rows(roma, STATIONS) == standing
    assert await rows(roma, ORDERS) == await rows(roma, INBOX) == []


async def test_a_row_that_is_relied_on_and_unchanged_lets_the_decision_pass(
    roma: Database,
) -> None:
    menu = {"tenant": "roma", "menu": "main", "version": 3}
    await insert(roma, MENUS, menu)
    async with roma.decide() as connection:
        await flush(connection, {ORDERS: [an_order()]}, {}, {MENUS: [menu]})
    assert len(await rows(roma, ORDERS)) == 1


@pytest.mark.parametrize("why", ["it exists", "twice in one", "a constraint", "nobody's"])
async def test_a_conflict_is_told_and_nothing_is_written(why: str, roma: Database) -> None:
    known = an_answer(new_id())
    await insert(roma, INBOX, known)
    await insert(roma, STATIONS, a_station(7))
    fresh = an_answer(new_id())
    inserts: dict[Table, list[Row]] = {
        "it exists": {INBOX: [fresh, known]},
        "twice in one": {INBOX: [fresh, fresh]},
        "a constraint": {INBOX: [fresh], ORDERS: [an_order(reason="but not cancelled")]},
        "nobody's": {INBOX: [fresh], MENUS: [{"tenant": "nobody", "menu": "m", "version": 1}]},
    }[why]
    with pytest.raises(Conflict):
        async with roma.decide() as connection:
            await flush(connection, inserts, {STATIONS: [Changed(a_station(7), a_station(8))]}, {})
    assert await rows(roma, INBOX) == [known]
    assert await rows(roma, STATIONS) == [a_station(7)]
    assert await rows(roma, ORDERS) == []


async def test_a_connection_can_be_used_again_after_a_conflict(roma: Database) -> None:
    known = an_answer(new_id())
    for attempt in range(3):
        if attempt == 0:
            await insert(roma, INBOX, known)
        with pytest.raises(Conflict):
            async with roma.decide() as connection:
                await flush(connection, {INBOX: [known]}, {}, {})
    async with roma.decide() as connection:
        await flush(connection, {INBOX: [an_answer(new_id())]}, {}, {})
    assert len(await rows(roma, INBOX)) == 2


async def test_a_refused_message_leaves_nothing_and_its_neighbours_do_not_see_it(
    roma: Database,
) -> None:
    await insert(roma, STATIONS, a_station(7))
    async with deciding(roma) as work:
        good, refused, later = Draft(work), Draft(work), Draft(work)
        kept, dropped = an_order(), an_order()
        good.put(ORDERS, kept)
        assert await good.get(STATIONS, "roma", "grill") == a_station(7)
        good.put(STATIONS, a_station(8))
        work.merge(good.changes)
        refused.put(ORDERS, dropped)
        refused.put(STATIONS, a_station(9))
        assert await refused.get(STATIONS, "roma", "grill") == a_station(9)
        # It is not merged; who comes after it sees what was decided before it.
        assert await later.get(STATIONS, "roma", "grill") == a_station(8)
        assert await later.get(ORDERS, "roma", dropped["order_id"]) is None
        assert await later.get(ORDERS, "roma", kept["order_id"]) == kept
        await work.flush({})
    assert await rows(roma, ORDERS) == [kept]
    assert await rows(roma, STATIONS) == [a_station(8)]


async def test_a_row_changed_many_times_in_one_batch_is_written_once(roma: Database) -> None:
    await insert(roma, STATIONS, a_station(7))
    async with deciding(roma) as work:
        for sequence in range(8, 20):
            draft = Draft(work)
            assert await draft.get(STATIONS, "roma", "grill") == a_station(sequence - 1)
            draft.put(STATIONS, a_station(sequence))
            work.merge(draft.changes)
        await work.flush({})
    assert await rows(roma, STATIONS) == [a_station(19)]


async def test_more_rows_are_asked_for_than_one_statement_may_name(roma: Database) -> None:
    await insert(roma, STATIONS, a_station(5))
    async with deciding(roma) as work:
        if roma.is_sqlite:
            raw = await work.connection.get_raw_connection()
            driver = cast("PatientConnection", raw.driver_connection)
            usual = 32_766  # what SQLite is built with, where nobody chose otherwise
            limit = sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER
            await driver.run(lambda connection: connection.setlimit(limit, usual))
        wanted = [("roma", f"s-{number}") for number in range(40_000)]
        await work.fetch(STATIONS, [*wanted, ("roma", "grill")])
        found = [key for key in (*wanted, ("roma", "grill")) if work.peek(STATIONS, key)]
        assert found == [("roma", "grill")]


async def test_a_row_of_another_tenant_is_another_row(roma: Database) -> None:
    mine = an_order()
    theirs = {**an_order("milano"), "order_id": mine["order_id"]}
    await insert(roma, ORDERS, mine, theirs)
    async with deciding(roma) as work:
        draft = Draft(work)
        assert await draft.get(ORDERS, "milano", mine["order_id"]) == theirs
        assert await draft.get(ORDERS, "roma", mine["order_id"]) == mine
        assert await draft.get(ORDERS, "napoli", mine["order_id"]) is None


async def count_on(database: Database, shelf: Shelf, expected: int) -> None:
    async with deciding(database, shelf) as work:
        draft = Draft(work)
        assert await draft.get(STATIONS, "roma", "grill") == a_station(expected)
        draft.put(STATIONS, a_station(expected + 1))
        work.merge(draft.changes)
        await work.flush({})
    work.shelve()


async def test_a_shelved_row_that_others_changed_is_found_out_at_the_write(
    roma: Database,
) -> None:
    shelf = Shelf()
    await insert(roma, STATIONS, a_station(7))
    await count_on(roma, shelf, 7)
    async with roma.write() as connection:
        await connection.execute(update(STATIONS).values(version=50, sequence=50))
    with pytest.raises(Stale):
        await count_on(roma, shelf, 8)
    shelf.clear()
    async with deciding(roma, shelf) as work:
        assert await Draft(work).get(STATIONS, "roma", "grill") == a_station(50)
