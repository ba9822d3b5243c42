"""The checker of the delivery problem: each broken rule is refused for its own reason."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import pytest

from services.dispatch.mdrp.checker import Broken, bound_min, measure, violations
from services.dispatch.mdrp.solution import Assignment, Drop, Solution
from tests.rules.mdrp_town import first_trip, kept, second_trip, small_day


def _moved(drop: Drop, by: float) -> Drop:
    return Drop(drop.order, drop.arrived_min + by, drop.dropped_min + by, drop.left_min + by)


def _first(**changed: object) -> Solution:
    return Solution((replace(first_trip(), **changed), second_trip()))  # type: ignore[arg-type]  # the same


def _second(each: Assignment) -> Solution:
    return Solution((first_trip(), each))


def _drop(number: int, drop: Drop) -> Solution:
    drops = list(first_trip().drops)
    drops[number] = drop
    return _first(drops=tuple(drops))


def _o3_by_c1(*, told: float) -> Assignment:
    """c1 goes on from the last door of the first trip, 38 minutes from the other restaurant."""
    picked = max(40.0, told + 40.0)
    return Assignment(
        courier="c1",
        restaurant="r2",
        orders=("o3",),
        instructed_min=told,
        start=(1_250.0, 0.0),
        left_min=told,
        arrived_min=told + 38,
        picked_min=picked,
        departed_min=picked + 2,
        drops=(Drop("o3", picked + 5, picked + 7, picked + 9),),
    )


def _o1_alone() -> Assignment:
    """The first trip without its second door: c1 is done at 23."""
    return replace(first_trip(), orders=("o1",), drops=first_trip().drops[:1])


def _o2_after_it(*, told: float) -> Assignment:
    """c1 goes back to the restaurant for the other order."""
    drops = (Drop("o2", told + 17, told + 19, told + 21),)
    start = (1_000.0, 0.0)
    return Assignment("c1", "r1", ("o2",), told, start, told, told + 5, told + 7, told + 9, drops)


INFEASIBLE: Final[dict[Broken, Callable[[], Solution]]] = {
    Broken.UNKNOWN_COURIER: lambda: _second(replace(second_trip(), courier="c9")),
    Broken.UNKNOWN_RESTAURANT: lambda: _second(replace(second_trip(), restaurant="r9")),
    Broken.UNKNOWN_ORDER: lambda: _second(
        replace(second_trip(), orders=("o9",), drops=(Drop("o9", 45, 47, 49),))
    ),
    Broken.NO_TIME: lambda: _second(replace(second_trip(), picked_min=math.nan)),
    Broken.EMPTY_BUNDLE: lambda: _second(replace(second_trip(), orders=(), drops=())),
    Broken.ORDER_TWICE_IN_BUNDLE: lambda: _first(orders=("o1", "o2", "o2")),
    Broken.ORDER_BROUGHT_TWICE: lambda: Solution(
        (
            *kept().assignments,
            Assignment(
                "c2", "r2", ("o3",), 49, (5_000.0, 300.0), 49, 52, 54, 56, (Drop("o3", 59, 61, 63),)
            ),
        )
    ),
    Broken.OTHER_RESTAURANT: lambda: Solution(
        (
            first_trip(),
            Assignment(
                "c2",
                "r1",
                ("o3",),
                30,
                (5_000.0, 0.0),
                30,
                75,
                77,
                79,
                (Drop("o3", 125, 127, 129),),
            ),
        )
    ),
    Broken.TOLD_BEFORE_PLACED: lambda: _second(
        replace(second_trip(), instructed_min=29.0, left_min=30.0)
    ),
    Broken.TOLD_BEFORE_SHIFT: lambda: Solution(
        (
            Assignment(
                "c2", "r1", ("o1",), 12, (5_000.0, 0.0), 12, 57, 59, 61, (Drop("o1", 66, 68, 70),)
            ),
        )
    ),
    Broken.TOLD_WHILE_BUSY: lambda: Solution((_o1_alone(), _o2_after_it(told=22.0))),
    Broken.STARTED_ELSEWHERE: lambda: _second(
        replace(second_trip(), start=(4_900.0, 0.0), arrived_min=31.0)
    ),
    Broken.LEFT_BEFORE_TOLD: lambda: _second(
        replace(second_trip(), instructed_min=31.0, left_min=30.0)
    ),
    Broken.AT_RESTAURANT_TOO_SOON: lambda: _first(arrived_min=8.0),
    Broken.DIVERTED_TO_RESTAURANT: lambda: _first(arrived_min=10.0),
    Broken.PICKED_BEFORE_READY: lambda: _first(picked_min=11.0, departed_min=14.0),
    Broken.PICKED_BEFORE_SERVICE: lambda: _second(
        replace(second_trip(), instructed_min=39.0, left_min=39.0, arrived_min=39.0)
    ),
    Broken.PICKED_AFTER_SHIFT: lambda: _second(_o3_by_c1(told=30.0)),
    Broken.LEFT_RESTAURANT_TOO_SOON: lambda: _first(
        departed_min=13.0, drops=tuple(_moved(drop, -1.0) for drop in first_trip().drops)
    ),
    Broken.NOT_DROPPED: lambda: _first(drops=first_trip().drops[:1]),
    Broken.DROPPED_TWICE: lambda: _first(drops=(*first_trip().drops, Drop("o2", 30.0, 32.0, 34.0))),
    Broken.DROPPED_NOT_CARRIED: lambda: Solution((replace(first_trip(), orders=("o1",)),)),
    Broken.AT_DOOR_TOO_SOON: lambda: _drop(1, Drop("o2", 25.0, 28.0, 30.0)),
    Broken.DIVERTED_TO_DOOR: lambda: _drop(1, Drop("o2", 27.0, 29.0, 31.0)),
    Broken.DROPPED_BEFORE_SERVICE: lambda: _drop(1, Drop("o2", 26.0, 27.0, 30.0)),
    Broken.LEFT_DOOR_TOO_SOON: lambda: _drop(1, Drop("o2", 26.0, 28.0, 29.0)),
}
"""For each rule a solution that breaks it, and no other."""


def test_a_solution_that_keeps_the_rules_is_feasible() -> None:
    assert violations(small_day(), kept()) == []
    assert violations(small_day(), Solution(())) == []
    assert violations(small_day(), Solution((_o2_after_it(told=23.0), _o1_alone()))) == []


def test_each_rule_has_a_solution_that_breaks_it() -> None:
    assert INFEASIBLE.keys() == set(Broken)
    assert len(INFEASIBLE) >= 20


@pytest.mark.parametrize("code", list(INFEASIBLE), ids=str)
def test_an_infeasible_solution_is_refused_for_its_own_reason(code: Broken) -> None:
    day, solution = small_day(), INFEASIBLE[code]()
    found = violations(day, solution)
    assert [each.code for each in found] == [code]
    assert found[0].courier in found[0].words
    assert not measure(day, solution).feasible


def test_the_metrics_are_those_of_the_problem() -> None:
    found = measure(small_day(), kept())
    waits = [21 - 2, 28 - 3, 47 - 30]
    assert (found.orders, found.delivered, found.feasible) == (3, 3, True)
    assert found.click_to_door_mean == pytest.approx(sum(waits) / 3)
    assert found.click_to_door_p90 == pytest.approx(19 + 0.8 * 6)
    assert found.ready_to_pickup_mean == pytest.approx((0 + 2 + 0) / 3)
    assert found.courier_hours == pytest.approx(1 + 100 / 60)
    # c1: two orders are more than an hour's guarantee; c2: the guarantee is more than one order.
    assert found.cost_per_order == pytest.approx((20 + 25) / 3)


def test_what_was_not_delivered_counts_for_nothing_but_the_guarantee() -> None:
    found = measure(small_day(), Solution(()))
    assert (found.delivered, found.feasible) == (0, True)
    assert found.click_to_door_mean is None
    assert found.cost_per_order is None
    some = measure(small_day(), Solution((first_trip(),)))
    assert (some.orders, some.delivered) == (3, 2)
    assert some.cost_per_order == pytest.approx((20 + 25) / 2)


def test_nobody_can_be_below_the_bound() -> None:
    least = bound_min(small_day())
    assert least == pytest.approx(((12 - 2 + 4 + 5) + (10 - 3 + 4 + 8) + (40 - 30 + 4 + 3)) / 3)
    mean = measure(small_day(), kept()).click_to_door_mean
    assert mean is not None
    assert least is not None
    assert mean >= least
