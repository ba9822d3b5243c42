"""Purchase orders: drafted, sent, received in part and whole, called off, and refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, timedelta
from uuid import UUID

import pytest

from schemas.identifiers import new_id
from schemas.inventory import MOST, BaseUnit, Pack, Quantity, StockItem
from schemas.inventory_requests import LoseStock, ReceivedLine, ReceiveStock, StockLoss
from schemas.kitchen_rules import Weekday
from schemas.message import Request
from schemas.money import MAX_MINOR
from schemas.purchasing import (
    CancelPurchase,
    DraftPurchase,
    EditPurchase,
    Purchase,
    PurchaseStatus,
    ReadPurchases,
    SendPurchase,
    WantedLine,
)
from schemas.refusals import RefusalCode
from schemas.replies import Outcome, PurchasePage, PurchaseReceipt
from schemas.suppliers import Supplier
from services.inventory.ledger import Level
from services.inventory.purchase_rows import on_its_way, read_purchases
from services.inventory.purchasing import answer_purchases
from services.inventory.store import put, put_suppliers
from services.inventory.tables import LOTS
from services.runtime.database import Database
from services.runtime.refusal import Refusal
from services.runtime.router import Asking
from tests.services.order_world import TILL
from tests.services.stock_floor import StockFloor

MARKET = Supplier(
    supplier="market",
    name="The market",
    lead_days=1,
    delivery_days=(Weekday.TUE, Weekday.FRI),
    minimum_minor=5000,
)
BEEF = StockItem(
    item="beef",
    name="Beef",
    unit=BaseUnit.GRAM,
    packs=(
        Pack(supplier="market", holds=2_000_000, price_minor=3000, name="2 kg"),
        Pack(supplier="market", holds=5_000_000, price_minor=7000, name="5 kg"),
        Pack(supplier="butcher", holds=1_000_000, price_minor=1800),
    ),
)
CAKE = StockItem(
    item="cake",
    name="Cake",
    unit=BaseUnit.EACH,
    packs=(Pack(supplier="market", holds=12_000, price_minor=2400, name="a dozen"),),
)


@pytest.fixture
async def floor(database_url: str) -> AsyncIterator[StockFloor]:
    database = Database(database_url)
    try:
        floor = StockFloor(database)
        await floor.open()
        async with database.write() as connection:
            await put(connection, floor.tenant, [BEEF, CAKE], [])
            await put_suppliers(connection, floor.tenant, [MARKET])
        yield floor
    finally:
        await database.close()


def wants(beef: int = 2, cake: int = 1) -> tuple[WantedLine, ...]:
    return (
        WantedLine(item="beef", packs=beef, reasons=("4 kg is missing",)),
        WantedLine(item="cake", packs=cake),
    )


async def done(floor: StockFloor, request: Request) -> Purchase:
    reply = await floor.do(request, TILL)
    assert isinstance(reply.result, PurchaseReceipt)
    return reply.result.purchase


async def refused(floor: StockFloor, request: Request, code: RefusalCode, says: str) -> None:
    before = await kept(floor), await floor.levels()
    reply = await floor.ask(request, TILL)
    assert (reply.outcome, reply.code) == (Outcome.REJECTED, code), reply
    assert says in (reply.message or ""), reply.message
    assert (await kept(floor), await floor.levels()) == before, "nothing half done"


async def kept(floor: StockFloor) -> list[Purchase]:
    async with floor.database.read() as connection:
        return await read_purchases(connection, floor.tenant, "GBP")


def delivery(purchase: UUID, note: str, **amounts: str) -> ReceiveStock:
    lines = [
        ReceivedLine(item=item, quantity=Quantity(amount=said.split()[0], unit=said.split()[1]))
        for item, said in amounts.items()
    ]
    return ReceiveStock(supplier="market", note=note, lines=tuple(lines), purchase=purchase)


async def sent(floor: StockFloor) -> Purchase:
    drafted = await done(floor, DraftPurchase(supplier="market", lines=wants()))
    return await done(floor, SendPurchase(purchase_id=drafted.purchase_id))


async def test_a_draft_is_edited_sent_and_received_bit_by_bit(floor: StockFloor) -> None:
    drafted = await done(floor, DraftPurchase(supplier="market", lines=wants(1), note="back door"))
    assert (drafted.status, drafted.version, drafted.total_minor) == ("draft", 1, 5400)
    edited = await done(floor, EditPurchase(purchase_id=drafted.purchase_id, lines=wants(cake=2)))
    assert (edited.status, edited.total_minor, edited.note) == ("draft", 10_800, "back door")
    assert edited.lines[0].reasons == ("4 kg is missing",)
    sent_ = await done(floor, SendPurchase(purchase_id=drafted.purchase_id))
    assert sent_.status is PurchaseStatus.SENT
    assert sent_.expected_on is not None
    assert sent_.expected_on.weekday() in {1, 4}
    assert timedelta(days=1) <= sent_.expected_on - floor.now.date() <= timedelta(days=4)

    await floor.do(delivery(drafted.purchase_id, "N-1", beef="3 kg"), TILL)
    (part,) = await kept(floor)
    assert part.status is PurchaseStatus.PART_RECEIVED
    assert [line.received for line in part.lines] == [3_000_000, 0]
    async with floor.database.read() as connection:
        coming = await on_its_way(connection, floor.tenant, "GBP")
    assert {item: each[0].amount for item, each in coming.items()} == {
        "beef": 1_000_000,
        "cake": 24_000,
    }

    await floor.do(delivery(drafted.purchase_id, "N-2", beef="1.5 kg", cake="24 each"), TILL)
    (whole,) = await kept(floor)
    assert (whole.status, whole.ended_at) == (PurchaseStatus.RECEIVED, floor.now)
    assert whole.lines[0].received == 4_500_000, "more came than was asked for"
    assert (await floor.levels())["beef"] == Level(on_hand=4_500_000)
    (lots,) = await floor.rows(LOTS)
    costs = sorted((row["item"], row["cost_minor"]) for row in lots)
    assert costs == [("beef", 2250), ("beef", 4500), ("cake", 4800)], "as the order's packs cost"


async def test_what_nobody_asked_for_is_on_the_shelf_and_on_the_order(floor: StockFloor) -> None:
    purchase = await sent(floor)
    await floor.do(delivery(purchase.purchase_id, "N-1", potato="5 kg"), TILL)
    (after,) = await kept(floor)
    assert after.status is PurchaseStatus.PART_RECEIVED
    assert (after.lines[-1].item, after.lines[-1].packs) == ("potato", 0)
    assert (await floor.levels())["potato"] == Level(on_hand=5_000_000)


async def test_another_pack_and_a_day_may_be_named(floor: StockFloor) -> None:
    line = WantedLine(item="beef", packs=1, holds=5_000_000)
    drafted = await done(floor, DraftPurchase(supplier="market", lines=(line,)))
    assert (drafted.lines[0].pack, drafted.lines[0].ordered) == ("5 kg", 5_000_000)
    day = floor.now.date() + timedelta(days=20)
    after = await done(floor, SendPurchase(purchase_id=drafted.purchase_id, expected_on=day))
    assert after.expected_on == day


async def test_what_is_called_off_keeps_what_has_come(floor: StockFloor) -> None:
    purchase = await sent(floor)
    await floor.do(delivery(purchase.purchase_id, "N-1", beef="1 kg"), TILL)
    cancelled = CancelPurchase(purchase_id=purchase.purchase_id, reason="they closed")
    after = await done(floor, cancelled)
    assert (after.status, after.note) == (PurchaseStatus.CANCELLED, "they closed")
    assert (await floor.levels())["beef"] == Level(on_hand=1_000_000)
    await refused(floor, cancelled, RefusalCode.WRONG_STATE, "is cancelled")
    more = delivery(purchase.purchase_id, "N-2", beef="1 kg")
    await refused(floor, more, RefusalCode.WRONG_STATE, "nothing more comes")


async def test_what_cannot_be_bought_is_refused_by_name(floor: StockFloor) -> None:
    def draft(*lines: WantedLine, of: str = "market") -> DraftPurchase:
        return DraftPurchase(supplier=of, lines=lines)

    beef = WantedLine(item="beef", packs=1)
    invalid = RefusalCode.INVALID
    nix = WantedLine(item="nix", packs=1)
    await refused(floor, draft(nix), RefusalCode.UNKNOWN_ITEM, "no item nix")
    await refused(floor, draft(beef, beef), invalid, "stands there twice")
    await refused(floor, draft(beef, of="baker"), invalid, "butcher, market does")
    odd = WantedLine(item="beef", packs=1, holds=7)
    await refused(floor, draft(odd), invalid, "no pack of that size")
    nobody = SendPurchase(purchase_id=new_id())
    await refused(floor, nobody, RefusalCode.NOT_FOUND, "no purchase order")


async def test_slips_of_size_and_of_the_year_are_refused_and_kept_nowhere(
    floor: StockFloor,
) -> None:
    free = Pack(supplier="market", holds=MOST, price_minor=0, name="all there is")
    dear = Pack(supplier="market", holds=1, price_minor=MAX_MINOR, name="a crumb")
    slips = BEEF.model_copy(update={"packs": (free, dear)})
    async with floor.database.write() as connection:
        await put(connection, floor.tenant, [slips], [])
    invalid = RefusalCode.INVALID
    much = DraftPurchase(supplier="market", lines=(WantedLine(item="beef", packs=2),))
    await refused(floor, much, invalid, "more than the books can hold")
    crumb = (WantedLine(item="beef", packs=1, holds=1),)
    drafted = await done(floor, DraftPurchase(supplier="market", lines=crumb))
    send = SendPurchase(purchase_id=drafted.purchase_id)
    far = send.model_copy(update={"expected_on": date(9999, 12, 31)})
    await refused(floor, far, RefusalCode.TIME_OUT_OF_RANGE, "check the year")
    await done(floor, send)
    await floor.do(delivery(drafted.purchase_id, "N-1", beef="2 kg"), TILL)
    (lots,) = await floor.rows(LOTS)
    assert [(lot["received"], lot["cost_minor"]) for lot in lots] == [(2_000_000, None)]


async def test_no_more_comes_of_an_order_than_the_books_can_hold(floor: StockFloor) -> None:
    drafted = await sent(floor)
    most = delivery(drafted.purchase_id, "N-1", cake="999999999999 each")
    await floor.do(most, TILL)
    gone = Quantity(amount="999999999999", unit="each")
    waste = LoseStock(what=StockLoss.WASTE, item="cake", quantity=gone, reason="a slip")
    await floor.do(waste, TILL)
    again = delivery(drafted.purchase_id, "N-2", cake="2 each")
    await refused(floor, again, RefusalCode.INVALID, "more than the books can hold")
    async with floor.database.read() as connection:
        assert await on_its_way(connection, floor.tenant, "GBP"), "it can still be read"


async def test_what_is_below_the_minimum_goes_only_where_somebody_says_so(
    floor: StockFloor,
) -> None:
    one = (WantedLine(item="beef", packs=1),)
    drafted = await done(floor, DraftPurchase(supplier="market", lines=one))
    little = SendPurchase(purchase_id=drafted.purchase_id)
    await refused(floor, little, RefusalCode.INVALID, "nothing below 50.00 GBP, and this is 30.00")
    late = SendPurchase(
        purchase_id=drafted.purchase_id, below_minimum=True, expected_on=date(2020, 1, 1)
    )
    await refused(floor, late, RefusalCode.TIME_PASSED, "has passed")
    anyway = SendPurchase(purchase_id=drafted.purchase_id, below_minimum=True)
    assert (await done(floor, anyway)).status is PurchaseStatus.SENT
    await refused(floor, anyway, RefusalCode.WRONG_STATE, "is sent")


async def test_a_delivery_belongs_to_an_order_that_was_sent_to_that_supplier(
    floor: StockFloor,
) -> None:
    drafted = await done(floor, DraftPurchase(supplier="market", lines=wants()))
    early = delivery(drafted.purchase_id, "N-1", beef="1 kg")
    await refused(floor, early, RefusalCode.WRONG_STATE, "send it first")
    await done(floor, SendPurchase(purchase_id=drafted.purchase_id))
    other = early.model_copy(update={"supplier": "butcher"})
    await refused(floor, other, RefusalCode.INVALID, "went to market")
    await floor.do(early, TILL)
    twice = delivery(drafted.purchase_id, "N-1", beef="1 kg")
    await refused(floor, twice, RefusalCode.WRONG_STATE, "was received before")
    (after,) = await kept(floor)
    assert after.lines[0].received == 1_000_000


async def test_who_asks_gets_the_newest_orders_or_one_with_its_reasons(floor: StockFloor) -> None:
    first = await sent(floor)
    floor.wait(timedelta(minutes=1))
    second = await done(floor, DraftPurchase(supplier="market", lines=wants()))
    cancelled = CancelPurchase(purchase_id=first.purchase_id, reason="they closed")
    await done(floor, cancelled)

    async def asked(query: ReadPurchases) -> PurchasePage:
        async with floor.database.read() as connection:
            asking = Asking(
                connection, floor.tenant, TILL, new_id(), floor.now, floor.worker._ports
            )
            page = await answer_purchases(query, asking)
        assert isinstance(page, PurchasePage)
        return page

    page = await asked(ReadPurchases())
    assert [each.number for each in page.purchases] == [second.number, first.number]
    assert {line.reasons for each in page.purchases for line in each.lines} == {()}
    open_ = await asked(ReadPurchases(open_only=True))
    assert [each.number for each in open_.purchases] == [second.number]
    (one,) = (await asked(ReadPurchases(purchase_id=second.purchase_id))).purchases
    assert one.lines == second.lines, "with its reasons"
    with pytest.raises(Refusal, match="no purchase order"):
        await asked(ReadPurchases(purchase_id=new_id()))
