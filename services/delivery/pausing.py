"""When a house takes no more deliveries, and when it takes them again; pure.

Between the two marks it stays as it is: an order more or less does not turn it over and over.
"""

from __future__ import annotations

from math import ceil
from typing import Final, NamedTuple

from schemas.delivery_rules import DeliveryRules

_MINUTE: Final = 60.0
_ROUND_MIN: Final = 5
NOBODY: Final = "deliveries are paused: no courier is at work"


class Seen(NamedTuple):
    """How it stands with deliveries.

    Attributes:
        wait_s: from now to an average door, nine times of ten not longer.
        couriers: how many are at work.
    """

    wait_s: float
    couriers: int


def why_paused(house: DeliveryRules, seen: Seen | None, before: str | None) -> str | None:
    """Why no delivery is taken, for people; None where deliveries are taken.

    Args:
        house: by whose rules.
        seen: how it stands now; None where nobody can say, as of a house without a place.
        before: why none was taken until now; None where they were.

    >>> marks = DeliveryRules(pause_over_min=60, resume_under_min=45)
    >>> why_paused(marks, Seen(61 * 60, 2), None)
    'deliveries are paused: a new one would take 65 minutes'
    >>> why_paused(marks, Seen(50 * 60, 2), None) is None
    True
    """
    over = house.pause_over_min
    if over is None or seen is None:
        return None
    if not seen.couriers:
        return NOBODY
    mark = over if before is None or before == NOBODY else resumes_under(over, house)
    wait_min = seen.wait_s / _MINUTE
    if wait_min > over or (before is not None and wait_min >= mark):
        return f"deliveries are paused: a new one would take {_about(wait_min)} minutes"
    return None


def resumes_under(over: int, house: DeliveryRules) -> float:
    """The lower mark, in minutes: as the house says, else three quarters of the upper one."""
    return 0.75 * over if house.resume_under_min is None else float(house.resume_under_min)


def _about(wait_min: float) -> int:
    """Up to five minutes: nobody is told more exactly than it is known."""
    return _ROUND_MIN * ceil(round(wait_min, 6) / _ROUND_MIN)
