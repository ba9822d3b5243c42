"""What becomes of stock because time passes: planned orders reserve, lots grow old."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import pytest

from schemas.alerts import AcknowledgeAlert, Alert, AlertKind
from schemas.identifiers import new_id
from schemas.inventory import BaseUnit, Quantity, StockItem
from schemas.inventory_requests import ReceivedLine, ReceiveStock
from schemas.kitchen_requests import StartTicket
from schemas.orders import LineRequest, PlaceOrder
from schemas.stock_rules import StockRules
from services.inventory.expiry_store import old_lots
from services.inventory.expiry_watch import ExpiryWatch
from services.inventory.ledger import Level
from services.inventory.lots import KeptLot, left_of
from services.inventory.marking import MarkWatch
from services.inventory.store import put
from services.inventory.tables import LOTS, STOCK_LEVELS
from services.inventory.timers import PlannedOrders
from services.runtime import alerts, house_rules
from services.runtime.database import Database
from services.runtime.intake import Intake
from tests.services.asked_of_ourselves import AskedOfOurselves, outlasts_a_fault
from tests.services.order_world import SCREEN, TILL, Asked
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


def of_ourselves(floor: StockFloor) -> tuple[AskedOfOurselves, Intake]:
    asks = AskedOfOurselves(floor)
    intake: Any = asks
    return asks, intake


async def receive(floor: StockFloor, item: str, quantity: str, keeps: int | None) -> None:
    """A delivery of one lot that keeps so many days, today's among them."""
    amount, unit = quantity.split()
    day = None if keeps is None else (floor.now + timedelta(days=keeps)).date()
    line = ReceivedLine(item=item, quantity=Quantity(amount=amount, unit=unit), expires_on=day)
    note = new_id().hex[-8:]
    await floor.do(ReceiveStock(supplier="market", note=note, lines=(line,)), TILL)


async def standing(floor: StockFloor, *kinds: AlertKind) -> list[Alert]:
    async with floor.database.read() as connection:
        found = await alerts.every(connection, floor.tenant)
    return [each for each in found if not kinds or each.kind in kinds]


OLD = (AlertKind.EXPIRING, AlertKind.EXPIRED)

# -- orders for a later day -------------------------------------------------------------------


async def test_what_was_planned_is_reserved_when_its_day_has_come(floor: StockFloor) -> None:
    asks, intake = of_ourselves(floor)
    timer = PlannedOrders(floor.database, intake, lambda: floor.now)
    await floor.fill(beef="1 kg")
    due = floor.now + timedelta(days=2)
    later = PlaceOrder(lines=(LineRequest(item="steak", quantity=1),), due_at=due)
    await floor.say(Asked(TILL, later, at=floor.now))
    assert await timer.look() == 0
    assert (await floor.levels())["beef"] == Level(on_hand=1_000_000, planned=250_000)
    floor.now = due - timedelta(hours=12)
    assert await timer.look() == 1
    assert (await floor.levels())["beef"] == Level(on_hand=1_000_000, reserved=250_000)
    await floor.check()
    floor.now += timedelta(hours=1)
    assert await timer.look() == 0, "it is asked for once"
    assert len(asks.requests) == 1


async def test_many_whose_day_has_come_are_all_reserved(floor: StockFloor) -> None:
    _, intake = of_ourselves(floor)
    timer = PlannedOrders(floor.database, intake, lambda: floor.now)
    due = floor.now + timedelta(days=2)
    orders = [
        PlaceOrder(
            lines=(LineRequest(item="chips", quantity=1),), due_at=due + timedelta(seconds=n)
        )
        for n in range(7)
    ]
    await floor.say(*(Asked(TILL, each, at=floor.now) for each in orders))
    floor.now = due
    assert await timer.look() == 7
    assert (await floor.levels())["potato"] == Level(reserved=7 * 200_000)


# -- lots -------------------------------------------------------------------------------------


