"""What becomes of a fix: one verdict each, counted by vehicle. Pure.

The numbers stand in rows of `fixes`: they are added to, never changed.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.positions import Complaint


class Verdict(IntEnum):
    """What was found of one fix."""

    OK = 0
    """It moved the vehicle."""
    CORRECTED_CLOCK = 1
    """It moved the vehicle, after its time was put right: the clock is off, and by how much is
    known."""
    LATE = 2
    """Older than what is put in order yet. Good for history; where the vehicle is now it does
    not tell. It may be one that is kept already, for only the last few are remembered."""
    DUPLICATE = 3
    """The vehicle has told of this very moment before."""
    INVALID = 4
    """No latitude, longitude or time that can be."""
    NULL_ISLAND = 5
    """0/0, in the ocean: what a receiver says that knows no place."""
    STALE = 6
    """Too old to be of use to anybody."""
    FUTURE = 7
    """Of a time that has not come, and nothing is known yet of the clock."""
    INACCURATE = 8
    """By its own word it could be anywhere."""
    JUMP = 9
    """Nothing of this kind moves so fast."""
    OUTLIER = 10
    """Possible, but not believable after what it did until now."""
    TOO_OFTEN = 11
    """Less than a moment after the one before."""

    @property
    def word(self) -> str:
        """How it is called where it is counted: ``null-island``."""
        return self.name.lower().replace("_", "-")


USED: Final = frozenset({Verdict.OK, Verdict.CORRECTED_CLOCK})
"""These moved the vehicle."""

WORTH_A_ROW: Final = USED | {
    Verdict.LATE,
    Verdict.INACCURATE,
    Verdict.JUMP,
    Verdict.OUTLIER,
}
"""These are kept as they were told. What cannot be, what is there already, and what is of no time
that can be is counted alone."""

COMPLAINTS: Final[dict[Verdict, Complaint]] = {
    Verdict.CORRECTED_CLOCK: Complaint.CLOCK,
    Verdict.FUTURE: Complaint.CLOCK,
    Verdict.INVALID: Complaint.INVALID,
    Verdict.NULL_ISLAND: Complaint.INVALID,
    Verdict.INACCURATE: Complaint.INACCURATE,
    Verdict.STALE: Complaint.STALE,
    Verdict.TOO_OFTEN: Complaint.TOO_OFTEN,
}
"""What the device is told of, since it can mend it."""


def used(verdict: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which of these fixes moved their vehicle."""
    return verdict <= Verdict.CORRECTED_CLOCK


def counted(verdict: NDArray[np.uint8]) -> dict[Verdict, int]:
    """How many there are of each that there is."""
    counts = np.bincount(verdict, minlength=len(Verdict))
    return {each: int(counts[each]) for each in Verdict if counts[each]}
