"""Counts: blind, late and in any order, the books end as what was found and what moved since."""

from __future__ import annotations

import itertools
import threading
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from schemas.identifiers import new_id
from schemas.inventory import Quantity
from schemas.inventory_requests import (
    CountedLine,
    CountStock,
    LoseStock,
    StockLoss,
    TransferStock,
)
from schemas.kitchen_requests import StartTicket
from schemas.orders import LineRequest, PlaceOrder
from schemas.refusals import RefusalCode
from schemas.replies import Outcome, Reply, StockReceipt
from services.inventory import places as shelves
from services.inventory.ledger import Level
from services.inventory.tables import STOCK_COUNTS, STOCK_LEVELS, STOCK_MOVEMENTS
from services.runtime.database import Database
from tests.services.order_world import OTHER, SCREEN, TILL, Asked
from tests.services.stock_floor import StockFloor

NIGHT = "2026-03-14-night"


@pytest.fixture
async def floor(database_url: str) -> AsyncIterator[StockFloor]:
    database = Database(database_url)
    try:
        floor = StockFloor(database)
        await floor.open()
        yield floor
    finally:
        await database.close()


def said(text: str) -> Quantity | None:
    amount, _, unit = text.partition(" ")
    return Quantity(amount=amount, unit=unit) if text else None


def line(item: str, text: str, at: datetime | None = None, place: str | None = None) -> CountedLine:
    return CountedLine(item=item, quantity=said(text), at=at, place=place)


def counted(*lines: CountedLine, count: str = NIGHT) -> CountStock:
    return CountStock(count=count, lines=lines)


async def refused(floor: StockFloor, request: CountStock, code: RefusalCode, says: str) -> None:
    """A count that is refused changes nothing."""
    tables = (STOCK_LEVELS, STOCK_MOVEMENTS, STOCK_COUNTS)
    before = await floor.rows(*tables)
    reply = await floor.ask(request, TILL)
    assert (reply.outcome, reply.code) == (Outcome.REJECTED, code), reply
    assert says in (reply.message or ""), reply.message
    assert await floor.rows(*tables) == before, "nothing half done"


def receipt_of(reply: Reply) -> StockReceipt:
    assert isinstance(reply.result, StockReceipt)
    return reply.result


async def test_a_count_brings_the_books_to_what_was_found(floor: StockFloor) -> None:
    await floor.fill(beef="2 kg", potato="5 kg")
    await floor.do(counted(line("beef", "1.8 kg"), line("potato", "5.5 kg")), TILL)
    levels = await floor.levels()
    assert levels["beef"] == Level(on_hand=1_800_000)
    assert levels["potato"] == Level(on_hand=5_500_000)


async def test_who_counts_is_not_told_what_the_books_have(floor: StockFloor) -> None:
    await floor.fill(beef="2 kg")
    reply = await floor.do(counted(line("beef", "1.8 kg")), TILL)
    assert receipt_of(reply).levels == ()


async def test_what_was_never_counted_limits_from_its_first_count_on(floor: StockFloor) -> None:
    order = await floor.order("soup")
    await floor.do(StartTicket(ticket_id=(await floor.at("grill", order)).ticket_id))
    assert (await floor.levels())["stock"] == Level(on_hand=-300_000)
    await floor.do(counted(line("stock", "")), TILL)
    assert (await floor.levels())["stock"] == Level()
    soup = PlaceOrder(lines=(LineRequest(item="soup", quantity=1),))
    assert (await floor.ask(soup, TILL)).code is RefusalCode.ITEM_UNAVAILABLE


async def test_a_first_count_that_finds_what_the_books_have_counts_too(floor: StockFloor) -> None:
    await floor.do(counted(line("stock", "")), TILL)
    (rows,) = await floor.rows(STOCK_LEVELS)
    assert [row["counted"] for row in rows if row["item"] == "stock"] == [True]
    assert await floor.rows(STOCK_MOVEMENTS) == [[]], "nothing moved"


@pytest.mark.parametrize("text", ["", "0 kg"])
async def test_a_count_may_find_nothing_left(floor: StockFloor, text: str) -> None:
    await floor.fill(beef="2 kg")
    await floor.do(counted(line("beef", text)), TILL)
    assert (await floor.levels())["beef"] == Level()


