"""How fast a device sends what it has kept: no faster than it is let. Pure."""

from __future__ import annotations

import math
from typing import Final


class Pace:
    """So many bytes after a rest, and so many a second from then on.

    Args:
        burst: bytes; one message may go beyond it.
        per_s: bytes a second.
    """

    def __init__(self, burst: int, per_s: int) -> None:
        self._depth: Final = burst / per_s
        self._each: Final = 1.0 / per_s
        self._full = -math.inf
        """When nothing of what was sent counts any more, in seconds of a steady clock."""

    def free_at(self, now: float) -> float:
        """When the next message may go: now, or later."""
        return max(now, self._full - self._depth)

    def take(self, now: float, size: int) -> None:
        """A message of so many bytes goes."""
        self._full = max(self._full, now) + size * self._each
