"""What a device has asked and what has become of it: the core between outbox and wire."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from devices.connection import Packet
from devices.outbox import Entry, Outbox, OutboxBroken, OutboxWriter
from devices.pending import Pending
from devices.resending import Patience, Resending
from schemas.replies import Reply

LEAST_HOLD_S: Final = 1.0
"""How long nothing is sent when the services say "not now" and not for how long."""
LONGEST_HOLD_S: Final = 300.0
_BUSY_GAP_S: Final = 0.006
_GATHER_S: Final = 0.015
"""A device that is asked more often than once in `_BUSY_GAP_S` (no person does that: a
replay does) gathers for so long what it then writes at once: each write to the disk
costs more than all else that an order costs here."""


@dataclass(slots=True)
class _Asked:
    packet: Packet
    pending: Pending[Any]
    expires: float = float("inf")
    sent: bool = False


class Requests:
    """Requests that wait for their replies: durable ones, and questions in memory.

    Any thread asks; the device's own thread does the rest: it takes the mail (what
    the disk has, and new questions), sends what is due, and brings the replies.

    Args:
        outbox: the durable outbox's file; None keeps everything in memory.
        name: for the name of the outbox's thread.
        wake: called, from any thread, when there is mail.
        report: called, from the outbox's thread, when the disk fails.
    """

    def __init__(
        self,
        outbox: Path | None,
        *,
        name: str,
        patience: Patience,
        wake: Callable[[], None],
        report: Callable[[str], None],
    ) -> None:
        self.resent = 0
        self.held_until = float("-inf")
        """Nothing is to be sent before that time: the services have said so."""
        self._name = name
        self._wake = wake
        self._report = report
        self._lock = threading.Lock()
        self._emptied = threading.Condition(self._lock)
        self._closed = False
        self._live = False
        self._gap = 1.0
        """The time between two requests, smoothed."""
        self._last_asked = self._flush_at = float("-inf")
        self._kept: dict[UUID, _Asked] = {}
        self._questions: dict[UUID, _Asked] = {}
        self._mail: deque[Sequence[UUID]] = deque()
        self._line: Resending[UUID] = Resending(patience)
        self._light: Resending[UUID] = Resending(patience)
        self._writer = None if outbox is None else self._open(Outbox(outbox))

    def __len__(self) -> int:
        """How many durable requests wait; questions do not count."""
        return len(self._kept)

    def get(self, request_id: UUID) -> Pending[Any] | None:
        """The handle of a durable request that still waits."""
        with self._lock:
            asked = self._kept.get(request_id)
        return asked.pending if asked else None

    def ask(self, packets: Sequence[tuple[UUID, Packet]], at: datetime) -> list[Pending[Any]]:
        """Keep these, then send them. An id that waits already gives its handle again.

        Raises:
            ValueError: the id waits already, with another content; none is taken.
            RuntimeError: the device is closed.
        """
        handles: list[Pending[Any]] = []
        new: dict[UUID, _Asked] = {}
        with self._lock:
            self._refuse_if_closed()
            for id_, packet in packets:
                asked = self._kept.get(id_) or new.get(id_)
                if asked is None:
                    asked = new[id_] = _Asked(packet, Pending(id_))
                elif not _same(asked.packet, packet):
                    raise ValueError(f"{id_} stands in the outbox with another content")
                handles.append(asked.pending)
            self._kept.update(new)
            asked_at = time.monotonic()
            self._gap += (min(asked_at - self._last_asked, 1.0) - self._gap) / 32
            self._last_asked = asked_at
            if self._writer is not None:
                # Inside the lock, so that the outbox has them in the order of asking.
                self._writer.put(
                    [Entry(id_, a.packet.topic, a.packet.payload, at) for id_, a in new.items()],
                    flushed=self._live,
                )
        if self._writer is None:
            self._post(list(new))
        elif self._live and time.monotonic() >= self._flush_at:
            # Else the device's thread is gathering, and will look by itself.
            self._wake()
        return handles

    def question(self, id_: UUID, packet: Packet, expires_s: float) -> Pending[Any]:
        """Send this until it is answered or its time is over; it is kept in memory alone.

        Raises:
            RuntimeError: the device is closed.
        """
        asked = _Asked(packet, Pending(id_), time.monotonic() + expires_s)
        with self._lock:
            self._refuse_if_closed()
            self._questions[id_] = asked
        self._post([id_])
        return asked.pending

    def drain(self, timeout: float | None) -> bool:
        """Wait until every durable request has its reply; tells whether that is so."""
        with self._emptied:
            self._emptied.wait_for(lambda: not self._kept or self._closed, timeout)
            return not self._kept

    def refuse(self) -> None:
        """Take no more."""
        with self._lock:
            self._closed = True
            self._emptied.notify_all()

    def close(self) -> None:
        """Write what waits, and tell the handles that no reply will come through them."""
        self.refuse()
        if self._writer is not None:
            self._writer.close()
        with self._lock:
            left = [*self._kept.values(), *self._questions.values()]
        for asked in left:
            asked.pending.give_up("the device was closed; what is in its outbox is sent next time")

    # -- for the device's own thread --------------------------------------------------

    def live(self, *, is_live: bool) -> None:
        """Tell whether the device's thread is at its work, and not away for seconds.

        While it is, it writes to the disk itself: what is asked is then published with
        one change of threads, not two. While it is not, the outbox's thread writes.
        """
        with self._lock:
            self._live = is_live
        if not is_live and self._writer is not None:
            self._writer.nudge()

    def take_mail(self, now: float) -> None:
        """Put in line what the disk has taken, and new questions."""
        if self._live and self._writer is not None and now >= self._flush_at:
            busy = self._writer.flush() and self._gap < _BUSY_GAP_S
            self._flush_at = now + _GATHER_S if busy else now
        while self._mail:
            for id_ in self._mail.popleft():
                if id_ in self._kept:
                    self._line.add(id_)
                elif id_ in self._questions:
                    self._light.add(id_)

    def reconnected(self) -> None:
        """Whatever was on its way may be lost."""
        self._light.reconnected()
        self._line.reconnected()

    def due(self, now: float) -> list[Packet]:
        """What is to be published now; questions first, they are few and someone waits."""
        packets = []
        for line, asked_of in ((self._light, self._questions), (self._line, self._kept)):
            for id_ in line.due(now):
                asked = asked_of.get(id_)
                if asked is None:
                    line.remove(id_)
                    continue
                self.resent += asked.sent
                asked.sent = True
                packets.append(asked.packet)
        return packets

    def next_due(self, now: float) -> float:
        """When to take the mail and to ask `due` next; inf for never."""
        gathering = self._flush_at if self._flush_at > now else float("inf")
        return min(gathering, self._light.next_due(), self._line.next_due())

    def expire(self, now: float) -> None:
        """Give up questions whose time is over."""
        for id_, asked in list(self._questions.items()):
            if now >= asked.expires and self._take(id_) is not None:
                self._light.remove(id_)
                asked.pending.give_up("no answer in time")

    def hold(self, reply: Reply, now: float) -> None:
        """The services take nothing more for now: what waits is sent later, under the same ids."""
        wait = LEAST_HOLD_S if reply.retry_after_s is None else reply.retry_after_s
        # Others were told the same: not all of them need come back in the same moment.
        until = now + min(wait, LONGEST_HOLD_S) * random.uniform(1.0, 1.25)  # noqa: S311 - jitter
        self.held_until = max(self.held_until, until)
        self._light.hold(now, until, reply.request)
        self._line.hold(now, until, reply.request)

    def settle(self, reply: Reply) -> tuple[bool, bool]:
        """Bring a reply to whom it belongs.

        Returns:
            Whether anyone waited for it, and whether the request was a durable one:
            its id is then to be given to `clear`.
        """
        id_ = reply.request
        if id_ is None:
            return False, False
        durable = id_ in self._kept
        asked = self._take(id_)
        if asked is None:
            return False, False
        (self._line if durable else self._light).remove(id_)
        asked.pending.settle(reply)
        return True, durable

    def clear(self, ids: list[UUID]) -> None:
        """Forget these on the disk."""
        if self._writer is not None and ids:
            self._writer.clear(ids)

    # -- inside -----------------------------------------------------------------------

    def _open(self, outbox: Outbox) -> OutboxWriter:
        try:
            left = outbox.waiting()
        except OutboxBroken:
            outbox.close()
            raise
        for entry in left:
            asked = _Asked(Packet(entry.topic, entry.payload), Pending(entry.id))
            asked.pending.say_kept()
            self._kept[entry.id] = asked
        self._mail.append([entry.id for entry in left])
        return OutboxWriter(
            outbox,
            name=f"outbox {self._name}",
            on_kept=self._on_kept,
            on_failed=self._on_failed,
        )

    def _on_kept(self, ids: list[UUID]) -> None:
        for id_ in ids:
            asked = self._kept.get(id_)
            if asked is not None:
                asked.pending.say_kept()
        self._post(ids)

    def _on_failed(self, ids: list[UUID], error: OutboxBroken) -> None:
        for id_ in ids:
            asked = self._take(id_)
            if asked is not None:
                asked.pending.give_up(f"not sent: {error}")
        self._report(str(error))

    def _post(self, ids: Sequence[UUID]) -> None:
        self._mail.append(ids)
        self._wake()

    def _take(self, id_: UUID) -> _Asked | None:
        with self._lock:
            asked = self._kept.pop(id_, None)
            if asked is None:
                return self._questions.pop(id_, None)
            if not self._kept:
                self._emptied.notify_all()
            return asked

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise RuntimeError(f"{self._name} is closed")


def _same(one: Packet, other: Packet) -> bool:
    """Whether two sendings ask the same, whenever they were written."""
    mine, theirs = json.loads(one.payload), json.loads(other.payload)
    return one.topic == other.topic and bool(mine["data"] == theirs["data"])
