"""Quiet hours, on the house's own clock. Pure.

A clock on a wall jumps twice a year. What counts is what it shows: a notice is held until
the first moment at which it shows a time outside the quiet hours.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from schemas.notices import QuietHours, WhileQuiet

IN_QUIET_HOURS: Final = "it fell into quiet hours"
_MINUTE: Final = timedelta(minutes=1)


def is_quiet(quiet: QuietHours, at: datetime, zone: ZoneInfo) -> bool:
    """Tell whether the house's clock shows a quiet time; they may pass midnight."""
    shown = at.astimezone(zone).time()
    start, end = time.fromisoformat(quiet.start), time.fromisoformat(quiet.end)
    if start < end:
        return start <= shown < end
    return shown >= start or shown < end


def quiet_until(quiet: QuietHours, at: datetime, zone: ZoneInfo) -> datetime:
    """The first moment from `at` on that is not quiet; in UTC."""
    at = at.astimezone(UTC)
    if not is_quiet(quiet, at, zone):
        return at
    local = at.astimezone(zone).replace(tzinfo=None, fold=0)
    end = datetime.combine(local.date(), time.fromisoformat(quiet.end))
    if end <= local:
        end += timedelta(days=1)
    # In autumn the clock shows the end twice; in spring perhaps never.
    shown = sorted(end.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    over = next((each for each in shown if each > at and not is_quiet(quiet, each, zone)), None)
    if over is None:
        over = shown[-1]
        while is_quiet(quiet, over, zone):
            over += _MINUTE
    while over - _MINUTE > at and not is_quiet(quiet, over - _MINUTE, zone):
        over -= _MINUTE  # the clock jumped over the end: they ended with the jump
    return over


def due_at(quiet: QuietHours | None, at: datetime, zone: ZoneInfo) -> datetime | None:
    """When what is due at a time goes out; None where it does not at all."""
    if quiet is None or not is_quiet(quiet, at, zone):
        return at
    if quiet.then is WhileQuiet.DROP:
        return None
    return quiet_until(quiet, at, zone)


def later(at: datetime, seconds: float) -> datetime:
    """So many seconds later, whatever the clocks on walls do meanwhile."""
    return at.astimezone(UTC) + timedelta(seconds=seconds)
