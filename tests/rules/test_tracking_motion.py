"""Who moves, who stands, since when, and how far they went."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.tracking.limits import BY_MODE, Limits
from services.tracking.motion import STEP_M, Motion, begun, follow
from tests.rules.fleet_world import NOON, Ride, fleet_of, ride


def after(first: Ride, then: Ride) -> Ride:
    """One ride after another, from where the first one ended."""
    east, north = first.east[-1], first.north[-1]
    return Ride(
        np.concatenate((first.t, then.t)),
        np.concatenate((first.east, then.east + east)),
        np.concatenate((first.north, then.north + north)),
        np.concatenate((first.told_east, then.told_east + east)),
        np.concatenate((first.told_north, then.told_north + north)),
    )


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 1_000), st.sampled_from([1.0, 5.0, 30.0]))
def test_who_is_parked_stands_and_collects_no_kilometres(seed: int, every_s: float) -> None:
    standing = fleet_of().take(
        ride(1_800, mps=0.0, every_s=every_s, noise_m=5.3, seed=seed).batch()
    ).standing  # fmt: skip
    assert not standing.moving[0]
    assert standing.since[0] == NOON
    assert standing.distance_m[0] == 0.0
    assert np.isnan(standing.heading_deg[0])


@pytest.mark.parametrize(("mode", "mps"), [("foot", 1.4), ("bicycle", 5.0), ("scooter", 10.0),
    ("car", 14.0)])  # fmt: skip
def test_who_goes_is_seen_to_move_soon_and_since_then(mode: str, mps: float) -> None:
    limits = {each.value: value for each, value in BY_MODE.items()}[mode]
    way = after(ride(300, mps=0.0), ride(120, mps=mps, begin=NOON + 300.0))
    standing = fleet_of(limits=limits).take(way.batch()).standing
    assert standing.moving[0]
    assert NOON + 300.0 < standing.since[0] < NOON + 300.0 + (limits.still_m + 15.0) / mps + 2.0


def test_who_stops_is_seen_to_stand_since_it_stopped() -> None:
    fleet = fleet_of()
    way = after(ride(300, mps=10.0), ride(200, mps=0.0, begin=NOON + 300.0))
    moving = [
        bool(fleet.take(way.batch(slice(n, n + 10))).standing.moving[0]) for n in range(0, 500, 10)
    ]
    standing = fleet.standing([0])
    assert standing.since[0] == pytest.approx(NOON + 300.0, abs=6.0)
    stood = NOON + 10.0 * (moving.index(False, 5) + 1)
    assert 50.0 < stood - (NOON + 300.0) < 80.0
    assert not any(moving[moving.index(False, 5) :])


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 1_000), st.sampled_from([3.0, 8.0, 15.0]), st.sampled_from([1.0, 5.0]))
def test_the_way_is_as_long_as_it_was(seed: int, mps: float, every_s: float) -> None:
    way = ride(900, mps=mps, every_s=every_s, seed=seed, turn_every_s=60.0)
    standing = fleet_of().take(way.batch()).standing
    true = float(np.hypot(np.diff(way.east), np.diff(way.north)).sum())
    # What is left of the noise makes a slow way longer: of seeds to 200 by 3.6 %, 6.6 at most.
    within = 0.09 if mps < 5.0 else 0.05
    assert standing.distance_m[0] == pytest.approx(true, rel=within, abs=40.0)


def test_a_red_light_is_no_stop() -> None:
    way = after(
        after(ride(120), ride(40, mps=0.0, begin=NOON + 120.0)), ride(60, begin=NOON + 160.0)
    )
    standing = fleet_of().take(way.batch()).standing
    assert standing.moving[0]
    assert standing.since[0] < NOON + 10.0


def test_after_a_gap_the_way_is_counted_from_there() -> None:
    t = np.array([NOON + 500.0])
    moving = Motion(t - 400.0, np.array([1.0]), t - 400.0, np.array([700.0]))
    limits = Limits()
    told = {
        "from_place_m": np.array([900.0]), "from_step_m": np.array([900.0]),
        "sigma_m": np.array([5.0]), "still_m": np.array([limits.still_m]),
        "still_s": np.array([limits.still_s]),
    }  # fmt: skip
    bridged = follow(moving, t, gap=np.array([False]), **told)
    broken = follow(moving, t, gap=np.array([True]), **told)
    assert bridged.motion.distance[0] == 1_600.0
    assert broken.motion.distance[0] == 700.0
    assert broken.counted[0]
    assert broken.motion.moving[0] == 1.0


def test_steps_that_a_receiver_wanders_by_itself_are_no_way() -> None:
    t = np.array([NOON + 5.0])
    moving = Motion(t, np.array([1.0]), t, np.array([0.0]))
    told = {"from_place_m": np.array([0.0]), "sigma_m": np.array([4.0]),
            "gap": np.array([False]), "still_m": np.array([30.0]),
            "still_s": np.array([60.0])}  # fmt: skip
    short = follow(moving, t, from_step_m=np.array([STEP_M + 3.9]), **told)
    long = follow(moving, t, from_step_m=np.array([STEP_M + 4.1]), **told)
    assert short.motion.distance[0] == 0.0
    assert not short.counted[0]
    assert long.motion.distance[0] == STEP_M + 4.1


def test_who_is_seen_first_stands() -> None:
    motion = begun(np.array([NOON]))
    assert motion.moving[0] == motion.distance[0] == 0.0
    assert motion.since[0] == motion.place_t[0] == NOON
