"""What is learned of how long orders take: the parts, what is kept of it, and without history."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.delivery.learning.baselines import BASELINES, predicted
from services.delivery.learning.correction import correct
from services.delivery.learning.errors import errors
from services.delivery.learning.learner import Learner, days_of, fit
from services.delivery.learning.margin import SHARE, Margin, margin
from services.delivery.learning.orders import NO_VENUE, Orders, day_number, day_of, gather
from services.delivery.learning.parameters import OfAnotherVersion, Parameters
from services.delivery.learning.rush import rush_min, rushes
from services.delivery.learning.tuning import USUAL, Tuning
from services.delivery.learning.usual import PRIOR, SHARED, doubts, terms
from services.delivery.learning.walk_forward import NothingToJudge, evaluate, walk
from tests.rules.eta_town import BEGINS, LUNCH_MIN, PER_KM_MIN, VENUES_MIN, Town

NOON = datetime(2026, 3, 4, 12, 30, tzinfo=UTC)


def one(
    *,
    at: datetime = NOON,
    km: float = 2.0,
    items: float = 2.0,
    venue: str = "usual",
) -> Orders:
    return gather([at], [km * 1000], [items], [venue], [np.nan])


def p50(parameters: Parameters, order: Orders) -> float:
    return float(parameters.tell(order).p50_min[0])


# -- what is learned ---------------------------------------------------------------------------


def test_distance_hour_and_venue_are_found_in_the_orders() -> None:
    known = fit(Town(days=60).orders(1))
    far, near = p50(known, one(km=3.5)), p50(known, one(km=1.5))
    assert far - near == pytest.approx(2 * PER_KM_MIN, abs=1.0)
    evening = p50(known, one(at=NOON.replace(hour=18)))
    assert p50(known, one()) - evening == pytest.approx(LUNCH_MIN, abs=1.5)
    for venue, minutes in VENUES_MIN.items():
        beyond = p50(known, one(venue=venue)) - p50(known, one(venue="usual"))
        assert beyond == pytest.approx(minutes, abs=1.0)


def test_a_venue_of_which_little_is_known_is_taken_for_one_like_the_others() -> None:
    orders = Town(days=30, noise_min=1).orders(2)
    slow = orders.venues.index("slow")
    few = np.flatnonzero(orders.venue == slow)[:-3]
    known = fit(orders.taken(np.setdiff1d(np.arange(len(orders)), few)))
    of_all = fit(orders)
    assert 0 < 2 * known.usual.venues["slow"] < of_all.usual.venues["slow"]


def test_solving_the_venues_apart_is_the_same_as_solving_all_at_once() -> None:
    orders = Town(days=4).orders(3)
    learner = Learner()
    for day in days_of(orders):
        learner.absorb(day, learner.tell(day))
    told = learner.concluded().usual

    # A day is learned from when the next one begins, and begins to be forgotten then.
    learned = np.minimum(orders.day + 1, orders.day[-1])
    kept = np.exp((learned - orders.day[-1]) / USUAL.memory_days)
    shared = terms(orders, told.km, told.log_items)
    whole = np.hstack((shared, np.eye(len(orders.venues))[orders.venue]))
    doubt = np.append(doubts(USUAL), np.full(len(orders.venues), USUAL.venue_prior))
    left = (whole * kept[:, np.newaxis]).T @ whole + np.diag(doubt)
    right = whole.T @ (kept * (orders.took_min - shared @ PRIOR))
    found = np.linalg.solve(left, right)
    assert told.shared == pytest.approx(PRIOR + found[:SHARED], abs=1e-6)
    by_name = [told.venues[name] for name in orders.venues]
    assert by_name == pytest.approx(found[SHARED:], abs=1e-6)


def test_the_parts_of_the_usual_time_add_up_to_it() -> None:
    orders = Town(days=9).orders(4)
    usual = fit(orders).usual
    assert sum(usual.parts(orders).values()) == pytest.approx(usual.minutes(orders))


def test_what_is_not_known_of_an_order_is_taken_as_usual() -> None:
    known = fit(Town().orders(5))
    orders = gather([NOON], [np.nan], [np.nan], [""], [np.nan])
    assert orders.venue.tolist() == [NO_VENUE]
    assert p50(known, one(km=0.3)) < p50(known, orders) < p50(known, one(km=3.9))


def test_a_new_usual_takes_the_place_of_the_old_one() -> None:
    before = Town(days=90, orders_a_day=10).orders(6)
    after = Town(days=30, orders_a_day=10).orders(7)
    later = 90 * 86400.0
    slower = replace(
        after, at_s=after.at_s + later, day=after.day + 90, took_min=after.took_min + 10
    )
    never, changed = fit(before), fit(before.joined(slower))
    gain = p50(changed, one()) - p50(never, one())
    # 30 days weigh 1 - exp(-30/40) of what 120 do.
    assert 4 < gain < 9


# -- without history ---------------------------------------------------------------------------


def test_a_house_without_history_tells_what_is_assumed_with_a_wide_margin() -> None:
    told = Parameters().tell(one())
    assert 25 < told.p50_min[0] < 35
    assert told.p90_min[0] == pytest.approx(told.p50_min[0] * 1.35)
    assert fit(one().taken(slice(0, 0))) == Parameters()


def test_few_orders_move_what_is_assumed_only_a_little() -> None:
    quick = gather([NOON], [2000.0], [2.0], ["usual"], [5.0])
    assert p50(Parameters(), one()) - 14 < p50(fit(quick), one()) < p50(Parameters(), one()) - 2


# -- the rush ----------------------------------------------------------------------------------


def test_late_deliveries_of_today_make_the_next_order_later() -> None:
    usual, ages = np.full(12, 30.0), np.arange(45.0, 105.0, 5.0)
    assert rush_min(usual, ages, np.full(12, 42.0), 5.0, USUAL) > 3
    assert rush_min(usual, ages, np.full(12, 20.0), 5.0, USUAL) < -2
    assert rush_min(usual, ages, usual, 5.0, USUAL) == 0


def test_nobody_about_is_no_rush() -> None:
    none = np.zeros(0)
    assert rush_min(none, none, none, 5.0, USUAL) == 0


def test_what_is_overdue_is_news_and_what_was_just_placed_is_none() -> None:
    usual, out = np.full(6, 30.0), np.full(6, np.nan)
    overdue = rush_min(usual, np.full(6, 50.0), out, 5.0, USUAL)
    fresh = rush_min(usual, np.full(6, 3.0), out, 5.0, USUAL)
    assert overdue > 4
    assert 0 <= fresh < 0.2


def test_the_quick_ones_that_arrive_first_do_not_make_a_slow_evening_look_quick() -> None:
    draw = np.random.default_rng(9)
    ages = np.arange(1.0, 40.0)
    took = draw.normal(42, 8, len(ages))  # usual is 30
    seen = np.where(took < ages, took, np.nan)
    usual = np.full(len(ages), 30.0)
    arrived = ~np.isnan(seen)
    assert np.mean(seen[arrived]) < 36
    with_open = rush_min(usual, ages, seen, 5.0, USUAL)
    without = rush_min(usual[arrived], ages[arrived], seen[arrived], 5.0, USUAL)
    assert without + 2 < with_open < 12


def test_an_order_that_was_lost_does_not_haunt_the_evening() -> None:
    usual, ages = np.full(2, 30.0), np.array([USUAL.rush_lost_min + 1, 60.0])
    lost = rush_min(usual, ages, np.array([np.nan, 30.0]), 5.0, USUAL)
    assert lost == 0


def test_orders_of_one_minute_know_nothing_of_each_other() -> None:
    at = [NOON, NOON + timedelta(minutes=90), NOON + timedelta(minutes=90)]
    orders = gather(at, [1000.0] * 3, [1.0] * 3, ["a"] * 3, [80.0, 5.0, 200.0])
    found = rushes(orders, 0, np.full(3, 30.0), 5.0, USUAL)
    assert found[0] == 0
    assert found[1] == found[2] > 0


def test_a_rush_that_lasts_is_foreseen_only_by_who_looks_at_today() -> None:
    orders = Town(days=40, orders_a_day=80, rush_min=8).orders(10)
    first = int(orders.day[0]) + 20
    found = evaluate(orders, np.full(len(orders), np.nan), first)
    assert found.model.errors.mae < 0.8 * found.without_today.errors.mae
    assert found.baselines["estimate"] is None


# -- the last steps ----------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.floats(-8, 8), st.floats(0.2, 1.8))
def test_as_many_orders_come_before_the_p50_as_after_it(
    seed: int, add: float, per_rush: float
) -> None:
    draw = np.random.default_rng(seed)
    usual, rush = draw.uniform(20, 45, 600), draw.normal(0, 4, 600)
    took = usual + add + per_rush * rush + draw.exponential(8, 600)
    told = correct(usual, rush, took, np.ones(600), 1.0).p50(usual, rush)
    assert np.mean(took <= told) == pytest.approx(0.5, abs=0.06)


@given(st.integers(0, 2**32 - 1), st.sampled_from([2.0, 8.0, 20.0]))
def test_nine_of_ten_orders_keep_to_the_p90(seed: int, spread: float) -> None:
    draw = np.random.default_rng(seed)
    told = draw.uniform(15, 60, 1500)
    took = told + draw.laplace(0, spread, 1500) * told / 30
    found = margin(told, took, np.ones(1500))
    assert np.mean(took <= found.p90(told)) == pytest.approx(SHARE, abs=0.02)


def test_what_scatters_more_gets_a_wider_margin() -> None:
    draw = np.random.default_rng(11)
    told = draw.uniform(15, 60, 4000)
    took = told + draw.normal(0, 0.25 * told)
    found = margin(told, took, np.ones(4000))
    short, long = found.p90(np.array([20.0, 50.0])) - np.array([20.0, 50.0])
    assert long > 1.7 * short


def test_without_errors_to_learn_from_nothing_is_corrected() -> None:
    none = np.zeros(0)
    assert margin(none, none, none) == Margin()
    assert correct(none, none, none, none, 1.0).p50(np.array([33.0]), np.array([2.0])) == [35.0]


def test_the_p90_of_a_walk_holds_in_nine_of_ten_orders() -> None:
    orders = Town(days=40, rush_min=4).orders(12)
    first = int(orders.day[0]) + 14
    found = evaluate(orders, orders.took_min + 5, first)
    assert 0.87 <= found.model.p90_coverage <= 0.93
    estimate = found.baselines["estimate"]
    assert estimate is not None
    assert (estimate.mae, estimate.bias) == (5, 5)
    assert all(each is None or found.model.errors.mae < each.mae for each in
               found.baselines.values())  # fmt: skip


# -- what is kept ------------------------------------------------------------------------------


def test_what_was_learned_is_small_and_tells_the_same_when_it_is_read_again() -> None:
    orders = Town().orders(13)
    known = fit(orders)
    kept = json.dumps(known.as_json())
    assert len(kept) < 2000
    again = Parameters.from_json(json.loads(kept))
    assert again.tell(orders).p90_min == pytest.approx(known.tell(orders).p90_min, abs=0.05)
    assert again.as_json() == known.as_json()


def test_what_another_version_kept_is_not_misread() -> None:
    kept = Parameters().as_json()
    with pytest.raises(OfAnotherVersion, match="version 7"):
        Parameters.from_json(kept | {"version": 7})
    with pytest.raises(OfAnotherVersion):
        Parameters.from_json(kept | {"usual": kept["usual"] | {"shared": [1.0]}})


# -- days, and the baselines -------------------------------------------------------------------


def test_orders_are_sorted_and_told_by_the_clock_of_the_house() -> None:
    helsinki = timezone(timedelta(hours=3))
    late = datetime(2026, 8, 2, 0, 30, tzinfo=helsinki)
    orders = gather([late, NOON], [1.0, 2.0], [1.0, 1.0], ["b", "a"], [30.0, np.nan])
    assert orders.distance_m.tolist() == [2.0, 1.0]
    assert [str(day_of(int(each))) for each in orders.day] == ["2026-03-04", "2026-08-02"]
    assert orders.hour.tolist() == [12.5, 0.5]
    assert orders.weekday.tolist() == [2, 6]
    assert orders.at_s[1] == late.timestamp()
    assert orders.venues == ("a", "b")


def test_an_order_that_arrives_after_midnight_is_learned_from_a_day_later() -> None:
    late = datetime(2026, 3, 4, 23, 50, tzinfo=UTC)
    nights = [late + timedelta(days=n) for n in range(3)]
    orders = gather(nights, [1000.0] * 3, [1.0] * 3, ["a"] * 3, [20.0, 20.0, 20.0])
    learner = Learner()
    counts = []
    for day in days_of(orders):
        learner.absorb(day, learner.tell(day))
        counts.append(round(learner._parameters.orders))
    assert counts == [0, 0, 1]
    assert round(learner.concluded().orders) == 3


def test_days_of_which_no_time_is_known_only_let_what_was_learned_fade() -> None:
    orders = Town(days=6).orders(18)
    nobody_knows = np.where(orders.day >= orders.day[-1] - 1, np.nan, orders.took_min)
    known = int((~np.isnan(nobody_knows)).sum())
    last = int(orders.day[-1])
    learned = fit(replace(orders, took_min=nobody_knows)).orders
    first_days = np.minimum(orders.day + 1, last)[~np.isnan(nobody_knows)]
    assert learned == pytest.approx(np.exp((first_days - last) / USUAL.memory_days).sum())
    assert learned < known


def test_baselines_look_back_only_as_far_as_they_say() -> None:
    orders = Town(days=20, orders_a_day=10).orders(14)
    last = int(orders.day[-1])
    took = np.where(orders.day >= last - 7, 30.0, 90.0)
    told = predicted(replace(orders, took_min=took), last, "median_7_days")
    assert set(told.tolist()) == {30.0}
    within = replace(orders, took_min=np.where(orders.day >= last - 14, 30.0, 90.0))
    assert predicted(within, last, "linear_14_days_and_venue") == pytest.approx(30.0)
    gone = orders.taken((orders.day == last) | (orders.day < last - 14))
    for name in BASELINES:
        assert not np.isnan(predicted(gone, last, name)).any()


def test_baselines_do_without_what_is_not_known() -> None:
    orders = Town(days=20, orders_a_day=10).orders(15)
    last = int(orders.day[-1])
    blind = replace(
        orders,
        distance_m=np.full(len(orders), np.nan),
        venue=np.full(len(orders), NO_VENUE),
        took_min=np.where(np.arange(len(orders)) % 3 == 0, np.nan, orders.took_min),
    )
    mean = np.nanmean(blind.took_min[(orders.day < last) & (orders.day >= last - 7)])
    assert predicted(blind, last, "linear_7_days") == pytest.approx(mean)
    assert not np.isnan(predicted(blind, last, "linear_14_days_and_venue")).any()


def test_errors_are_of_the_orders_of_which_both_are_known() -> None:
    found = errors(np.array([10.0, 20.0, np.nan, 5.0]), np.array([12.0, 17.0, 3.0, np.nan]))
    assert found is not None
    assert (found.n, found.mae, found.bias) == (2, 2.5, 0.5)
    assert errors(np.array([np.nan]), np.array([1.0])) is None


def test_where_nothing_came_before_nothing_is_judged() -> None:
    orders = Town(days=3).orders(16)
    nothing = np.full(len(orders), np.nan)
    for day in (int(orders.day[0]), int(orders.day[-1]) + 1):
        with pytest.raises(NothingToJudge):
            evaluate(orders, nothing, day)
    with pytest.raises(NothingToJudge):
        evaluate(replace(orders, took_min=nothing), nothing, int(orders.day[0]) + 1)


def test_how_fast_it_forgets_may_be_chosen_and_a_walk_says_how_far_it_is() -> None:
    orders = Town(days=6).orders(17)
    done: list[int] = []
    told = walk(orders, int(orders.day[0]), Tuning(memory_days=5), done.append)
    assert len(told.p50_min) == len(orders) == done[-1]
    assert done == sorted(done)
    assert not (told.p50_min == walk(orders, int(orders.day[0])).p50_min).all()


# -- small houses, and forgetful ones ----------------------------------------------------------


def test_a_house_with_an_order_a_day_learns_how_far_off_it_is() -> None:
    one_a_day = Town(days=170, orders_a_day=0).orders(31)
    assert len(one_a_day) == 170
    known = fit(one_a_day)
    assert known.orders < 45, "what is old counts less and less"
    assert known.measured == 170 - USUAL.learned_first
    assert known.margin != Margin()
    told = known.tell(Town(days=400, orders_a_day=0).orders(32))
    took = Town(days=400, orders_a_day=0).orders(32).took_min
    assert 0.82 <= np.mean(took <= told.p90_min) <= 0.98
    assert np.mean(told.p90_min - told.p50_min) < 9, "35 % would be eleven minutes"


def test_one_order_of_an_absurd_time_teaches_no_more_than_a_slow_one() -> None:
    orders = Town(days=30, orders_a_day=10).orders(33)
    number = len(orders) - 12
    told = []
    for took in (60.0, 120.0, 239.0):
        changed = orders.took_min.copy()
        changed[number] = took
        told.append(p50(fit(replace(orders, took_min=changed)), one()))
    assert told[1] == pytest.approx(told[0], abs=0.3)
    assert told[2] == pytest.approx(told[1], abs=0.05)


def test_what_took_longer_than_anything_takes_is_not_learned_from() -> None:
    orders = Town(days=10).orders(34)
    lost = np.arange(len(orders)) % 40 == 5
    absurd = replace(orders, took_min=np.where(lost, 241.0, orders.took_min))
    unknown = replace(orders, took_min=np.where(lost, np.nan, orders.took_min))
    assert fit(absurd).as_json() == fit(unknown).as_json()


def test_baselines_know_nothing_of_what_arrives_after_midnight() -> None:
    orders = Town(days=12, orders_a_day=30).orders(35)
    last = int(orders.day[-1])
    last_evening = orders.day == last - 1
    after_midnight = (last - day_number(BEGINS.date())) * 86_400.0 + BEGINS.replace(
        tzinfo=UTC
    ).timestamp()
    late = np.where(last_evening, (after_midnight - orders.at_s) / 60 + 5.0, orders.took_min)
    later = np.where(last_evening, late + 200.0, orders.took_min)
    for name in BASELINES:
        told = predicted(replace(orders, took_min=late), last, name)
        assert (told == predicted(replace(orders, took_min=later), last, name)).all()
        assert not (told == predicted(orders, last, name)).all()


def test_a_baseline_that_knows_nothing_yet_says_nothing() -> None:
    late = datetime(2026, 3, 4, 23, 50, tzinfo=UTC)
    orders = gather(
        [late, late + timedelta(hours=1)], [1000.0] * 2, [1.0] * 2, ["a"] * 2, [90.0, 20.0]
    )
    for name in BASELINES:
        assert np.isnan(predicted(orders, int(orders.day[1]), name)).all()
