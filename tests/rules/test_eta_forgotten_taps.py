"""Couriers forget to say that an order was delivered; the promises of the others hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import pytest

from schemas.identifiers import new_id
from schemas.positions import TravelMode
from services.delivery.closed_orders import (
    ClosedOrder,
    had_at,
    legs_shown,
    rides_shown,
    whole_orders,
)
from services.delivery.learning.learner import fit
from services.delivery.learning.orders import gather
from services.delivery.learning.parameters import Parameters
from services.delivery.legs import LegKind, learn

HOUSE: Final = (60.17, 24.94)
ORDERS: Final = 300
A_DAY: Final = 10
HOURS: Final = range(13, 23)
"""One order an hour, so that an hour of a month is as thin as it is in a small house."""
P50_MIN: Final = 30.0
SPREAD_MIN: Final = 5.0
P90_MIN: Final = P50_MIN + 1.2816 * SPREAD_MIN
FIRST_DAY: Final = datetime(2026, 3, 2, tzinfo=UTC)
LAST_DAY: Final = FIRST_DAY + timedelta(days=ORDERS // A_DAY - 1)
NOON: Final = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


def an_order(placed_at: datetime, took_min: float, *, arrived: bool = False) -> ClosedOrder:
    """A delivery of which nobody said more than that it was placed and delivered."""
    ended_at = placed_at + timedelta(minutes=took_min)
    return ClosedOrder(
        order_id=new_id(),
        courier="anna",
        lat=60.18,
        lon=24.95,
        distance_m=1_250.0,
        items=2,
        placed_at=placed_at,
        begun_at=placed_at,
        due_at=None,
        ready_at=None,
        accepted_at=None,
        at_restaurant_at=None,
        picked_up_at=ended_at - timedelta(minutes=12),
        set_out_at=None,
        arrived_at=ended_at - timedelta(minutes=2) if arrived else None,
        ended_at=ended_at,
    )


def a_month(forgotten: int, late: timedelta, *, arrived: bool = False) -> list[ClosedOrder]:
    """300 orders of 30 ± 5 minutes; the last so many were said to be delivered that much late."""
    draw = np.random.default_rng(forgotten)
    orders = [
        an_order(
            FIRST_DAY + timedelta(days=day, hours=hour, minutes=int(draw.integers(0, 60))),
            float(draw.normal(P50_MIN, SPREAD_MIN)),
            arrived=arrived,
        )
        for day in range(ORDERS // A_DAY)
        for hour in HOURS
    ]
    which = draw.choice(np.arange(ORDERS - 7 * A_DAY, ORDERS), forgotten, replace=False)
    for number in which:
        orders[number] = replace(orders[number], ended_at=orders[number].ended_at + late)
    return sorted(orders, key=lambda order: order.ended_at)


def promised(known: Parameters, hour: int) -> tuple[float, float]:
    """What an order of the day after is told at an hour: p50 and p90, in minutes."""
    at = LAST_DAY + timedelta(days=1, hours=hour, minutes=30)
    told = known.tell(gather([at], [1_250.0], [2.0], ["house"], [float("nan")]))
    return float(told.p50_min[0]), float(told.p90_min[0])


def kept(p90_min: float) -> float:
    """The share of this house's orders that are there by then."""
    drawn = np.random.default_rng(0).normal(P50_MIN, SPREAD_MIN, 20_000)
    return float(np.mean(drawn <= p90_min))


def taught(closed: Sequence[ClosedOrder]) -> Parameters:
    return fit(whole_orders(closed, HOUSE, UTC))


@pytest.mark.parametrize("late", [timedelta(hours=1), timedelta(hours=3), timedelta(hours=20)])
@pytest.mark.parametrize("forgotten", [0, 1, 3, 10])
def test_promises_hold_whoever_forgets_to_say_that_it_was_delivered(
    forgotten: int, late: timedelta
) -> None:
    known = taught(a_month(forgotten, late))
    for hour in HOURS:
        p50, p90 = promised(known, hour)
        assert p50 == pytest.approx(P50_MIN, abs=1.5), hour
        assert p90 == pytest.approx(P90_MIN, abs=4.0), hour
    of_all = float(np.mean([kept(promised(known, hour)[1]) for hour in HOURS]))
    assert 0.86 <= of_all <= 0.96


