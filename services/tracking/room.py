"""Where positions wait between their arrival and the next tick.

Telemetry is heard whole: what others listen to is theirs, what carries positions is ours, and
what nobody knows must be seen by somebody. The guard stands before all of it: who sends more than
allowed is turned away before anything is read, and what no device may leave standing is cleared.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Final

from schemas.topics import Plane, is_on
from services.runtime.bus import Delivery
from services.runtime.guard import Guard
from services.tracking.arriving import is_others
from services.tracking.holding_back import HeldBack

OF_TICK: Final = 3
"""Messages of one device in one tick: a tunnel's worth must not keep the others waiting."""
OF_TICK_BYTES: Final = 65_536
"""Of small messages it may be more, as long as they come to no more than this together: a bridge
speaks for hundreds."""
OF_ALL_BYTES: Final = 1 << 20
"""Of all devices in one tick: it is read and judged in one go, and others wait for this loop."""
OF_DEVICE: Final = 500
"""Messages of one device that may wait; what is more is turned away."""


class PositionRoom:
    """A `services.runtime.bus.WaitingRoom`, in the order of arrival.

    Args:
        guard: knows who may send how much; it is asked for every message.
        counts: what happened since the start.
    """

    def __init__(self, guard: Guard, counts: Counter[str]) -> None:
        self._guard: Final = guard
        self._counts: Final = counts
        self._waiting: list[Delivery] = []
        self._of_device: Counter[str] = Counter()
        self._held: Final = HeldBack(guard, counts)

    def add(self, delivery: Delivery) -> bool:
        """See `services.runtime.bus.WaitingRoom.add`."""
        topic = delivery.topic
        if not is_on(Plane.TELEMETRY, topic):
            # A state that is looked through at the beginning: who asked for it takes it.
            self._waiting.append(delivery)
            return True
        if is_others(topic):
            return False
        return self._held.takes(delivery, _head(topic)) or not self.enter(delivery)

    def enter(self, delivery: Delivery) -> float:
        """Let what a tracker told in.

        Returns:
            0.0; or the seconds after which it may come again, infinite where it never may.
        """
        head = _head(delivery.topic)
        wait = self._guard.wait_for(delivery, has_room=self._of_device[head] < OF_DEVICE)
        if wait:
            return wait
        if delivery.retain:
            self._counts["retained"] += 1
            return math.inf
        self._of_device[head] += 1
        self._waiting.append(delivery)
        return 0.0

    def leave(self, delivery: Delivery) -> None:
        """Let one out that waits still, for nobody waits for it any more."""
        for place, each in enumerate(self._waiting):
            if each is delivery:
                del self._waiting[place]
                self._of_device[_head(each.topic)] -= 1
                return

    def take(self, limit: int) -> list[Delivery]:
        """See `services.runtime.bus.WaitingRoom.take`."""
        taken: list[Delivery] = []
        left: list[Delivery] = []
        of_tick: Counter[str] = Counter()
        of_tick_bytes: Counter[str] = Counter()
        bytes_left = OF_ALL_BYTES
        self._of_device.clear()
        self._waiting += self._held.release()
        for delivery in self._waiting:
            if not is_on(Plane.TELEMETRY, delivery.topic):
                # States have no shares: what shows that all were there comes after them.
                (taken if len(taken) < limit else left).append(delivery)
                continue
            head, size = _head(delivery.topic), len(delivery.payload)
            of_tick_bytes[head] += size
            fits = of_tick[head] < OF_TICK or of_tick_bytes[head] <= OF_TICK_BYTES
            if fits and bytes_left > 0 and len(taken) < limit:
                of_tick[head] += 1
                bytes_left -= size
                taken.append(delivery)
            else:
                self._of_device[head] += 1
                left.append(delivery)
        self._waiting = left
        return taken

    def clear(self) -> None:
        """Forget all: the broker brings again what was not acknowledged."""
        self._waiting.clear()
        self._of_device.clear()
        self._held.clear()

    def __len__(self) -> int:
        return len(self._waiting) + self._held.is_due


def _head(topic: str) -> str:
    """Whose telemetry it is."""
    return "/".join(topic.split("/", 5)[:5])
