"""When something is served, or counts, by the clock on the house's wall. Pure.

A span begins and ends at moments, so that it is as long as the night is: where the clock goes
back it runs through both of the hours that are called the same, and where the clock goes forward
what would begin in the hour that is not there begins at its end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from schemas.kitchen_rules import Weekday
from schemas.menu import ServedHours

_DAYS: Final = tuple(Weekday)
_DAY: Final = timedelta(days=1)
_AHEAD: Final = 9
"""Days that are looked through: whatever happens every week, happens in them."""

Hours = Sequence[ServedHours]


def is_served(hours: Hours, at: datetime, zone: ZoneInfo) -> bool:
    """Tell whether something can be had at a moment; without hours it always can.

    Args:
        hours: when it is served.
        at: aware.
        zone: the house's clock.
    """
    return not hours or any(since <= at < until for since, until in _around(hours, at, zone))


def served_since(hours: Hours, at: datetime, zone: ZoneInfo) -> datetime | None:
    """Since when it can be had without a break; None where it cannot be, or always can."""
    spans = _around(hours, at, zone) if hours else ()
    return next((since for since, until in spans if since <= at < until), None)


def served_from(hours: Hours, at: datetime, zone: ZoneInfo) -> datetime | None:
    """The first moment from `at` on at which it can be had; None where that is not foreseen."""
    if not hours:
        return at
    for since, until in _around(hours, at, zone):
        if until > at:
            return max(since, at)
    return None


def turns_at(hours: Hours, at: datetime, zone: ZoneInfo) -> datetime | None:
    """The first moment after `at` from which it can be had, or not any more; None is never."""
    if not hours:
        return None
    for since, until in _around(hours, at, zone):
        if since > at:
            return since
        if until > at:
            # Days that follow on each other for ever end nowhere that is worth a look.
            return until if until < at + (_AHEAD - 1) * _DAY else None
    return None


def _around(hours: Hours, at: datetime, zone: ZoneInfo) -> Sequence[tuple[datetime, datetime]]:
    return _spans(tuple(hours), at.astimezone(zone).date(), zone.key)


@lru_cache(maxsize=2048)
def _spans(
    hours: tuple[ServedHours, ...], today: date, zone_name: str
) -> Sequence[tuple[datetime, datetime]]:
    """All spans from yesterday on, in UTC, by their begin; what touches is one."""
    zone = ZoneInfo(zone_name)
    joined: list[tuple[datetime, datetime]] = []
    for since, until in sorted(_each(hours, today, zone)):
        if joined and since <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], until))
        else:
            joined.append((since, until))
    return joined


def _each(
    hours: tuple[ServedHours, ...], today: date, zone: ZoneInfo
) -> Iterator[tuple[datetime, datetime]]:
    # Two days back: a span over midnight, on a night on which the clock is put.
    for away in range(-2, _AHEAD + 1):
        day = today + timedelta(days=away)
        for each in hours:
            if each.days and _DAYS[day.weekday()] not in each.days:
                continue
            first, last = each.since or time.min, each.until or time.min
            # The night belongs to the day on which it began.
            ends_on = day + _DAY if each.until is None or last <= first else day
            since, until = _moment(day, first, zone, 0), _moment(ends_on, last, zone, 1)
            if since < until:
                yield since, until


def _moment(day: date, shown: time, zone: ZoneInfo, fold: int) -> datetime:
    """When the clock shows this; where it never does, the moment at which it skips that."""
    local = datetime.combine(day, shown.replace(tzinfo=None, fold=fold), zone)
    at = local.astimezone(UTC)
    if at.astimezone(zone).replace(tzinfo=None, fold=0) == local.replace(tzinfo=None, fold=0):
        return at
    low = min(at, local.replace(fold=1 - fold).astimezone(UTC))
    high = max(at, local.replace(fold=1 - fold).astimezone(UTC))
    before = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)
