"""The last portion is sold at one till, and no other till can sell it: on both brokers."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from devices.pending import Rejected
from devices.pos import PointOfSale
from schemas.inventory import BaseUnit, Quantity, StockItem
from schemas.inventory_requests import ReceivedLine, ReceiveStock
from schemas.orders import LineRequest
from schemas.refusals import RefusalCode
from services.inventory.store import KeptRecipe, put
from tests.patience import PATIENCE_S
from tests.spoken import Speaker
from tests.system import RunningTenant, until

TILLS: Final = 4
ROUNDS: Final = 5
BEEF: Final = StockItem(item="beef", name="Beef", unit=BaseUnit.GRAM)


def keep_stock(tenant: RunningTenant) -> None:
    recipe = KeptRecipe("burger", {}, {"beef": 200_000})
    tenant.system.writing(lambda connection: put(connection, tenant.name, [BEEF], [recipe]))


def receive(speaker: Speaker, note: str, amount: str) -> None:
    line = ReceivedLine(item="beef", quantity=Quantity(amount=amount, unit="g"))
    speaker.ask(ReceiveStock(supplier="market", note=note, lines=(line,)))


def burgers(quantity: int = 1) -> list[LineRequest]:
    return [LineRequest(item="burger", quantity=quantity)]


def shows(till: PointOfSale, available: bool) -> bool:
    return till.menu["burger"].available is available


def test_what_is_sold_out_at_one_till_is_off_every_other_one_and_comes_back(
    tenant: RunningTenant,
) -> None:
    keep_stock(tenant)
    with ExitStack() as stack:
        tills = [stack.enter_context(tenant.till()) for _ in range(TILLS)]
        speaker = stack.enter_context(tenant.speaker())
        for turn in range(ROUNDS):
            receive(speaker, f"note-{turn}", "200")
            until(lambda: all(till.menu["burger"].left == 1 for till in tills), "one is left")
            tills[turn % TILLS].place_order(burgers()).result(PATIENCE_S)
            until(lambda: all(shows(till, False) for till in tills), "it is off everywhere")
            with pytest.raises(Rejected, match="no Beef left") as refused:
                tills[(turn + 1) % TILLS].place_order(burgers()).result(PATIENCE_S)
            assert refused.value.code is RefusalCode.ITEM_UNAVAILABLE
        receive(speaker, "much", "20000")
        until(lambda: all(shows(till, True) for till in tills), "it is back")


def test_of_two_tills_that_sell_the_last_portion_at_one_instant_one_is_told_that_it_did_not(
    tenant: RunningTenant,
) -> None:
    keep_stock(tenant)
    with tenant.till() as one, tenant.till() as other, tenant.speaker() as speaker:
        receive(speaker, "note", "200")
        until(lambda: one.menu["burger"].left == other.menu["burger"].left == 1, "one is left")
        asked = [till.place_order(burgers()) for till in (one, other)]
        outcomes = []
        for each in asked:
            try:
                each.result(PATIENCE_S)
            except Rejected as error:
                outcomes.append(error.code)
            else:
                outcomes.append(None)
        assert sorted(map(str, outcomes)) == ["None", str(RefusalCode.ITEM_UNAVAILABLE)]
        until(lambda: shows(one, False) and shows(other, False), "both show it")


def test_what_a_cook_takes_off_for_a_moment_comes_back_on_every_till_by_itself(
    tenant: RunningTenant,
) -> None:
    with tenant.till() as till, tenant.display("grill") as screen:
        back_at = datetime.now(UTC) + timedelta(seconds=8)
        receipt = screen.sell_out("burger", "on the grill", until=back_at).result(PATIENCE_S)
        assert (receipt.available, receipt.why) == (False, "on the grill")
        until(lambda: shows(till, False), "it is off")
        assert till.menu["burger"].why == "on the grill"
        until(lambda: shows(till, True), "it is back")
        assert datetime.now(UTC) >= back_at
        till.place_order(burgers()).result(PATIENCE_S)


def test_a_till_that_starts_anew_knows_what_is_sold_out(tenant: RunningTenant) -> None:
    with tenant.till() as till:
        till.sell_out("burger", "no rolls").result(PATIENCE_S)
        tenant.put_menu({"burger": ("grill", 1000), "ale": ("bar", 480)}, replace=False)
        until(lambda: till.menu["burger"].price_minor == 1000, "the new price")
        assert till.menu["burger"].why == "no rolls"
        with tenant.till() as later:
            until(lambda: "burger" in later.menu, "its menu")
            assert (later.menu["burger"].available, later.menu["burger"].why) == (False, "no rolls")
        till.restore("burger").result(PATIENCE_S)
        until(lambda: shows(till, True), "it is back")
