"""Forecasts: by weekday and hour, on the house's clock, and how far off they were."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inventory.forecast import expected_use, lasts_until, profiles
from services.inventory.forecast_error import evaluate

LONDON = ZoneInfo("Europe/London")
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
WEEK = timedelta(weeks=1)


def every_hour(
    weeks: int, amount: Callable[[datetime], int], begin: datetime = MONDAY
) -> dict[datetime, int]:
    """What was used in each hour, by a rule on the hour."""
    hours = (begin + HOUR * n for n in range(weeks * 168))
    return {at: used for at in hours if (used := amount(at))}


def at_lunch_and_more_on_fridays(at: datetime) -> int:
    local = at.astimezone(LONDON)
    return 0 if local.hour not in {12, 13} else 9000 if local.weekday() == 4 else 3000


def test_a_steady_week_is_forecast_hour_by_hour() -> None:
    used = {"beef": every_hour(10, at_lunch_and_more_on_fridays)}
    now = MONDAY + 10 * WEEK
    profile = profiles(used, MONDAY, now, LONDON)["beef"]
    friday = now + 4 * DAY
    assert expected_use(profile, now, now + WEEK) == 6 * 6000 + 18_000
    assert expected_use(profile, friday, friday + DAY) == 18_000
    assert expected_use(profile, friday + 12 * HOUR, friday + 12.5 * HOUR) == 4500
    assert expected_use(profile, friday, friday + 12 * HOUR) == 0
    assert expected_use(profile, friday, friday) == 0


def test_lunch_stays_at_noon_when_the_clocks_change() -> None:
    used = {"beef": every_hour(11, at_lunch_and_more_on_fridays)}
    profile = profiles(used, MONDAY, MONDAY + 11 * WEEK, LONDON)["beef"]
    summer = datetime(2026, 6, 1, 11, tzinfo=UTC)  # noon in London
    assert expected_use(profile, summer, summer + HOUR) == 3000
    assert expected_use(profile, summer + 2 * HOUR, summer + 3 * HOUR) == 0


def test_an_item_that_is_new_is_not_diluted_by_the_weeks_before_it_was_there() -> None:
    begun = MONDAY + 6 * WEEK
    used = {
        "beef": every_hour(8, at_lunch_and_more_on_fridays),
        "pears": every_hour(2, at_lunch_and_more_on_fridays, begun),
    }
    now = MONDAY + 8 * WEEK
    told = profiles(used, MONDAY, now, LONDON)
    assert expected_use(told["pears"], now, now + WEEK) == pytest.approx(54_000, rel=0.01)
    assert told["pears"].weeks == pytest.approx(2, abs=0.01)


def test_two_days_of_history_tell_a_week_and_no_history_tells_nothing() -> None:
    used = {
        "beef": every_hour(1, lambda at: 1000 if at < MONDAY + 2 * DAY else 0),
        "cake": {},
    }
    now = MONDAY + 2 * DAY
    told = profiles(used, MONDAY, now, LONDON)
    assert expected_use(told["beef"], now, now + DAY) == pytest.approx(24_000, rel=0.01)
    assert expected_use(told["cake"], now, now + WEEK) == 0


def test_what_is_used_from_now_on_is_not_looked_at() -> None:
    now = MONDAY + 5 * WEEK
    past = every_hour(5, at_lunch_and_more_on_fridays)
    future = every_hour(2, lambda _: 10**9, now)
    known = profiles({"beef": past}, MONDAY, now, LONDON)
    assert profiles({"beef": past | future}, MONDAY, now, LONDON) == known


def test_the_latest_weeks_count_most() -> None:
    now = MONDAY + 16 * WEEK
    used = every_hour(16, lambda at: 1000 if at < now - 8 * WEEK else 2000)
    weekly = profiles({"beef": used}, MONDAY, now, LONDON)["beef"].weekly
    assert 1600 * 168 < weekly < 1700 * 168  # two thirds of the weight is on the later half


def test_what_there_is_lasts_until_the_hour_in_which_it_is_used_up() -> None:
    used = {"beef": every_hour(10, at_lunch_and_more_on_fridays)}
    now = MONDAY + 10 * WEEK
    profile = profiles(used, MONDAY, now, LONDON)["beef"]
    assert lasts_until(profile, now, 6000, now + WEEK) == now + DAY + 12 * HOUR
    assert lasts_until(profile, now, 7000, now + WEEK) == now + DAY + 12 * HOUR
    assert lasts_until(profile, now, 54_000, now + WEEK) is None
    assert lasts_until(profile, now, -1, now + WEEK) == now


@given(
    st.dictionaries(st.integers(0, 400), st.integers(1, 10**9), max_size=60),
    st.integers(0, 300),
    st.integers(0, 300),
    st.integers(0, 300),
)
def test_a_span_uses_what_its_parts_use(
    used: dict[int, int], start: int, first: int, second: int
) -> None:
    hours = {MONDAY + HOUR * n: amount for n, amount in used.items()}
    profile = profiles({"beef": hours}, MONDAY, MONDAY + 401 * HOUR, LONDON)["beef"]
    a = MONDAY + timedelta(minutes=17 * start)
    b = a + timedelta(minutes=13 * first)
    c = b + timedelta(minutes=11 * second)
    whole = expected_use(profile, a, c)
    assert abs(whole - expected_use(profile, a, b) - expected_use(profile, b, c)) <= 1
    assert whole >= 0


def test_a_noisy_house_is_forecast_nearer_than_by_its_last_weeks() -> None:
    draw = random.Random(7)  # noqa: S311 - a draw that is the same each time
    used = {
        item: every_hour(20, lambda _: draw.choice([0, 0, 0, 1000, 2000]))
        for item in ("beef", "cake", "pears")
    }
    days = (MONDAY.date(), MONDAY.date() + timedelta(weeks=20, days=3))
    found = evaluate(used, *days, ZoneInfo("UTC"))
    assert found.better
    assert found.weeks == 13
    assert [week.week for week in found.items[0].weeks] == list(range(8, 21))
    first = found.items[0].weeks[0]
    assert first.begins == date(2026, 2, 23)
    since = MONDAY + 7 * WEEK
    assert first.used == sum(used["beef"].get(since + HOUR * n, 0) for n in range(168))
    assert first.last_week == sum(used["beef"].get(since - WEEK + HOUR * n, 0) for n in range(168))


def test_a_rise_that_goes_on_is_told_better_by_the_last_week_and_we_say_so() -> None:
    used = {"beef": every_hour(20, lambda at: 1000 * (1 + (at - MONDAY) // WEEK))}
    found = evaluate(used, MONDAY.date(), date(2026, 5, 25), ZoneInfo("UTC"))
    assert not found.better
    assert found.better_than_last_week == 0


def test_weeks_in_which_nothing_was_used_are_left_out_and_counted() -> None:
    used = {"beef": every_hour(9, lambda at: 1000 if at < MONDAY + 8 * WEEK else 0)}
    found = evaluate(used, MONDAY.date(), date(2026, 3, 9), ZoneInfo("UTC"))
    assert (found.weeks, found.left_out) == (2, 1)
    assert found.errors.forecast == pytest.approx(0, abs=1e-6)
