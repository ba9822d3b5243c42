"""Moments as people write them: by the clock of a house, or looking back."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import click

from cli.span import SPAN

_CLOCK: Final = re.compile(r"[0-9]{1,2}:[0-9]{2}")
_DAYS: Final = {"d": 1, "w": 7}


def on_the_clock(text: str, zone: ZoneInfo, now: datetime) -> datetime:
    """Read a moment by a house's clock: ``19:30`` is today's, ``2024-05-01 19:30``, or ISO.

    Where the clocks go back, an hour that comes twice is the first of the two.

    Raises:
        ValueError: it is no moment, or one that the house's clock skips.
    """
    stripped = text.strip()
    try:
        local = datetime.combine(now.astimezone(zone).date(), time.fromisoformat(stripped))
    except ValueError:
        try:
            local = datetime.fromisoformat(stripped)
        except ValueError:
            raise ValueError(f"{text!r} is no time: write 19:30 or 2024-05-01 19:30") from None
    if local.tzinfo is not None:
        return local.astimezone(UTC)
    there = local.replace(tzinfo=zone)
    if there.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != local:
        raise ValueError(f"{text!r} does not exist in {zone.key}: the clocks go forward there")
    return there.astimezone(UTC)


def coming(text: str, zone: ZoneInfo, now: datetime) -> datetime:
    """Read a moment to come: ``23:00`` is the next time that the clock shows it; or ISO.

    Raises:
        ValueError: it is no moment, or one that the house's clock skips.
    """
    at = on_the_clock(text, zone, now)
    if at > now or not _is_time_of_day(text):
        return at
    tomorrow = now.astimezone(zone).date() + timedelta(days=1)
    return on_the_clock(f"{tomorrow} {text.strip()}", zone, now)


def _is_time_of_day(text: str) -> bool:
    try:
        time.fromisoformat(text.strip())
    except ValueError:
        return False
    return True


def _last(text: str, now: datetime) -> datetime | None:
    """When a clock on this machine's wall showed this last; None where it is no such time."""
    if not _CLOCK.fullmatch(text):
        return None
    try:
        told = time.fromisoformat(text.zfill(5))
    except ValueError:
        return None
    today = datetime.combine(now.astimezone().date(), told).astimezone()
    if today <= now:
        return today.astimezone(UTC)
    return datetime.combine(today.date() - timedelta(days=1), told).astimezone(UTC)


class Moment(click.ParamType[datetime]):
    """A moment: ``2024-05-01``, ``2024-05-01 19:30`` by this machine's clock, or ``2h`` ago.

    ``19:30`` is when it was that last, today or yesterday.
    """

    name = "when"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Read it; aware, in UTC."""
        if isinstance(value, datetime):
            return value
        text = str(value).strip()
        try:
            return datetime.fromisoformat(text).astimezone(UTC)
        except ValueError:
            pass
        now = datetime.now(UTC)
        if (last := _last(text, now)) is not None:
            return last
        if text[-1:] in _DAYS and text[:-1].isascii() and text[:-1].isdigit():
            return now - timedelta(days=int(text[:-1]) * _DAYS[text[-1]])
        try:
            return now - timedelta(seconds=SPAN.convert(text, None, None))
        except click.BadParameter:
            self.fail(
                f"{value!r} is no moment: write 19:30, 2024-05-01, '2024-05-01 19:30', or 2h "
                "for two hours ago",
                param,
                ctx,
            )


MOMENT: Final = Moment()


class Day(click.DateTime):
    """A day: ``2024-05-01``."""

    name = "day"

    def __init__(self) -> None:
        super().__init__(["%Y-%m-%d"])

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Read it; the midnight that begins it, of no zone."""
        try:
            found: datetime = super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"{value!r} is no day: write 2024-05-01", param, ctx)
        return found


DAY: Final = Day()
