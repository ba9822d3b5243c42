"""The simulated storekeeper fills empty shelves at once, and low ones a while later."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from devices.simulated_storekeeper import SimulatedStorekeeper
from devices.stock_tablet import StockTablet
from schemas.identifiers import new_id
from schemas.inventory import BaseUnit, Pack, StockItem, StockLevel, StockMark
from schemas.inventory_requests import ReadStock, ReceiveStock
from schemas.message import Request
from schemas.refusals import RefusalCode
from schemas.replies import Outcome, Reply, StockPage, StockReceipt
from tests.devices.stage import HASTY, TENANT, Broker, Responder, until


def kept(item: str, supplier: str, *, par: int | None = 5_000_000) -> StockItem:
    pack = Pack(supplier=supplier, holds=2_000_000, price_minor=350)
    return StockItem(item=item, name=item, unit=BaseUnit.GRAM, par=par, packs=(pack,))


ITEMS = {
    each.item: each
    for each in (
        kept("flour", "mill"),
        kept("rye", "mill"),
        kept("salt", "mine"),
        kept("ice", "north", par=None),
    )
}


class Shelves:
    """As much of the services as keeps stock of three things."""

    def __init__(self, responder: Responder) -> None:
        self.marks = dict.fromkeys(("flour", "rye", "salt"), StockMark.OK)
        self.counted = {"rye"}
        self.received: list[ReceiveStock] = []
        responder.answers = self.answer

    def answer(self, id_: UUID, request: Request) -> Reply:
        result: StockPage | StockReceipt
        if isinstance(request, ReadStock):
            assert set(request.items) <= self.marks.keys(), "nobody looks for ice"
            result = StockPage(levels=tuple(self.level(each) for each in request.items))
        else:
            assert isinstance(request, ReceiveStock)
            self.received.append(request)
            self.counted |= {line.item for line in request.lines}
            for line in request.lines:
                self.marks[line.item] = StockMark.OK
            result = StockReceipt(movement_id=new_id())
        return Reply(request=id_, outcome=Outcome.ACCEPTED, result=result)

    def level(self, item: str) -> StockLevel:
        there = 1_500_000 if item in self.counted else 0
        return StockLevel(
            item=item,
            unit=BaseUnit.GRAM,
            on_hand=there,
            reserved=0,
            damaged=0,
            planned=0,
            available=there,
            counted=item in self.counted,
            mark=self.marks[item],
            changed_at=datetime(2026, 3, 14, tzinfo=UTC),
        )


def tablet(broker: Broker) -> StockTablet:
    return StockTablet(
        "127.0.0.1", broker.port, tenant=TENANT, device="store", secret="s", patience=HASTY
    )


def test_what_nobody_has_counted_is_brought_at_once_and_what_is_low_later(
    broker: Broker, responder: Responder
) -> None:
    shelves = Shelves(responder)
    with tablet(broker) as carried, SimulatedStorekeeper(carried, ITEMS, brought_after_s=0) as who:
        until(lambda: who.deliveries == 2, "the shelves are filled")
        flour, salt = sorted(shelves.received, key=lambda each: each.supplier)
        assert (flour.supplier, [line.item for line in flour.lines]) == ("mill", ["flour"])
        assert salt.supplier == "mine"
        (line,) = flour.lines
        # Three packs of 2 kg come to 5 kg at least.
        assert (line.quantity.amount, line.quantity.unit, line.cost_minor) == ("6000", "g", 1050)
        shelves.marks["rye"] = StockMark.LOW
        until(lambda: who.deliveries == 3, "the rye is brought")
        (line,) = shelves.received[-1].lines
        assert (line.item, line.quantity.amount) == ("rye", "4000"), "on top of 1.5 kg"
    assert len({each.note for each in shelves.received}) == 3


def test_a_storekeeper_who_is_refused_looks_again(broker: Broker, responder: Responder) -> None:
    shelves = Shelves(responder)
    refusals = iter([RefusalCode.INTERNAL])

    def answer(id_: UUID, request: Request) -> Reply:
        code = next(refusals, None)
        if code is None:
            return shelves.answer(id_, request)
        return Reply(request=id_, outcome=Outcome.REJECTED, code=code, message="no")

    responder.answers = answer
    with tablet(broker) as carried, SimulatedStorekeeper(carried, ITEMS) as who:
        until(lambda: who.deliveries == 2, "the shelves are filled")
