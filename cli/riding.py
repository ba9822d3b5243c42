"""Riding recorded tracks: each position is told when its time has come."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from devices.gps_tracker import GpsTracker
from schemas.positions import OneFix

LONGEST_WAIT_S: Final = 10.0
"""Gaps of a recording are waited for no longer."""
_AT_ONCE: Final = 500
_MOST_WAITING: Final = 5_000
"""So many may wait for the broker: who rides at full speed is held back."""


class Times(StrEnum):
    """As of when positions of a recording are told."""

    NOW = "now"
    """As of the moment in which each is told."""
    ENDING = "ending"
    """With the recording's own spacing, the last of them now: as after a long tunnel."""
    KEPT = "kept"
    """As they were."""


@dataclass(slots=True)
class Ridden:
    """How far a ride is.

    Attributes:
        told: so many positions the device has taken, to tell them.
        left_out: so many came sooner than it was asked to tell.
    """

    told: int = 0
    left_out: int = 0


def ride(
    device: GpsTracker,
    fixes: Iterable[OneFix],
    ridden: Ridden,
    *,
    speed: float,
    times: Times = Times.NOW,
    stop: threading.Event | None = None,
    on_told: Callable[[Ridden], None] | None = None,
) -> None:
    """Have a device tell a recorded ride, and wait until the broker has it all.

    Args:
        device: it is online.
        fixes: in the order in which they are told.
        ridden: counted up as it goes: it holds however the ride ends.
        speed: so many times as fast as it was; infinity does not wait.
        times: as of when they are told.
        stop: ends the ride early.
        on_told: told how far it is, each time that something was.
    """
    stop = stop or threading.Event()
    for several in _due(_of(fixes, times), speed, stop):
        if stop.is_set():
            break
        told = device.report_many(_as_of_now(several) if times is Times.NOW else several)
        ridden.told += told
        ridden.left_out += len(several) - told
        if on_told is not None:
            on_told(ridden)
        while device.untold > _MOST_WAITING and not stop.wait(0.02):
            pass
    while not stop.is_set() and not device.wait_told(0.2):
        pass


def _as_of_now(fixes: Iterable[OneFix]) -> list[OneFix]:
    now = datetime.now(UTC)
    step = timedelta(microseconds=1)  # of one moment a vehicle has one position
    return [fix.model_copy(update={"at": now + number * step}) for number, fix in enumerate(fixes)]


def _of(fixes: Iterable[OneFix], times: Times) -> Iterable[OneFix]:
    if times is not Times.ENDING:
        return fixes
    every = list(fixes)
    if not every:
        return every
    late = datetime.now(UTC) - max(fix.at for fix in every)
    return [fix.model_copy(update={"at": fix.at + late}) for fix in every]


def _due(fixes: Iterable[OneFix], speed: float, stop: threading.Event) -> Iterator[list[OneFix]]:
    """Give them in the rhythm of the recording, those that are due at once together."""
    waiting: list[OneFix] = []
    last: datetime | None = None
    due = time.monotonic()
    for fix in fixes:
        if last is not None and speed != float("inf"):
            gap = (fix.at - last).total_seconds() / speed
            due += min(max(gap, 0.0), LONGEST_WAIT_S)
        last = fix.at
        if waiting and (due > time.monotonic() or len(waiting) >= _AT_ONCE):
            yield waiting
            waiting = []
        if (pause := due - time.monotonic()) > 0 and stop.wait(pause):
            return
        waiting.append(fix)
    if waiting:
        yield waiting
