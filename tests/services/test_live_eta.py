from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import pytest

from schemas.delivery_rules import DeliveryRules
from schemas.etas import Confidence, EtaPart
from schemas.positions import Place
from services.runtime.database import Database
from services.runtime.ready_times import ReadyTime
from tests.services.eta_world import HOUSE, M_PER_DEGREE, EtaWorld, north


@pytest.fixture
async def world(database: Database) -> EtaWorld:
    return await EtaWorld(database).open()


ON_THE_WAY: Final[dict[str, Any]] = {
    "status": "en-route",
    "courier": "anna",
    "ready_at": -300.0,
    "assigned_at": -600.0,
    "accepted_at": -580.0,
    "at_restaurant_at": -400.0,
    "picked_up_at": -120.0,
    "set_out_at": -60.0,
    "promised_at": 1_800.0,
}


async def test_an_order_that_nobody_brings_yet_has_an_eta_with_its_reasons(
    world: EtaWorld,
) -> None:
    order = await world.deliver(north(2_000), promised_at=3_600.0)
    await world.book.look()
    eta = world.eta(order)
    assert timedelta(minutes=15) < eta.p50_at - world.now < timedelta(minutes=60)
    assert eta.p90_at > eta.p50_at
    assert eta.fix_at is None
    assert not eta.stale
    assert eta.confidence is Confidence.LOW
    parts = [reason.part for reason in eta.reasons]
    assert parts == [EtaPart.COOKING, EtaPart.HAND_OVER, EtaPart.RIDE, EtaPart.DOOR]
    assert len(world.retained) == 1


async def test_the_kitchens_word_moves_the_eta(world: EtaWorld) -> None:
    order = await world.deliver(north(2_000))
    soon, late = world.now + timedelta(minutes=20), world.now + timedelta(minutes=50)
    world.ready[order] = ReadyTime(soon, soon + timedelta(minutes=3))
    await world.book.look()
    first = world.eta(order)
    world.ready[order] = ReadyTime(late, late + timedelta(minutes=3))
    await world.book.look()
    moved = world.eta(order).p50_at - first.p50_at
    assert timedelta(minutes=25) < moved < timedelta(minutes=31)
    assert world.eta(order).reasons[0].text == "the kitchen says"


async def test_overdue_food_is_not_promised_for_now(world: EtaWorld) -> None:
    order = await world.deliver(north(500), placed_at=-3_000.0)
    due = world.now - timedelta(minutes=10)
    world.ready[order] = ReadyTime(due, due + timedelta(minutes=5))
    await world.book.look()
    cooking = world.eta(order).reasons[0]
    assert cooking.part is EtaPart.COOKING
    assert cooking.p50_s > 60
    assert cooking.p90_s > cooking.p50_s


async def test_an_eta_follows_the_courier_and_is_told_only_when_it_moved_enough(
    world: EtaWorld,
) -> None:
    order = await world.deliver(north(3_000), **ON_THE_WAY)
    await world.book.look()
    world.move(("anna", north(0)))
    assert world.eta(order).fix_at == world.now
    assert world.eta(order).confidence is Confidence.HIGH
    told_before, first = len(world.told), world.left_s(order)
    assert first == pytest.approx(3_000 / 3.1 + 140, rel=0.1)
    for step in range(1, 194):  # as quickly as couriers mostly ride
        world.pass_time(5.0)
        world.move(("anna", north(step * 5.0 * 3.1)))
    assert 0 < len(world.told) - told_before < 40
    assert 100 < world.left_s(order) < 200  # to stop, and the way up to the guest


async def test_a_courier_who_rides_slowly_arrives_later(world: EtaWorld) -> None:
    order = await world.deliver(north(4_000), **ON_THE_WAY)
    await world.book.look()
    for _ in range(2):
        world.move(("anna", HOUSE))
    first = world.left_s(order)
    for step in range(1, 61):
        world.pass_time(10.0)
        world.move(("anna", north(step * 10.0)))  # a metre a second
    assert world.left_s(order) > first


