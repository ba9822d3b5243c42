"""Real rides, foretold on their way: better than the straight line over the mean speed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.gps_tracks import read_tracks, take_all
from benchmarks.rides import PARTS, Ride, ask, measure, rides_of
from services.tracking.limits import Limits
from tests.conftest import SharedData


@pytest.fixture(scope="module")
def rides(shared_data: SharedData) -> list[Ride]:
    tracks = read_tracks(shared_data.file("gps/geolife"))
    return [ride for taken in take_all(tracks, Limits()) for ride in rides_of(taken)]


@pytest.fixture(scope="module")
def figures(rides: list[Ride]) -> dict[str, Any]:
    return measure(rides)


def test_there_are_rides_enough_to_say_something(rides: list[Ride]) -> None:
    assert len(rides) > 100
    for ride in rides:
        assert (np.diff(ride.t) > 0.0).all()
        assert ride.left_m[-1] == 0.0


@pytest.mark.parametrize("part", [f"at_{part:.0%}" for part in PARTS])
def test_the_arrival_is_foretold_better_than_by_the_straight_line(
    part: str, figures: dict[str, Any]
) -> None:
    told = figures[part]
    for baseline in ("straight_over_own_mean", "straight_over_usual_mean"):
        assert told["heard"]["mae_s"] < told[baseline]["mae_s"]
        assert told["heard"]["p90_s"] < told[baseline]["p90_s"]


def test_nearer_to_the_door_it_is_foretold_better(figures: dict[str, Any]) -> None:
    assert figures["at_90%"]["heard"]["mae_s"] < 0.6 * figures["at_50%"]["heard"]["mae_s"]


def test_what_comes_after_the_moment_of_asking_is_not_looked_at(rides: list[Ride]) -> None:
    """But for where it ends: the rest of the way and its times may be anything."""
    for ride in rides[:40]:
        now = int(np.searchsorted(ride.way_m, 0.5 * ride.way_m[-1]))
        later = np.arange(len(ride.t)) > now
        torn = Ride(
            np.where(later, ride.t + 1_000.0, ride.t),
            ride.lat,
            ride.lon,
            ride.way_m,
            np.where(later, 0.0, ride.left_m),
        )
        one, other = ask(ride, 0.5, rides[50:60]), ask(torn, 0.5, rides[50:60])
        assert (one.p50_s, one.p90_s) == (other.p50_s, other.p90_s)
        assert one.over_own_mean_s == other.over_own_mean_s
