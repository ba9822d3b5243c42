"""What stands against a vehicle and its tracker: raised at one bound, over at another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from schemas.alerts import AlertKind
from services.tracking.findings import KINDS, Bounds, Seen, fast_since, judge

NAN = float("nan")
HOUR = 3_600.0
USUAL: dict[str, Any] = {
    "silent_s": 1.0,
    "patience_s": 300.0,
    "moving": True,
    "still_s": 0.0,
    "speed_mps": 5.0,
    "fast_s": NAN,
    "battery": 0.8,
    "on_duty": True,
    "house_m": 900.0,
    "stop_m": 800.0,
    "nearest_m": 800.0,
}


def wrong(*before: AlertKind, **seen: float | bool) -> set[AlertKind]:
    """What stands against one vehicle that is as usual but for this."""
    told = USUAL | seen
    told.setdefault("unheard_s", told["silent_s"])  # somebody could be heard all the time
    columns = {name: np.array([value]) for name, value in told.items()}
    one = np.ones(1)
    bounds = Bounds(900 * one, 700 * one, 0.15 * one, 14 * one, 60 * one, 50 * one)
    stood = np.array([[kind in before] for kind in KINDS])
    found = judge(Seen(**columns), bounds, stood)
    return {kind for kind, (stands,) in zip(KINDS, found.tolist(), strict=True) if stands}


SILENT, OFF, DWELL, LOW, FAST = KINDS


def test_nothing_stands_against_who_is_on_the_way() -> None:
    assert wrong() == set()


@pytest.mark.parametrize(
    ("silent_s", "more", "stands"),
    [
        (299, {}, False),
        (301, {}, True),
        (599, {"battery": 0.1}, False),  # it was asked to speak less
        (601, {"battery": 0.1}, True),
        (301, {"on_duty": False}, True),  # on its way home, as far as anybody knows
        (301, {"on_duty": False, "moving": False}, False),  # a phone at night
        (HOUR + 301, {"on_duty": False}, False),  # it will not be heard of today
        (HOUR + 301, {}, True),
    ],
)
def test_a_silent_tracker_is_missed_by_what_it_does_and_by_its_battery(
    silent_s: float, more: dict[str, float | bool], stands: bool
) -> None:
    found = wrong(silent_s=silent_s, **more)
    assert (SILENT in found) == stands


def test_who_has_gone_home_is_not_missed_by_who_has_listened_for_a_moment_only() -> None:
    before = {"unheard_s": 10 * HOUR, "on_duty": False, "battery": 0.1}
    for listened in (1, 299, 301, 601, HOUR, HOUR + 601):
        assert wrong(silent_s=listened, **before) == set()
    assert wrong(SILENT, LOW, silent_s=10 * HOUR, **before) == set()
    assert wrong(silent_s=601, unheard_s=10 * HOUR, battery=0.1) == {SILENT}, "it is on duty"


def test_who_goes_away_from_the_door_is_off_the_way_until_half_of_it_is_made_good() -> None:
    assert OFF not in wrong(stop_m=1_490, nearest_m=800)
    assert OFF in wrong(stop_m=1_510, nearest_m=800)
    assert OFF in wrong(OFF, stop_m=1_160, nearest_m=800)
    assert OFF not in wrong(OFF, stop_m=1_140, nearest_m=800)
    assert OFF not in wrong(OFF, stop_m=NAN, nearest_m=NAN)


def test_who_stands_with_food_at_no_door_is_asked_after() -> None:
    assert DWELL not in wrong(moving=False, still_s=890)
    assert DWELL in wrong(moving=False, still_s=910)
    assert DWELL not in wrong(moving=False, still_s=910, stop_m=40)
    assert DWELL not in wrong(moving=False, still_s=910, house_m=50)
    assert DWELL not in wrong(moving=False, still_s=910, stop_m=NAN)
    assert DWELL not in wrong(DWELL, still_s=0.0)


def test_a_battery_is_low_until_it_was_filled_somewhat() -> None:
    assert LOW in wrong(battery=0.14)
    assert LOW in wrong(LOW, battery=0.19)
    assert LOW not in wrong(LOW, battery=0.21)
    assert LOW not in wrong(battery=0.16)
    assert LOW not in wrong(battery=NAN)
    assert LOW not in wrong(battery=0.1, on_duty=False, moving=False)


def test_who_is_too_fast_for_some_seconds_is_told_of() -> None:
    assert FAST not in wrong(fast_s=9)
    assert FAST in wrong(fast_s=10)
    assert FAST in wrong(FAST, fast_s=0)
    assert FAST not in wrong(FAST, fast_s=NAN)
    assert since(NAN, t=100, speed=10.5) == 100
    assert since(100, t=105, speed=9.5) == 100, "not clearly slower"
    assert np.isnan(since(100, t=106, speed=8.5))
    assert np.isnan(since(100, t=106, speed=99, limit=NAN))


def test_what_is_not_known_of_a_gap_is_no_speed() -> None:
    assert since(100, t=400, speed=10.5, gap_until=400) == 400
    assert since(400, t=405, speed=9.5, gap_until=400) == 400
    assert np.isnan(since(100, t=400, speed=9.5, gap_until=400))


def since(
    before: float, *, t: float, speed: float, gap_until: float = NAN, limit: float = 10.0
) -> float:
    """Since when one vehicle is too fast."""
    columns = (np.array([each]) for each in (before, t, gap_until, speed, limit))
    return float(fast_since(*columns)[0])
