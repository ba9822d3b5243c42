"""An evening of several houses: who gets which orders, when the rush is, what a courier says."""

from __future__ import annotations

import math
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from cli.failures import Failure
from cli.order_files import FileLine, FileOrder
from cli.simulating_fleet import counters, dealt, place_of, rush
from services.geography.sphere import distance_m

BEGIN = datetime(2026, 5, 8, 18, 0, tzinfo=UTC)


def ordered(*minutes: int) -> list[FileOrder]:
    """Orders placed so many minutes after the beginning."""
    line = (FileLine("Pizza", 900, 1),)
    return [
        FileOrder(str(number), BEGIN + timedelta(minutes=each), line)
        for number, each in enumerate(minutes)
    ]


def test_orders_are_dealt_out_evenly_in_their_order_and_by_the_seed_alone() -> None:
    orders = ordered(*range(23))
    one = dealt(orders, 5, seed=7)
    assert Counter(len(part) for part in one) == {5: 3, 4: 2}
    assert sorted((o for part in one for o in part), key=lambda o: o.placed_at) == orders
    assert all(part == sorted(part, key=lambda o: o.placed_at) for part in one)
    assert dealt(orders, 5, seed=7) == one
    assert dealt(orders, 5, seed=8) != one


def test_fewer_orders_than_houses_are_too_few() -> None:
    with pytest.raises(Failure, match="2 orders are too few for 3 kitchens"):
        dealt(ordered(0, 1), 3, seed=1)


def test_the_rush_is_where_most_is_ordered() -> None:
    orders = ordered(0, 30, 60, 62, 64, 90)
    assert rush(orders, timedelta(minutes=10)) == BEGIN + timedelta(minutes=60)


def test_restaurants_are_some_hundred_metres_apart() -> None:
    places = [place_of(each) for each in counters(5)]
    apart = [
        float(distance_m(one.lat, one.lon, other.lat, other.lon))
        for one in places
        for other in places
        if one is not other
    ]
    assert min(apart) > 100
    assert max(apart) < 1_000
    assert counters(1) == [(0.0, 0.0)]
    assert all(math.isfinite(each) for point in counters(2) for each in point)