async def test_another_couriers_position_changes_nothing(world: EtaWorld) -> None:
    order = await world.deliver(north(3_000), **ON_THE_WAY)
    await world.book.look()
    world.move(("anna", north(100)))
    before = world.eta(order)
    world.pass_time(1.0)
    world.move(("bert", north(2_900)))
    assert world.eta(order) == before


async def test_a_stop_before_makes_it_later_and_is_said(world: EtaWorld) -> None:
    order = await world.deliver(north(3_000), stop=1, **ON_THE_WAY)
    await world.book.look()
    world.move(("anna", HOUSE))
    alone = world.eta(order)
    await world.deliver(north(1_500), stop=1, **ON_THE_WAY)
    await world.change(order, stop=2)
    await world.book.look()
    after = world.eta(order)
    assert after.stops_before == 1
    assert after.p50_at > alone.p50_at + timedelta(seconds=60)
    assert "one other door" in [reason.text for reason in after.reasons]


async def test_a_courier_who_brings_others_first_comes_for_the_food_after_them(
    world: EtaWorld,
) -> None:
    waiting: dict[str, Any] = {
        "status": "accepted",
        "courier": "anna",
        "ready_at": -10.0,
        "accepted_at": -60.0,
    }
    order = await world.deliver(north(1_000), stop=2, assigned_at=-70.0, **waiting)
    await world.book.look()
    world.move(("anna", north(100)))
    near = world.eta(order)
    await world.deliver(north(-4_000), stop=1, **ON_THE_WAY)
    await world.book.look()
    far = world.eta(order)
    assert far.p50_at > near.p50_at + timedelta(minutes=15)
    courier = next(each for each in far.reasons if each.part is EtaPart.COURIER)
    assert courier.text.startswith("one other door first, ")
    assert far.stops_before == 1


async def test_an_old_position_makes_an_eta_stale_and_never_wrong(world: EtaWorld) -> None:
    order = await world.deliver(north(3_000), **ON_THE_WAY)
    await world.book.look()
    world.move(("anna", north(2_000)))
    assert not world.eta(order).stale
    for _ in range(20):
        world.pass_time(60.0)
        await world.book.look()
    eta = world.eta(order)
    assert eta.stale
    assert eta.confidence is Confidence.LOW
    assert eta.p50_at > world.now
    # A tracker's backlog: it is no newer than what is known, and moves nothing.
    world.move(("anna", north(100)), ago_s=1_300.0)
    assert world.eta(order).fix_at == eta.fix_at


@pytest.mark.parametrize(("moving", "stale"), [(True, True), (False, False)])
async def test_who_rode_when_seen_last_is_missed_sooner_than_who_waits_with_the_food(
    world: EtaWorld, moving: bool, stale: bool
) -> None:
    order = await world.deliver(north(3_000), **{**ON_THE_WAY, "status": "picked-up"})
    await world.book.look()
    world.move(("anna", north(500)), moving=moving)
    world.pass_time(300.0)
    await world.book.look()
    assert world.eta(order).stale is stale
    assert world.eta(order).confidence is (Confidence.LOW if stale else Confidence.HIGH)


async def test_a_position_from_before_the_food_was_picked_up_says_nothing(
    world: EtaWorld,
) -> None:
    order = await world.deliver(north(3_000), **ON_THE_WAY)
    await world.book.look()
    unseen = world.left_s(order)
    world.move(("anna", north(2_950)), ago_s=200.0)  # she came from there
    await world.book.look()
    assert world.eta(order).fix_at is None
    assert world.left_s(order) == pytest.approx(unseen, abs=2)


async def test_at_the_door_only_the_door_is_waited_for(world: EtaWorld) -> None:
    order = await world.deliver(north(3_000), **ON_THE_WAY)
    await world.book.look()
    await world.change(order, status="arrived", arrived_at=0.0)
    await world.book.look()
    eta = world.eta(order)
    assert [reason.part for reason in eta.reasons] == [EtaPart.DOOR]
    assert eta.confidence is Confidence.HIGH
    assert not eta.stale


