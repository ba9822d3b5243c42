"""How often trackers are asked to tell where they are, and what they should mend."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from schemas.positions import Complaint
from services.tracking.advice import complaints, troubled
from services.tracking.reporting import IDLE, NEVER, Asked, steps, wish

NAN = float("nan")
NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


def step(ahead_m: float, speed: float = 5.0, before: int = NEVER, *, low: bool = False) -> int:
    one = np.ones(1)
    asked = Asked(ahead_m * one, speed * one, np.array([low]), 2 * one, 60 * one)
    return int(steps(asked, np.array([before], dtype=np.int16))[0])


def every(ahead_m: float, speed: float = 5.0, *, low: bool = False) -> float:
    return wish(step(ahead_m, speed, low=low), 2, 60, 300).every_s


def test_the_nearer_and_the_faster_the_more_often() -> None:
    assert every(50) == 2
    assert every(3_000) == 16
    assert every(3_000, speed=15) < every(3_000, speed=5) < every(3_000, speed=1)
    assert every(100_000) == 32


def test_who_has_nothing_to_do_is_asked_seldom() -> None:
    assert step(NAN) == IDLE
    idle = wish(IDLE, 2, 60, 300)
    assert (idle.every_s, idle.still_s, idle.together) == (60, 300, 1)
    assert idle.why == "nothing to do"


def test_who_has_little_battery_left_is_asked_less() -> None:
    assert every(50, low=True) == 2 * every(50)
    assert wish(step(NAN, low=True), 2, 60, 300).every_s >= 60


@given(st.floats(1, 50_000), st.floats(0, 30))
def test_a_wish_stays_while_little_changes(ahead: float, speed: float) -> None:
    now = step(ahead, speed)
    assert step(ahead * 1.15, speed, now) == now
    assert step(ahead / 1.15, speed, now) == now


@given(
    st.integers(0, 12) | st.just(IDLE),
    st.booleans(),
    st.floats(0.1, 3_600),
    st.floats(1, 3_600),
    st.integers(30, 86_400),
)
def test_nobody_is_asked_to_be_silent_for_so_long_that_they_are_missed(
    own: int, low: bool, fastest: float, slowest: float, silent_after: int
) -> None:
    asked = wish(own + (1_000 if low else 0), fastest, slowest, silent_after)
    assert 0.1 <= asked.every_s <= silent_after / 2
    assert 1 <= asked.still_s <= silent_after


def test_many_positions_a_second_go_in_one_message() -> None:
    assert wish(0, 0.2, 60, 300).together == 5


# -- advice -----------------------------------------------------------------------------------


def test_a_few_bad_positions_are_nobody_s_fault() -> None:
    assert complaints({Complaint.INVALID: 4}, 10, 0.0, {}, NOON) == ()
    assert complaints({Complaint.INVALID: 9}, 100, 0.0, {}, NOON) == ()


def test_what_is_often_bad_is_told_and_over_when_it_is_clearly_better() -> None:
    (told,) = complaints({Complaint.INVALID: 12}, 100, 0.0, {}, NOON)
    assert (told.what, told.count, told.since) == (Complaint.INVALID, 12, NOON)
    before, later = {told.what: told}, NOON + timedelta(minutes=5)
    assert complaints({Complaint.INVALID: 20}, 300, 0.0, before, later) == (told,)
    (more,) = complaints({Complaint.INVALID: 24}, 300, 0.0, before, later)
    assert (more.count, more.since) == (24, NOON)
    assert complaints({Complaint.INVALID: 14}, 300, 0.0, before, later) == ()


def test_a_clock_that_is_off_is_told_with_how_far_it_is_ahead() -> None:
    (told,) = complaints({}, 50, -3_600.0, {}, NOON)
    assert (told.what, told.seconds) == (Complaint.CLOCK, 3_600.0)
    before = {told.what: told}
    assert complaints({}, 60, -3_602.0, before, NOON) == (told,)
    (other,) = complaints({}, 60, -3_620.0, before, NOON)
    assert other.seconds == 3_620.0
    assert complaints({}, 70, 0.0, before, NOON) == ()


@given(st.integers(0, 100), st.integers(0, 400), st.booleans())
def test_who_is_not_looked_at_has_nothing_to_be_told_of(bad: int, good: int, was: bool) -> None:
    recent = np.zeros((len(Complaint), 1), dtype=np.int64)
    kinds = list(Complaint)
    recent[kinds.index(Complaint.STALE)] = bad
    sent = np.array([bad + good])
    if troubled(recent, sent)[0]:
        return
    (stood,) = complaints({Complaint.STALE: 50}, 50, 0.0, {}, NOON)
    before = {stood.what: stood} if was else {}
    assert complaints({Complaint.STALE: bad}, bad + good, 0.0, before, NOON) == ()
