"""What a tracker is told that it can mend, from what was found of its positions. Pure.

What counts are the last minutes: one bad fix under a bridge is nobody's fault, and what was
mended is not held against anybody for ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.positions import Complained, Complaint

Counts = NDArray[np.int64]

LEAST: Final = 5
"""So many of the last minutes; fewer are nobody's fault."""
SHARE: Final = 0.1
"""Of all that it sent in them."""
_OVER: Final = 0.5
"""What stands is over at half of that."""
_TWICE: Final = 2
_CLOCK_S: Final = 5.0
"""A clock that is off by so much more or less is told anew."""

_TEXTS: Final[Mapping[Complaint, str]] = {
    Complaint.CLOCK: "set the clock by the network",
    Complaint.TOO_OFTEN: "send fewer positions: at most ten a second",
    Complaint.INVALID: "send no position before the receiver has one",
    Complaint.INACCURATE: "let it use satellites, not the network alone",
    Complaint.STALE: "send what is old no more: it is of no use",
    Complaint.UNREADABLE: "send what the contract says",
}


def troubled(recent: Counts, sent: Counts) -> NDArray[np.bool_]:
    """Whose positions are bad often enough to look at.

    Args:
        recent: bad ones of the last minutes, a row a kind, a column a vehicle.
        sent: all of the last minutes, by vehicle.
    """
    bad = (recent >= LEAST * _OVER) & (recent >= SHARE * _OVER * sent)
    return np.asarray(bad.any(axis=0))


def complaints(
    recent: Mapping[Complaint, int],
    sent: int,
    clock_s: float,
    before: Mapping[Complaint, Complained],
    now: datetime,
) -> tuple[Complained, ...]:
    """What to tell a tracker now; what has hardly changed stays as it was told.

    Args:
        recent: its bad positions of the last minutes.
        sent: all of them.
        clock_s: so much is added to what its clock says; 0 is a good clock.
        before: what it was told last.
        now: the time.
    """
    told: list[Complained] = []
    for what in Complaint:
        count, stood = recent.get(what, 0), before.get(what)
        if what is Complaint.CLOCK:
            # Positions of a clock that is put right are good ones: none of them is to be told of.
            if clock_s == 0.0:
                continue
            told.append(_clock(max(count, 1), clock_s, stood, now))
        elif _stands(count, sent, was=stood is not None):
            if stood is None:
                told.append(_new(what, count, now))
            elif count >= _TWICE * stood.count:
                told.append(stood.model_copy(update={"count": count}))
            else:
                told.append(stood)
    return tuple(told)


def _stands(count: int, sent: int, *, was: bool) -> bool:
    part = _OVER if was else 1.0
    return count >= max(1.0, LEAST * part) and count >= SHARE * part * sent


def _clock(count: int, clock_s: float, stood: Complained | None, now: datetime) -> Complained:
    ahead = round(-clock_s, 1)
    if stood is None or stood.seconds is None:
        return _new(Complaint.CLOCK, count, now, seconds=ahead)
    if abs(stood.seconds - ahead) < _CLOCK_S:
        return stood
    return stood.model_copy(update={"count": count, "seconds": ahead})


def _new(what: Complaint, count: int, now: datetime, *, seconds: float | None = None) -> Complained:
    return Complained(what=what, count=count, since=now, seconds=seconds, text=_TEXTS[what])