async def test_a_count_that_comes_late_leaves_moved_what_moved_since(floor: StockFloor) -> None:
    await floor.fill(beef="2 kg")
    floor.wait(timedelta(minutes=10))
    looked = floor.now
    floor.wait(timedelta(minutes=10))
    order = await floor.order("steak")
    await floor.do(StartTicket(ticket_id=(await floor.at("grill", order)).ticket_id))
    await floor.fill(beef="3 kg")
    floor.wait(timedelta(hours=3))
    await floor.do(counted(line("beef", "1.9 kg", looked)), TILL)
    assert (await floor.levels())["beef"] == Level(on_hand=1_900_000 - 250_000 + 3_000_000)
    (counts,) = await floor.rows(STOCK_COUNTS)
    assert [(row["found"], row["expected"]) for row in counts] == [(1_900_000, 2_000_000)]


async def test_a_late_count_knows_what_was_decided_in_its_own_batch(floor: StockFloor) -> None:
    await floor.fill(beef="2 kg")
    floor.wait(timedelta(minutes=10))
    looked = floor.now
    floor.wait(timedelta(minutes=10))
    lost = LoseStock(what=StockLoss.WASTE, item="beef", quantity=said("0.5 kg"), reason="fell")
    asked = [
        Asked(TILL, lost, at=floor.now),
        Asked(OTHER, counted(line("beef", "1.9 kg", looked)), at=floor.now),
    ]
    replies = await floor.say(*asked)
    assert [each.outcome for each in replies] == [Outcome.ACCEPTED, Outcome.ACCEPTED]
    await floor.check()
    assert (await floor.levels())["beef"] == Level(on_hand=1_400_000)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_counts_end_the_same_in_whatever_order_they_come(
    floor: StockFloor, order: tuple[int, ...]
) -> None:
    """Three tablets were offline; what moved between their counts is known here all along."""
    await floor.fill(beef="5 kg")
    looks = []
    for found in ("4.8 kg", "3.9 kg", "3.5 kg"):
        floor.wait(timedelta(minutes=10))
        looks.append((floor.now, found))
        floor.wait(timedelta(minutes=10))
        await waste(floor, "beef", "300 g")
    floor.wait(timedelta(hours=1))
    came = [
        receipt_of(await floor.do(counted(line("beef", looks[n][1], looks[n][0])), TILL))
        for n in order
    ]
    assert (await floor.levels())["beef"] == Level(on_hand=3_500_000 - 300_000)
    for place, n in enumerate(order):
        later_came_first = any(other > n for other in order[:place])
        assert came[place].superseded == (("beef",) if later_came_first else ())


async def waste(floor: StockFloor, item: str, text: str, place: str | None = None) -> None:
    quantity = said(text)
    assert quantity is not None
    lost = LoseStock(what=StockLoss.WASTE, item=item, quantity=quantity, reason="old", place=place)
    await floor.do(lost, SCREEN)