async def test_a_lot_is_told_two_days_before_it_expires_and_again_when_it_has(
    floor: StockFloor,
) -> None:
    asks, intake = of_ourselves(floor)
    watch = ExpiryWatch(floor.database, intake, lambda: floor.now)
    await receive(floor, "beef", "2 kg", keeps=4)
    await watch.look()
    assert await standing(floor) == []
    floor.now += timedelta(days=2)
    await watch.look()
    (alert,) = await standing(floor)
    assert (alert.kind, alert.about) == (AlertKind.EXPIRING, "beef")
    assert "2 kg at kitchen expires on 2026-03-18" in alert.text
    await floor.do(AcknowledgeAlert(alert=alert.alert), SCREEN)
    for _ in range(3):
        await watch.look()
    assert len(asks.requests) == 1, "what stands is not told again"
    floor.now += timedelta(days=2)
    await watch.look()
    assert [each.kind for each in await standing(floor)] == [AlertKind.EXPIRING], "its last day"
    floor.now += timedelta(days=1)
    await watch.look()
    (alert,) = await standing(floor)
    assert (alert.kind, alert.acknowledged_at) == (AlertKind.EXPIRED, None)


async def test_what_is_used_up_in_time_is_told_no_more(floor: StockFloor) -> None:
    _, intake = of_ourselves(floor)
    watch = ExpiryWatch(floor.database, intake, lambda: floor.now)
    await receive(floor, "beef", "250 g", keeps=1)
    await receive(floor, "beef", "2 kg", keeps=20)
    await watch.look()
    assert [each.kind for each in await standing(floor, *OLD)] == [AlertKind.EXPIRING]
    order = await floor.order("steak")
    ticket = await floor.at("grill", order)
    await floor.do(StartTicket(ticket_id=ticket.ticket_id))
    await watch.look()
    assert await standing(floor, *OLD) == [], "what expires first was cooked first"
    await floor.check()


async def test_each_lot_is_an_alert_of_its_own(floor: StockFloor) -> None:
    _, intake = of_ourselves(floor)
    watch = ExpiryWatch(floor.database, intake, lambda: floor.now)
    await receive(floor, "beef", "1 kg", keeps=1)
    await watch.look()
    (first,) = await standing(floor)
    await floor.do(AcknowledgeAlert(alert=first.alert), SCREEN)
    await receive(floor, "beef", "1 kg", keeps=2)
    await watch.look()
    seen = {each.alert: each.acknowledged_by for each in await standing(floor)}
    assert sorted(seen.values(), key=str) == [None, SCREEN], "nobody has seen the second one"


async def test_a_fault_of_ours_ends_no_looking_at_lots(floor: StockFloor) -> None:
    asks, intake = of_ourselves(floor)
    await receive(floor, "beef", "1 kg", keeps=1)

    async def told() -> bool:
        return bool(await standing(floor, *OLD))

    watch = ExpiryWatch(floor.database, intake, lambda: floor.now, look_every_s=0.01)
    await outlasts_a_fault(asks, watch.run(), told)


async def test_what_a_new_process_finds_is_not_told_twice(floor: StockFloor) -> None:
    asks, intake = of_ourselves(floor)
    await receive(floor, "beef", "1 kg", keeps=1)
    for _ in range(3):
        await ExpiryWatch(floor.database, intake, lambda: floor.now).look()
    assert len(asks.requests) == 1


async def test_a_house_may_be_warned_earlier(floor: StockFloor) -> None:
    _, intake = of_ourselves(floor)
    watch = ExpiryWatch(floor.database, intake, lambda: floor.now)
    await receive(floor, "beef", "1 kg", keeps=10)
    await watch.look()
    assert await standing(floor) == []
    async with floor.database.write() as connection:
        rules = StockRules(expiry_warning_days=14)
        await house_rules.write(connection, floor.tenant, stock=rules)
    await watch.look()
    assert [each.kind for each in await standing(floor)] == [AlertKind.EXPIRING]
    async with floor.database.write() as connection:
        await house_rules.write(connection, floor.tenant, stock=StockRules())
    await watch.look()
    assert await standing(floor) == [], "by the new rules it is too early"


