"""The planner: nobody is forgotten whatever it is given, and what it decides makes sense."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.dispatch.planner import plan
from services.dispatch.situation import Floats, Plan, Situation, Trip
from services.dispatch.weights import Weights
from tests.rules.dispatch_town import NOW_S, courier, order, situations, straight

# -- whatever it is given ----------------------------------------------------------------------


def with_holes(places: Floats, mode: str) -> Floats:
    """Ways of which some are not known."""
    found = straight(places, mode)
    found[::2, 1::3] = np.nan
    return found


def trips_of(found: Plan) -> list[Trip]:
    return [trip for route in found.routes for trip in route.trips]


@settings(max_examples=150, deadline=None)
@given(situations(), st.sampled_from([straight, with_holes]))
def test_every_order_is_in_one_trip_or_left_out_with_a_reason(
    situation: Situation, travel: object
) -> None:
    found = plan(situation, travel)  # type: ignore[arg-type]  # what callers may get wrong
    brought = Counter(name for trip in trips_of(found) for name in trip.orders)
    left_out = Counter(each.order for each in found.left_out)
    known = {each.name for each in situation.orders}
    known |= {name for trip in situation.told for name in trip.orders}
    assert brought + left_out == Counter(known)
    assert all(each.why for each in found.left_out)
    assert all(trip.reason for trip in trips_of(found))


@settings(max_examples=60, deadline=None)
@given(situations())
def test_what_was_told_stays_as_it_was(situation: Situation) -> None:
    found = plan(situation, straight)
    for trip in situation.told:
        route = next(each for each in found.routes if each.courier == trip.courier)
        assert trip in route.trips
        assert not [each for each in found.to_tell(situation) if each == trip]


@settings(max_examples=60, deadline=None)
@given(situations())
def test_the_same_situation_gives_the_same_plan(situation: Situation) -> None:
    assert repr(plan(situation, straight)) == repr(plan(situation, straight))


@settings(max_examples=100, deadline=None)
@given(situations())
def test_no_trip_breaks_a_shift_a_capacity_or_a_no(situation: Situation) -> None:
    couriers = {each.name: each for each in reversed(situation.couriers)}
    orders = {each.name: each for each in reversed(situation.orders)}
    for trip in trips_of(plan(situation, straight)):
        if trip in situation.told:
            continue
        who, what = couriers[trip.courier], [orders[name] for name in trip.orders]
        assert trip.pickup_s <= who.shift_end_s
        assert sum(each.size for each in what) <= who.capacity
        assert all(who.name not in each.declined_by for each in what)
        assert all(each.pinned in {None, who.name} for each in what)
        assert len({each.restaurant for each in what}) == 1
        assert trip.leave_s >= max(who.free_s, NOW_S)
        assert trip.leave_s <= trip.arrive_s <= trip.pickup_s <= trip.doors[0].at_s <= trip.done_s


def why(situation: Situation) -> str:
    found = plan(situation, straight)
    assert not found.routes
    return found.left_out[0].why


def test_an_order_that_gets_nobody_says_why() -> None:
    a, c = order("a"), courier("c")
    assert why(Situation(NOW_S, (a,))) == "there are no couriers"
    gone = replace(c, shift_end_s=NOW_S - 1)
    assert "on shift" in why(Situation(NOW_S, (a,), (gone,)))
    ending = replace(c, shift_end_s=NOW_S)
    assert "shift ends before" in why(Situation(NOW_S, (a,), (ending,)))
    unseen = replace(c, seen_s=NOW_S - 3_600)
    assert "too old" in why(Situation(NOW_S, (a,), (unseen,)))
    no = replace(a, declined_by=frozenset({"c"}))
    assert why(Situation(NOW_S, (no,), (c,))) == "every courier has declined it"
    big = replace(a, size=9.0)
    assert "carry so much" in why(Situation(NOW_S, (big,), (replace(c, capacity=4),)))
    pinned = replace(a, pinned="d")
    assert why(Situation(NOW_S, (pinned,), (c,))) == "it is pinned to d, who is not at work"
    nowhere = replace(a, door=(math.nan, 0.0))
    assert "has no place" in why(Situation(NOW_S, (nowhere,), (c,)))
    never = replace(a, ready_p50_s=math.nan)
    assert why(Situation(NOW_S, (never,), (c,))) == "nobody knows when it is ready"


def test_ways_that_nobody_knows_are_not_taken() -> None:
    situation = Situation(NOW_S, (order("a"),), (courier("c"),))

    def unknown(places: Floats, _mode: str) -> Floats:
        return np.full((len(places), len(places)), np.nan)

    found = plan(situation, unknown)
    assert not found.routes
    assert found.left_out[0].why == "nobody knows a way from its restaurant to its door"


def test_nothing_is_planned_of_nothing() -> None:
    assert plan(Situation(NOW_S), straight) == Plan()
    assert plan(Situation(NOW_S, (), (courier("c"),)), straight) == Plan()


# -- what it decides ---------------------------------------------------------------------------


def test_a_courier_is_told_when_they_have_to_leave_and_not_before() -> None:
    a, c = order("a", ready_min=20.0), courier("c", away_m=1_500.0)
    situation = Situation(NOW_S, (a,), (c,), pickup_s=120.0)
    early = plan(situation, straight)
    assert early.to_tell(situation) == []
    assert early.again_s == pytest.approx(NOW_S + 20 * 60 - 60 - 300)
    assert trips_of(early)[0].pickup_s == pytest.approx(NOW_S + 20 * 60)
    later = replace(situation, now_s=early.again_s)
    told = plan(later, straight).to_tell(later)
    assert [trip.orders for trip in told] == [("a",)]
    assert "as the food is ready" in told[0].reason or "before the food" in told[0].reason


def test_a_courier_who_is_free_soon_and_near_is_waited_for() -> None:
    near = courier("near", away_m=100.0, free_s=NOW_S + 60)
    far = courier("far", away_m=6_000.0)
    found = plan(Situation(NOW_S, (order("a"),), (far, near)), straight)
    assert [route.courier for route in found.routes] == ["near"]
    assert found.to_tell(Situation(NOW_S)) == []


def test_orders_that_crowd_go_together_and_the_last_guest_does_not_pay() -> None:
    beside = [order(f"o{n}", door=(2_000.0 + 10 * n, 0.0)) for n in range(3)]
    alone = courier("c")
    together = plan(Situation(NOW_S, tuple(beside), (alone,)), straight)
    assert [len(trip.orders) for trip in trips_of(together)] == [3]
    assert "3 orders together" in trips_of(together)[0].reason
    apart = [order("east", door=(4_000.0, 0.0)), order("west", door=(-4_000.0, 0.0))]
    enough = tuple(courier(f"c{n}") for n in range(3))
    found = plan(Situation(NOW_S, tuple(apart), enough), straight)
    assert [len(trip.orders) for trip in trips_of(found)] == [1, 1]


def test_no_guest_rides_further_about_than_is_said_however_scarce_couriers_are() -> None:
    ring = [(3_000.0, 0.0), (0.0, 3_000.0), (-3_000.0, 0.0), (0.0, -3_000.0)]
    situation = Situation(
        NOW_S,
        tuple(order(f"o{n}", door=door) for n, door in enumerate(ring)),
        (courier("c"),),
        dropoff_s=0.0,
    )
    for most in (0.0, 400.0, 900.0, 1_800.0):
        for trip in trips_of(plan(situation, straight, Weights(detour_most_s=most))):
            direct = trip.pickup_s + situation.pickup_s / 2 + 3_000 / 5
            assert all(door.at_s - direct <= most + 1e-6 for door in trip.doors)


def test_who_had_less_today_is_chosen_of_equals() -> None:
    tired, fresh = courier("a-tired", had=9), courier("b-fresh", had=1)
    found = plan(Situation(NOW_S, (order("a"),), (tired, fresh)), straight)
    assert [route.courier for route in found.routes] == ["b-fresh"]
    unfair = plan(Situation(NOW_S, (order("a"),), (tired, fresh)), straight, Weights(fairness=0.0))
    assert [route.courier for route in unfair.routes] == ["a-tired"]


def test_food_that_is_not_sure_is_not_waited_for_where_couriers_are_scarce() -> None:
    unsure = order("a", ready_min=20.0, ready_p90_s=NOW_S + 40 * 60)
    crowd = [order(f"b{n}", ready_min=90.0, restaurant=f"r{n}") for n in range(6)]
    calm = plan(Situation(NOW_S, (unsure,), (courier("c"),)), straight)
    busy = plan(Situation(NOW_S, (unsure, *crowd), (courier("c"),)), straight)
    arrive = [
        next(trip.arrive_s for trip in trips_of(found) if "a" in trip.orders)
        for found in (calm, busy)
    ]
    assert arrive[0] < NOW_S + 20 * 60 < arrive[1]


def test_an_order_pinned_to_somebody_goes_with_them() -> None:
    far = courier("far", away_m=3_000.0)
    found = plan(Situation(NOW_S, (order("a", pinned="far"),), (courier("near"), far)), straight)
    assert [route.courier for route in found.routes] == ["far"]
    assert trips_of(found)[0].reason.startswith("pinned to them")


# -- telling ahead -----------------------------------------------------------------------------


def test_a_courier_is_told_the_lead_before_they_have_to_leave() -> None:
    a, c = order("a", ready_min=20.0), courier("c", away_m=1_500.0)
    leaves = NOW_S + 20 * 60 - 60 - 300
    ahead, situation = Weights(lead_s=90.0), Situation(NOW_S, (a,), (c,), pickup_s=120.0)
    early = plan(situation, straight, ahead)
    assert early.to_tell(situation) == []
    assert early.again_s == pytest.approx(leaves - 90)
    later = replace(situation, now_s=early.again_s)
    told = plan(later, straight, ahead).to_tell(later)
    assert [trip.leave_s for trip in told] == [pytest.approx(leaves)]
    assert plan(later, straight).to_tell(later) == []


def test_a_courier_who_is_free_within_the_lead_is_told_on_their_way() -> None:
    c = courier("c", free_s=NOW_S + 60)
    situation = Situation(NOW_S, (order("a"),), (c,))
    assert plan(situation, straight).to_tell(situation) == []
    assert plan(situation, straight).again_s == c.free_s
    told = plan(situation, straight, Weights(lead_s=60.0)).to_tell(situation)
    assert [trip.leave_s for trip in told] == [c.free_s]
    assert told[0].reason.startswith("free in 1 min")
    shorter = plan(situation, straight, Weights(lead_s=45.0))
    assert shorter.to_tell(situation) == []
    assert shorter.again_s == c.free_s - 45


def test_only_the_first_trip_of_a_courier_is_told_however_long_the_lead() -> None:
    apart = (order("east", restaurant="e"), order("west", restaurant="w", pickup=(0.0, 900.0)))
    situation = Situation(NOW_S, apart, (courier("c"),))
    found = plan(situation, straight, Weights(lead_s=7_200.0))
    assert [trip.told for trip in trips_of(found)] == [True, False]


@settings(max_examples=60, deadline=None)
@given(situations(), st.sampled_from([0.0, 60.0, 600.0]))
def test_who_is_told_leaves_within_the_lead_and_who_is_not_is_asked_for_later(
    situation: Situation, lead_s: float
) -> None:
    found = plan(situation, straight, Weights(lead_s=lead_s))
    for trip in found.to_tell(situation):
        assert trip.leave_s <= NOW_S + lead_s
    assert found.again_s > NOW_S


# -- how long couriers wait --------------------------------------------------------------------


def test_the_dearer_a_wait_at_the_counter_the_later_couriers_come_for_food_that_is_not_sure() -> (
    None
):
    unsure = order("a", ready_min=20.0, ready_p90_s=NOW_S + 35 * 60)
    situation = Situation(NOW_S, (unsure,), (courier("c"),))
    arrive = [
        trips_of(plan(situation, straight, Weights(counter=counter)))[0].arrive_s
        for counter in (0.0, 0.3, 0.9, 3.0)
    ]
    assert arrive == sorted(arrive)
    assert arrive[0] < arrive[1] < NOW_S + 20 * 60 < arrive[3]
    sure = replace(unsure, ready_p90_s=unsure.ready_p50_s)
    for counter in (0.0, 3.0):
        found = plan(replace(situation, orders=(sure,)), straight, Weights(counter=counter))
        assert trips_of(found)[0].arrive_s == pytest.approx(NOW_S + 20 * 60 - 60)
