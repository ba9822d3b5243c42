"""However many deliveries a house ever had, whoever waits does not wait for them to be read."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

import pytest
from sqlalchemy import event, text

from schemas.deliveries import DeliveryStatus
from schemas.delivery_requests import QuoteDelivery
from schemas.identifiers import new_id
from services.delivery import average_door, store
from services.delivery.closed_orders import HISTORY, read_closed
from services.delivery.learning.parameters import Parameters
from services.delivery.models import WHOLE
from services.delivery.tables import DELIVERIES, ETA_MODELS
from services.delivery.trainer import Trainer
from services.runtime.database import Database
from tests.services.delivery_world import DOOR, FAR, DeliveryWorld
from tests.services.order_world import BEGAN, TILL

YEARS: Final = 2_000
"""So many deliveries are over and done with, the last of them a day ago."""
A_DAY: Final = timedelta(days=1)
FEW: Final = 12
"""What is read of an evening with two orders, with room for more than one look at each."""

Statement = tuple[str, Any]


@pytest.fixture
async def house(database: Database) -> DeliveryWorld:
    made = DeliveryWorld(database)
    await made.open()
    rows = [_closed(made.tenant, number) for number in range(YEARS)]
    document = Parameters().as_json()
    async with database.write() as connection:
        await connection.execute(DELIVERIES.insert(), rows)
        await connection.execute(
            ETA_MODELS.insert().values(
                tenant=made.tenant, kind=WHOLE, version=1, trained_at=BEGAN, document=document
            )
        )
    return made


def _closed(tenant: str, number: int) -> dict[str, Any]:
    placed_at = BEGAN - A_DAY - number * timedelta(hours=1)
    return {
        "tenant": tenant, "order_id": new_id(), "version": 9, "number": "7", "items": 2,
        "status": DeliveryStatus.DELIVERED.value, "lat": DOOR.lat, "lon": DOOR.lon,
        "placed_at": placed_at, "begun_at": placed_at, "document": {},
        "ended_at": placed_at + timedelta(minutes=30),
    }  # fmt: skip


async def said(database: Database, doing: Callable[[], Awaitable[object]]) -> list[Statement]:
    """What is asked of the deliveries meanwhile."""
    with _heard(database) as statements:
        await doing()
    return [each for each in statements if "FROM deliveries" in each[0]]


@contextmanager
def _heard(database: Database) -> Any:
    statements: list[Statement] = []

    def hear(*called: Any) -> None:
        _connection, _cursor, statement, parameters, _context, many = called
        if statement.lstrip().upper().startswith("SELECT") and not many:
            statements.append((statement, parameters))

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", hear)
    yield statements
    event.remove(engine, "before_cursor_execute", hear)


async def rows_read(database: Database, statements: Sequence[Statement]) -> dict[str, int]:
    """How many rows of deliveries each reads, by what it asks.

    PostgreSQL says how many rows it looked at. SQLite says by which columns of an index it
    searched, so one that is narrowed by the house alone counts as all there is.
    """
    found: dict[str, int] = {}
    async with database.read() as connection:
        for statement, parameters in statements:
            if database.is_sqlite:
                said = await connection.exec_driver_sql(
                    f"EXPLAIN QUERY PLAN {statement}", parameters
                )
                lines = [line for line in said.scalars("detail") if " deliveries" in line]
                found[statement] = 0 if all(map(_is_bounded, lines)) else YEARS
                assert lines, statement
            else:
                explain = f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}"
                told = (await connection.exec_driver_sql(explain, parameters)).scalar_one()
                plan = json.loads(told) if isinstance(told, str) else told
                found[statement] = _looked_at(plan[0]["Plan"])
    return found


def _is_bounded(line: str) -> bool:
    narrowed = line.split("(", 1)[-1]
    return (
        "INDEX ix_deliveries_open" in line  # which has those alone that are under way
        or any(column in narrowed for column in _COLUMNS)
    )


_COLUMNS: Final = ("placed_at", "ended_at", "order_id")


def _looked_at(plan: dict[str, Any]) -> int:
    own = plan.get("Actual Rows", 0) + plan.get("Rows Removed by Filter", 0)
    mine = own * plan["Actual Loops"] if plan.get("Relation Name") == "deliveries" else 0
    return round(mine) + sum(_looked_at(each) for each in plan.get("Plans", ()))


async def look(database: Database, doing: Callable[[], Awaitable[object]]) -> None:
    """Whatever it asks, it must not read the years before; whether the database counted or not."""
    statements = await said(database, doing)
    assert statements, "nothing was asked"
    for _ in range(2):
        for statement, rows in (await rows_read(database, statements)).items():
            assert rows <= FEW, f"{rows} rows read:\n{statement}"
        async with database.write() as connection:
            await connection.execute(text("ANALYZE"))


async def test_an_order_is_placed_without_reading_those_of_the_years_before(
    house: DeliveryWorld,
) -> None:
    await house.place_order(FAR)
    house.wait(timedelta(minutes=5))
    statements = await said(house.database, house.place_order)
    assert any("coalesce" in statement for statement, _ in statements), "today was looked at"
    await look(house.database, house.place_order)


async def test_a_delivery_is_quoted_without_reading_those_of_the_years_before(
    house: DeliveryWorld,
) -> None:
    await house.place_order(FAR)

    async def to_a_door() -> None:
        await house.do(TILL, QuoteDelivery(place=FAR, items=2))

    await look(house.database, to_a_door)

    async def to_the_average_door() -> None:
        await house.do(TILL, QuoteDelivery())

    statements = await said(house.database, to_the_average_door)
    for statement, count in (await rows_read(house.database, statements)).items():
        assert count <= average_door.LAST, statement


async def test_a_report_of_today_reads_today(house: DeliveryWorld) -> None:
    await house.place_order()

    async def read() -> None:
        async with house.database.read() as connection:
            found = await store.placed_between(
                connection, house.tenant, BEGAN - timedelta(hours=4), BEGAN + A_DAY
            )
        assert len(found) == 1

    await look(house.database, read)


async def test_what_is_under_way_is_found_without_what_is_over(house: DeliveryWorld) -> None:
    order_id = await house.place_order()
    await house.place_order(FAR)

    async def read() -> None:
        async with house.database.read() as connection:
            assert len(await store.open_ones(connection, house.tenant)) == 2
            first = await store.page(connection, house.tenant, most=1)
            assert [each.delivery.order_id for each in first] == [order_id]
            rest = await store.page(connection, house.tenant, after=order_id, most=9)
            assert len(rest) == 1

    await look(house.database, read)


async def test_the_trainer_finds_out_whether_there_is_something_new_without_reading_it(
    house: DeliveryWorld,
) -> None:
    trainer = Trainer(house.database, lambda: house.now)
    assert await trainer.look() == [house.tenant]

    async def again() -> None:
        assert await trainer.look() == []

    if house.database.is_sqlite:
        (statement,) = await said(house.database, again)
        async with house.database.read() as connection:
            plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement[0]}")
            lines = [line for line in plan.scalars("detail") if " deliveries" in line]
        assert lines == ["SEARCH deliveries USING COVERING INDEX ix_deliveries_ended (tenant=?)"]
    else:
        await look(house.database, again)


async def test_half_a_year_is_fetched_in_pages_and_each_delivery_once(
    house: DeliveryWorld,
) -> None:
    since = BEGAN - HISTORY
    same = BEGAN - A_DAY + timedelta(minutes=30)
    async with house.database.write() as connection:
        for number in range(3):  # of one moment, so that a page may end between them
            row = _closed(house.tenant, -number) | {"ended_at": same}
            await connection.execute(DELIVERIES.insert().values(row))
    with _heard(house.database) as statements:
        async with house.database.read() as connection:
            rows = await read_closed(connection, house.tenant, since)
    assert len(statements) == 2 + YEARS // 500
    assert len({row["order_id"] for row in rows}) == len(rows) == YEARS + 3
    ended = [row["ended_at"] for row in rows]
    assert ended == sorted(ended)
    for statement, count in (await rows_read(house.database, statements)).items():
        assert count <= 600, statement
