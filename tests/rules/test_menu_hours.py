"""When something is served: by weekday and hour, over midnight, over changes of the clock."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.kitchen_rules import Weekday
from schemas.menu import ServedHours
from services.menu.serving import hours as read_hours
from services.menu.serving import shown
from services.runtime.served_hours import is_served, served_from, turns_at

ROME = ZoneInfo("Europe/Rome")
DAYS = tuple(Weekday)


def spans(text: str) -> tuple[ServedHours, ...]:
    complaints: list[str] = []
    found = read_hours(text, complaints.append)
    assert complaints == []
    return found


def at(day: int, clock: str, fold: int = 0, month: int = 3) -> datetime:
    hour, minute = map(int, clock.split(":"))
    return datetime(2026, month, day, hour, minute, fold=fold, tzinfo=ROME).astimezone(UTC)


@pytest.mark.parametrize(
    ("text", "day", "clock", "served"),
    [
        ("", 14, "03:00", True),
        ("07:00-11:00", 14, "06:59", False),
        ("07:00-11:00", 14, "07:00", True),
        ("07:00-11:00", 14, "10:59", True),
        ("07:00-11:00", 14, "11:00", False),
        ("sat 07:00-11:00", 14, "08:00", True),  # the 14th of March 2026 is a Saturday
        ("sun 07:00-11:00", 14, "08:00", False),
        ("mon-fri", 14, "08:00", False),
        ("fri-sun", 14, "08:00", True),
        ("sat 22:00-03:00", 15, "02:59", True),
        ("sat 22:00-03:00", 14, "02:59", False),
        ("sun 22:00-03:00", 15, "02:59", False),
        ("sat 18:00-24:00", 14, "23:59", True),
        ("sat 18:00-24:00", 15, "00:00", False),
        ("sat 18:00-18:00", 15, "17:59", True),
    ],
)
def test_it_is_served_in_its_hours_and_the_night_belongs_to_the_day_on_which_it_began(
    text: str, day: int, clock: str, served: bool
) -> None:
    assert is_served(spans(text), at(day, clock), ROME) is served


def test_where_the_clock_goes_back_a_span_runs_through_both_hours() -> None:
    # On the 25th of October 2026 three o'clock is two o'clock again.
    bar = spans("20:00-02:30")
    assert is_served(bar, at(25, "02:20", month=10), ROME)
    assert is_served(bar, at(25, "02:20", fold=1, month=10), ROME)
    assert not is_served(bar, at(25, "02:30", fold=1, month=10), ROME)
    early = spans("02:30-05:00")
    opens = at(25, "02:30", month=10)
    assert served_from(early, at(25, "00:00", month=10), ROME) == opens
    assert is_served(early, at(25, "02:10", fold=1, month=10), ROME), "it has begun already"


def test_where_the_clock_goes_forward_what_would_begin_meanwhile_begins_at_its_new_hour() -> None:
    # On the 29th of March 2026 two o'clock is three o'clock.
    early = spans("02:30-05:00")
    assert served_from(early, at(29, "00:00"), ROME) == at(29, "03:00")
    assert not is_served(early, at(29, "01:59"), ROME)
    assert not is_served(spans("02:10-02:50"), at(29, "03:00"), ROME), "that day has no such time"


def test_it_turns_where_it_begins_and_where_it_ends() -> None:
    breakfast = spans("07:00-11:00")
    assert turns_at(breakfast, at(14, "06:00"), ROME) == at(14, "07:00")
    assert turns_at(breakfast, at(14, "07:00"), ROME) == at(14, "11:00")
    assert turns_at(breakfast, at(14, "11:00"), ROME) == at(15, "07:00")
    assert turns_at(spans("mon-sun"), at(14, "11:00"), ROME) is None, "it is served for ever"
    assert turns_at((), at(14, "11:00"), ROME) is None
    assert turns_at(spans("10:00-12:00|12:00-14:00"), at(14, "11:00"), ROME) == at(14, "14:00")


HOURS = st.lists(
    st.builds(
        ServedHours,
        days=st.lists(st.sampled_from(DAYS), unique=True, max_size=7).map(tuple),
        since=st.none() | st.times().map(lambda t: t.replace(second=0, microsecond=0)),
        until=st.none() | st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    ),
    min_size=1,
    max_size=4,
).map(tuple)
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(  # noqa: DTZ001 - made aware at once
    lambda t: t.replace(tzinfo=UTC)
)


def on_the_wall(hours: tuple[ServedHours, ...], local: datetime) -> bool:
    """What the clock on the wall says, where nobody ever puts it."""
    now = local.time()
    for each in hours:
        since, until = each.since or time.min, each.until
        night = until is not None and until <= since
        for day, inside in (
            (local, since <= now and (until is None or night or now < until)),
            (local - timedelta(days=1), night and until is not None and now < until),
        ):
            if inside and (not each.days or DAYS[day.weekday()] in each.days):
                return True
    return False


@given(HOURS, MOMENTS)
def test_without_changes_of_the_clock_it_is_what_the_wall_says(
    hours: tuple[ServedHours, ...], moment: datetime
) -> None:
    utc = ZoneInfo("UTC")
    assert is_served(hours, moment, utc) is on_the_wall(hours, moment)


@given(HOURS, MOMENTS)
def test_between_two_turns_nothing_changes_and_at_each_it_does(
    hours: tuple[ServedHours, ...], moment: datetime
) -> None:
    for _ in range(4):
        now = is_served(hours, moment, ROME)
        turn = turns_at(hours, moment, ROME)
        if turn is None:
            assert all(
                is_served(hours, moment + timedelta(hours=n), ROME) is now for n in range(24 * 7)
            )
            return
        assert turn > moment
        step = (turn - moment) / 7
        assert all(is_served(hours, moment + n * step, ROME) is now for n in range(7))
        assert is_served(hours, turn, ROME) is not now
        moment = turn


@given(HOURS, MOMENTS)
def test_it_comes_back_at_the_first_moment_at_which_it_is_served(
    hours: tuple[ServedHours, ...], moment: datetime
) -> None:
    first = served_from(hours, moment, ROME)
    if is_served(hours, moment, ROME):
        assert first == moment
    else:
        assert first == turns_at(hours, moment, ROME)


@given(HOURS, MOMENTS)
def test_hours_that_are_written_down_and_read_again_mean_the_same(
    hours: tuple[ServedHours, ...], moment: datetime
) -> None:
    assert is_served(spans(shown(hours)), moment, ROME) is is_served(hours, moment, ROME)


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ("7-11", "7-11: the days are"),
        ("25:00-26:00", "since is '25:00'"),
        ("07:00", "hours are spans"),
        ("noon 07:00-11:00", "noon: the days are"),
        ("mon- 07:00-11:00", "mon-: the days are"),
        ("24:00-11:00", "since is '24:00'"),
        ({"days": "mon"}, "hours are spans"),
        ([{"day": "mon"}], "day: there are days, since, until"),
        ([{"days": [["mon"]]}], "days are a list"),
        ([{"days": ["mon"], "since": ["7"]}], "since is"),
        ([["mon"]], "hours are spans"),
        ("|".join(["07:00-08:00"] * 51), "51 spans"),
    ],
)
def test_hours_that_cannot_be_read_are_told(said: object, complaint: str) -> None:
    complaints: list[str] = []
    read_hours(said, complaints.append)
    assert any(complaint in each for each in complaints), complaints


def test_hours_are_read_as_lists_too() -> None:
    complaints: list[str] = []
    said = [{"days": ["mon", "tue"], "since": "07:00", "until": "11:00"}, "sat 08:00-12:00"]
    assert read_hours(said, complaints.append) == spans("mon tue 07:00-11:00|sat 08:00-12:00")
    assert complaints == []
