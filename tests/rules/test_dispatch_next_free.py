"""When a courier would be there for one order more: after what is planned, or between."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.dispatch.next_free import Opening, openings, soonest
from services.dispatch.planner import plan
from services.dispatch.situation import Floats, Plan, Situation
from tests.rules.dispatch_town import NOW_S, courier, order, situations, straight

HERE = {"r": (0.0, 0.0)}
KM_S = 200.0
"""A kilometre takes so long here."""


def left_open(situation: Situation, *, ready_min: float = 0.0, old_s: float = math.inf) -> float:
    """In how many seconds somebody is at the restaurant for an order more."""
    crews = {"r": {each.name for each in situation.couriers if each.name != "stranger"}}
    found = openings(
        situation, plan(situation, straight), straight, HERE, crews, position_old_s=old_s
    )
    return soonest(found["r"], NOW_S + 60 * ready_min) - NOW_S


def test_who_has_nothing_to_do_comes_at_once() -> None:
    couriers = (courier("far", away_m=5_000), courier("near", away_m=1_000))
    assert left_open(Situation(NOW_S, couriers=couriers)) == pytest.approx(KM_S)


def test_who_has_something_to_bring_first_comes_after_it() -> None:
    at_work = courier("c", place=(2_000.0, 0.0), free_s=NOW_S + 600)
    assert left_open(Situation(NOW_S, couriers=(at_work,))) == pytest.approx(600 + 2 * KM_S)


def test_what_waits_is_brought_before_it() -> None:
    alone = courier("c", away_m=0.0, capacity=1.0)
    waiting = Situation(NOW_S, orders=(order("o"),), couriers=(alone,))
    (route,) = plan(waiting, straight).routes
    there = left_open(waiting)
    assert there == pytest.approx(route.trips[-1].done_s - NOW_S + KM_S)
    assert there > 2 * KM_S


def test_a_queue_makes_it_later_order_by_order() -> None:
    one = courier("c", away_m=0.0, capacity=1.0)
    waits = [
        left_open(
            Situation(NOW_S, orders=tuple(order(f"o{i}") for i in range(count)), couriers=(one,))
        )
        for count in range(5)
    ]
    assert waits == sorted(waits)
    assert waits[-1] > waits[0] + 4 * 2 * KM_S


def test_before_an_order_of_tonight_there_is_time_for_one_of_now() -> None:
    tonight = order("o", ready_min=120)
    alone = courier("c", away_m=1_000, capacity=1.0)
    situation = Situation(NOW_S, orders=(tonight,), couriers=(alone,))
    assert left_open(situation) == pytest.approx(KM_S)
    after = left_open(situation, ready_min=110)
    assert after > 2 * 3_600, "there is no time for it between"


def test_who_could_not_wait_for_the_food_is_not_counted_on() -> None:
    ends = courier("ends", away_m=0.0, shift_end_s=NOW_S + 600)
    stays = courier("stays", away_m=3_000)
    both = Situation(NOW_S, couriers=(ends, stays))
    assert left_open(both) == pytest.approx(0)
    assert left_open(both, ready_min=15) == pytest.approx(3 * KM_S)
    assert left_open(Situation(NOW_S, couriers=(ends,)), ready_min=15) == math.inf


def test_nobody_counts_on_strangers_and_on_who_is_lost_or_nowhere() -> None:
    strange = courier("stranger", away_m=0.0)
    lost = courier("lost", away_m=0.0, seen_s=NOW_S - 1_000)
    nowhere = courier("nowhere", place=(math.nan, math.nan))
    empty = courier("full", away_m=0.0, capacity=0.0)
    situation = Situation(NOW_S, couriers=(strange, lost, nowhere, empty))
    assert left_open(situation, old_s=900) == math.inf
    assert left_open(situation, old_s=1_100) == pytest.approx(0)


def test_a_way_that_nobody_knows_is_not_taken() -> None:
    def unknown(places: Floats, mode: str) -> Floats:
        return straight(places, mode) * (math.nan if mode == "foot" else 1.0)

    couriers = (courier("walks", away_m=0.0, mode="foot"), courier("drives", away_m=1_000))
    situation, crews = Situation(NOW_S, couriers=couriers), {"r": {"walks", "drives"}}
    found = openings(situation, Plan(), unknown, HERE, crews)
    assert found == {"r": [Opening(NOW_S + KM_S, NOW_S + 4 * 3_600)]}


@settings(max_examples=150, deadline=None)
@given(situations(), st.floats(-3_600, 7_200))
def test_whatever_is_planned_what_is_left_open_is_no_earlier_than_now_and_can_be_kept(
    situation: Situation, ready_s: float
) -> None:
    names = {each.name for each in situation.couriers}
    made = plan(situation, straight)
    found = openings(situation, made, straight, HERE, {"r": names})["r"]
    assert found == sorted(found, key=lambda each: each.there_s)
    for each in found:
        assert situation.now_s <= each.there_s <= each.until_s
    at = soonest(found, situation.now_s + ready_s)
    able = [each for each in found if max(each.there_s, situation.now_s + ready_s) <= each.until_s]
    assert at == (able[0].there_s if able else math.inf)
