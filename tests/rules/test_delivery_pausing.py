"""When deliveries are paused and taken again: never turned over between the two marks."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from pydantic import ValidationError

from schemas.delivery_rules import DeliveryRules
from schemas.kitchen_pace import Intake
from schemas.kitchen_rules import ThrottleRules
from schemas.orders import OrderKind
from services.delivery.pausing import NOBODY, Seen, resumes_under, why_paused
from services.delivery.quoting import quote
from services.kitchen import throttling
from services.kitchen.throttling import Load, Standing

OVER, UNDER = 90, 60
MARKS: Final = DeliveryRules(pause_over_min=OVER, resume_under_min=UNDER)
BEGAN: Final = datetime(2026, 3, 14, 19, 20, tzinfo=UTC)
DELIVERY: Final = OrderKind.DELIVERY
waits = st.floats(0, 300)
crews = st.integers(0, 3)


def seen(wait_min: float, couriers: int = 2) -> Seen:
    return Seen(wait_min * 60, couriers)


def test_deliveries_are_paused_above_the_one_mark_and_taken_again_below_the_other() -> None:
    why: str | None = None
    found = []
    for wait_min in (30, 89, 90, 91, 89, 60, 59.9, 75, 90, 95):
        why = why_paused(MARKS, seen(wait_min), why)
        found.append(why is not None)
    assert found == [False, False, False, True, True, True, False, False, False, True]


def test_it_says_how_long_a_new_one_would_take_to_five_minutes() -> None:
    assert why_paused(MARKS, seen(94.2), None) == (
        "deliveries are paused: a new one would take 95 minutes"
    )
    assert why_paused(MARKS, seen(95.0), None) == why_paused(MARKS, seen(90.1), None)


def test_without_the_upper_mark_nothing_is_ever_paused() -> None:
    for house in (DeliveryRules(), DeliveryRules(resume_under_min=30)):
        assert why_paused(house, seen(10_000, 0), None) is None
        assert why_paused(house, seen(10_000, 0), "paused before") is None


def test_with_nobody_at_work_nothing_is_taken_and_with_the_first_courier_all_is() -> None:
    assert why_paused(MARKS, seen(1, 0), None) == NOBODY
    assert why_paused(MARKS, seen(89, 1), NOBODY) is None, "it never took too long"
    assert why_paused(MARKS, seen(91, 1), NOBODY) not in (None, NOBODY)


def test_of_a_house_that_cannot_say_how_long_it_takes_nothing_is_paused() -> None:
    assert why_paused(MARKS, None, "paused before") is None


def test_the_lower_mark_is_three_quarters_of_the_upper_one_where_the_house_says_none() -> None:
    house = DeliveryRules(pause_over_min=80)
    assert resumes_under(80, house) == 60
    assert why_paused(house, seen(60), "paused before") is not None
    assert why_paused(house, seen(59), "paused before") is None


@pytest.mark.parametrize("under", [90, 91])
def test_marks_without_room_between_are_refused(under: int) -> None:
    with pytest.raises(ValidationError, match="must be below pause_over_min"):
        DeliveryRules(pause_over_min=90, resume_under_min=under)


@given(over=st.integers(10, 1_440), data=st.data(), wait_min=waits, paused=st.booleans())
def test_whatever_was_said_is_said_again_of_the_same(
    over: int, data: st.DataObject, wait_min: float, *, paused: bool
) -> None:
    under = data.draw(st.none() | st.integers(5, over - 1))
    house = DeliveryRules(pause_over_min=over, resume_under_min=under)
    now = seen(wait_min, data.draw(crews))
    first = why_paused(house, now, "paused before" if paused else None)
    assert why_paused(house, now, first) == first


@cache
def wait_s(waiting: int) -> float:
    """How long a new one would take behind so many, with four couriers."""
    return quote(now=BEGAN, distance_m=2_000, waiting=waiting, couriers=4).wait.p90_s


def turns(house: DeliveryRules, seed: int) -> int:
    """How often an evening with a rush turns deliveries over, in a house with four couriers."""
    chance, why, turned = random.Random(seed), None, 0  # noqa: S311 - repeatable, not secret
    waiting, busy, comes_s = 0, list[float](), 0.0
    for now_s in range(0, 5 * 3_600, 5):
        while comes_s <= now_s:
            waiting += why is None
            rush = 1.5 * 3_600 < now_s < 3 * 3_600
            comes_s += chance.expovariate(1 / (60 if rush else 200))
        busy = [until_s for until_s in busy if until_s > now_s]
        while waiting and len(busy) < 4:
            waiting -= 1
            busy.append(now_s + chance.gauss(420, 100))
        before, why = why, why_paused(house, Seen(wait_s(waiting), 4), why)
        turned += (before is None) != (why is None)
    return turned


def test_room_between_the_marks_turns_an_evening_over_far_less_often() -> None:
    tight = DeliveryRules(pause_over_min=70, resume_under_min=69)
    roomy = DeliveryRules(pause_over_min=70)
    flaps, turned = (sum(turns(each, seed) for seed in range(5)) for each in (tight, roomy))
    assert turned * 4 <= flaps
    assert turned >= 5 * 2, "each rush pauses deliveries, and they come back"


class Channel(RuleBasedStateMachine):
    """A channel that the kitchen's load, somebody's hand and deliveries' own reason may pause."""

    throttle = ThrottleRules()

    def __init__(self) -> None:
        super().__init__()
        self.now = BEGAN
        self.standing: Standing | None = None
        self.why: str | None = None
        self.load = Load(0.0, None)

    @rule(wait_min=waits, couriers=crews)
    def looked(self, wait_min: float, couriers: int) -> None:
        """Deliveries are looked at."""
        before, now = self.why, seen(wait_min, couriers)
        self.why = why_paused(MARKS, now, before)
        if (before is None) != (self.why is None) and NOBODY not in (before, self.why):
            assert not UNDER <= wait_min <= OVER, "turned over between the marks"
        self.standing = throttling.hold(DELIVERY, self.why, self.standing, self.throttle, self.now)

    @rule(share=st.floats(0, 2))
    def cooked(self, share: float) -> None:
        """The kitchen is fuller or emptier."""
        self.load = Load(share, "grill")
        self.standing = throttling.decide(
            DELIVERY, self.throttle, self.load, self.standing, self.now
        )

    @rule(minutes=st.none() | st.integers(1, 30))
    def paused_by_hand(self, minutes: int | None) -> None:
        """Somebody pauses it."""
        until = None if minutes is None else self.now + timedelta(minutes=minutes)
        self.standing = throttling.pause("snow", until, self.standing, self.throttle, self.now)

    @rule()
    def resumed_by_hand(self) -> None:
        """Somebody takes it again, where somebody paused it."""
        if self.standing is not None and self.standing.by_hand:
            self.standing = throttling.resume(DELIVERY, self.standing, self.throttle, self.now)

    @rule(minutes=st.integers(1, 20))
    def time_passed(self, minutes: int) -> None:
        """The kitchen's timer looks some time later."""
        self.now += timedelta(minutes=minutes)
        if self.standing is not None:
            self.standing = throttling.decide(
                DELIVERY, self.throttle, self.standing.load, self.standing, self.now
            )

    @invariant()
    def what_deliveries_hold_is_held_whatever_the_kitchen_does(self) -> None:
        """And says why, unless somebody's hand says another reason."""
        if self.standing is None:
            return
        assert self.standing.held == self.why
        if self.why is not None:
            assert self.standing.intake is Intake.PAUSED
            assert self.standing.why == ("snow" if self.standing.by_hand else self.why)

    @invariant()
    def what_nobody_holds_is_as_the_load_says(self) -> None:
        """A reason that is gone leaves nothing behind."""
        now = self.standing
        if now is None or now.by_hand or now.held is not None:
            return
        if now.load.share < self.throttle.resume_at:
            assert now.intake is not Intake.PAUSED
        assert now.why != "snow"

    @invariant()
    def what_was_told_needs_not_be_told_again(self) -> None:
        """Looked at once more, all is the same."""
        if self.standing is not None:
            again = throttling.decide(
                DELIVERY, self.throttle, self.standing.load, self.standing, self.now
            )
            assert not throttling.differs(self.standing, again)


TestChannel = Channel.TestCase
