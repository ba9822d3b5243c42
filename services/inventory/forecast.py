"""What will be used: by weekday and hour, from what was used before. Pure.

Restaurants repeat themselves by the week. So the forecast is a profile of one week: for each of
its 168 hours on the house's clock, how much is used in such an hour, as a mean in which what is
`HALF_LIFE` old counts half. One item alone is too little to tell its hours by, so each is drawn
towards the hours of the whole house, as if `PRIOR_WEEKS` of those had been seen too (an empirical
Bayes estimate; the weekly sum stays the item's own).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

HALF_LIFE: Final = timedelta(weeks=8)
PRIOR_WEEKS: Final = 4.0
HISTORY: Final = timedelta(weeks=26)
"""What is older tells nothing more."""

_WEEK: Final = timedelta(weeks=1)
_HOUR: Final = timedelta(hours=1)
SLOTS: Final = 7 * 24

Used = Mapping[datetime, int]
"""By the hour's beginning (UTC), in thousandths of the item's base unit."""
Slots = Sequence[float]
"""One figure for each hour of a week, from Monday midnight on the house's clock."""


@dataclass(frozen=True, slots=True)
class Profile:
    """How much of an item is used in each hour of a week.

    Attributes:
        slots: thousandths of its base unit in one hour.
        zone: of the house's clock.
        weeks: how much history it rests on.
    """

    slots: tuple[float, ...]
    zone: ZoneInfo
    weeks: float = 0.0

    @property
    def weekly(self) -> float:
        """What a usual week uses."""
        return sum(self.slots)


def expected_use(profile: Profile, since: datetime, until: datetime) -> int:
    """What will be used in a span of time, in thousandths; nothing where it is empty."""
    if until <= since:
        return 0
    hours = _hours_between(profile.zone, since, until)
    return round(sum(rate * hours[slot] for slot, rate in enumerate(profile.slots) if rate))


def lasts_until(profile: Profile, since: datetime, amount: int, until: datetime) -> datetime | None:
    """In which hour an amount will be used up; None where it lasts longer than `until`."""
    left, at = float(amount), since
    if max(profile.slots) * ((until - since) / _HOUR) <= left:
        return None  # though every hour were the busiest: most of what is on the shelves
    while at < until:
        end = min(_floor(at) + _HOUR, until)
        left -= profile.slots[_slot(profile.zone, at)] * ((end - at) / _HOUR)
        # A float's dust must not make what is exactly enough run out.
        if left < -0.5:
            return at
        at = end
    return None


def profiles(
    used: Mapping[str, Used], since: datetime, until: datetime, zone: ZoneInfo
) -> dict[str, Profile]:
    """The profile of each item.

    Args:
        used: what was used of each item; of a whole house, for its hours shape each item's.
        since: from when on the house's usage is known.
        until: the end of what is known; what was used later is not looked at.
        zone: of the house's clock.
    """
    since, until = max(since, until - HISTORY), _floor(until)
    known = {
        item: {at: amount for at, amount in hours.items() if since <= at < until}
        for item, hours in used.items()
    }
    shape = _shape(known.values(), since, until, zone)
    return {item: _profile(hours, shape, since, until, zone) for item, hours in known.items()}


def _profile(used: Used, shape: Slots, since: datetime, until: datetime, zone: ZoneInfo) -> Profile:
    if not used:
        return Profile((0.0,) * SLOTS, zone, max(0.0, (until - since) / _WEEK))
    first = min(used)
    # What came on the menu later was not used before for another reason than that nobody wanted it.
    begun = since if first - since < _WEEK else first - timedelta(hours=_slot(zone, first) % 24)
    weights = _weights_between(zone, begun, until)
    taken = _taken(used, until, zone)
    # What share of a usual week the history holds; a house of two days has seen two sevenths.
    seen = sum(weight * share for weight, share in zip(weights, shape, strict=True))
    weekly = sum(taken) / seen if seen else 0.0
    slots = tuple(
        (amount + PRIOR_WEEKS * weekly * share) / (weight + PRIOR_WEEKS)
        for amount, weight, share in zip(taken, weights, shape, strict=True)
    )
    return Profile(slots, zone, (until - begun) / _WEEK)


def _shape(
    used: Iterable[Used], since: datetime, until: datetime, zone: ZoneInfo
) -> tuple[float, ...]:
    """Which share of a week's use falls into each hour, over all items alike."""
    weights = _weights_between(zone, since, until)
    amounts = [0.0] * SLOTS
    for hours in used:
        taken = _taken(hours, until, zone)
        total = sum(taken)
        if total > 0:
            # Grams and pieces are not added up: each item counts as one.
            amounts = [sum_ + each / total for sum_, each in zip(amounts, taken, strict=True)]
    rates = [
        amount / weight if weight else None for amount, weight in zip(amounts, weights, strict=True)
    ]
    # An hour that was never seen is taken for what the same hour is on the other days.
    filled = [_same_hour(rates, slot) if rate is None else rate for slot, rate in enumerate(rates)]
    total = sum(filled)
    return tuple(rate / total if total else 1 / SLOTS for rate in filled)


def _same_hour(rates: Sequence[float | None], slot: int) -> float:
    known = [rate for rate in rates[slot % 24 :: 24] if rate is not None]
    return sum(known) / len(known) if known else 0.0


def _taken(used: Used, until: datetime, zone: ZoneInfo) -> list[float]:
    """What was used in each hour of the week, the latest counting most."""
    found = [0.0] * SLOTS
    for at, amount in used.items():
        found[_slot(zone, at)] += amount * _weight(at, until)
    return found


@lru_cache(maxsize=512)
def _weights_between(zone: ZoneInfo, since: datetime, until: datetime) -> tuple[float, ...]:
    """How much each hour of the week was seen, the latest counting most."""
    found = [0.0] * SLOTS
    at = _floor(since)
    while at < until:
        found[_slot(zone, at)] += _weight(at, until)
        at += _HOUR
    return tuple(found)


@lru_cache(maxsize=512)
def _hours_between(zone: ZoneInfo, since: datetime, until: datetime) -> tuple[float, ...]:
    """How many hours of a span fall into each hour of the week."""
    found = [0.0] * SLOTS
    at = since
    while at < until:
        end = min(_floor(at) + _HOUR, until)
        found[_slot(zone, at)] += (end - at) / _HOUR
        at = end
    return tuple(found)


def _weight(at: datetime, until: datetime) -> float:
    return float(0.5 ** ((until - at) / HALF_LIFE))


@lru_cache(maxsize=50_000)
def _slot(zone: ZoneInfo, at: datetime) -> int:
    """Which hour of the week it is on the house's clock."""
    local = at.astimezone(zone)
    return local.weekday() * 24 + local.hour


def _floor(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)
