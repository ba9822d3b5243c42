from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.positions import TravelMode
from services.delivery.composing import Waits, compose
from services.delivery.legs import (
    ASSUMED,
    LegKind,
    Legs,
    PastLegs,
    PastRides,
    learn,
    learn_leg,
    learn_pace,
)
from services.delivery.rides import Paces, shown_pace, to_go, usual
from services.delivery.spans import Span, later_of, left, one_after_the_other
from services.delivery.telling_when import Enough, Told, moved_enough

SLACK_S = 1e-6

seconds = st.floats(0, 7_200)
spreads = st.floats(0, 3_600)


@st.composite
def spans(draw: st.DrawFn) -> Span:
    p50 = draw(seconds)
    return Span.of([p50], [p50 + draw(spreads)])


def shifted(span: Span, by_s: float) -> Span:
    return Span(span.p50_s + by_s, span.p90_s + by_s)


def never_earlier(later: Span, earlier: Span) -> None:
    assert (later.p50_s >= earlier.p50_s - SLACK_S).all()
    assert (later.p90_s >= earlier.p90_s - SLACK_S).all()


@st.composite
def waits(draw: st.DrawFn) -> Waits:
    pace = usual(draw(st.sampled_from(TravelMode)))
    distance = draw(st.floats(0, 20_000))
    both = draw(st.one_of(st.just(-1.0), st.floats(0, 3_600)))
    at_door = draw(st.one_of(st.just(-1.0), st.floats(0, 3_600)))
    return Waits(
        ready=draw(spans()),
        courier=draw(spans()),
        hand_over=draw(spans()),
        both_since_s=np.array([both]),
        in_the_bag=np.array([draw(st.booleans())]),
        stops_before=np.array([float(draw(st.integers(0, 8)))]),
        ride=to_go([distance], pace),
        door=draw(spans()),
        at_door_since_s=np.array([at_door]),
    )


# -- spans ------------------------------------------------------------------------------------


@given(spans(), spans(), seconds)
def test_the_later_of_two_is_never_earlier_than_either_nor_earlier_for_later_ones(
    one: Span, other: Span, by_s: float
) -> None:
    later = later_of(one, other)
    never_earlier(later, Span(one.p50_s, later.p90_s))
    never_earlier(later, Span(other.p50_s, later.p90_s))
    never_earlier(later_of(shifted(one, by_s), other), later)
    never_earlier(later_of(one, Span(other.p50_s, other.p90_s + by_s)), later)


def test_the_later_of_two_is_what_drawing_both_many_times_shows() -> None:
    random = np.random.default_rng(7)
    one, other = Span.of([600.0], [900.0]), Span.of([650.0], [750.0])
    drawn = np.maximum(
        random.logistic(600, 300 / np.log(9), 400_000),
        random.logistic(650, 100 / np.log(9), 400_000),
    )
    later = later_of(one, other)
    assert later.p50_s[0] == pytest.approx(np.quantile(drawn, 0.5), rel=0.005)
    assert later.p90_s[0] == pytest.approx(np.quantile(drawn, 0.9), rel=0.005)


def test_what_is_left_is_what_those_show_that_have_not_ended() -> None:
    drawn = np.random.default_rng(8).logistic(600, 300 / np.log(9), 2_000_000)
    for elapsed in (300.0, 600.0, 900.0):
        rest = drawn[drawn > elapsed] - elapsed
        told = left(Span.of([600.0], [900.0]), [elapsed])
        assert told.p50_s[0] == pytest.approx(np.quantile(rest, 0.5), rel=0.01)
        assert told.p90_s[0] == pytest.approx(np.quantile(rest, 0.9), rel=0.01)


@given(spans(), st.floats(-3_600, 1e6))
def test_what_is_overdue_is_never_told_for_now(span: Span, elapsed_s: float) -> None:
    rest = left(span, [elapsed_s])
    assert rest.p50_s[0] > 0
    assert rest.p90_s[0] >= rest.p50_s[0]
    assert np.isfinite(rest.p90_s[0])


@given(st.lists(spans(), min_size=1, max_size=6), spans())
def test_one_thing_more_is_never_earlier(several: list[Span], more: Span) -> None:
    never_earlier(one_after_the_other([*several, more]), one_after_the_other(several))


