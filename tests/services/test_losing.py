"""What leaves the shelf by hand: thrown away, set aside, carried elsewhere, sent back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest

from schemas.identifiers import new_id
from schemas.inventory import Quantity
from schemas.inventory_requests import (
    LoseStock,
    ReceivedLine,
    ReceiveStock,
    ReturnStock,
    StockLoss,
    TransferStock,
)
from schemas.message import Request
from schemas.refusals import RefusalCode
from schemas.replies import Outcome, StockReceipt
from services.inventory.ledger import Level
from services.inventory.lot_rows import lots_of
from services.inventory.tables import LOTS, STOCK_LEVELS, STOCK_MOVEMENTS
from services.runtime.database import Database
from tests.services.order_world import BEGAN, TILL
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


def quantity(text: str) -> Quantity:
    amount, unit = text.split()
    return Quantity(amount=amount, unit=unit)


def lost(
    what: StockLoss,
    text: str,
    *,
    item: str = "beef",
    place: str | None = None,
    lot: UUID | None = None,
) -> LoseStock:
    return LoseStock(
        what=what, item=item, quantity=quantity(text), reason="fell", place=place, lot_id=lot
    )


def back(text: str, lot: UUID | None = None) -> ReturnStock:
    return ReturnStock(
        supplier="market", item="beef", quantity=quantity(text), reason="warm", lot_id=lot
    )


def carried(text: str, place: str = "kitchen", to: str = "cellar") -> TransferStock:
    return TransferStock(item="beef", quantity=quantity(text), place=place, to_place=to)


async def refused(floor: StockFloor, request: Request, code: RefusalCode, says: str) -> None:
    """What is refused changes nothing."""
    tables = (STOCK_LEVELS, STOCK_MOVEMENTS, LOTS)
    before = await floor.rows(*tables)
    reply = await floor.ask(request, TILL)
    assert (reply.outcome, reply.code) == (Outcome.REJECTED, code), reply
    assert says in (reply.message or ""), reply.message
    assert await floor.rows(*tables) == before, "nothing half done"


async def test_what_is_damaged_is_on_hand_still_and_no_more_available(floor: StockFloor) -> None:
    await floor.fill(beef="2 kg")
    await floor.do(lost(StockLoss.DAMAGE, "500 g"), TILL)
    damaged = (await floor.levels())["beef"]
    assert (damaged.on_hand, damaged.available) == (2_000_000, 1_500_000)
    await floor.do(lost(StockLoss.REPAIR, "200 g"), TILL)
    await floor.do(lost(StockLoss.DISCARD, "300 g"), TILL)
    assert (await floor.levels())["beef"] == Level(on_hand=1_700_000)


async def test_what_is_wasted_or_sent_back_is_gone(floor: StockFloor) -> None:
    await floor.fill(beef="2 kg")
    await floor.do(lost(StockLoss.WASTE, "0.5 kg"), TILL)
    reply = await floor.do(back("1 kg"), TILL)
    assert isinstance(reply.result, StockReceipt)
    assert [each.on_hand for each in reply.result.levels] == [500_000]
    assert (await floor.levels())["beef"] == Level(on_hand=500_000)


async def test_the_ledger_says_who_moved_what_and_why(floor: StockFloor) -> None:
    await floor.fill(beef="2 kg")
    await floor.do(lost(StockLoss.WASTE, "0.5 kg").model_copy(update={"person": "ada"}), TILL)
    (rows,) = await floor.rows(STOCK_MOVEMENTS)
    (waste,) = [row for row in rows if row["kind"] == "waste"]
    assert (waste["amounts"], waste["device"], waste["person"], waste["why"]) == (
        {"beef": 500_000},
        TILL,
        "ada",
        "fell",
    )


async def test_what_is_carried_to_the_cellar_stays_in_the_house(floor: StockFloor) -> None:
    await floor.fill(beef="2 kg")
    await floor.do(carried("0.5 kg"), TILL)
    (rows,) = await floor.rows(STOCK_LEVELS)
    assert [row["places"] for row in rows] == [{"kitchen": 1_500_000, "cellar": 500_000}]
    assert (await floor.levels())["beef"] == Level(on_hand=2_000_000)


async def test_what_names_its_lot_is_taken_of_that_one(floor: StockFloor) -> None:
    early, late = await deliver(floor, "1 kg", 2), await deliver(floor, "1 kg", 9)
    await floor.do(lost(StockLoss.WASTE, "300 g", lot=late), TILL)
    await floor.do(back("200 g", lot=late), TILL)
    await floor.do(lost(StockLoss.WASTE, "100 g"), TILL)
    assert await left(floor) == {early: 900_000, late: 500_000}


async def test_what_is_of_a_lot_lies_where_the_lot_was_put(floor: StockFloor) -> None:
    cold = await deliver(floor, "1 kg", 9, place="cold-room")
    await floor.do(lost(StockLoss.WASTE, "300 g", lot=cold), TILL)
    (rows,) = await floor.rows(STOCK_LEVELS)
    assert [row["places"] for row in rows] == [{"cold-room": 700_000}]


async def deliver(floor: StockFloor, text: str, days: int, place: str | None = None) -> UUID:
    expires = (BEGAN + timedelta(days=days)).date()
    line = ReceivedLine(item="beef", quantity=quantity(text), expires_on=expires, place=place)
    note = new_id().hex[-8:]
    await floor.do(ReceiveStock(supplier="market", note=note, lines=(line,)), TILL)
    (rows,) = await floor.rows(LOTS)
    (lot_id,) = [row["lot_id"] for row in rows if row["reference"] == note]
    return UUID(str(lot_id))


async def left(floor: StockFloor) -> dict[UUID, int]:
    async with floor.database.read() as connection:
        found = await lots_of(connection, floor.tenant, ["beef"])
    return {each.lot_id: each.left for each in found["beef"]}


NOT_THERE = RefusalCode.WRONG_STATE


@pytest.mark.parametrize(
    ("request_", "code", "says"),
    [
        (lost(StockLoss.WASTE, "3 kg"), NOT_THERE, "only 2 kg at kitchen"),
        (lost(StockLoss.DAMAGE, "3 kg"), NOT_THERE, "only 2 kg at kitchen"),
        (lost(StockLoss.WASTE, "1 g", place="cellar"), NOT_THERE, "0 g at cellar (2 kg"),
        (lost(StockLoss.DISCARD, "1 kg"), NOT_THERE, "only 0 g is damaged"),
        (lost(StockLoss.REPAIR, "1 kg"), NOT_THERE, "only 0 g is damaged"),
        (lost(StockLoss.WASTE, "1 kg", item="gold"), RefusalCode.UNKNOWN_ITEM, "no item gold"),
        (lost(StockLoss.WASTE, "0 kg"), RefusalCode.INVALID, "nothing"),
        (lost(StockLoss.WASTE, "2 l"), RefusalCode.INVALID, "millilitre"),
        (lost(StockLoss.WASTE, "999999999999 t"), RefusalCode.INVALID, "check the unit"),
        (lost(StockLoss.WASTE, "1 g", lot=new_id()), RefusalCode.NOT_FOUND, "no lot"),
        (back("3 kg"), NOT_THERE, "only 2 kg at kitchen"),
        (carried("3 kg"), NOT_THERE, "only 2 kg at kitchen"),
        (carried("1 kg", to="kitchen"), RefusalCode.INVALID, "already"),
    ],
)
async def test_what_cannot_be_is_refused_and_changes_nothing(
    floor: StockFloor, request_: Request, code: RefusalCode, says: str
) -> None:
    await floor.fill(beef="2 kg")
    await refused(floor, request_, code, says)


async def test_no_more_is_taken_of_a_lot_than_came_with_it(floor: StockFloor) -> None:
    await floor.fill(beef="2 kg")
    lot = await deliver(floor, "1 kg", 2)
    await refused(floor, lost(StockLoss.WASTE, "1.5 kg", lot=lot), NOT_THERE, "only 1 kg in that")


async def test_the_books_never_hold_more_than_they_can(floor: StockFloor) -> None:
    most = ReceivedLine(item="beef", quantity=quantity("999999 t"))
    for note in ("1", "2"):
        much = ReceiveStock(supplier="market", note=note, lines=(most,))
        if note == "1":
            await floor.do(much, TILL)
        else:
            await refused(floor, much, RefusalCode.INVALID, "more than the books can hold")
