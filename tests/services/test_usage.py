"""Usage: kept beside the ledger, never anything else than a sum of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from sqlalchemy import delete, select

from schemas.identifiers import new_id
from schemas.inventory import MovementKind
from schemas.kitchen_requests import StartTicket
from services.inventory import usage_book
from services.inventory.tables import STOCK_MOVEMENTS, STOCK_USAGE, USAGE_MARKS
from services.inventory.usage import Hourly, Usage, add_up, hour_of, usage_of
from services.inventory.usage_book import UsageBook, recount
from services.people.store import remove_tenant
from services.runtime.database import Database
from tests.services.stock_floor import StockFloor


@pytest.fixture
async def floor(database_url: str) -> AsyncIterator[StockFloor]:
    database = Database(database_url)
    try:
        floor = StockFloor(database)
        await floor.open()
        yield floor
    finally:
        await database.close()


def book_of(floor: StockFloor) -> UsageBook:
    return UsageBook(floor.database, lambda: floor.now)


async def kept(floor: StockFloor) -> Hourly:
    (rows,) = await floor.rows(STOCK_USAGE)
    return {(row["item"], row["hour"]): usage_of(row) for row in rows}


async def by_the_ledger(floor: StockFloor) -> Hourly:
    (rows,) = await floor.rows(STOCK_MOVEMENTS)
    return {key: usage for key, usage in add_up(rows).items() if usage}


async def cook(floor: StockFloor, item: str, station: str) -> None:
    order = await floor.order(item)
    ticket = await floor.at(station, order)
    await floor.do(StartTicket(ticket_id=ticket.ticket_id))


async def moved(floor: StockFloor, kind: MovementKind, at_hours: int = 0, **amounts: int) -> None:
    """Write an entry into the ledger, as if it had been decided."""
    row = {
        "tenant": floor.tenant,
        "movement_id": new_id(),
        "kind": kind.value,
        "at": floor.now + timedelta(hours=at_hours),
        "kept_at": floor.now,
        "amounts": amounts,
        "device": "till-1",
        "why": "",
    }
    async with floor.database.write() as connection:
        await connection.execute(STOCK_MOVEMENTS.insert().values(row))


async def test_usage_is_what_dishes_took_hour_by_hour(floor: StockFloor) -> None:
    book = book_of(floor)
    await floor.fill(beef="2 kg", potato="1 kg")
    await cook(floor, "steak", "grill")
    first = hour_of(floor.now)
    assert await book.look() == 2, "received and taken; what is only reserved is not used"
    floor.wait(timedelta(hours=1))
    await cook(floor, "steak", "grill")
    await book.look()
    assert await kept(floor) == {
        ("beef", first): Usage(received=2_000_000, consumed=250_000),
        ("potato", first): Usage(received=1_000_000),
        ("beef", hour_of(floor.now)): Usage(consumed=250_000),
    }


async def test_usage_adds_up_to_what_is_on_hand(floor: StockFloor) -> None:
    book = book_of(floor)
    await floor.fill(beef="2 kg", potato="1 kg")
    for kind in (MovementKind.WASTE, MovementKind.DAMAGE, MovementKind.DISCARD):
        await moved(floor, kind, beef=1000)
    await moved(floor, MovementKind.RETURN, potato=5000)
    await moved(floor, MovementKind.COUNT, at_hours=-5, beef=-7000, potato=3000)
    await moved(floor, MovementKind.REPAIR, potato=1)
    await moved(floor, MovementKind.TRANSFER, potato=1)
    await book.look()
    total = {"beef": Usage(), "potato": Usage()}
    for (item, _), usage in (await kept(floor)).items():
        total[item] = total[item].plus(usage)
    beef, potato = total["beef"], total["potato"]
    assert beef == Usage(received=2_000_000, wasted=2000, damaged=1000, counted=-7000)
    assert (beef.gone, beef.on_hand) == (9000, 1_991_000)
    assert (potato.damaged, potato.on_hand) == (-1, 998_000)
    assert await kept(floor) == await by_the_ledger(floor)


async def test_many_looks_at_once_add_everything_once(
    floor: StockFloor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_book, "PAGE", 3)
    for number in range(20):
        await moved(floor, MovementKind.WASTE, at_hours=-(number % 3), beef=1000 + number)
    # Each knows nothing of the other, as after a death between reading and writing.
    await asyncio.gather(*(book_of(floor).look() for _ in range(4)))
    await book_of(floor).look()
    assert await kept(floor) == await by_the_ledger(floor)
    assert await book_of(floor).look() == 0


async def test_a_recount_makes_good_whatever_is_wrong_and_says_how_much(floor: StockFloor) -> None:
    book = book_of(floor)
    await floor.fill(beef="2 kg", potato="1 kg")
    for weeks in range(20):
        await moved(floor, MovementKind.WASTE, at_hours=-168 * weeks, beef=1000)
    await book.look()
    right = await kept(floor)
    async with floor.database.write() as connection:
        assert await recount(connection, floor.tenant) == 0
        await connection.execute(delete(STOCK_USAGE).where(STOCK_USAGE.c.item == "potato"))
        await connection.execute(STOCK_USAGE.update().values(wasted=STOCK_USAGE.c.wasted + 1))
        made_up = {"tenant": floor.tenant, "item": "cake", "hour": hour_of(floor.now)}
        figures = Usage(consumed=1)._asdict()
        await connection.execute(STOCK_USAGE.insert().values({**made_up, **figures}))
    async with floor.database.write() as connection:
        assert await recount(connection, floor.tenant) == 22
    assert await kept(floor) == right


async def test_what_a_clock_that_went_behind_kept_is_found_within_the_hour(
    floor: StockFloor,
) -> None:
    book = book_of(floor)
    behind = new_id()
    await floor.fill(beef="2 kg")
    await book.look()
    row = {"tenant": floor.tenant, "movement_id": behind, "kind": "waste", "at": floor.now}
    row |= {"kept_at": floor.now, "amounts": {"beef": 4000}, "device": "till-1", "why": ""}
    async with floor.database.write() as connection:
        await connection.execute(STOCK_MOVEMENTS.insert().values(row))
    assert await book.look() == 0
    floor.wait(timedelta(hours=1))
    await book.look()
    assert await kept(floor) == await by_the_ledger(floor)


async def test_nothing_stays_of_a_house_that_is_removed(floor: StockFloor) -> None:
    book = book_of(floor)
    await floor.fill(beef="2 kg")
    await book.look()
    async with floor.database.write() as connection:
        await remove_tenant(connection, floor.tenant)
    floor.wait(timedelta(hours=2))
    assert await book.look() == 0
    async with floor.database.read() as connection:
        for table in (STOCK_USAGE, USAGE_MARKS):
            assert (await connection.execute(select(table))).all() == []
