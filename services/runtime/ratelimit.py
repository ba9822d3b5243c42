"""How often something may happen: so many a second, with bursts.

Each bucket is one number, the moment at which it will be full again (the generic cell
rate algorithm, ITU-T I.371): taking moves that moment on, and whoever would move it
further than a burst from now has to wait. So a bucket that is full is the same as one
that nobody knows, and may be forgotten with no loss.

Times are seconds of any clock that never goes back (`time.monotonic`), given with each
call: a test owns them.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Rate:
    """So many a second for ever, and so many at once after a rest.

    Raises:
        ValueError: nothing could ever pass.
    """

    per_s: float
    burst: float

    def __post_init__(self) -> None:
        if not (0 < self.per_s < math.inf and 0 < self.burst < math.inf):
            raise ValueError(f"{self} lets nothing pass, or everything")


class Bucket:
    """What one sender may still do.

    Args:
        rate: how much that is.
    """

    __slots__ = ("_depth", "_each", "_full")

    def __init__(self, rate: Rate) -> None:
        self._each = 1 / rate.per_s
        self._depth = rate.burst / rate.per_s
        self._full = -math.inf

    def take(self, now: float, cost: float = 1.0) -> float:
        """Take `cost` of it.

        Returns:
            0.0 where that was there; else nothing was taken, and it is the seconds after
            which it will be (infinite for more than a burst).
        """
        full = self._full
        full = max(full, now) + cost * self._each
        wait = full - now - self._depth
        if wait > 1e-9:
            return math.inf if cost * self._each > self._depth else wait
        self._full = full
        return 0.0

    def give_back(self, cost: float = 1.0) -> None:
        """Undo a `take` that turned out not to count."""
        self._full -= cost * self._each


class Buckets:
    """A bucket for each key, all of one rate, in bounded memory.

    Of more than `most` keys the longest unused are forgotten, which gives those a full
    bucket: who can come under ever new keys must be held by a limit over all of them too.

    Args:
        rate: what each key may do.
        most: how many keys are remembered at least; at most twice as many are.
    """

    def __init__(self, rate: Rate, *, most: int = 10_000) -> None:
        self._rate: Final = rate
        self._most: Final = most
        self._young: dict[Hashable, Bucket] = {}
        self._old: dict[Hashable, Bucket] = {}

    def take(self, key: Hashable, now: float, cost: float = 1.0) -> float:
        """Take from the bucket of `key`; see `Bucket.take`."""
        return self.of(key).take(now, cost)

    def give_back(self, key: Hashable, cost: float = 1.0) -> None:
        """Undo a `take` that turned out not to count."""
        self.of(key).give_back(cost)

    def forget(self, key: Hashable) -> None:
        """Give `key` a full bucket."""
        self._young.pop(key, None)
        self._old.pop(key, None)

    def of(self, key: Hashable) -> Bucket:
        """The bucket of a key."""
        found = self._young.get(key)
        if found is None:
            # Two generations instead of an order of use: nothing is moved while it is young.
            found = self._old.pop(key, None) or Bucket(self._rate)
            if len(self._young) >= self._most:
                self._old, self._young = self._young, {}
            self._young[key] = found
        return found

    def __len__(self) -> int:
        return len(self._young) + len(self._old)
