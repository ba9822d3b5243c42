from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.runtime.ratelimit import Bucket, Buckets, Rate


def test_a_burst_passes_at_once_and_then_so_many_a_second() -> None:
    bucket = Bucket(Rate(per_s=2, burst=3))
    assert [bucket.take(100.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert bucket.take(100.0) == pytest.approx(0.5)
    assert bucket.take(100.4) == pytest.approx(0.1)
    assert bucket.take(100.5) == 0.0
    assert bucket.take(100.5) == pytest.approx(0.5)


def test_what_is_refused_is_not_counted() -> None:
    bucket = Bucket(Rate(per_s=1, burst=1))
    assert bucket.take(0.0) == 0.0
    for _ in range(100):
        assert bucket.take(0.5) == pytest.approx(0.5)
    assert bucket.take(1.0) == 0.0


def test_a_rest_fills_no_more_than_a_burst() -> None:
    bucket = Bucket(Rate(per_s=1, burst=2))
    bucket.take(0.0)
    assert [bucket.take(1e6) == 0.0 for _ in range(3)] == [True, True, False]


def test_what_costs_more_than_a_burst_never_passes() -> None:
    bucket = Bucket(Rate(per_s=10, burst=100))
    assert bucket.take(0.0, cost=101) == math.inf
    assert bucket.take(0.0, cost=100) == 0.0
    assert bucket.take(0.0, cost=100) == pytest.approx(10.0)


def test_what_is_given_back_can_be_taken_again() -> None:
    bucket = Bucket(Rate(per_s=1, burst=1))
    assert bucket.take(5.0) == 0.0
    bucket.give_back()
    assert bucket.take(5.0) == 0.0
    assert bucket.take(5.0) > 0


def test_keys_do_not_share() -> None:
    buckets = Buckets(Rate(per_s=1, burst=1))
    assert buckets.take("a", 0.0) == 0.0
    assert buckets.take("b", 0.0) == 0.0
    assert buckets.take("a", 0.0) > 0
    buckets.give_back("a")
    assert buckets.take("a", 0.0) == 0.0


def test_memory_is_bounded_and_the_longest_unused_are_forgotten_first() -> None:
    buckets = Buckets(Rate(per_s=0.001, burst=1), most=10)
    buckets.take("always", 0.0)
    for number in range(1_000):
        buckets.take(number, 0.0)
        assert buckets.take("always", 0.0) > 0
        assert len(buckets) <= 20
    assert all(buckets.take(number, 0.0) > 0 for number in range(991, 1_000))
    assert buckets.take(5, 0.0) == 0.0, "long unused: forgotten, and so full"


@pytest.mark.parametrize("rate", [(0, 1), (1, 0), (-1, 1), (math.inf, 1), (1, math.inf)])
def test_a_rate_that_lets_nothing_or_everything_pass_is_none(rate: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="lets nothing pass"):
        Rate(*rate)


@given(
    per_s=st.floats(0.1, 100),
    burst=st.floats(1, 100),
    gaps=st.lists(st.floats(0, 5), max_size=60),
)
def test_over_any_span_no_more_passes_than_the_rate_allows(
    per_s: float, burst: float, gaps: list[float]
) -> None:
    bucket = Bucket(Rate(per_s, burst))
    now, passed = 0.0, []
    for gap in gaps:
        now += gap
        if bucket.take(now) == 0.0:
            passed.append(now)
    for first in range(len(passed)):
        for last in range(first, len(passed)):
            allowed = burst + (passed[last] - passed[first]) * per_s
            assert last - first + 1 <= allowed + 1e-6
