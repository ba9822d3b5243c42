"""What can be believed of a vehicle: how fast it is, how it turns, what a tracker may say. Pure.

The figures by mode of travel, and where they come from, stand in docs/positions.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final

from schemas.positions import TravelMode


@dataclass(frozen=True, slots=True)
class Limits:
    """What is believed of one vehicle and its tracker.

    Attributes:
        most_mps: nothing of its kind is faster, in metres a second.
        restless: spectral density of the white acceleration that the filter expects, m²/s³.
        accuracy_m: a fix that is less accurate by its own word is not used.
        stale_s: a fix that is so old when it comes is of no use.
        future_s: so far a good clock may be ahead of ours.
        reorder_s: fixes that come in the wrong order are put right over so many seconds.
        often_s: two fixes are at least so far apart.
        gap_s: after so long a silence nobody knows what was between.
        still_m: who stays within so many metres of a place stands.
        still_s: after so many seconds of it.
    """

    most_mps: float = 55.0
    restless: float = 4.0
    accuracy_m: float = 150.0
    stale_s: float = 86_400.0
    future_s: float = 15.0
    reorder_s: float = 30.0
    often_s: float = 0.09
    gap_s: float = 120.0
    still_m: float = 30.0
    still_s: float = 60.0


BY_MODE: Final[Mapping[TravelMode, Limits]] = {
    TravelMode.FOOT: Limits(most_mps=7.0, restless=0.5, accuracy_m=100.0, still_m=25.0),
    TravelMode.BICYCLE: Limits(most_mps=20.0, restless=1.5, accuracy_m=120.0),
    TravelMode.SCOOTER: Limits(most_mps=35.0, restless=3.0),
    TravelMode.CAR: Limits(),
}
"""What is believed of each, with nothing said about it."""

ROWS: Final = {each.name: row for row, each in enumerate(fields(Limits))}
"""Where each limit stands in a matrix with a column a vehicle."""
