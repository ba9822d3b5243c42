"""Prepositioning: couriers with nothing to do go to what is expected, and to nothing else."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.dispatch.prepositioning import (
    Expected,
    Prepositioning,
    Sent,
    expected_of,
    preposition,
)
from services.dispatch.simulation.comparing import live
from services.dispatch.simulation.world import Setting
from services.dispatch.situation import Courier, Floats, Situation
from tests.rules.dispatch_town import NOW_S, courier, order, situations, straight

BUSY = Expected("busy", (3_000.0, 0.0), 8.0)
QUIET = Expected("quiet", (-3_000.0, 0.0), 0.5)


def there(name: str, *, x: float, y: float = 0.0) -> Courier:
    return courier(name, place=(x, y))


def sent(*idle: Courier, to: tuple[Expected, ...] = (BUSY, QUIET)) -> dict[str, str]:
    return {each.courier: each.restaurant for each in preposition(idle, to, straight)}


def test_the_nearest_idle_courier_goes_to_where_most_is_expected() -> None:
    assert sent(there("near", x=1_000.0), there("far", x=-1_000.0))["near"] == "busy"


def test_who_stands_beside_a_restaurant_that_needs_them_stays() -> None:
    assert "there" not in sent(there("there", x=3_000.0), there("other", x=0.0))


def test_couriers_spread_over_restaurants_as_orders_do() -> None:
    alike = tuple(Expected(f"r{n}", (3_000.0 * math.cos(n), 3_000.0 * math.sin(n)), 4.0)
                  for n in (0, 2, 4))  # fmt: skip
    found = sent(*(there(f"c{k}", x=10.0 * k) for k in range(3)), to=alike)
    assert sorted(found.values()) == ["r0", "r2", "r4"]
    uneven = (Expected("a", (3_000.0, 0.0), 20.0), Expected("b", (-3_000.0, 0.0), 2.0))
    found = sent(*(there(f"c{k}", x=10.0 * k) for k in range(4)), to=uneven)
    assert Counter(found.values())["a"] > Counter(found.values())["b"]


def test_nobody_is_sent_for_what_hardly_ever_comes_or_farther_than_it_is_worth() -> None:
    rare = Expected("rare", (3_000.0, 0.0), 0.01)
    assert sent(there("c", x=0.0), to=(rare,)) == {}
    cheap, dear = (
        preposition([there("c", x=0.0)], [BUSY], straight, Prepositioning(ride_price=price))
        for price in (0.1, 5.0)
    )
    assert [each.restaurant for each in cheap] == ["busy"]
    assert dear == []
    assert cheap[0].why == "8 orders an hour expected at busy, 10 min away"


def test_what_was_ordered_in_the_last_hour_is_expected_to_go_on() -> None:
    orders = [
        order("a", placed_s=NOW_S - 60),
        order("b", placed_s=NOW_S - 3_000),
        order("c", placed_s=NOW_S - 4_000),
        order("d", placed_s=NOW_S + 10),
        order("e", placed_s=NOW_S, restaurant="other", pickup=(7.0, 7.0)),
    ]
    assert expected_of(orders, NOW_S) == [
        Expected("other", (7.0, 7.0), 1.0),
        Expected("r", (0.0, 0.0), 2.0),
    ]
    assert expected_of(orders[:3], NOW_S, 1_800.0) == [Expected("r", (0.0, 0.0), 2.0)]
    assert expected_of([], NOW_S) == []


_ODD = st.sampled_from([0.0, 1.0, 50.0, -1.0, math.nan, math.inf])
_EXPECTED = st.builds(
    Expected, st.sampled_from(["r1", "r2"]), st.tuples(_ODD, st.floats(-9e3, 9e3)), _ODD
)


@settings(max_examples=80, deadline=None)
@given(situations(), st.lists(_EXPECTED, max_size=4))
def test_whatever_it_is_given_known_couriers_are_sent_once_to_known_places(
    situation: Situation, expected: list[Expected]
) -> None:
    idle = situation.couriers
    found = preposition(idle, expected, straight)
    assert found == preposition(idle, expected, straight)
    assert {(each.restaurant, each.place) for each in found} <= {
        (each.restaurant, each.place) for each in expected
    }
    named = Counter(each.name for each in idle)
    assert all(times <= named[name] for name, times in Counter(e.courier for e in found).items())


def test_ways_that_nobody_knows_are_not_taken() -> None:
    def unknown(places: Floats, _mode: str) -> Floats:
        return np.full((len(places), len(places)), np.nan)

    nothing: list[Sent] = []
    assert preposition([there("c", x=0.0)], [BUSY], unknown) == nothing


def test_where_food_is_quick_guests_have_it_sooner_for_it() -> None:
    quick = Setting(orders=80, couriers=14, restaurants=5, hours=3.0, prep_min=4.0, late=0.1)
    stays, moves = (live(quick, name).metrics for name in ("planned", "planned-preposition"))
    assert moves.delivered >= stays.delivered
    assert moves.click_to_door_mean < stays.click_to_door_mean - 1.0
    assert moves.kilometers > stays.kilometers


def test_nobody_is_sent_to_a_house_for_which_they_bring_nothing() -> None:
    idle = [there("theirs", x=1_000.0), there("stranger", x=2_000.0)]
    found = preposition(idle, [BUSY], straight, crews={"busy": {"theirs"}})
    assert [each.courier for each in found] == ["theirs"]
    assert preposition(idle, [BUSY], straight, crews={}) == []


def test_who_is_on_the_way_is_not_turned_around_by_a_small_thing() -> None:
    left, right = Expected("left", (-3_000.0, 0.0), 6.0), Expected("right", (3_000.0, 0.0), 9.0)
    rides = there("rides", x=100.0)
    (fresh,) = preposition([rides], [left, right], straight)
    assert fresh.restaurant == "right"
    (still,) = preposition([rides], [left, right], straight, towards={"rides": "left"})
    assert still.restaurant == "left"
    rush = Expected("right", (3_000.0, 0.0), 40.0)
    none = Expected("left", (-3_000.0, 0.0), 0.1)
    (turned,) = preposition([rides], [none, rush], straight, towards={"rides": "left"})
    assert turned.restaurant == "right"


def test_who_was_sent_and_is_there_stays() -> None:
    found = preposition([there("c", x=3_000.0)], [BUSY], straight, towards={"c": "busy"})
    assert found == []


@settings(max_examples=100, deadline=None)
@given(
    situations(),
    st.dictionaries(st.sampled_from(["c0", "c1", "c9"]), st.sampled_from(["r1", "r2", "?"])),
)
def test_whoever_was_sent_where_before_nobody_is_sent_to_where_nobody_is(
    situation: Situation, towards: dict[str, str]
) -> None:
    expected = [Expected("r1", (0.0, 0.0), 5.0), Expected("r2", (4_000.0, 0.0), 9.0)]
    crews = {"r1": {"c0", "c2"}, "r2": {"c1", "c2"}}
    for each in preposition(situation.couriers, expected, straight, crews=crews, towards=towards):
        assert each.courier in crews[each.restaurant]
