"""Clocks that are off are found and put right; a backlog is not taken for one."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from schemas.positions import Complaint
from services.tracking.advice import complaints
from services.tracking.batches import FixBatch, Judged
from services.tracking.fleet import Fleet
from services.tracking.hygiene import CLOCK_FIXES, CLOCK_SPAN_S
from services.tracking.verdicts import COMPLAINTS, Verdict, used
from tests.rules.fleet_world import GOOD_M, NOON, Ride, fleet_of, ride, words

HOUR = 3_600.0
WEEKS_RUN_OVER = -1_024 * 7 * 86_400.0


def live(fleet: Fleet, way: Ride, off_s: float, *, delays: float = 0.0) -> list[Judged]:
    """Tell it fix by fix, as it happens, by a clock that is so many seconds ahead."""
    draw = np.random.default_rng(5)
    every = []
    for n in range(len(way)):
        fix = way.batch([n])
        late = draw.uniform(0.0, delays)
        every.append(fleet.take(FixBatch.of(
            fix.vehicle, fix.t + off_s, fix.lat, fix.lon, received=fix.t + late,
            accuracy_m=[GOOD_M],
        )))  # fmt: skip
    return every


@pytest.mark.parametrize("off_s", [HOUR, -HOUR, 2 * HOUR, 5.5 * HOUR, -11 * HOUR, 61.0, -137.0,
                                   86_400.0 * 400, WEEKS_RUN_OVER])  # fmt: skip
def test_a_clock_that_is_off_by_the_same_is_found_and_put_right(off_s: float) -> None:
    way = ride(100, every_s=2.0)
    fleet = fleet_of()
    every = live(fleet, way, off_s, delays=1.5)
    found = [n for n, judged in enumerate(every) if judged.clocks.size]
    assert len(found) == 1
    assert CLOCK_FIXES - 1 <= found[0] <= CLOCK_SPAN_S / 2.0 + 1
    told = [word for judged in every[found[0] :] for word in words(judged)]
    assert set(told) == {"corrected-clock"}
    standing = every[-1].standing
    assert standing.clock_s[0] == pytest.approx(-off_s, abs=2.0)
    assert standing.t[0] == pytest.approx(way.t[-1], abs=2.0)
    assert way.off_m(standing.lat, standing.lon)[-1] < 15.0


def test_a_whole_hour_is_put_right_by_a_whole_hour() -> None:
    fleet = fleet_of()
    live(fleet, ride(100, every_s=2.0), HOUR, delays=1.5)
    assert fleet.standing([0]).clock_s[0] == -HOUR


def test_what_was_known_moves_with_the_clock() -> None:
    """An hour behind, its first fixes pass for old ones: nothing is torn when it is found."""
    way = ride(200, mps=10.0, every_s=2.0)
    fleet = fleet_of()
    every = live(fleet, way, -HOUR)
    standing = every[-1].standing
    assert standing.gaps[0] == 0.0
    assert standing.since[0] >= NOON
    assert standing.distance_m[0] == pytest.approx(2_000.0, rel=0.06)
    assert [word for judged in every for word in words(judged)].count("ok") < 20


@pytest.mark.parametrize("every_s", [1.0, 12.0])
def test_once_its_clock_is_known_nobody_tells_of_the_future(every_s: float) -> None:
    """However far behind it is, or ahead: a minute later its fixes are used."""
    lags = np.arange(-120.0, 4_005.0, 5.0)
    fleet, numbers = fleet_of(len(lags)), np.arange(len(lags))
    lat, lon = np.full(len(lags), 60.17), np.full(len(lags), 24.94)
    future, wrong = 0, set()
    for second in np.arange(0.0, 180.0, every_s):
        now = NOON + second
        judged = fleet.take(FixBatch.of(numbers, now - lags, lat, lon, received=now))
        if second <= 60.0:
            future += judged.counted().get(Verdict.FUTURE, 0)
        else:
            wrong |= set(lags[~used(judged.verdict)])
    assert future > 0
    assert not wrong
    standing = fleet.standing(range(len(lags)))
    assert (np.abs(now - standing.t) <= 60.0).all()
    # One of which nothing was to be put right is left as it is.
    assert (standing.clock_s == 0.0).tolist() == [bool(-15 <= lag <= 60) for lag in lags]


@pytest.mark.parametrize("ahead_s", [16.0, 30.0, 59.0])
def test_a_clock_a_little_ahead_is_put_right_and_told_of(ahead_s: float) -> None:
    fleet = fleet_of()
    every = live(fleet, ride(100, every_s=2.0), ahead_s)
    assert words(every[0]) == ["future"]
    assert words(every[-1]) == ["corrected-clock"]
    clock_s = float(fleet.standing([0]).clock_s[0])
    (told,) = complaints({}, 100, clock_s, {}, datetime.fromtimestamp(NOON, UTC))
    assert (told.what, told.seconds) == (Complaint.CLOCK, ahead_s)


@pytest.mark.parametrize("delays", [0.0, 5.0, 40.0])
def test_a_good_clock_over_a_slow_network_is_left_alone(delays: float) -> None:
    fleet = fleet_of()
    every = live(fleet, ride(160, every_s=2.0), 0.0, delays=delays)
    assert fleet.standing([0]).clock_s[0] == 0.0
    assert not any(judged.clocks.size for judged in every)


def test_a_backlog_is_no_clock_that_is_off() -> None:
    way = ride(2_000)
    fleet = fleet_of()
    for n in range(0, 2_000, 20):
        part = way.batch(slice(n, n + 20))
        judged = fleet.take(FixBatch.of(
            part.vehicle, part.t, part.lat, part.lon, accuracy_m=part.accuracy_m,
            received=NOON + 2_000.0 + n / 20.0,
        ))  # fmt: skip
        assert set(words(judged)) == {"ok"}
    assert fleet.standing([0]).clock_s[0] == 0.0


def test_a_clock_that_was_mended_is_believed_again() -> None:
    first, second = ride(100, every_s=2.0), ride(100, every_s=2.0, begin=NOON + 100.0)
    for off_s in (HOUR, -HOUR):
        fleet = fleet_of()
        live(fleet, first, off_s)
        every = live(fleet, second, 0.0)
        assert sum(judged.clocks.size for judged in every) == 1
        assert fleet.standing([0]).clock_s[0] == 0.0
        assert words(every[-1]) == ["ok"]


def test_a_clock_that_goes_wrong_on_the_way_is_put_right_and_nothing_torn() -> None:
    first, second = ride(50, every_s=2.0), ride(150, every_s=2.0, begin=NOON + 50.0)
    for off_s in (HOUR, -HOUR):
        fleet = fleet_of()
        live(fleet, first, 0.0)
        every = live(fleet, second, off_s)
        assert words(every[0])[0] in {"future", "late"}
        assert words(every[-1]) == ["corrected-clock"]
        assert every[-1].standing.t[0] == second.t[-1]
        assert fleet.standing([0]).since[0] < NOON + 50.0


def test_a_clock_that_stands_still_is_not_believed() -> None:
    way = ride(100, every_s=2.0)
    fleet = fleet_of()
    for n in range(len(way)):
        fix = way.batch([n])
        judged = fleet.take(FixBatch.of([0], [0.0], fix.lat, fix.lon, received=fix.received))
        assert words(judged) == ["stale"]
    assert np.isnan(fleet.standing([0]).t[0])
    assert fleet.standing([0]).heard[0] == way.t[-1] + 0.2
    assert np.isnan(fleet.standing([0]).placed[0])


def test_of_many_clocks_only_the_one_that_is_off_is_put_right() -> None:
    fleet = fleet_of(3)
    way = ride(100, every_s=2.0)
    for n in range(len(way)):
        fix = way.batch([n])
        fleet.take(FixBatch.of(
            [0, 1, 2], [fix.t[0], fix.t[0] + HOUR, fix.t[0]], np.repeat(fix.lat, 3),
            np.repeat(fix.lon, 3), received=fix.t[0],
        ))  # fmt: skip
    assert fleet.standing([0, 1, 2]).clock_s.tolist() == [0.0, -HOUR, 0.0]


def test_what_a_device_can_mend_it_is_told() -> None:
    silent = {each for each in Verdict if each not in COMPLAINTS}
    assert silent == {Verdict.OK, Verdict.LATE, Verdict.DUPLICATE, Verdict.JUMP, Verdict.OUTLIER}