# -- rides ------------------------------------------------------------------------------------


@given(
    st.floats(0, 30_000),
    st.floats(0, 30_000),
    st.floats(0, 20_000),
    seconds,
    st.tuples(st.sampled_from(TravelMode), st.booleans()),
)
def test_more_distance_is_never_earlier(
    one_m: float, more_m: float, made_m: float, elapsed_s: float, how: tuple[TravelMode, bool]
) -> None:
    mode, begun = how

    def ride(distance_m: float) -> Span:
        return to_go(
            [distance_m], usual(mode), made_m=[made_m], elapsed_s=[elapsed_s], begun=[begun]
        )

    never_earlier(ride(one_m + more_m), ride(one_m))
    assert ride(one_m).p90_s[0] >= ride(one_m).p50_s[0]


def test_a_ride_that_is_slow_so_far_is_slow_for_the_rest() -> None:
    pace = usual(TravelMode.BICYCLE)
    usually = to_go([2_000.0], pace, begun=[True])
    slow = to_go([2_000.0], pace, made_m=[2_000.0], elapsed_s=[1_500.0], begun=[True])
    assert slow.p50_s[0] > 1.4 * usually.p50_s[0]
    assert shown_pace(pace, [1e6], [1e6 * 0.6])[0] == pytest.approx(0.6, rel=0.01)
    assert shown_pace(pace, [0.0], [0.0])[0] == pytest.approx(pace.s_per_m)


def test_many_rides_at_once_are_each_as_if_alone() -> None:
    paces = [usual(mode) for mode in TravelMode]
    far, made, took = (np.array([500.0, 900.0, 3_000.0, 8_000.0]) * by for by in (1, 0.4, 0.2))
    all_at_once = to_go(far, Paces.of(paces), made_m=made, elapsed_s=took)
    for i, pace in enumerate(paces):
        alone = to_go(far[i], pace, made_m=made[i], elapsed_s=took[i])
        assert all_at_once.p50_s[i] == pytest.approx(float(alone.p50_s[0]))
        assert all_at_once.p90_s[i] == pytest.approx(float(alone.p90_s[0]))


# -- put together -----------------------------------------------------------------------------


@given(waits(), seconds)
def test_later_food_or_a_later_courier_is_never_earlier(known: Waits, by_s: float) -> None:
    total = compose(known).total
    never_earlier(compose(replace(known, ready=shifted(known.ready, by_s))).total, total)
    never_earlier(compose(replace(known, courier=shifted(known.courier, by_s))).total, total)


@given(waits(), st.floats(0, 3_000))
def test_a_stop_before_is_never_earlier(known: Waits, detour_m: float) -> None:
    total = compose(known).total
    more = replace(known, stops_before=known.stops_before + 1)
    never_earlier(compose(more).total, total)
    pace = usual(TravelMode.CAR)
    near = replace(known, ride=to_go([1_000.0], pace))
    round_about = replace(more, ride=to_go([1_000.0 + detour_m], pace))
    never_earlier(compose(round_about).total, compose(near).total)


@given(waits())
def test_the_p90_is_never_before_the_p50_and_neither_lies_in_the_past(known: Waits) -> None:
    total = compose(known).total
    assert total.p50_s[0] >= 0
    assert total.p90_s[0] >= total.p50_s[0]


@given(waits())
def test_what_is_over_is_waited_for_no_more(known: Waits) -> None:
    in_bag = compose(replace(known, in_the_bag=np.array([True])))
    for part in (in_bag.ready, in_bag.courier, in_bag.hand_over):
        assert part.p90_s[0] == 0
    at_door = compose(replace(known, in_the_bag=np.array([True]), at_door_since_s=np.array([30.0])))
    assert at_door.ride.p90_s[0] == at_door.stops_before.p90_s[0] == 0
    assert at_door.total.p50_s[0] == pytest.approx(at_door.door.p50_s[0])


# -- learned ----------------------------------------------------------------------------------


