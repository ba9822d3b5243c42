"""The tracker: where a courier is."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Unpack

from devices.backlog import Backlog, Waiting
from devices.client import DeviceClient
from devices.connection import Packet, Received
from devices.options import DeviceOptions
from devices.outbox import OutboxBroken
from devices.pace import Pace
from devices.reporting import Bounds, Reporting, follow, is_due
from schemas.envelope import envelope_of
from schemas.positions import (
    MAX_FIXES,
    Complaint,
    Fix,
    Fixes,
    OneFix,
    ReportingWish,
    TrackerAdvice,
)

HELD: Final = 50_000
"""Positions that are kept while offline: half a day of one a second."""
_MOST_BYTES: Final = 12_000
"""Of positions in one message, however many they are: a tracker may send 16 KiB at once."""
_BURST_BYTES: Final = 1 << 20
_BYTES_PER_S: Final = 48 * 1024
"""A backlog goes at this pace once so much of it is told: a tracker may send 64 KiB a second, and
2 MiB at once. What is more is lost on the way, for the broker has confirmed it."""
_WINDOW: Final = 4
"""Messages on their way at once."""
_FORGET_S: Final = 0.5
"""What was told leaves the file so late: to tell it twice costs less than to write each time."""

OnReporting = Callable[[Reporting], None]
OnAdvice = Callable[[TrackerAdvice | None], None]


@dataclass(slots=True)
class _Flight:
    packet: Packet
    waiting: Waiting


class GpsTracker(DeviceClient):
    """A phone or a box in a vehicle that tells its position.

    A position is kept in a file until the broker has it: through tunnels, restarts and power
    cuts. It tells as often as it is asked to (`ReportingWish`, retained at the broker, and kept
    with the positions), as far as it can, and says what it makes of that.

    Args:
        host: the broker's host name or address.
        port: the broker's port.
        backlog: the file in which positions wait; None keeps them in memory alone.
        held: how many wait at most; then the oldest go.
        bounds: what it can and will do, whatever it is asked for.
        on_reporting: told how often it tells from now on.
        on_advice: told what is wrong with what it tells; None when nothing is any more.
        options: see `DeviceClient`.

    Raises:
        OutboxInUse: another process has the backlog open.
        OutboxBroken: the backlog cannot be used.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        backlog: Path | None = None,
        held: int = HELD,
        bounds: Bounds | None = None,
        on_reporting: OnReporting | None = None,
        on_advice: OnAdvice | None = None,
        **options: Unpack[DeviceOptions],
    ) -> None:
        self._backlog: Final = Backlog(backlog, most=held)
        try:
            super().__init__(host, port, **options)
        except BaseException:
            self._backlog.close()
            raise
        self._bounds: Final = bounds or Bounds()
        self._on_reporting: Final = on_reporting
        self._on_advice: Final = on_advice
        self._telling: Final = threading.Lock()
        self._emptied: Final = threading.Condition()
        self._last: OneFix | None = None
        wish = self._backlog.wish
        self._reporting = Reporting() if wish is None else follow(wish, self._bounds)
        self._advice: TrackerAdvice | None = None
        address = {"tenant": self.tenant, "device": self.device}
        self._wishes: Final = ReportingWish.route.topic(**address)
        self._advised: Final = TrackerAdvice.route.topic(**address)
        # Only the device's own thread touches these.
        self._pace: Final = Pace(_BURST_BYTES, _BYTES_PER_S)
        self._flights: Final[deque[_Flight]] = deque()
        self._told: Final[list[Waiting]] = []
        self._reached = 0
        """The place in the backlog up to which all is on its way, or told."""
        self._fresh = 0
        """What lies up to this place waited while we were away: it lingers no more."""
        self._forget_at = float("inf")
        self._linger_until: float | None = None

    # -- what anyone may call -------------------------------------------------------

    def report(self, fix: OneFix) -> bool:
        """Have a position told, now or at the next connection.

        Returns:
            Whether it will be: one that comes sooner than was asked for is left out.

        Raises:
            OutboxBroken: the disk did not take it.
        """
        return self.report_many((fix,)) == 1

    def report_many(self, fixes: Iterable[OneFix]) -> int:
        """The same with many, oldest first, and one write to the disk; tells how many will be."""
        with self._telling:
            due = []
            for fix in fixes:
                if is_due(fix, self._last, self._reporting):
                    due.append(fix)
                    self._last = fix
            before = self._backlog.dropped
            self._backlog.keep(due)
        if self._backlog.dropped > before:
            self._report("too many positions wait: the oldest are lost")
        if due:
            self._wake()
        return len(due)

    @property
    def untold(self) -> int:
        """How many positions the broker does not have yet."""
        return len(self._backlog)

    @property
    def lost(self) -> int:
        """How many went untold, for too many waited; since this was made."""
        return self._backlog.dropped

    def wait_told(self, timeout: float | None = None) -> bool:
        """Wait until the broker has every position; tells whether that is so."""
        with self._emptied:
            return self._emptied.wait_for(lambda: not self._backlog, timeout)

    @property
    def reporting(self) -> Reporting:
        """How often it tells."""
        return self._reporting

    @property
    def advice(self) -> TrackerAdvice | None:
        """What is wrong with what it tells; None where nothing is known to be."""
        return self._advice

    def close(self, timeout: float = 5.0) -> None:
        """Say goodbye and stop. What the broker does not have stays in the backlog."""
        super().close(timeout)
        with self._telling:
            self._backlog.close()

    # -- on the device's own thread ---------------------------------------------------

    def _filters(self) -> list[str]:
        return [*super()._filters(), self._wishes, self._advised]

    def _connected(self, now: float) -> None:
        super()._connected(now)
        self._reached = 0
        self._fresh = self._backlog.newest()
        self._flights.clear()
        self._linger_until = None
        if self._reporting.number:
            self._publish(self._reporting.told_back())

    def _disconnected(self, now: float) -> None:
        super()._disconnected(now)
        self._flights.clear()
        self._forget()

    def _receive(self, message: Received, now: float) -> None:
        if message.topic == self._wishes:
            self._wished(message.payload)
        elif message.topic == self._advised:
            self._hear(message.payload)
        else:
            super()._receive(message, now)

    def _wished(self, payload: bytes) -> None:
        wish: ReportingWish | None = None
        if payload:
            wish = envelope_of(ReportingWish).model_validate_json(payload).data
        reporting = Reporting() if wish is None else follow(wish, self._bounds)
        known, self._reporting = reporting == self._reporting, reporting
        # To who asks once more, too: the first answer may not have come through.
        self._publish(reporting.told_back())
        if known:
            return
        try:
            self._backlog.keep_wish(wish)
        except OutboxBroken as error:  # it is followed all the same, until the next start
            self._report(str(error))
        if self._on_reporting is not None:
            self._call(self._on_reporting, reporting)

    def _hear(self, payload: bytes) -> None:
        advice: TrackerAdvice | None = None
        if payload:
            advice = envelope_of(TrackerAdvice).model_validate_json(payload).data
        self._advice = advice
        for complaint in advice.complaints if advice is not None else ():
            self._report(_in_words(complaint.what, complaint.seconds, complaint.text))
        if self._on_advice is not None:
            self._call(self._on_advice, advice)

    def _tick(self, now: float) -> float:
        if now >= self._forget_at:
            self._forget()
        following = super()._tick(now)
        if not self.online:
            return min(following, self._forget_at)
        begins = self._begins(now)
        return min(following, self._forget_at, max(begins, self._requests.held_until))

    def _begins(self, now: float) -> float:
        """When the next message goes: as its positions linger and the pace lets it, or never."""
        if len(self._flights) >= _WINDOW:
            return float("inf")
        newest = self._backlog.newest()
        waits = newest - self._reached
        if waits <= 0:
            self._linger_until = None
            return float("inf")
        if waits >= self._reporting.together or self._reached < self._fresh:
            return self._pace.free_at(now)
        if self._linger_until is None:
            self._linger_until = now + self._reporting.linger_s
        return max(self._linger_until, self._pace.free_at(now))

    def _due(self, now: float) -> Iterator[Packet]:
        while self._begins(now) <= now:
            waiting = self._backlog.after(self._reached, MAX_FIXES, _MOST_BYTES)
            if waiting is None:
                self._reached = self._backlog.newest()
                return
            self._reached = waiting.last
            self._linger_until = None
            if not waiting.fixes:  # none of them can be read any more
                self._told.append(waiting)
                self._forget_at = min(self._forget_at, now)
                continue
            packet = self._voice.packet(_message(waiting.fixes))
            self._pace.take(now, len(packet.payload))
            self._flights.append(_Flight(packet, waiting))
            yield packet

    def _confirmed(self, packet: Packet, now: float) -> None:
        super()._confirmed(packet, now)
        for flight in self._flights:
            if flight.packet is packet:
                self._flights.remove(flight)
                self._told.append(flight.waiting)
                self._forget_at = min(self._forget_at, now + _FORGET_S)
                if not self._flights and self._reached >= self._backlog.newest():
                    self._forget()  # somebody may wait for all to be told
                return

    def _forget(self) -> None:
        self._forget_at = float("inf")
        if not self._told:
            return
        try:
            self._backlog.forget(self._told)
        except OutboxBroken as error:
            self._report(str(error))
            self._forget_at = time.monotonic() + 5.0
            return
        self._told.clear()
        with self._emptied:
            self._emptied.notify_all()


def _message(fixes: tuple[OneFix, ...]) -> Fix | Fixes:
    if len(fixes) == 1:
        return Fix.model_validate(fixes[0].model_dump())
    return Fixes(fixes=fixes)


def _in_words(what: Complaint, seconds: float | None, text: str) -> str:
    """What a complaint says, for whoever looks after the tracker."""
    if what is Complaint.CLOCK and seconds:
        which = "ahead" if seconds > 0 else "behind"
        return f"the clock is {abs(seconds):.0f} s {which}: set it right"
    return f"the services cannot use its positions ({what.value})" + (f": {text}" if text else "")
