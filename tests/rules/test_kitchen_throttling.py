"""When the kitchen takes less: by its load, with room between pausing and opening again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.kitchen_pace import Intake
from schemas.kitchen_rules import KitchenRules, StationRules, ThrottleRules
from schemas.orders import OrderKind
from services.kitchen.throttling import (
    Load,
    Standing,
    decide,
    differs,
    fullest,
    pause,
    quarter_of,
    quote,
    slot_of,
)

NOW = datetime(2026, 3, 14, 19, 20, 31, tzinfo=UTC)
RULES = ThrottleRules()
DELIVERY, TAKEAWAY, DINE_IN = OrderKind.DELIVERY, OrderKind.TAKEAWAY, OrderKind.DINE_IN


def at_load(
    share: float, before: Standing | None = None, channel: OrderKind = DELIVERY
) -> Standing:
    return decide(channel, RULES, Load(share, "grill"), before, NOW)


def course_of(*shares: float, channel: OrderKind = DELIVERY) -> list[Intake]:
    """What a channel takes as the load goes."""
    found: list[Intake] = []
    now: Standing | None = None
    for share in shares:
        now = at_load(share, now, channel)
        found.append(now.intake)
    return found


def test_a_channel_stretches_pauses_and_opens_again_with_room_between() -> None:
    went = course_of(0.1, 0.79, 0.8, 0.99, 1.0, 0.95, 0.71, 0.69, 0.75, 0.8)
    assert went == [
        "open",
        "open",
        "stretched",
        "stretched",
        "paused",
        "paused",
        "paused",
        "open",
        "open",
        "stretched",
    ]


def test_channels_pause_one_after_the_other_and_the_room_never() -> None:
    assert [at_load(1.05, None, each).intake for each in (DELIVERY, TAKEAWAY, DINE_IN)] == [
        "paused",
        "stretched",
        "stretched",
    ]
    assert [at_load(1.1, None, each).intake for each in (DELIVERY, TAKEAWAY, DINE_IN)] == [
        "paused",
        "paused",
        "stretched",
    ]
    assert at_load(50.0, None, DINE_IN).intake == "stretched"


def test_it_says_why_and_since_when() -> None:
    paused = at_load(1.042)
    assert paused.why == "grill is at 104 % of what it can make in a quarter of an hour"
    later = decide(DELIVERY, RULES, Load(0.8, "grill"), paused, NOW + timedelta(minutes=5))
    assert later.why == "grill is at 80 %, and it opens below 70 %"
    assert later.since == NOW
    assert at_load(0.9).why == "grill is at 90 %: orders take longer"


@pytest.mark.parametrize(
    ("share", "quoted_s"), [(0.0, 1_200), (0.8, 1_200), (0.81, 1_260), (0.9, 1_320), (1.8, 2_100)]
)
def test_quoted_times_grow_with_the_work_that_waits(share: float, quoted_s: int) -> None:
    assert quote(RULES, share) == quoted_s


def test_a_pause_by_hand_holds_whatever_the_load_until_its_time_is_up() -> None:
    until = NOW + timedelta(minutes=10)
    paused = pause("no riders", until, at_load(0.1), RULES, NOW)
    assert (paused.intake, paused.by_hand, paused.why) == ("paused", True, "no riders")
    assert decide(DELIVERY, RULES, Load(0.0, None), paused, NOW) == paused
    assert decide(DELIVERY, None, Load(0.0, None), paused, NOW) == paused
    after = decide(DELIVERY, RULES, Load(0.1, "grill"), paused, until)
    assert (after.intake, after.by_hand, after.until) == ("open", False, None)
    for_ever = pause("closed", None, None, None, NOW)
    assert decide(DELIVERY, RULES, Load(0.0, None), for_ever, until) == for_ever


def test_without_rules_nothing_is_throttled() -> None:
    after = decide(DELIVERY, None, Load(9.0, "grill"), at_load(2.0), NOW)
    assert (after.intake, after.why) == ("open", "the house does not throttle")


def test_the_fullest_station_counts_by_what_its_hands_can_do() -> None:
    book = KitchenRules(stations={"grill": StationRules(hands=4), "fry": StationRules()})
    assert fullest(book, {"grill": 1_800, "fry": 600}) == Load(600 / 900, "fry")
    assert fullest(book, {"grill": 3_600, "fry": 600}) == Load(1.0, "grill")
    assert fullest(book, {}) == Load(0.0, None)


def test_quarters_are_of_the_clock() -> None:
    assert quarter_of(NOW) == datetime(2026, 3, 14, 19, 15, tzinfo=UTC)
    assert quarter_of(quarter_of(NOW)) == quarter_of(NOW)
    assert slot_of("grill", quarter_of(NOW)) == "grill 19:15"


@given(shares=st.lists(st.floats(0, 3), max_size=30), channel=st.sampled_from(OrderKind))
def test_what_is_paused_opens_only_with_room_and_what_is_open_pauses_only_when_full(
    shares: list[float], channel: OrderKind
) -> None:
    now: Standing | None = None
    for share in shares:
        after = at_load(share, now, channel)
        was = None if now is None else now.intake
        if after.intake is Intake.PAUSED and was is not Intake.PAUSED:
            assert share >= RULES.pause_at
        if was is Intake.PAUSED and after.intake is not Intake.PAUSED:
            assert share < RULES.resume_at
        assert not differs(after, decide(channel, RULES, Load(share, "grill"), after, NOW))
        now = after
