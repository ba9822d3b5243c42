"""How often a tracker tells its position: what it was asked for, as far as it can. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from schemas.positions import MAX_FIXES, OneFix, ReportingTaken, ReportingWish

MOVES_MPS: Final = 0.5
"""Slower is no moving: a receiver that lies on a table says so much at times."""
_EARTH_M: Final = 6_371_008.8
_NEARLY: Final = 0.9
"""A receiver's second is not exactly one: what is nearly due is due."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What this tracker can and will do, whatever it is asked for.

    Attributes:
        fastest_s: it tells no more often.
        slowest_s: it is never silent for longer.
        together: at most so many positions go in one message.
    """

    fastest_s: float = 0.1
    slowest_s: float = 3600.0
    together: int = MAX_FIXES


@dataclass(frozen=True, slots=True)
class Reporting:
    """How often it tells; see `ReportingWish`.

    Attributes:
        number: of the wish that this follows; 0 is none, and then it tells all.
        linger_s: how long the first of several waits for the others.
    """

    number: int = 0
    every_s: float = 0.1
    still_s: float = 1.0
    least_m: float = 0.0
    together: int = 1

    @property
    def linger_s(self) -> float:
        """How long the first of several waits for the others, at most."""
        return 0.0 if self.together == 1 else self.every_s * self.together

    def told_back(self) -> ReportingTaken:
        """What it answers to the wish."""
        return ReportingTaken(
            number=self.number,
            every_s=self.every_s,
            still_s=self.still_s,
            least_m=self.least_m,
            together=self.together,
        )


def follow(wish: ReportingWish, bounds: Bounds) -> Reporting:
    """What a tracker makes of a wish."""
    every = min(max(wish.every_s, bounds.fastest_s), bounds.slowest_s)
    return Reporting(
        number=wish.number,
        every_s=every,
        still_s=min(max(wish.still_s, every, 1.0), max(bounds.slowest_s, 1.0)),
        least_m=wish.least_m,
        together=min(wish.together, bounds.together),
    )


def is_due(fix: OneFix, last: OneFix | None, reporting: Reporting) -> bool:
    """Tell whether a position is to be told, after the last that was.

    One that the clock was put back for is: nothing else would be for as long.
    """
    if last is None or reporting.number == 0:
        return True
    passed = (fix.at - last.at).total_seconds()
    if passed < 0 or passed >= reporting.still_s * _NEARLY:
        return True
    if passed < reporting.every_s * _NEARLY:
        return False
    moved = metres(last, fix)
    if moved < reporting.least_m:
        return False
    return _moves(fix, moved)


def _moves(fix: OneFix, moved: float) -> bool:
    if fix.speed_mps is not None:
        return fix.speed_mps >= MOVES_MPS
    return moved > max(5.0, fix.accuracy_m or 0.0)


def metres(one: OneFix, other: OneFix) -> float:
    """How far apart two positions are, by the haversine formula."""
    half_lat = math.radians(other.lat - one.lat) / 2
    half_lon = math.radians(other.lon - one.lon) / 2
    inside = math.sin(half_lat) ** 2 + (
        math.cos(math.radians(one.lat))
        * math.cos(math.radians(other.lat))
        * math.sin(half_lon) ** 2
    )
    return 2 * _EARTH_M * math.asin(math.sqrt(min(1.0, inside)))