@pytest.mark.parametrize("forgotten", [1, 3, 10])
def test_who_was_seen_at_the_door_had_delivered_soon_after(forgotten: int) -> None:
    honest = taught(a_month(forgotten, timedelta(0), arrived=True))
    told = taught(a_month(forgotten, timedelta(hours=3), arrived=True))
    for hour in HOURS:
        assert promised(told, hour) == pytest.approx(promised(honest, hour), abs=0.2)


def test_nobody_stands_at_a_door_for_hours_to_learn_from() -> None:
    forgetful = a_month(30, timedelta(hours=3), arrived=True)
    legs = learn(legs_shown(forgetful, LAST_DAY + timedelta(days=1)), {})
    assert legs.parts[LegKind.DOOR].p90_s < 300


def test_a_ride_to_the_next_door_begins_when_the_one_before_was_left() -> None:
    first = replace(an_order(NOON, 30.0, arrived=True), distance_m=1_000.0, lat=60.179, lon=24.941)
    left = first.ended_at
    forgotten = replace(first, ended_at=left + timedelta(hours=2))
    second = replace(
        an_order(NOON, 40.0, arrived=True), picked_up_at=first.picked_up_at, lat=60.1835, lon=24.941
    )
    rides = rides_shown([second, forgotten], HOUSE, {}, NOON)[TravelMode.BICYCLE]
    assert rides.distance_m == pytest.approx([1_000.0, 500.0], abs=3.0)
    assert rides.took_s == pytest.approx([600.0, 8 * 60.0], abs=1.0)


@pytest.mark.parametrize(
    ("arrived_min", "ended_min", "now_min", "had_min"),
    [
        (None, None, 60.0, None),
        (None, 300.0, 300.0, 300.0),
        (30.0, None, 40.0, None),
        (30.0, 34.0, 34.0, 34.0),
        (30.0, None, 90.0, 32.0),
        (30.0, 300.0, 300.0, 32.0),
    ],
)
def test_when_a_guest_had_it_is_believed_within_reason(
    arrived_min: float | None, ended_min: float | None, now_min: float, had_min: float | None
) -> None:
    arrived, ended, now, had = (
        None if each is None else NOON + timedelta(minutes=each)
        for each in (arrived_min, ended_min, now_min, had_min)
    )
    assert now is not None
    assert had_at(arrived, ended, now) == had


def test_forgotten_guests_rides_are_learned_as_they_were() -> None:
    draw = np.random.default_rng(4)
    exact, forgotten = [], []
    for number in range(1_000):
        begun = NOON - timedelta(hours=number)
        lat, lon = 60.17 + draw.normal(0, 0.008), 24.94 + draw.normal(0, 0.016)
        ride = an_order(begun, 40.0)
        there = replace(ride, lat=lat, lon=lon, distance_m=None, courier=None)
        far = there.far_m(HOUSE)
        took = 40.0 + far * 0.3 * float(draw.lognormal(0.0, 0.2))
        assert ride.picked_up_at is not None
        there = replace(there, arrived_at=ride.picked_up_at + timedelta(seconds=took))
        exact.append(there)
        forgotten.append(
            replace(there, lat=round(lat, 2), lon=round(lon, 2), distance_m=round(far / 50) * 50.0)
        )
    paces = [
        learn({}, rides_shown(each, HOUSE, {}, NOON)).paces[TravelMode.BICYCLE]
        for each in (exact, forgotten, [replace(each, distance_m=None) for each in forgotten])
    ]
    assert paces[1].slower == pytest.approx(paces[0].slower, abs=0.02)
    assert paces[1].s_per_m == pytest.approx(paces[0].s_per_m, rel=0.02)
    assert paces[2].slower > paces[0].slower + 0.1, "which is what their rounded places would teach"


def test_between_the_doors_of_forgotten_guests_no_ride_is_learned() -> None:
    first = replace(an_order(NOON, 30.0, arrived=True), lat=60.18, lon=24.94, distance_m=1_100.0)
    second = replace(
        an_order(NOON, 40.0, arrived=True), picked_up_at=first.picked_up_at, lat=60.1835, lon=24.941
    )
    rides = rides_shown([first, second], HOUSE, {}, NOON)[TravelMode.BICYCLE]
    assert rides.distance_m == pytest.approx([1_100.0])