def test_a_house_without_history_has_what_is_assumed_and_one_with_much_has_its_own() -> None:
    assumed = ASSUMED[LegKind.HAND_OVER]
    none = learn_leg(assumed, PastLegs(np.array([]), np.array([])))
    assert none.p50_s == pytest.approx(assumed.p50_s, rel=0.05)
    assert none.p90_s == pytest.approx(assumed.p90_s, rel=0.08)
    assert none.n == 0
    took = np.random.default_rng(1).gamma(9.0, 40.0, 3_000)
    much = learn_leg(assumed, PastLegs(took, np.zeros(3_000)))
    assert much.p50_s == pytest.approx(np.quantile(took, 0.5), rel=0.03)
    assert much.p90_s == pytest.approx(np.quantile(took, 0.9), rel=0.03)
    few = learn_leg(assumed, PastLegs(took[:10], np.zeros(10)))
    assert assumed.p50_s < few.p50_s < much.p50_s


def test_what_is_long_ago_counts_less() -> None:
    took = np.concatenate([np.full(200, 60.0), np.full(200, 300.0)])
    days = np.concatenate([np.full(200, 400.0), np.zeros(200)])
    assert learn_leg(ASSUMED[LegKind.DOOR], PastLegs(took, days)).p50_s == pytest.approx(300.0)


@given(st.lists(st.one_of(st.floats(-1e9, 1e9), st.sampled_from([np.nan, np.inf])), max_size=30))
def test_no_history_makes_a_leg_that_cannot_be(took: list[float]) -> None:
    leg = learn_leg(ASSUMED[LegKind.DOOR], PastLegs(np.array(took), np.zeros(len(took))))
    assert 0 <= leg.p50_s <= leg.p90_s < np.inf
    rides = PastRides(np.array(took), np.full(len(took), 1_000.0), np.zeros(len(took)))
    pace, _ = learn_pace(usual(TravelMode.CAR), rides)
    assert pace.s_per_m > 0
    assert pace.slower > 1


def test_rides_are_learned_by_their_pace_and_their_spread() -> None:
    random = np.random.default_rng(3)
    far = random.uniform(500, 5_000, 2_000)
    took = 40.0 + far * 0.5 * random.lognormal(0.0, 0.2, 2_000)
    pace, n = learn_pace(usual(TravelMode.BICYCLE), PastRides(took, far, np.zeros(2_000)))
    assert n == 2_000
    assert pace.s_per_m == pytest.approx(0.5, rel=0.03)
    assert pace.slower == pytest.approx(np.exp(0.2 * 1.2816), rel=0.05)


def test_what_was_learned_is_kept_and_read_again() -> None:
    past = PastLegs(np.full(40, 77.0), np.zeros(40))
    rides = PastRides(np.full(40, 300.0), np.full(40, 1_000.0), np.zeros(40))
    legs = learn({LegKind.DOOR: past}, {TravelMode.CAR: rides})
    assert Legs.of_document(legs.to_document()) == legs
    assert Legs.of_document(None) == Legs()
    assert Legs.of_document({**legs.to_document(), "version": 99, "parts": 7}) == Legs()


# -- told -------------------------------------------------------------------------------------


def told(p50: float, p90: float, at: float, what: int = 0) -> Told:
    return Told(np.array([p50]), np.array([p90]), np.array([at]), np.array([what]))


@pytest.mark.parametrize(
    ("before", "now", "is_told"),
    [
        (told(np.nan, np.nan, np.nan), told(1_000, 1_200, 0), True),
        (told(1_000, 1_200, 0), told(1_010, 1_210, 5), False),
        (told(1_000, 1_200, 0), told(1_090, 1_290, 5), True),
        (told(100, 200, 0), told(125, 225, 5), True),
        (told(3_600, 4_200, 0), told(3_700, 4_300, 5), False),
        (told(1_000, 1_200, 0), told(1_000, 1_200, 5, 1), True),
        (told(1_000, 1_200, 0), told(1_000, 1_400, 5), True),
        (told(1_000, 1_200, 0), told(1_000, 1_200, 61), True),
    ],
)
def test_an_eta_is_told_when_it_moved_enough_to_matter(
    before: Told, now: Told, is_told: bool
) -> None:
    assert moved_enough(before, now, Enough())[0] == is_told