async def test_for_each_line_of_a_late_count_nobody_goes_through_what_moved_of_others(
    floor: StockFloor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five hundred lines over a busy week would hold everybody up for minutes."""
    looked = 0

    def change_at(shelf: shelves.Shelf, moved: shelves.Moved) -> int:
        nonlocal looked
        looked += threading.current_thread() is ours  # not the system of other tests
        return as_it_is(shelf, moved)

    as_it_is, ours = shelves.change_at, threading.current_thread()
    await floor.fill(beef="5 kg", potato="5 kg")
    began = floor.now
    for _ in range(5):
        floor.wait(timedelta(minutes=10))
        await waste(floor, "beef", "100 g")
        await waste(floor, "potato", "100 g")
    monkeypatch.setattr(shelves, "change_at", change_at)
    moment = timedelta(minutes=1)
    lines = [line(item, "5 kg", began + moment * n) for n, item in enumerate(("beef", "potato"), 1)]
    floor.wait(timedelta(minutes=10))
    await floor.do(counted(*lines, line("cake", "")), TILL)
    assert 0 < looked <= 2 * 5
    assert (await floor.levels())["beef"] == Level(on_hand=4_500_000)


async def test_lines_of_one_count_may_be_of_one_shelf_at_several_times(floor: StockFloor) -> None:
    await floor.fill(beef="5 kg")
    floor.wait(timedelta(minutes=30))
    early, late = floor.now - timedelta(minutes=20), floor.now - timedelta(minutes=10)
    lines = [line("beef", "4 kg", late), line("beef", "4.5 kg", early)]
    receipt = receipt_of(await floor.do(counted(*lines), TILL))
    assert receipt.superseded == ()
    assert (await floor.levels())["beef"] == Level(on_hand=4_000_000)


async def test_each_place_of_the_house_is_counted_by_itself(floor: StockFloor) -> None:
    await floor.fill(beef="5 kg")
    quantity = said("2 kg")
    assert quantity is not None
    carried = TransferStock(item="beef", quantity=quantity, place="kitchen", to_place="cellar")
    await floor.do(carried, TILL)
    await floor.do(counted(line("beef", "1.5 kg", place="cellar")), TILL)
    assert await places(floor, "beef") == {"kitchen": 3_000_000, "cellar": 1_500_000}
    assert (await floor.levels())["beef"] == Level(on_hand=4_500_000)


async def test_a_late_count_of_a_place_sees_what_was_carried_there_since(
    floor: StockFloor,
) -> None:
    await floor.fill(beef="5 kg")
    floor.wait(timedelta(minutes=10))
    looked = floor.now
    floor.wait(timedelta(minutes=10))
    quantity = said("2 kg")
    assert quantity is not None
    carried = TransferStock(item="beef", quantity=quantity, place="kitchen", to_place="cellar")
    await floor.do(carried, TILL)
    lines = [line("beef", "4 kg", looked), line("beef", "0.5 kg", looked, "cellar")]
    await floor.do(counted(*lines), TILL)
    assert await places(floor, "beef") == {"kitchen": 2_000_000, "cellar": 2_500_000}


async def places(floor: StockFloor, item: str) -> dict[str, int]:
    (rows,) = await floor.rows(STOCK_LEVELS)
    (found,) = [row["places"] for row in rows if row["item"] == item]
    return dict(found)


async def test_what_was_damaged_and_is_not_there_was_thrown_away(floor: StockFloor) -> None:
    await floor.fill(beef="2 kg")
    quantity = said("500 g")
    assert quantity is not None
    await floor.do(
        LoseStock(what=StockLoss.DAMAGE, item="beef", quantity=quantity, reason="warm"), TILL
    )
    await floor.do(counted(line("beef", "0.2 kg")), TILL)
    assert (await floor.levels())["beef"] == Level(on_hand=200_000, damaged=200_000)


async def test_a_count_ends_the_alert_that_more_was_cooked_than_there_was(
    floor: StockFloor,
) -> None:
    await floor.fill(beef="300 g")
    order = await floor.order("steak")
    await floor.do(counted(line("beef", "100 g")), TILL)
    await floor.do(StartTicket(ticket_id=(await floor.at("grill", order)).ticket_id))
    alert = f"heard/v1/{floor.tenant}/state/alerts/negative-stock-beef"
    assert alert in floor.standing()
    await floor.do(counted(line("beef", "50 g")), TILL)
    assert alert not in floor.standing()


@pytest.mark.parametrize(
    ("lines", "code", "says"),
    [
        ([line("gold", "1 kg")], RefusalCode.UNKNOWN_ITEM, "no item gold"),
        ([line("beef", "3 each")], RefusalCode.INVALID, "weighs"),
        ([line("beef", "3 bushel")], RefusalCode.INVALID, "no unit"),
        ([line("beef", "999999999999 t")], RefusalCode.INVALID, "more than"),
        ([line("beef", "1 kg"), line("beef", "2 kg")], RefusalCode.INVALID, "add the two up"),
    ],
)
async def test_a_count_with_one_wrong_line_moves_nothing_at_all(
    floor: StockFloor, lines: list[CountedLine], code: RefusalCode, says: str
) -> None:
    await floor.fill(beef="2 kg", potato="1 kg")
    await refused(floor, counted(line("potato", "3 kg"), *lines), code, says)


@pytest.mark.parametrize("off", [timedelta(days=8), -timedelta(minutes=30)])
async def test_a_count_of_a_time_that_cannot_be_is_refused(
    floor: StockFloor, off: timedelta
) -> None:
    await floor.fill(beef="2 kg")
    wrong = counted(line("beef", "1 kg", floor.now - off))
    await refused(floor, wrong, RefusalCode.TIME_OUT_OF_RANGE, "within 7 days")


async def test_a_tablet_whose_clock_is_ahead_counts_as_of_now(floor: StockFloor) -> None:
    await floor.fill(beef="2 kg")
    await floor.do(counted(line("beef", "1 kg", floor.now + timedelta(minutes=5))), TILL)
    (counts,) = await floor.rows(STOCK_COUNTS)
    assert [row["at"] for row in counts] == [floor.now]


async def test_a_count_that_is_sent_twice_counts_once(floor: StockFloor) -> None:
    await floor.fill(beef="2 kg")
    asked = Asked(TILL, counted(line("beef", "1 kg")), new_id(), floor.now)
    first, again = await floor.say(asked), await floor.say(asked)
    assert first == again
    (counts,) = await floor.rows(STOCK_COUNTS)
    assert len(counts) == 1
