"""What runs out before it can be there again is told while something can be done."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.alerts import Alert, AlertKind
from schemas.inventory import BaseUnit, Pack, StockItem
from schemas.kitchen_rules import Weekday
from schemas.suppliers import Supplier
from services.inventory.forecast import SLOTS, Profile
from services.inventory.foreseeing import outlook
from services.inventory.foreseeing_watch import StockOutWatch
from services.inventory.store import put
from services.inventory.suggesting import OnItsWay
from services.inventory.tables import STOCK_USAGE, SUPPLIERS
from services.runtime import alerts
from services.runtime.database import Database
from services.runtime.intake import Intake
from tests.services.asked_of_ourselves import AskedOfOurselves, outlasts_a_fault
from tests.services.stock_floor import StockFloor

ZONE = ZoneInfo("Europe/Rome")
MONDAY = datetime(2026, 3, 16, 8, 0, tzinfo=UTC)
KG = 1_000_000
STEADY = Profile((10_000.0,) * SLOTS, ZONE, weeks=8.0)
"""Ten grams an hour."""
WEEKLY = Supplier(supplier="market", name="Market", delivery_days=(Weekday.TUE, Weekday.FRI))


def runs_out(amount: int, *, stands: bool = False, coming: tuple[OnItsWay, ...] = ()) -> bool:
    seen = outlook(
        amount, STEADY, coming=coming, supplier=WEEKLY, now=MONDAY, zone=ZONE, stands=stands
    )
    return seen.runs_out_at is not None


def test_it_has_to_last_until_what_is_ordered_tomorrow_comes() -> None:
    until_friday_noon = 4 * 24 + 3
    seen = outlook(0, STEADY, coming=(), supplier=WEEKLY, now=MONDAY, zone=ZONE)
    assert seen.until == datetime(2026, 3, 20, 11, 0, tzinfo=UTC), "Tuesday's is ordered today"
    assert not seen.ordered
    assert runs_out((until_friday_noon - 1) * 10_000)
    assert not runs_out(until_friday_noon * 10_000)


def test_what_is_ordered_is_relied_on_until_it_is_late() -> None:
    tomorrow = OnItsWay(KG, date(2026, 3, 17), "4711")
    late = OnItsWay(KG, date(2026, 3, 15), "4710")
    assert not runs_out(28 * 10_000, coming=(tomorrow,))
    assert runs_out(26 * 10_000, coming=(tomorrow,))
    assert runs_out(28 * 10_000, coming=(late,)), "it was to come yesterday"


@given(amount=st.integers(0, 2 * KG))
def test_what_is_told_is_over_only_with_some_to_spare(amount: int) -> None:
    if not runs_out(amount, stands=True):
        assert not runs_out(amount), "what has ended does not begin again at once"
        assert not runs_out(round(amount * 0.95)), "nor after one portion"


# -- in a house -------------------------------------------------------------------------------


class Larder:
    """A house that has used ten grams of beef an hour for two weeks."""

    def __init__(self, floor: StockFloor) -> None:
        self.floor = floor
        self.asks = AskedOfOurselves(floor)
        asks: Any = self.asks
        intake: Intake = asks
        self.watch = StockOutWatch(floor.database, intake, lambda: floor.now, look_every_s=0.01)

    async def open(self) -> None:
        pack = Pack(supplier="market", holds=KG, price_minor=900)
        beef = StockItem(item="beef", name="Beef", unit=BaseUnit.GRAM, packs=(pack,))
        supplier = {"name": "Market", "lead_days": 1}
        begun = self.floor.now.replace(minute=0) - timedelta(weeks=2)
        nothing = {"wasted": 0, "damaged": 0, "received": 0, "returned": 0, "counted": 0}
        mine = {"tenant": self.floor.tenant, "item": "beef"}
        async with self.floor.database.write() as connection:
            await put(connection, self.floor.tenant, [beef], [])
            row = {"tenant": self.floor.tenant, "supplier": "market", "document": supplier}
            await connection.execute(SUPPLIERS.insert().values(**row))
            await connection.execute(
                STOCK_USAGE.insert(),
                [
                    {**mine, "hour": begun + timedelta(hours=n), "consumed": 10_000, **nothing}
                    for n in range(14 * 24)
                ],
            )

    async def alerts(self) -> list[Alert]:
        async with self.floor.database.read() as connection:
            found = await alerts.every(connection, self.floor.tenant)
        return [each for each in found if each.kind is AlertKind.STOCK_OUT]


@pytest.fixture
async def larder(database_url: str) -> AsyncIterator[Larder]:
    database = Database(database_url)
    try:
        floor = StockFloor(database)
        await floor.open()
        larder = Larder(floor)
        await larder.open()
        yield larder
    finally:
        await database.close()


async def test_what_runs_out_is_told_once_and_ends_with_the_delivery(larder: Larder) -> None:
    await larder.floor.fill(beef="300 g")
    assert await larder.watch.look() == 1
    (alert,) = await larder.alerts()
    assert alert.about == "beef"
    assert "300 g left, which is used up about" in alert.text
    assert "Order it today" in alert.text
    assert await larder.watch.look() == 0
    await larder.floor.fill(beef="2 kg")
    assert await larder.watch.look() == 1
    assert await larder.alerts() == []


async def test_a_fault_of_ours_ends_no_looking_ahead(larder: Larder) -> None:
    await larder.floor.fill(beef="300 g")

    async def told() -> bool:
        return bool(await larder.alerts())

    await outlasts_a_fault(larder.asks, larder.watch.run(), told)


async def test_what_lasts_is_not_told_until_it_does_not(larder: Larder) -> None:
    await larder.floor.fill(beef="1 kg")
    assert await larder.watch.look() == 0
    larder.floor.now += timedelta(days=3)
    assert await larder.watch.look() == 0, "by the books nobody has taken any"
    assert larder.asks.requests == []


async def test_what_is_on_the_book_no_more_is_not_told_any_more(larder: Larder) -> None:
    await larder.floor.fill(beef="300 g")
    await larder.watch.look()
    assert len(await larder.alerts()) == 1
    async with larder.floor.database.write() as connection:
        await put(connection, larder.floor.tenant, [], [], gone_items=["beef"])
    await larder.watch.look()
    assert await larder.alerts() == []


async def test_what_no_dish_takes_any_more_is_not_told_any_more(larder: Larder) -> None:
    """A book that is replaced keeps what was moved: nobody buys it, and nobody needs to."""
    await larder.floor.fill(beef="300 g")
    await larder.watch.look()
    assert len(await larder.alerts()) == 1
    async with larder.floor.database.write() as connection:
        await put(connection, larder.floor.tenant, [], [], gone_recipes=["steak"])
    await larder.watch.look()
    assert await larder.alerts() == []
    assert await larder.watch.look() == 0, "nor asked for again and again"


async def test_of_a_young_house_nothing_is_foretold(database: Database) -> None:
    floor = StockFloor(database)
    await floor.open()
    larder = Larder(floor)
    await floor.fill(beef="1 g")
    assert await larder.watch.look() == 0
