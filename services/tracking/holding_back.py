"""What a tracker sends faster than it may, in bytes alone: it waits here, unacknowledged.

The broker has confirmed it to its sender, which keeps it no longer: a tunnel's worth that is turned
away is lost. So it is not turned away but taken at the pace that is allowed, as long as it is not
too much: what waits here takes room of what the broker sends us before we acknowledge.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from typing import Final

from services.runtime.bus import Delivery
from services.runtime.guard import Guard

MOST: Final = 400
"""So many messages wait here at most, of all devices together: brokers send a thousand."""
MOST_BYTES: Final = 8 << 20
"""The same in bytes."""


class HeldBack:
    """Messages of those who sent too many bytes, each device's in its order.

    Args:
        guard: knows who may send how much.
        counts: what happened since the start.
    """

    def __init__(self, guard: Guard, counts: Counter[str]) -> None:
        self._guard: Final = guard
        self._counts: Final = counts
        self._waiting: dict[str, deque[Delivery]] = {}
        self._count = 0
        self._bytes = 0

    def takes(self, delivery: Delivery, of: str) -> bool:
        """Hold one back, if it is too early for its bytes alone, or behind another that is.

        Args:
            delivery: as it arrives.
            of: the device.
        """
        size = len(delivery.payload)
        if delivery.retain or not size or self._count >= MOST or self._bytes + size > MOST_BYTES:
            return False
        if of not in self._waiting:
            messages_s, bytes_s = self._guard.lacks(delivery)
            if messages_s or not 0.0 < bytes_s < float("inf"):
                return False
        self._waiting.setdefault(of, deque()).append(delivery)
        self._count += 1
        self._bytes += size
        self._counts["held back"] += 1
        return True

    def release(self) -> Iterator[Delivery]:
        """Let out what may come now."""
        for of in list(self._waiting):
            line = self._waiting[of]
            while (
                line
                and self._may_come(line[0])
                and not self._guard.wait_for(line[0], has_room=True)
            ):
                delivery = line.popleft()
                self._count -= 1
                self._bytes -= len(delivery.payload)
                yield delivery
            if not line:
                del self._waiting[of]

    @property
    def is_due(self) -> bool:
        """Whether anything may come now."""
        return any(self._may_come(line[0]) for line in self._waiting.values())

    def clear(self) -> None:
        """Forget all: the broker brings again what was not acknowledged."""
        self._waiting.clear()
        self._count = self._bytes = 0

    def __len__(self) -> int:
        return self._count

    def _may_come(self, delivery: Delivery) -> bool:
        return not any(self._guard.lacks(delivery))