async def test_the_database_reckons_lots_as_the_rules_do(floor: StockFloor) -> None:
    """Drawn at random, with ties, lots that keep for ever, and more on hand than was received."""
    draw = random.Random(20260314)  # noqa: S311 - a reproducible example, no secret
    today = floor.now.date()
    items = [f"item-{n}" for n in range(12)]
    on_hand: dict[str, int] = {}
    kept: dict[str, list[KeptLot]] = {item: [] for item in items}
    async with floor.database.write() as connection:
        book = [StockItem(item=item, name=item, unit=BaseUnit.GRAM) for item in items]
        await put(connection, floor.tenant, book, [])
        for item in items:
            for _ in range(draw.randrange(1, 9)):
                received = draw.randrange(1, 500)
                lot = KeptLot(
                    new_id(),
                    item,
                    received,
                    draw.choice([0, 0, received, draw.randrange(received + 1)]),
                    draw.choice([None, *(today + timedelta(days=n) for n in range(-3, 5))]),
                    floor.now - timedelta(days=draw.randrange(3)),
                    "kitchen",
                )
                kept[item].append(lot)
                row = {name: getattr(lot, name) for name in lot.__slots__}
                values = {"tenant": floor.tenant, "version": 1, **row}
                await connection.execute(LOTS.insert().values(**values))
            on_hand[item] = draw.randrange(-100, 1500)
            level = {"on_hand": on_hand[item], "reserved": 0, "damaged": 0, "planned": 0}
            values = {"tenant": floor.tenant, "item": item, "version": 1, **level}
            values |= {"places": {}, "counted": True, "mark": "ok", "changed_at": floor.now}
            await connection.execute(STOCK_LEVELS.insert().values(**values))
    until = today + timedelta(days=2)
    async with floor.database.read() as connection:
        found = await old_lots(connection, floor.tenant, until)
        some = await old_lots(connection, floor.tenant, until, items[:3])
    expected = {
        lot.lot_id: lot.left
        for item in items
        for lot in left_of(on_hand[item], kept[item])
        if lot.left and (lot.expires_on or date.max) <= until
    }
    assert {lot.lot_id: lot.left for lot in found} == expected
    assert len(expected) > 5, "the example is worth something"
    assert some == [lot for lot in found if lot.item in items[:3]]


# -- thresholds that change ------------------------------------------------------------------


async def rewrite(floor: StockFloor, **thresholds: int | None) -> None:
    """Import beef anew, with other thresholds."""
    beef = StockItem.model_validate({"item": "beef", "name": "Beef", "unit": "g", **thresholds})
    async with floor.database.write() as connection:
        await put(connection, floor.tenant, [beef], [])


BY_LEVEL = (AlertKind.LOW_STOCK, AlertKind.CRITICAL_STOCK)


async def test_other_thresholds_raise_and_clear_without_a_move(floor: StockFloor) -> None:
    asks, intake = of_ourselves(floor)
    watch = MarkWatch(floor.database, intake, lambda: floor.now)
    await floor.fill(beef="2 kg")
    assert await watch.look() == 0
    await rewrite(floor, low=3_000_000)
    assert await watch.look() == 1
    (alert,) = await standing(floor, *BY_LEVEL)
    assert (alert.kind, "2 kg left, below 3 kg" in alert.text) == (AlertKind.LOW_STOCK, True)
    assert await watch.look() == 0
    await rewrite(floor, low=9_000_000, critical=3_000_000)
    await watch.look()
    assert len(await standing(floor, *BY_LEVEL)) == 2
    await rewrite(floor, low=100_000)
    await watch.look()
    assert await standing(floor, *BY_LEVEL) == []
    assert len(asks.requests) == 3
    await floor.check()


async def test_a_fault_of_ours_ends_no_marking(floor: StockFloor) -> None:
    asks, intake = of_ourselves(floor)
    await floor.fill(beef="2 kg")
    await rewrite(floor, low=3_000_000)

    async def marked() -> bool:
        return bool(await standing(floor, *BY_LEVEL))

    watch = MarkWatch(floor.database, intake, lambda: floor.now, look_every_s=0.01)
    await outlasts_a_fault(asks, watch.run(), marked)


async def test_an_item_that_is_on_the_book_no_more_is_no_alert(floor: StockFloor) -> None:
    _, intake = of_ourselves(floor)
    watch = MarkWatch(floor.database, intake, lambda: floor.now)
    await floor.fill(beef="600 g")
    assert len(await standing(floor, *BY_LEVEL)) == 1
    async with floor.database.write() as connection:
        await put(connection, floor.tenant, [], [], gone_items=["beef"])
    assert await watch.look() == 1
    assert await standing(floor, *BY_LEVEL) == []


async def test_a_move_ends_what_thresholds_of_before_have_raised(floor: StockFloor) -> None:
    await floor.fill(beef="600 g")
    assert len(await standing(floor, *BY_LEVEL)) == 1
    await rewrite(floor)
    await floor.fill(beef="1 g")
    assert await standing(floor, *BY_LEVEL) == [], "before anybody has looked"
