"""What a delivery would be promised that is not placed yet: the same as once it is placed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from schemas.delivery_requests import CompleteDelivery, QuoteDelivery, RemoveCourier
from schemas.delivery_rules import DeliveryRules
from schemas.kitchen_pace import PauseChannel, ResumeChannel
from schemas.kitchen_rules import KitchenRules, RouteRule, StationRules
from schemas.message import Query
from schemas.orders import Guest, LineRequest, OrderKind, PlaceOrder
from schemas.positions import Place
from schemas.refusals import RefusalCode
from schemas.replies import DeliveryQuote, Outcome
from services.delivery.learning.parameters import Parameters
from services.delivery.models import WHOLE
from services.delivery.tables import ETA_MODELS
from services.runtime import house_rules
from services.runtime.database import Database
from tests.services.delivery_world import ANNA, BIKE, BO, DOOR, FAR, HERE, DeliveryWorld
from tests.services.order_world import MANAGER, SCREEN, TILL, Asked


@pytest.fixture
async def house(database: Database) -> DeliveryWorld:
    made = DeliveryWorld(database)
    await made.open()
    return made


async def quoted(house: DeliveryWorld, query: Query, device: str = TILL) -> DeliveryQuote:
    """What is answered at this moment."""
    (reply,) = await house.say(Asked(device, query, at=house.now))
    assert reply.outcome is Outcome.ACCEPTED, reply
    assert isinstance(reply.result, DeliveryQuote)
    return reply.result


async def brought(house: DeliveryWorld) -> None:
    """An order that has been brought: there is something to tell the next one by."""
    order_id = await house.accepted()
    await house.pick_up(order_id)
    await house.do(TILL, CompleteDelivery(order_id=order_id))


async def test_what_is_placed_at_once_is_promised_what_was_quoted(house: DeliveryWorld) -> None:
    await brought(house)
    for door in (DOOR, FAR, DOOR, DOOR, FAR):
        told = await quoted(house, QuoteDelivery(place=door, items=2))
        delivery = await house.kept(await house.place_order(door))
        assert told.promised_at == delivery.delivery.promised_at
        assert told.p50_at == delivery.quoted_p50_at


@pytest.mark.parametrize(
    "book",
    [
        KitchenRules(),
        KitchenRules(
            finish_together=True,
            stations={
                "grill": StationRules(group="stoves", hands=2, prep_s=420),
                "fry": StationRules(group="stoves", prep_s=200),
                "bar": StationRules(hands=2, prep_s=60),
            },
            routes=(RouteRule(route="to-go", to="bar", items=("fries",), kinds=("delivery",)),),
        ),
    ],
    ids=["plain", "routed"],
)
async def test_what_is_quoted_with_its_lines_is_promised_to_the_minute_whatever_came_before(
    house: DeliveryWorld, book: KitchenRules
) -> None:
    async with house.database.write() as connection:
        await house_rules.write(connection, house.tenant, kitchen=book)
    for lines in (("burger", "ale"), ("ale",), ("fries", "fries"), ("burger",), ("ale", "fries")):
        wanted = tuple(LineRequest(item=item, quantity=2) for item in lines)
        told = await quoted(house, QuoteDelivery(place=DOOR, lines=wanted))
        assert told.items == 2 * len(lines)
        guest = Guest(name="Ada", place=DOOR)
        order = Asked(TILL, PlaceOrder(lines=wanted, kind=OrderKind.DELIVERY, guest=guest))
        order = replace(order, at=house.now)
        (reply,) = await house.say(order)
        assert reply.outcome is Outcome.ACCEPTED, reply
        delivery = await house.kept(order.id)
        assert told.promised_at == delivery.delivery.promised_at
        assert told.p50_at == delivery.quoted_p50_at
        house.wait(timedelta(seconds=90))


async def test_what_is_not_on_the_menu_counts_for_nothing_in_a_quote(house: DeliveryWorld) -> None:
    burger, nothing = (LineRequest(item=each, quantity=1) for each in ("burger", "nothing-such"))
    with_it = await quoted(house, QuoteDelivery(place=DOOR, lines=(burger, nothing)))
    alone = await quoted(house, QuoteDelivery(place=DOOR, lines=(burger,)))
    assert with_it.kitchen == alone.kitchen
    strange = await quoted(house, QuoteDelivery(place=DOOR, lines=(nothing,)))
    assert strange.kitchen.p50_s == 900.0, "the usual"


async def test_a_house_that_has_learned_the_whole_wait_quotes_what_it_promises(
    house: DeliveryWorld,
) -> None:
    async with house.database.write() as connection:
        await connection.execute(
            ETA_MODELS.insert().values(
                tenant=house.tenant,
                kind=WHOLE,
                version=1,
                trained_at=house.now,
                document=Parameters().as_json(),
            )
        )
    await brought(house)
    for door in (DOOR, FAR, DOOR):
        told = await quoted(house, QuoteDelivery(place=door, items=2))
        assert told.learned
        delivery = await house.kept(await house.place_order(door))
        assert told.promised_at == delivery.delivery.promised_at


async def test_of_a_kitchen_that_never_made_anything_the_usual_is_told(
    house: DeliveryWorld,
) -> None:
    told = await quoted(house, QuoteDelivery(place=DOOR, items=2))
    assert (told.kitchen.p50_s, told.kitchen.p90_s) == (900.0, 1_680.0)
    assert told.taken
    assert told.couriers == 2
    assert house.now < told.p50_at < told.promised_at
    assert told.promised_at.second == 0
    assert told.wait.p90_s <= (told.promised_at - house.now).total_seconds() < (
        told.wait.p90_s + 61
    )  # fmt: skip


async def test_more_that_waits_makes_a_later_quote_and_what_is_gone_an_earlier_one(
    house: DeliveryWorld,
) -> None:
    await brought(house)
    calm = await quoted(house, QuoteDelivery(place=DOOR, items=2))
    orders = [await house.place_order() for _ in range(6)]
    busy = await quoted(house, QuoteDelivery(place=DOOR, items=2))
    assert busy.kitchen.p50_s > calm.kitchen.p50_s + 300
    assert busy.courier.p50_s > calm.courier.p50_s
    assert busy.waiting == 6
    assert busy.promised_at > calm.promised_at + timedelta(minutes=10)
    for order_id in orders:
        await house.cook(order_id)
    cooked = await quoted(house, QuoteDelivery(place=DOOR, items=2))
    assert cooked.kitchen.p50_s < busy.kitchen.p50_s
    assert cooked.waiting == 6, "couriers are as scarce as before"


async def test_without_a_place_the_average_door_is_told(house: DeliveryWorld) -> None:
    assumed = await quoted(house, QuoteDelivery())
    assert (assumed.distance_m, assumed.items) == (2_000, 2)
    for door in (DOOR, FAR, FAR):
        await house.place_order(door)
    usual = await quoted(house, QuoteDelivery())
    far = (await quoted(house, QuoteDelivery(place=FAR))).distance_m
    assert abs(usual.distance_m - far) <= 25
    assert usual.items == 2
    assert (await quoted(house, QuoteDelivery(items=40))).items == 40


async def test_what_is_wanted_later_is_promised_for_then(house: DeliveryWorld) -> None:
    for _ in range(6):
        await house.place_order()
    at = house.now + timedelta(hours=5)
    told = await quoted(house, QuoteDelivery(place=DOOR, items=2, due_at=at))
    assert told.p50_at == at
    assert told.promised_at > at
    assert told.kitchen.p50_s == 900.0, "what is on the line now is done by then"
    await house.do(TILL, PauseChannel(channel=OrderKind.DELIVERY, why="snow"))
    assert (await quoted(house, QuoteDelivery(place=DOOR, due_at=at))).taken, "that is for now"
    assert not (await quoted(house, QuoteDelivery(place=DOOR))).taken
    over = QuoteDelivery(place=DOOR, due_at=house.now)
    assert await house.refused(TILL, over) is RefusalCode.TIME_PASSED


async def test_it_says_whether_deliveries_are_taken_and_why_not(house: DeliveryWorld) -> None:
    await house.do(MANAGER, PauseChannel(channel=OrderKind.DELIVERY, why="black ice"))
    told = await quoted(house, QuoteDelivery(place=DOOR))
    assert not told.taken
    assert told.why_not is not None
    assert "black ice" in told.why_not
    await house.do(MANAGER, ResumeChannel(channel=OrderKind.DELIVERY))
    told = await quoted(house, QuoteDelivery(place=DOOR))
    assert (told.taken, told.why_not) == (True, None)


async def test_tills_and_managers_are_told_and_nobody_else(house: DeliveryWorld) -> None:
    query = QuoteDelivery(place=DOOR)
    for device in (TILL, MANAGER):
        await quoted(house, query, device)
    for device in (BIKE, SCREEN):
        assert await house.refused(device, query) is RefusalCode.NOT_ALLOWED


async def test_a_door_too_far_away_is_refused_in_the_words_of_a_placed_one(
    house: DeliveryWorld,
) -> None:
    reply = await house.ask(TILL, QuoteDelivery(place=Place(lat=24.94, lon=60.17)))
    assert reply.code is RefusalCode.TOO_FAR
    assert reply.message is not None
    assert "latitude comes first, so perhaps 60.17,24.94 is meant" in reply.message


async def test_a_house_without_a_place_says_what_is_missing(database: Database) -> None:
    house = DeliveryWorld(database, DeliveryRules())
    await house.open()
    reply = await house.ask(TILL, QuoteDelivery(place=HERE))
    assert reply.code is RefusalCode.NO_PLACE
    assert reply.message is not None
    assert f"heard delivery rules set --tenant {house.tenant} place=LAT,LON" in reply.message


async def test_a_house_without_couriers_is_told_what_is_usual(house: DeliveryWorld) -> None:
    for courier in (ANNA, BO):
        await house.do(TILL, RemoveCourier(courier=courier))
    for _ in range(9):
        await house.place_order()
    told = await quoted(house, QuoteDelivery(place=DOOR))
    assert (told.couriers, told.waiting) == (0, 9)
    assert told.courier.p50_s == 600.0, "of how many share in it nobody knows"


async def test_two_houses_are_told_apart(database: Database, house: DeliveryWorld) -> None:
    other = DeliveryWorld(database)
    await other.open()
    await brought(house)
    for _ in range(6):
        await house.place_order()
    told = await quoted(other, QuoteDelivery())
    assert (told.waiting, told.kitchen.p50_s, told.distance_m) == (0, 900.0, 2_000)
