"""Orders for delivery as arrays, one entry an order, in the order of their placing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

NO_VENUE: Final = -1
MINUTE_S: Final = 60.0
HOUR_S: Final = 3600.0
_EPOCH: Final = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Orders:
    """Orders, each an index of these arrays; all are as long.

    Attributes:
        at_s: when each was placed, unix seconds; never falls from one to the next.
        day: the day by the house's clock, counted from 1970-01-01; never falls either.
        hour: the time of that day in hours, 0 to below 24.
        weekday: 0 for Monday to 6.
        distance_m: from the venue to the door, straight; nan where it is not known.
        items: how many were ordered; nan where it is not known.
        venue: the place in `venues` of where it is cooked; NO_VENUE where it is not known.
        took_min: from the placing to the door; nan where nobody knows (yet).
        venues: the names of the venues, the same for every part of these orders.
    """

    at_s: Floats
    day: Integers
    hour: Floats
    weekday: Integers
    distance_m: Floats
    items: Floats
    venue: Integers
    took_min: Floats
    venues: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.at_s)

    def taken(self, which: slice | Flags | Integers) -> Orders:
        """Some of them."""
        some: dict[str, Any] = {name: getattr(self, name)[which] for name in _ARRAYS}
        return replace(self, **some)

    def joined(self, later: Orders) -> Orders:
        """These, and then those; both name their venues alike."""
        both: dict[str, Any] = {
            name: np.concatenate((getattr(self, name), getattr(later, name))) for name in _ARRAYS
        }
        return replace(self, **both)

    def arrived_s(self) -> Floats:
        """When each arrived, unix seconds; nan where nobody knows."""
        return self.at_s + self.took_min * MINUTE_S

    def midnight_s(self) -> float:
        """When the day of the first one began, unix seconds."""
        return float(self.at_s[0] - self.hour[0] * HOUR_S)


_ARRAYS: Final = tuple(each.name for each in fields(Orders) if each.name != "venues")


def day_number(day: date) -> int:
    """A day as these arrays count it."""
    return (day - _EPOCH).days


def day_of(number: int) -> date:
    """The day of such a number."""
    return _EPOCH + timedelta(days=number)


def gather(
    placed: Sequence[datetime],
    distance_m: Sequence[float],
    items: Sequence[float],
    venue: Sequence[str],
    took_min: Sequence[float],
) -> Orders:
    """Put orders into arrays, sorted by when they were placed.

    Args:
        placed: when, by the house's clock; one without a zone is taken as it stands.
        distance_m: from the venue to the door; nan where it is not known.
        items: how many; nan where it is not known.
        venue: where it is cooked; empty where it is not known.
        took_min: how long it took; nan where it is not known.
    """
    aware = [each.replace(tzinfo=UTC) if each.tzinfo is None else each for each in placed]
    at_s = np.array([each.timestamp() for each in aware], dtype=np.float64)
    names = tuple(sorted({each for each in venue if each}))
    numbers = {name: number for number, name in enumerate(names)}
    hour = [each.hour + each.minute / 60 + each.second / 3600 for each in aware]
    unsorted = Orders(
        at_s=at_s,
        day=np.array([day_number(each.date()) for each in aware], dtype=np.int64),
        hour=np.array(hour, dtype=np.float64),
        weekday=np.array([each.weekday() for each in aware], dtype=np.int64),
        distance_m=np.array(distance_m, dtype=np.float64),
        items=np.array(items, dtype=np.float64),
        venue=np.array([numbers.get(each, NO_VENUE) for each in venue], dtype=np.int64),
        took_min=np.array(took_min, dtype=np.float64),
        venues=names,
    )
    found = unsorted.taken(np.argsort(at_s, kind="stable"))
    # Where clocks go back over midnight, an hour of yesterday comes again: it is today's.
    return replace(found, day=np.maximum.accumulate(found.day))