async def test_what_has_ended_or_failed_has_no_eta_any_more(world: EtaWorld) -> None:
    delivered = await world.deliver(north(3_000), **ON_THE_WAY)
    failed = await world.deliver(north(1_000), stop=2, **ON_THE_WAY)
    await world.book.look()
    assert len(world.retained) == 2
    await world.change(delivered, status="delivered", ended_at=0.0)
    await world.change(failed, status="failed")
    await world.book.look()
    assert world.retained == {}
    assert world.book.standing() == []
    world.move(("anna", north(100)))
    assert world.retained == {}


async def test_one_that_goes_as_another_comes_is_seen_too(world: EtaWorld) -> None:
    one = await world.deliver(north(3_000))
    await world.book.look()
    await world.change(one, status="cancelled", ended_at=1.0)
    world.pass_time(1.0)
    other = await world.deliver(north(3_000))
    await world.book.look()
    assert [str(other) in topic for topic in world.retained] == [True]


async def test_late_is_said_with_some_hysteresis(world: EtaWorld) -> None:
    order = await world.deliver(north(3_000), **{**ON_THE_WAY, "promised_at": 300.0})
    await world.book.look()
    world.move(("anna", HOUSE))
    assert world.eta(order).late
    world.pass_time(30.0)
    world.move(("anna", north(2_800)))
    assert not world.eta(order).late


async def test_an_order_for_later_is_not_told_for_sooner(world: EtaWorld) -> None:
    order = await world.deliver(north(1_000), due_at=4 * 3_600.0, promised_at=4.2 * 3_600.0)
    await world.book.look()
    assert world.eta(order).p50_at == world.at(4 * 3_600.0)


async def test_a_house_without_a_place_has_no_etas(database: Database) -> None:
    world = await EtaWorld(database, "nowhere").open(DeliveryRules())
    await world.deliver(north(1_000))
    await world.book.look()
    assert world.told == []


async def test_another_process_says_the_same_from_the_rows(world: EtaWorld) -> None:
    order = await world.deliver(north(3_000), **ON_THE_WAY)
    await world.book.look()
    world.move(("anna", north(500)))
    first = world.eta(order)
    other = world.new_book()
    await other.look()
    world.move(("anna", north(500)), book=other)
    again = world.eta(order)
    assert abs(again.p50_at - first.p50_at) < timedelta(seconds=5)
    assert len(other.standing()) == 1


async def test_vehicles_are_numbered_anew_when_the_line_begins_again(world: EtaWorld) -> None:
    order = await world.deliver(north(3_000), **ON_THE_WAY)
    await world.book.look()
    world.move(("anna", north(500)))
    world.book.begin(world._announce)
    positions = world.positions([("bert", north(2_900)), ("anna", north(1_000))])
    positions.number[:] = [3, 4]  # bert has anna's number now
    world.pass_time(1.0)
    world.book.moved(positions)
    assert world.left_s(order) > 200


async def test_who_rides_around_a_corner_is_not_taken_for_slow(world: EtaWorld) -> None:
    door = Place(lat=north(1_500).lat, lon=HOUSE.lon + 1_500 / (M_PER_DEGREE * 0.4975))
    order = await world.deliver(door, **ON_THE_WAY)
    await world.book.look()
    world.move(("anna", HOUSE))
    first = world.eta(order).p50_at
    for step in range(1, 72):  # along one side of the block, hardly nearer to the door
        world.pass_time(5.0)
        world.move(("anna", north(min(1_500.0, step * 5.0 * 4.2))))
    assert world.eta(order).p50_at - first < timedelta(minutes=3)


COMING: Final[dict[str, Any]] = {
    "status": "accepted",
    "courier": "anna",
    "ready_at": -10.0,
    "assigned_at": -20.0,
    "accepted_at": 0.0,
}


