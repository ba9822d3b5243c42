"""Times on a screen: by the house's clock, with a day only where it is another one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cli.house_clock import on_screen

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
