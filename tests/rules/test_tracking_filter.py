"""The filter and what follows from it: honest about its error, and better than what is told."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.tracking.batches import FixBatch
from services.tracking.filtering import (
    Belief,
    begin,
    correct,
    heed,
    predict,
    squared,
    surprise,
    variance_of,
)
from services.tracking.limits import Limits
from tests.rules.fleet_world import GOOD_M, NOON, SQUARE, Floats, fleet_of, ride

RESTLESS = np.array([4.0])


def one(value: float) -> Floats:
    return np.array([value])


def pair(east: float, north: float) -> Floats:
    return np.array([[east], [north]])


def sound(belief: Belief) -> bool:
    """Whether its covariance is one: symmetric it is written, so positive definite is left."""
    determinant = belief.pos * belief.vel - belief.cross**2
    return bool((belief.pos > 0).all() and (belief.vel > 0).all() and (determinant > 0).all())


@settings(deadline=None, max_examples=100)
@given(
    st.lists(
        st.tuples(
            st.floats(0.0, 600.0), st.floats(-500.0, 500.0), st.floats(-500.0, 500.0),
            st.floats(0.0, 500.0), st.one_of(st.just(float("nan")), st.floats(-40.0, 40.0)),
        ),
        min_size=1, max_size=40,
    )
)  # fmt: skip
def test_whatever_is_told_the_covariance_stays_one(
    told: list[tuple[float, float, float, float, float]],
) -> None:
    belief = begin(pair(0.0, 0.0), variance_of(one(10.0)), one(55.0))
    for dt, east, north, accuracy, speed in told:
        belief = predict(belief, one(dt), RESTLESS)
        assert sound(belief)
        belief = correct(belief, pair(east, north), variance_of(one(accuracy)))
        assert sound(belief)
        belief = heed(belief, pair(speed, speed))
        assert sound(belief)


def test_predicting_twice_is_predicting_once() -> None:
    belief = begin(pair(0.0, 0.0), one(25.0), one(55.0))
    belief = correct(predict(belief, one(5.0), RESTLESS), pair(40.0, 10.0), one(25.0))
    whole = predict(belief, one(7.0), RESTLESS)
    parts = predict(predict(belief, one(3.0), RESTLESS), one(4.0), RESTLESS)
    for name in ("place", "velocity", "pos", "cross", "vel"):
        np.testing.assert_allclose(getattr(whole, name), getattr(parts, name), rtol=1e-12)


def test_its_surprise_is_what_chi_square_says_it_is() -> None:
    """Simulated by its own model, the mean is 2, and one in a hundred is over 9.21."""
    draw = np.random.default_rng(4)
    count, dt, restless, variance = 4_000, 2.0, 4.0, 25.0
    noise = restless * np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
    place, velocity = np.zeros((2, count)), draw.normal(0.0, 55.0 / 3, (2, count))
    many = np.full(count, 1.0)
    belief = begin(place + draw.normal(0, variance**0.5, (2, count)), many * variance, many * 55.0)
    found = []
    for _ in range(15):
        shaken = draw.multivariate_normal([0.0, 0.0], noise, (2, count))
        place = place + velocity * dt + shaken[..., 0]
        velocity = velocity + shaken[..., 1]
        told = place + draw.normal(0, variance**0.5, (2, count))
        expected = predict(belief, many * dt, many * restless)
        found.append(surprise(expected, told, many * variance))
        belief = correct(expected, told, many * variance)
    every = np.concatenate(found)
    assert every.mean() == pytest.approx(2.0, abs=0.05)
    assert (every > 9.21).mean() == pytest.approx(0.01, abs=0.002)
    off = squared(belief.place - place) / belief.pos
    assert off.mean() == pytest.approx(2.0, abs=0.15)


def test_where_it_is_held_to_be_is_nearer_than_what_is_told() -> None:
    ways = [ride(300, mps=8.0, seed=seed) for seed in range(8)]
    told, held = [], []
    for way in ways:
        judged = fleet_of().take(way.batch())
        told.append(np.hypot(way.told_east - way.east, way.told_north - way.north)[20:])
        held.append(way.off_m(judged.lat, judged.lon)[20:])
    rms = [float(np.sqrt(np.mean(np.concatenate(each) ** 2))) for each in (told, held)]
    assert rms[1] < 0.8 * rms[0]


def test_two_times_of_three_it_is_within_its_spread() -> None:
    inside, count = 0, 0
    for seed in range(40):
        way = ride(120, mps=8.0, noise_m=GOOD_M / 1.51, seed=seed)
        standing = fleet_of().take(way.batch()).standing
        east, north = SQUARE.to_metres(standing.lat, standing.lon)
        off = np.hypot(east - way.east[-1], north - way.north[-1])
        inside += int(off[0] <= standing.spread_m[0])
        count += 1
    assert 0.5 < inside / count < 0.95


def test_the_velocity_comes_out_of_the_places() -> None:
    way = ride(120, mps=12.0, turn_every_s=1_000.0, seed=3)
    standing = fleet_of().take(way.batch()).standing
    assert standing.speed_mps[0] == pytest.approx(12.0, abs=1.5)
    assert standing.heading_deg[0] == pytest.approx(90.0, abs=8.0)


def test_a_told_velocity_is_heeded_from_the_first_fix_on() -> None:
    for heading, east, north in ((0.0, 0.0, 15.0), (90.0, 15.0, 0.0), (225.0, -10.6, -10.6)):
        judged = fleet_of().take(
            FixBatch.of([0], [NOON], [60.0], [24.0], received=NOON, accuracy_m=[5.0],
                        speed_mps=[15.0], heading_deg=[heading])
        )  # fmt: skip
        assert judged.east_mps[0] == pytest.approx(east, abs=0.4)
        assert judged.north_mps[0] == pytest.approx(north, abs=0.4)


@pytest.mark.parametrize(("speed", "heading"), [(-1.0, 10.0), (10.0, -1.0), (10.0, 720.0),
    (float("nan"), 3.0), (float("inf"), 3.0), (5_000.0, 3.0)])  # fmt: skip
def test_a_velocity_that_is_none_is_not_heeded(speed: float, heading: float) -> None:
    judged = fleet_of().take(
        FixBatch.of([0], [NOON], [60.0], [24.0], received=NOON, speed_mps=[speed],
                    heading_deg=[heading])
    )  # fmt: skip
    assert judged.east_mps[0] == judged.north_mps[0] == 0.0


def test_a_told_velocity_that_does_not_fit_the_way_is_left_out() -> None:
    way = ride(60, mps=10.0, turn_every_s=1_000.0)
    batch = way.batch()
    north = FixBatch(
        *(batch.vehicle, batch.t, batch.lat, batch.lon, batch.accuracy_m),
        np.full(60, 10.0), np.full(60, 270.0), batch.received,
    )  # fmt: skip
    assert fleet_of().take(north).standing.heading_deg[0] == pytest.approx(90.0, abs=25.0)


def test_it_works_across_the_date_line_and_far_up_north() -> None:
    for lat, lon, step in ((-17.0, 179.9990, 1e-4), (85.0, 10.0, 1e-3)):
        t = NOON + np.arange(30.0)
        lons = (lon + step * np.arange(30) + 180.0) % 360.0 - 180.0
        judged = fleet_of().take(FixBatch.of([0] * 30, t, [lat] * 30, lons, received=t))
        assert judged.counted() == {0: 30}
        standing = judged.standing
        off = (standing.lon - lons[-1] + 180.0) % 360.0 - 180.0
        assert abs(float(off[0])) < step / 2


def test_nobody_is_held_to_be_faster_than_it_can_be() -> None:
    limits = Limits(most_mps=8.0)
    way = ride(120, mps=11.0, turn_every_s=1_000.0)
    judged = fleet_of(limits=limits).take(way.batch())
    assert np.nanmax(np.hypot(judged.east_mps, judged.north_mps)) <= 8.0 + 1e-9
