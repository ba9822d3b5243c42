"""What to make of a thermometer's readings. Pure.

What is judged is the median of the last three readings: one bad value, however bad, neither
raises an alert nor ends one. What no thermometer could mean is counted, and is no sign of life
either: one that says nothing else is as good as silent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from statistics import median
from typing import Final, NamedTuple

from schemas.sensors import SensorRules, SensorStatus

COLDEST: Final = -90.0
HOTTEST: Final = 300.0
"""In °C. A broken wire reads -127 on one kind of chip, and -327.68 is another's for nothing."""
_OF: Final = 3


class Told(NamedTuple):
    """One reading: °C, and relative humidity in per cent."""

    celsius: float
    humidity: float | None = None


class Taken(NamedTuple):
    """A reading that counts, and when it came, by our own clock."""

    at: datetime
    celsius: float
    humidity: float | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of one thermometer.

    Attributes:
        heard_at: when it last read something, or when we began to listen.
        recent: the last readings, the latest last.
        out_since: since when it is out of its limits; None is within them, or not known.
        alarmed: it has been so for longer than it may.
        silent: it has not been heard for too long.
        ignored: how many readings were none.
    """

    heard_at: datetime
    recent: tuple[Taken, ...] = ()
    out_since: datetime | None = None
    alarmed: bool = False
    silent: bool = False
    ignored: int = 0

    def status(self) -> SensorStatus:
        """How it stands, in a word."""
        if self.silent:
            return SensorStatus.SILENT
        if self.alarmed:
            return SensorStatus.ALARM
        if self.out_since is not None:
            return SensorStatus.OUT
        return SensorStatus.OK if len(self.recent) == _OF else SensorStatus.UNKNOWN


def take(seen: Seen, rules: SensorRules, told: Told, at: datetime) -> Seen:
    """Take a reading."""
    if not (math.isfinite(told.celsius) and COLDEST <= told.celsius <= HOTTEST):
        return replace(seen, ignored=seen.ignored + 1)
    # What was read before a long silence says nothing of how it is now.
    oldest = at - timedelta(seconds=rules.silent_after_s)
    humidity = told.humidity
    if humidity is not None and not 0 <= humidity <= 100:
        humidity = None
    recent = [each for each in seen.recent if each.at >= oldest]
    recent.append(Taken(at, told.celsius, humidity))
    return judge(replace(seen, heard_at=at, recent=tuple(recent[-_OF:])), rules, at)


def judge(seen: Seen, rules: SensorRules, now: datetime) -> Seen:
    """Say how it stands at a time; time alone may change that."""
    silent = now - seen.heard_at > timedelta(seconds=rules.silent_after_s)
    out_since, alarmed = seen.out_since, seen.alarmed
    if len(seen.recent) == _OF:
        middle = median(each.celsius for each in seen.recent)
        if within(middle, rules, rules.clears_within if alarmed else 0.0):
            out_since, alarmed = None, False
        elif not alarmed:
            out_since = out_since or _begun(seen, rules)
            alarmed = now - out_since > timedelta(seconds=rules.may_exceed_s)
    after = replace(seen, silent=silent, out_since=out_since, alarmed=alarmed)
    return seen if after == seen else after


def within(celsius: float, rules: SensorRules, by: float = 0.0) -> bool:
    """Tell whether a temperature is within the limits, by so much at least."""
    cold = rules.least is not None and celsius < rules.least + by
    warm = rules.most is not None and celsius > rules.most - by
    return not (cold or warm)


def _begun(seen: Seen, rules: SensorRules) -> datetime:
    """Since when it is out of its limits without a break, as far as it was read."""
    begun = seen.recent[-1].at
    for each in reversed(seen.recent):
        if within(each.celsius, rules):
            break
        begun = each.at
    return begun


def number_of(said: object) -> float | None:
    """What others wrote where a number should stand; None where it is none."""
    if isinstance(said, bool) or not isinstance(said, int | float):
        return None
    # JSON knows whole numbers that no float can hold.
    return float(said) if abs(said) < HOTTEST * 1000 else math.inf