@pytest.mark.parametrize("status", ["assigned", "accepted"])
async def test_nobody_rides_to_the_restaurant_before_they_were_asked(
    world: EtaWorld, status: str
) -> None:
    order = await world.deliver(north(1_000), **{**COMING, "status": status})
    await world.book.look()
    world.move(("anna", north(3_000)))
    fresh = world.left_s(order)
    for ago_s in (540.0, 1_800.0, 8 * 3_600.0):
        book = world.new_book()
        await book.look()
        world.move(("anna", north(3_000)), ago_s=ago_s, book=book)
        # Where they were is all that is known: they set out now, not then.
        assert world.left_s(order) == pytest.approx(fresh, abs=25.0)
        assert world.eta(order).stale == (ago_s > 600)


async def test_who_accepted_and_is_not_heard_of_is_taken_to_ride_since_then(
    world: EtaWorld,
) -> None:
    order = await world.deliver(north(1_000), **COMING)
    await world.book.look()
    world.move(("anna", north(3_000)), ago_s=1.0)
    first = world.eta(order).p50_at
    for _ in range(8):
        world.pass_time(30.0)
        await world.book.look()
    assert abs(world.eta(order).p50_at - first) < timedelta(seconds=45)


async def test_who_stands_comes_no_nearer_however_little_they_tell(world: EtaWorld) -> None:
    order = await world.deliver(north(1_000), **COMING)
    await world.book.look()
    world.move(("anna", north(3_000)), moving=False)
    first = world.left_s(order)
    world.pass_time(400.0)  # a phone on a table need not tell for longer
    await world.book.look()
    assert not world.eta(order).stale
    assert world.left_s(order) == pytest.approx(first, abs=5.0)
    world.pass_time(600.0)
    await world.book.look()
    assert world.eta(order).stale
    assert world.left_s(order) < first - 200


async def test_what_was_ridden_before_the_order_was_accepted_shows_no_pace(
    world: EtaWorld,
) -> None:
    order = await world.deliver(north(1_000), **{**COMING, "status": "assigned"})
    await world.book.look()
    for step in range(20):  # they look for a place to have a coffee
        world.move(("anna", north(3_000 + 5.0 * step)))
        world.pass_time(30.0)
    await world.change(order, status="accepted", accepted_at=600.0)
    await world.book.look()
    world.move(("anna", north(3_000)))
    left = world.left_s(order)
    other = world.new_book()
    await other.look()
    world.move(("anna", north(3_000)), book=other)
    # But for what is not worth telling it is as if they had not been seen before.
    assert world.left_s(order) == pytest.approx(left, abs=100.0)


async def test_a_line_that_begins_anew_does_not_make_rides_quicker(world: EtaWorld) -> None:
    order = await world.deliver(north(3_000), **ON_THE_WAY)
    await world.book.look()
    for step in range(50):
        world.move(("anna", north(step * 30.0)))
        world.pass_time(10.0)
    before = world.left_s(order)
    assert before > 300
    expected, told = world.eta(order).p50_at, len(world.told)
    world.book.begin(world._announce)
    for step in range(50, 60):
        world.move(("anna", north(step * 30.0)))
        await world.book.look()
        world.pass_time(10.0)
    assert len(world.told) > told
    for eta in world.told[told:]:
        assert abs(eta.p50_at - expected) < timedelta(seconds=before * 0.2)


async def test_an_order_for_later_waits_from_when_its_delivery_begins(world: EtaWorld) -> None:
    later = await world.deliver(
        north(1_000), placed_at=-8 * 3_600.0, begun_at=0.0, due_at=1_800.0, promised_at=3_000.0
    )
    now = await world.deliver(north(1_000), promised_at=3_000.0)
    await world.book.look()
    assert world.eta(later).reasons == world.eta(now).reasons
    assert world.eta(later).reasons[0].p50_s > 600
