"""When a display says that it attends its station: pure, `now` is an argument."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from schemas.kitchen import StationHead
from schemas.kitchen_requests import Attendance, AttendStation

PATIENCE_S: Final = 10.0
"""How long it waits for the answer, before it says so once more."""
AFTER_REFUSAL_S: Final = 60.0
SETTLING_S: Final = 5.0
"""A beat that was on its way may not know yet of who has just come."""
_NEVER: Final = float("inf")


class Attending:
    """Says anew with each connection that the device attends, and whenever it is not known.

    A display that was frozen for a while is taken off its station, though its connection may
    have held: the station's next beat does not name it, so it says so again.

    Args:
        station: which.
        device: the device's own name.
        attendance: how.
    """

    def __init__(self, station: str, device: str, attendance: Attendance) -> None:
        self._station: Final = station
        self._device: Final = device
        self._attendance: Final = attendance
        self._epoch: UUID | None = None
        self._asked = False
        self._attends_since: float | None = None
        self._not_before = -_NEVER

    def connected(self, epoch: UUID) -> None:
        """A new session has begun."""
        self._epoch = epoch
        self._asked = False
        self._attends_since = None
        self._not_before = -_NEVER

    def disconnected(self) -> None:
        """The session is over."""
        self._epoch = None

    def beat(self, head: StationHead, now: float) -> None:
        """The station tells who attends it."""
        since = self._attends_since
        known = self._device in {*head.displays, *head.printers}
        if since is not None and now - since > SETTLING_S and not known:
            self._attends_since = None

    def due(self, now: float) -> AttendStation | None:
        """What is to be said now; it counts as said."""
        if self._epoch is None or self._asked or self._attends_since is not None:
            return None
        if now < self._not_before:
            return None
        self._asked = True
        return AttendStation(station=self._station, attendance=self._attendance, epoch=self._epoch)

    def next_due(self) -> float:
        """When to look again; what comes meanwhile wakes the device by itself."""
        waits = self._epoch is not None and not self._asked and self._attends_since is None
        return self._not_before if waits else _NEVER

    def answered(self, asked: AttendStation, now: float, *, accepted: bool, refused: bool) -> None:
        """How it was answered; neither means that no answer came in time."""
        if asked.epoch != self._epoch:
            return  # of an older session
        self._asked = False
        if accepted:
            self._attends_since = now
        elif refused:
            self._not_before = now + AFTER_REFUSAL_S
