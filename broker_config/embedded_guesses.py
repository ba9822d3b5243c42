"""Slow answers for who guesses secrets at the embedded broker.

Only refusals are held back: whoever has the right secret is let in at once, however many
others guess under the same name from the same address.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Final

from broker_config.limits import BrokerLimits

_REMEMBERED: Final = 10_000


class Guesses:
    """Failed logins of late, by address and name.

    Args:
        limits: how many are free, and how slow the others become.
    """

    def __init__(self, limits: BrokerLimits) -> None:
        self._limits: Final = limits
        self._failed: OrderedDict[tuple[str, int], tuple[int, float]] = OrderedDict()
        self.waiting = 0
        """Refusals that are being held back."""

    def delay_s(self, address: str, username: str) -> float:
        """Count a failure, and tell for how long to hold back the refusal."""
        limits, now = self._limits, time.monotonic()
        key = (address, hash(username))  # a stranger's name may be long
        count, at = self._failed.pop(key, (0, now))
        count = 1 if now - at > limits.guesses_forgotten_s else count + 1
        self._failed[key] = (count, now)
        if len(self._failed) > _REMEMBERED:
            self._failed.popitem(last=False)
        beyond = count - limits.free_guesses
        if beyond <= 0 or self.waiting >= limits.guesses_waiting:
            return 0.0
        return min(limits.guess_delay_s * 2.0 ** min(beyond - 1, 30), limits.guess_delay_most_s)
