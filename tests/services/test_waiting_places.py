"""Couriers with nothing to do are told where to wait, and no longer than that is so."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schemas.delivery_requests import SetDuty
from schemas.delivery_rules import DeliveryRules
from schemas.orders import CancelOrder
from services.runtime import house_rules
from services.runtime.database import Database
from tests.services.delivery_world import ANNA, BO, HERE
from tests.services.dispatch_world import AUTOMATIC, AWAY, NEAR, DispatchWorld
from tests.services.order_world import MANAGER

PREPOSITIONED = AUTOMATIC.model_copy(update={"preposition": True})


@pytest.fixture
async def house(database: Database) -> DispatchWorld:
    """A house that had many orders lately, and has none to bring now."""
    made = DispatchWorld(database, PREPOSITIONED)
    await made.open()
    for _ in range(8):
        order_id = await made.place_order()
        await made.do(MANAGER, CancelOrder(order_id=order_id, reason="a mistake"))
    return made


async def test_who_has_nothing_to_do_far_away_is_told_to_come(house: DispatchWorld) -> None:
    await house.there((ANNA, AWAY), (BO, NEAR))
    await house.look()
    assert house.waits.keys() == {ANNA}, "bo is there"
    assert house.waits[ANNA].place == HERE
    assert house.waits[ANNA].why.startswith("8 orders an hour expected"), house.waits[ANNA].why
    assert [each.courier for each in house.plan().waiting] == [ANNA]


async def test_who_comes_is_told_nothing_more(house: DispatchWorld) -> None:
    await house.there((ANNA, AWAY), (BO, AWAY))
    await house.look()
    assert house.waits.keys() == {ANNA, BO}
    await house.there((ANNA, HERE), (BO, AWAY))
    await house.look()
    assert house.waits.keys() == {BO}
    assert [each.courier for each in house.plan().waiting] == [BO]


async def test_who_is_asked_to_bring_something_is_not_to_wait(house: DispatchWorld) -> None:
    await house.there((ANNA, AWAY), (BO, AWAY))
    await house.look()
    assert house.waits.keys() == {ANNA, BO}
    await house.do(MANAGER, SetDuty(courier=BO, on_duty=False))
    await house.place_order()
    await house.there((ANNA, AWAY), (BO, AWAY))
    await house.settle()
    assert not house.waits


async def test_nobody_is_sent_where_nothing_was_ordered_lately(house: DispatchWorld) -> None:
    house.wait(timedelta(minutes=62))
    await house.there((ANNA, AWAY), (BO, AWAY))
    await house.look()
    assert not house.waits


async def test_nobody_is_sent_who_was_not_seen_for_long(house: DispatchWorld) -> None:
    await house.there((ANNA, AWAY), (BO, AWAY))
    house.wait(timedelta(minutes=20))
    await house.look()
    assert not house.waits


@pytest.mark.parametrize(
    "rules", [AUTOMATIC, PREPOSITIONED.model_copy(update={"automatic": False})]
)
async def test_a_house_that_does_not_want_it_any_more_sends_nobody(
    house: DispatchWorld, rules: DeliveryRules
) -> None:
    await house.there((ANNA, AWAY), (BO, AWAY))
    await house.look()
    assert house.waits.keys() == {ANNA, BO}
    async with house.database.write() as connection:
        await house_rules.write(connection, house.tenant, delivery=rules)
    await house.look()
    assert not house.waits


async def test_what_was_said_is_said_once(house: DispatchWorld) -> None:
    await house.there((ANNA, AWAY), (BO, NEAR))
    await house.look()
    house.waits.clear()
    await house.there((ANNA, AWAY), (BO, NEAR))
    await house.look(3)
    assert not house.waits
