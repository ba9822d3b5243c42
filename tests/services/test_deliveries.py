"""Deliveries: from an order with a door to the guest who has it, with the order beside it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schemas.deliveries import (
    Courier,
    CourierRun,
    CourierState,
    DeliveryState,
    DeliveryStatus,
    Proof,
    ProofKind,
)
from schemas.delivery_requests import (
    AcceptDelivery,
    AssignDelivery,
    ByHand,
    CompleteDelivery,
    DeclineDelivery,
    FailDelivery,
    PlaceDelivery,
    PutCourier,
    ReadDeliveries,
    RemoveCourier,
    ReturnDelivery,
    SequenceStops,
    ShareDelivery,
    StepDelivery,
    UnassignDelivery,
)
from schemas.delivery_rules import DeliveryRules, ProofRule
from schemas.order_changes import DeliverOrder, DispatchOrder, ReturnOrder
from schemas.orders import CancelOrder, CloseOrder, OrderStatus
from schemas.positions import Place
from schemas.refusals import RefusalCode
from schemas.replies import DeliveryLink, DeliveryPage, DeliveryReceipt
from services.delivery import links
from services.orders.inside import ForgetGuest
from services.runtime.database import Database
from tests.services.delivery_world import ANNA, BIKE, BO, CAR, DOOR, FAR, HERE, DeliveryWorld
from tests.services.order_world import MANAGER, OURSELVES, SCREEN, TILL, Asked


@pytest.fixture
async def house(database: Database) -> DeliveryWorld:
    made = DeliveryWorld(database)
    await made.open()
    return made


async def picked_up(house: DeliveryWorld, courier: str = ANNA, device: str = BIKE) -> DeliveryState:
    order_id = await house.place_order()
    await house.do(TILL, AssignDelivery(order_id=order_id, courier=courier))
    await house.do(device, AcceptDelivery(order_id=order_id))
    await house.cook(order_id)
    delivery = await house.moved(device, StepDelivery(order_id=order_id, step=ByHand.PICK_UP))
    return DeliveryState(order_id=order_id, delivery=delivery)


async def test_an_order_is_brought_from_the_kitchen_to_the_door(house: DeliveryWorld) -> None:
    order_id = await house.place_order()
    waiting = await house.delivery(order_id)
    assert waiting.status is DeliveryStatus.WAITING
    assert waiting.place == DOOR
    assert waiting.promised_at is not None
    assert waiting.promised_at > house.now

    asked = await house.moved(TILL, AssignDelivery(order_id=order_id, courier=ANNA))
    assert (asked.status, asked.courier, asked.device, asked.stop) == ("assigned", ANNA, BIKE, 1)
    await house.do(BIKE, AcceptDelivery(order_id=order_id))
    await house.cook(order_id)
    assert (await house.kept(order_id)).ready_at is not None
    for step in (ByHand.REACH_RESTAURANT, ByHand.PICK_UP):
        await house.do(BIKE, StepDelivery(order_id=order_id, step=step))
    assert (await house.order(order_id)).status is OrderStatus.OUT_FOR_DELIVERY
    for step in (ByHand.SET_OUT, ByHand.APPROACH, ByHand.ARRIVE):
        await house.do(BIKE, StepDelivery(order_id=order_id, step=step))
    done = await house.moved(BIKE, CompleteDelivery(order_id=order_id))

    assert done.status is DeliveryStatus.DELIVERED
    times = (
        done.assigned_at,
        done.accepted_at,
        done.at_restaurant_at,
        done.picked_up_at,
        done.set_out_at,
        done.arrived_at,
        done.ended_at,
    )
    known = [each for each in times if each is not None]
    assert len(known) == len(times)
    assert known == sorted(known)
    assert (await house.order(order_id)).status is OrderStatus.DELIVERED
    assert not await house.differing()
    await house.do(TILL, CloseOrder(order_id=order_id))


async def test_food_that_is_not_ready_cannot_be_picked_up(house: DeliveryWorld) -> None:
    order_id = await house.place_order()
    await house.do(TILL, AssignDelivery(order_id=order_id, courier=ANNA))
    await house.do(BIKE, AcceptDelivery(order_id=order_id))
    pick_up = StepDelivery(order_id=order_id, step=ByHand.PICK_UP)
    reply = await house.ask(BIKE, pick_up)
    assert reply.code is RefusalCode.WRONG_STATE
    assert reply.message is not None
    assert reply.message.startswith(f"the food of {(await house.order(order_id)).number} is not")
    assert isinstance(reply.result, DeliveryReceipt)
    assert (await house.delivery(order_id)).status is DeliveryStatus.ACCEPTED
    await house.cook(order_id)
    assert (await house.moved(BIKE, pick_up)).status is DeliveryStatus.PICKED_UP


async def test_what_nobody_took_comes_back_and_its_order_is_ready_again(
    house: DeliveryWorld,
) -> None:
    order_id = (await picked_up(house)).order_id
    failed = await house.moved(BIKE, FailDelivery(order_id=order_id, reason="nobody opened"))
    assert (failed.status, failed.reason) == (DeliveryStatus.FAILED, "nobody opened")
    assert (await house.order(order_id)).status is OrderStatus.OUT_FOR_DELIVERY
    back = await house.moved(BIKE, ReturnDelivery(order_id=order_id))
    assert back.status is DeliveryStatus.RETURNED
    assert (await house.order(order_id)).status is OrderStatus.READY
    assert not await house.differing()


async def test_a_till_that_moves_the_order_moves_its_delivery(house: DeliveryWorld) -> None:
    order_id = await house.place_order()
    await house.cook(order_id)
    dispatch = DispatchOrder(order_id=order_id)
    assert await house.refused(TILL, dispatch) is RefusalCode.WRONG_STATE, "nobody brings it"
    await house.do(TILL, AssignDelivery(order_id=order_id, courier=ANNA))
    await house.do(TILL, AcceptDelivery(order_id=order_id))
    await house.do(TILL, dispatch)
    assert (await house.delivery(order_id)).status is DeliveryStatus.PICKED_UP
    await house.do(TILL, ReturnOrder(order_id=order_id, reason="the wrong street"))
    assert (await house.delivery(order_id)).status is DeliveryStatus.RETURNED
    other = (await picked_up(house)).order_id
    await house.do(TILL, DeliverOrder(order_id=other))
    assert (await house.delivery(other)).status is DeliveryStatus.DELIVERED
    assert not await house.differing()


async def test_an_order_that_is_called_off_is_nobodys_stop_any_more(house: DeliveryWorld) -> None:
    first, second = await house.place_order(), await house.place_order(FAR)
    for order_id in (first, second):
        await house.do(TILL, AssignDelivery(order_id=order_id, courier=ANNA))
    await house.do(TILL, CancelOrder(order_id=first, reason="changed their mind"))
    gone, left = await house.delivery(first), await house.delivery(second)
    assert (gone.status, gone.reason) == (DeliveryStatus.CANCELLED, "changed their mind")
    assert left.stop == 1
    assert not await house.differing()


async def test_a_courier_may_only_touch_what_they_have_to_bring(house: DeliveryWorld) -> None:
    order_id = await house.place_order()
    await house.do(TILL, AssignDelivery(order_id=order_id, courier=ANNA))
    for message in (
        AcceptDelivery(order_id=order_id),
        DeclineDelivery(order_id=order_id),
        StepDelivery(order_id=order_id, step=ByHand.PICK_UP),
        CompleteDelivery(order_id=order_id),
        FailDelivery(order_id=order_id, reason="x"),
        ReturnDelivery(order_id=order_id),
    ):
        reply = await house.ask(CAR, message)
        assert (reply.code, reply.result) == (RefusalCode.NOT_ALLOWED, None), message
    for said in (
        AssignDelivery(order_id=order_id, courier=BO),
        UnassignDelivery(order_id=order_id),
        PlaceDelivery(order_id=order_id, place=FAR),
        RemoveCourier(courier=BO),
        PutCourier(courier=Courier(courier="eve", name="Eve", device=CAR)),
        ShareDelivery(order_id=order_id),
    ):
        assert await house.refused(CAR, said) is RefusalCode.NOT_ALLOWED, said
    stops = SequenceStops(courier=ANNA, stops=(order_id,))
    assert await house.refused(CAR, stops) is RefusalCode.NOT_ALLOWED
    assert await house.refused(SCREEN, AcceptDelivery(order_id=order_id)) is RefusalCode.NOT_ALLOWED
    page = (await house.do(CAR, ReadDeliveries())).result
    assert isinstance(page, DeliveryPage)
    assert page.deliveries == ()
    mine = (await house.do(BIKE, ReadDeliveries())).result
    assert isinstance(mine, DeliveryPage)
    assert [each.order_id for each in mine.deliveries] == [order_id]


async def test_who_declines_is_noted_and_another_is_asked(house: DeliveryWorld) -> None:
    order_id = await house.place_order()
    await house.do(TILL, AssignDelivery(order_id=order_id, courier=ANNA))
    left = await house.moved(BIKE, DeclineDelivery(order_id=order_id, reason="a flat tyre"))
    assert (left.status, left.courier, left.declined_by) == ("waiting", None, (ANNA,))
    taken = await house.moved(MANAGER, AssignDelivery(order_id=order_id, courier=BO))
    assert taken.device == CAR
    again = await house.moved(TILL, AssignDelivery(order_id=order_id, courier=ANNA))
    assert (again.courier, again.status) == (ANNA, DeliveryStatus.ASSIGNED)
    assert not await house.differing()


async def test_stops_are_brought_in_the_sequence_that_was_said(house: DeliveryWorld) -> None:
    orders = [await house.place_order() for _ in range(3)]
    for order_id in orders[:2]:
        await house.do(TILL, AssignDelivery(order_id=order_id, courier=ANNA))
    await house.do(TILL, AssignDelivery(order_id=orders[2], courier=ANNA, stop=1))
    found = [(await house.delivery(each)).stop for each in orders]
    assert found == [2, 3, 1]
    wrong = SequenceStops(courier=ANNA, stops=tuple(orders[:2]))
    refused = await house.ask(BIKE, wrong)
    assert refused.code is RefusalCode.STALE_VERSION
    assert refused.message is not None
    for order_id in orders:
        assert (await house.delivery(order_id)).number in refused.message
    await house.do(BIKE, SequenceStops(courier=ANNA, stops=tuple(orders)))
    assert [(await house.delivery(each)).stop for each in orders] == [1, 2, 3]
    standing = house.standing()
    run = next(each for each in standing.values() if isinstance(each, CourierRun) and each.stops)
    assert [each.order_id for each in run.stops] == orders
    assert run.stops[0].address == "Mannerheimintie 1"
    assert not await house.differing()


async def test_a_wrong_code_counts_and_after_some_only_the_house_can_deliver(
    database: Database,
) -> None:
    rules = DeliveryRules(place=HERE, proof=ProofRule.CODE, code_tries=2)
    house = DeliveryWorld(database, rules)
    await house.open()
    order_id = (await picked_up(house)).order_id
    code = (await house.kept(order_id)).beside.code
    assert code is not None
    said = (each.model_dump_json() for each in house.standing().values())
    assert not any(f'"{code}"' in each for each in said), "nobody but the guest is told"

    nothing = CompleteDelivery(order_id=order_id)
    assert await house.refused(BIKE, nothing) is RefusalCode.PROOF_MISSING
    claimed = CompleteDelivery(order_id=order_id, proof=Proof(kind=ProofKind.CODE))
    assert await house.refused(BIKE, claimed) is RefusalCode.PROOF_MISSING
    wrong = CompleteDelivery(order_id=order_id, code="0000" if code != "0000" else "1111")
    for left in (1, 0):
        reply = await house.ask(BIKE, wrong)
        assert reply.code is RefusalCode.WRONG_CODE
        assert isinstance(reply.result, DeliveryReceipt)
        assert reply.result.tries_left == left
    right = CompleteDelivery(order_id=order_id, code=code)
    assert await house.refused(BIKE, right) is RefusalCode.TOO_MANY_TRIES
    assert (await house.moved(TILL, nothing)).status is DeliveryStatus.DELIVERED


async def test_the_right_code_delivers(database: Database) -> None:
    house = DeliveryWorld(database, DeliveryRules(place=HERE, proof=ProofRule.CODE))
    await house.open()
    order_id = (await picked_up(house)).order_id
    code = (await house.kept(order_id)).beside.code
    assert code is not None
    done = await house.moved(BIKE, CompleteDelivery(order_id=order_id, code=f" {code} "))
    assert done.proof == Proof(kind=ProofKind.CODE)


async def test_a_photo_is_wanted_where_the_house_says_so(database: Database) -> None:
    house = DeliveryWorld(database, DeliveryRules(place=HERE, proof=ProofRule.PHOTO))
    await house.open()
    order_id = (await picked_up(house)).order_id
    bare = CompleteDelivery(order_id=order_id, proof=Proof(kind=ProofKind.PHOTO))
    assert await house.refused(BIKE, bare) is RefusalCode.PROOF_MISSING
    photo = Proof(kind=ProofKind.PHOTO, reference="s3://door/1.jpg")
    done = await house.moved(BIKE, CompleteDelivery(order_id=order_id, proof=photo))
    assert done.proof == photo


async def test_a_step_that_is_told_of_later_has_happened_when_it_did(house: DeliveryWorld) -> None:
    order_id = (await picked_up(house)).order_id
    was = house.now + timedelta(minutes=5)
    house.wait(timedelta(minutes=20))
    done = await house.moved(BIKE, CompleteDelivery(order_id=order_id, at=was))
    assert done.ended_at == was
    other = (await picked_up(house)).order_id
    ahead = CompleteDelivery(order_id=other, at=house.now + timedelta(hours=3))
    assert (await house.moved(BIKE, ahead)).ended_at == house.now


async def test_an_order_without_a_door_gets_its_delivery_with_one(house: DeliveryWorld) -> None:
    order_id = await house.place_order(None)
    assign = AssignDelivery(order_id=order_id, courier=ANNA)
    assert await house.refused(TILL, assign) is RefusalCode.NOT_FOUND
    made = await house.moved(TILL, PlaceDelivery(order_id=order_id, place=FAR))
    assert (made.status, made.place) == (DeliveryStatus.WAITING, FAR)
    moved = await house.moved(TILL, PlaceDelivery(order_id=order_id, place=DOOR))
    assert (moved.place, moved.version) == (DOOR, 2)
    assert not await house.differing()


async def test_a_house_that_has_no_place_delivers_nothing(database: Database) -> None:
    house = DeliveryWorld(database, DeliveryRules())
    await house.open()
    order_id = await house.place_order()
    place = PlaceDelivery(order_id=order_id, place=FAR)
    assert await house.refused(TILL, place) is RefusalCode.NO_PLACE
    reply = await house.ask(TILL, AssignDelivery(order_id=order_id, courier=ANNA))
    assert (reply.message or "").startswith("nobody has said where the restaurant is")
    await house.cook(order_id)
    await house.do(TILL, DispatchOrder(order_id=order_id))


async def test_a_door_too_far_away_is_refused_and_its_order_is_kept(house: DeliveryWorld) -> None:
    swapped = Place(lat=DOOR.lon, lon=DOOR.lat)
    order_id = await house.place_order(swapped)
    assert (await house.order(order_id)).status is OrderStatus.ACCEPTED
    reply = await house.ask(TILL, AssignDelivery(order_id=order_id, courier=ANNA))
    assert reply.code is RefusalCode.NOT_FOUND
    assert "km from the restaurant" in (reply.message or "")
    far = await house.ask(TILL, PlaceDelivery(order_id=order_id, place=swapped))
    assert far.code is RefusalCode.TOO_FAR
    assert f"perhaps {DOOR.lat:g},{DOOR.lon:g} is meant" in (far.message or "")
    await house.do(TILL, PlaceDelivery(order_id=order_id, place=DOOR))
    moved = await house.ask(TILL, PlaceDelivery(order_id=order_id, place=swapped))
    assert moved.code is RefusalCode.TOO_FAR
    assert (await house.delivery(order_id)).place == DOOR
    assert not await house.differing()


async def test_who_asks_for_what_has_no_delivery_is_told_why(house: DeliveryWorld) -> None:
    order_id = await house.place_order(None)
    number = (await house.order(order_id)).number
    assign = AssignDelivery(order_id=order_id, courier=ANNA)
    reply = await house.ask(TILL, assign)
    place = f"heard delivery place {number} LAT,LON --tenant {house.tenant}"
    assert reply.message == f"nobody has said where {number} is to be brought: {place}"
    nosy = await house.ask(BIKE, AcceptDelivery(order_id=order_id))
    assert number not in (nosy.message or ""), "it is none of theirs"


async def test_one_tracker_is_carried_by_one_courier(house: DeliveryWorld) -> None:
    eve = Courier(courier="eve", name="Eve", device=BIKE)
    assert await house.refused(TILL, PutCourier(courier=eve)) is RefusalCode.WRONG_STATE
    nobody = Courier(courier="eve", name="Eve", device=TILL)
    assert await house.refused(TILL, PutCourier(courier=nobody)) is RefusalCode.NOT_FOUND
    await house.do(TILL, RemoveCourier(courier=ANNA))
    await house.do(TILL, PutCourier(courier=eve))
    order_id = await house.place_order()
    gone = AssignDelivery(order_id=order_id, courier=ANNA)
    assert await house.refused(TILL, gone) is RefusalCode.NOT_FOUND
    assert not await house.differing()


async def test_who_has_something_to_bring_cannot_be_removed(house: DeliveryWorld) -> None:
    order_id = await house.place_order()
    await house.do(TILL, AssignDelivery(order_id=order_id, courier=ANNA))
    refused = await house.ask(TILL, RemoveCourier(courier=ANNA))
    assert refused.code is RefusalCode.WRONG_STATE
    number = (await house.delivery(order_id)).number
    assert f"anna has an order to bring ({number})" in (refused.message or "")
    await house.do(TILL, UnassignDelivery(order_id=order_id))
    await house.do(TILL, RemoveCourier(courier=ANNA))


async def test_a_forgotten_guest_leaves_no_door_behind(house: DeliveryWorld) -> None:
    order_id = (await picked_up(house)).order_id
    await house.do(BIKE, CompleteDelivery(order_id=order_id))
    await house.do(TILL, CloseOrder(order_id=order_id))
    await house.do(OURSELVES, ForgetGuest(order_id=order_id))
    kept = await house.kept(order_id)
    assert kept.beside.model_dump(exclude_defaults=True) == {}
    assert (kept.delivery.place.lat, kept.delivery.place.lon) == (60.18, 24.95)


# -- the guest's link -------------------------------------------------------------------------


async def test_a_link_names_one_delivery_and_ends(house: DeliveryWorld) -> None:
    order_id = await house.place_order()
    link = (await house.do(TILL, ShareDelivery(order_id=order_id))).result
    assert isinstance(link, DeliveryLink)
    kept = await house.kept(order_id)
    named = links.read(link.path.removeprefix(links.PATH))
    assert named is not None
    assert (named.tenant, named.order_id, named.until) == (house.tenant, order_id, link.until)
    assert links.is_good(named, kept.beside.link, house.now)
    assert not links.is_good(named, kept.beside.link, link.until)
    other = await house.kept(await house.place_order())
    assert not links.is_good(named, other.beside.link, house.now)
    assert isinstance((await house.do(TILL, ShareDelivery(order_id=order_id))).result, DeliveryLink)


async def test_states_of_couriers_say_what_they_have_to_bring(house: DeliveryWorld) -> None:
    order_id = await house.place_order()
    await house.do(TILL, AssignDelivery(order_id=order_id, courier=ANNA))
    states = [each for each in house.standing().values() if isinstance(each, CourierState)]
    assert {each.courier_id: each.stops for each in states} == {ANNA: (order_id,), BO: ()}
    (again,) = await house.say(Asked(TILL, AssignDelivery(order_id=order_id, courier=ANNA)))
    assert isinstance(again.result, DeliveryReceipt)
    assert again.result.delivery.version == (await house.delivery(order_id)).version
