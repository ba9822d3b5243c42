"""How far forecasts were off: each week forecast from the weeks before it, and compared. Pure.

Two forecasts that cost nothing are beside ours: that a week will be as the last one was, and as
the mean of the last four. A forecast that is not better than those is not worth having.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from services.inventory.forecast import Used, expected_use, profiles

FIRST_WEEK: Final = 8
"""The first week that is forecast: before, there is too little to tell anything by."""
_OF_FOUR: Final = 4


@dataclass(frozen=True, slots=True)
class Errors:
    """The mean absolute error as a share of what was used (MAPE); None where nothing was used.

    Attributes:
        forecast: ours.
        last_week: of "as last week".
        four_weeks: of "as the mean of the last four weeks".
    """

    forecast: float | None
    last_week: float | None
    four_weeks: float | None


@dataclass(frozen=True, slots=True)
class WeekForecast:
    """One week of one item: what was used, and what each way said before it began.

    Attributes:
        week: its number, from 1.
        begins: its first day.
        used: thousandths of the item's base unit.
    """

    week: int
    begins: date
    used: int
    forecast: int
    last_week: int
    four_weeks: int


@dataclass(frozen=True, slots=True)
class ItemForecast:
    """One item over all weeks."""

    item: str
    errors: Errors
    weeks: tuple[WeekForecast, ...]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All items over all weeks.

    Attributes:
        first_week: the first that was forecast.
        weeks: how many were.
        left_out: weeks of items in which nothing was used: no share can be said of nothing.
        better_than_last_week: of how many items ours is nearer.
        better_than_four_weeks: of how many items ours is nearer.
        errors: the mean over all items.
    """

    first_week: int
    weeks: int
    left_out: int
    better_than_last_week: int
    better_than_four_weeks: int
    errors: Errors
    items: tuple[ItemForecast, ...]

    @property
    def better(self) -> bool:
        """Whether ours is nearer than both that cost nothing."""
        ours, *others = self.errors.forecast, self.errors.last_week, self.errors.four_weeks
        return all(ours is not None and each is not None and ours < each for each in others)


def evaluate(
    used: Mapping[str, Used],
    first: date,
    after: date,
    zone: ZoneInfo,
    *,
    first_week: int = FIRST_WEEK,
) -> Evaluation:
    """Forecast each whole week from what was known before it began, and compare.

    Args:
        used: what was used of each item.
        first: the first day of the first week.
        after: the day after the last that is known; a week that it cuts is left out.
        zone: of the house's clock.
        first_week: the first week that is forecast, from 1; at least 5.
    """
    known = (after - first).days // 7
    starts = [_midnight(first + timedelta(weeks=n), zone) for n in range(known + 1)]
    sums = {item: _by_week(hours, starts) for item, hours in used.items()}
    found: dict[str, list[WeekForecast]] = {item: [] for item in used}
    for n in range(max(first_week, _OF_FOUR + 1) - 1, known):
        told = profiles(used, starts[0], starts[n], zone)
        for item, weeks in sums.items():
            found[item].append(
                WeekForecast(
                    week=n + 1,
                    begins=first + timedelta(weeks=n),
                    used=weeks[n],
                    forecast=expected_use(told[item], starts[n], starts[n + 1]),
                    last_week=weeks[n - 1],
                    four_weeks=round(sum(weeks[n - _OF_FOUR : n]) / _OF_FOUR),
                )
            )
    items = tuple(ItemForecast(item, _errors(weeks), tuple(weeks)) for item, weeks in found.items())
    return Evaluation(
        first_week=first_week,
        weeks=max(0, known - first_week + 1),
        left_out=sum(not each.used for weeks in found.values() for each in weeks),
        better_than_last_week=sum(
            _nearer(each.errors.forecast, each.errors.last_week) for each in items
        ),
        better_than_four_weeks=sum(
            _nearer(each.errors.forecast, each.errors.four_weeks) for each in items
        ),
        errors=Errors(
            _mean(each.errors.forecast for each in items),
            _mean(each.errors.last_week for each in items),
            _mean(each.errors.four_weeks for each in items),
        ),
        items=items,
    )


def _errors(weeks: Sequence[WeekForecast]) -> Errors:
    some = [each for each in weeks if each.used]
    return Errors(
        _mean(abs(each.forecast - each.used) / each.used for each in some),
        _mean(abs(each.last_week - each.used) / each.used for each in some),
        _mean(abs(each.four_weeks - each.used) / each.used for each in some),
    )


def _mean(all_: Iterable[float | None]) -> float | None:
    some = [each for each in all_ if each is not None]
    return sum(some) / len(some) if some else None


def _nearer(ours: float | None, other: float | None) -> bool:
    return ours is not None and other is not None and ours < other


def _by_week(used: Used, starts: Sequence[datetime]) -> list[int]:
    found = [0] * (len(starts) - 1)
    for at, amount in used.items():
        n = bisect_right(starts, at) - 1
        if 0 <= n < len(found):
            found[n] += amount
    return found


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, zone).astimezone(UTC)
