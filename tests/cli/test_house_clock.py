"""Times on a screen: by the house's clock, with a day only where it is another one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import click
import pytest

from cli.house_clock import on_screen
from cli.times import MOMENT

NOW = datetime(2026, 3, 14, 22, 30, tzinfo=UTC)  # a Saturday
ROME = ZoneInfo("Europe/Rome")


def test_today_is_hours_and_minutes_by_the_clock_of_the_house() -> None:
    assert on_screen(NOW + timedelta(minutes=10, seconds=59), NOW, UTC) == "22:40"
    assert on_screen(NOW + timedelta(minutes=10), NOW, ROME) == "23:40"


def test_another_day_is_named_and_where_it_begins_is_for_the_house_to_say() -> None:
    soon = NOW + timedelta(minutes=45)
    assert on_screen(soon, NOW, UTC) == "23:15"
    assert on_screen(soon, NOW, ROME) == "Sun 00:15"
    assert on_screen(NOW - timedelta(days=1), NOW, UTC) == "Fri 22:30"
    assert on_screen(NOW + timedelta(days=20), NOW, UTC) == "3 Apr 22:30"


@pytest.mark.parametrize("text", ["00:00", "9:05", "19:42", "23:59"])
def test_an_hour_in_the_past_is_the_last_time_that_it_was_that(text: str) -> None:
    before = datetime.now(UTC)
    found = MOMENT.convert(text, None, None)
    assert found <= datetime.now(UTC)
    assert before - found < timedelta(hours=25), "a day, and an hour where the clocks went back"
    assert f"{found.astimezone():%H:%M}" == text.zfill(5)


@pytest.mark.parametrize("text", ["25:00", "9:5", "19:60", "1:2:3"])
def test_what_no_clock_shows_is_no_moment(text: str) -> None:
    with pytest.raises(click.BadParameter, match="write 19:30"):
        MOMENT.convert(text, None, None)
