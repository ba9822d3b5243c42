"""When a request is sent, and sent again: pure, `now` is an argument."""

from __future__ import annotations

import random
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a device waits before it says something again. All in seconds.

    Attributes:
        first_s: before the first repetition of a request.
        longest_s: between later ones; the wait doubles up to this.
        window: how many requests may be on their way at once; the others wait in
            line, so that a long time offline does not end in a flood.
        reconnect_first_s: the longest wait before the first attempt to connect again.
        reconnect_longest_s: the longest wait between later attempts.
        refused_s: between attempts after the broker refused the name or the password.
    """

    first_s: float = 2.0
    longest_s: float = 30.0
    window: int = 100
    reconnect_first_s: float = 0.25
    reconnect_longest_s: float = 15.0
    refused_s: float = 60.0


@dataclass(slots=True)
class _Flight:
    due: float
    wait: float


class Resending(Generic[K]):
    """What to send now: a line, and a window of what is on its way.

    Waits have jitter (half to all of the wait), so that a hundred devices that lost
    the same broker do not come back in step.

    What the services refuse for now goes back to the head of the line, and nothing is sent
    for a while. Then the window is half as wide, and widens by one with every answer: so it
    settles at what the services let in.
    """

    def __init__(self, patience: Patience, rng: random.Random | None = None) -> None:
        self._patience: Final = patience
        self._rng = rng or random.Random()  # noqa: S311 - jitter is no secret
        self._line: dict[K, None] = {}
        self._again: dict[K, None] = {}
        """What was refused for now: before the line."""
        self._window = patience.window
        self._held_until = float("-inf")
        self._flying: dict[K, _Flight] = {}
        self._next_due = float("inf")

    def __len__(self) -> int:
        return len(self._line) + len(self._again) + len(self._flying)

    def __contains__(self, key: object) -> bool:
        return key in self._flying or key in self._again or key in self._line

    def add(self, key: K) -> None:
        """Put it at the end of the line, once."""
        if key not in self._flying and key not in self._again:
            self._line[key] = None

    def remove(self, key: K) -> bool:
        """It is answered or given up; tells whether it was here."""
        if self._flying.pop(key, None) is not None:
            self._window = min(self._window + 1, self._patience.window)
            return True
        waiting = self._again if key in self._again else self._line
        return key in waiting and waiting.pop(key) is None

    def hold(self, now: float, until: float, key: K | None = None) -> None:
        """Send nothing before a time; `key` was refused for now, and is to be sent again."""
        if now >= self._held_until:
            self._window = max(1, min(self._window, len(self._flying)) // 2)
        self._held_until = max(self._held_until, until)
        if key is not None and self._flying.pop(key, None) is not None:
            self._again[key] = None

    def reconnected(self) -> None:
        """What was on its way may be lost: all of it is due at once, in its order."""
        for flight in self._flying.values():
            flight.due = float("-inf")
            flight.wait = self._patience.first_s
        self._next_due = float("-inf") if self._flying else float("inf")

    def due(self, now: float) -> list[K]:
        """What is to be sent now, the oldest first; it counts as sent."""
        again: list[K] = []
        if now < self._held_until:
            return again
        if now >= self._next_due:
            for key, flight in self._flying.items():
                if now >= flight.due:
                    again.append(key)
                    flight.due = now + flight.wait * self._jitter()
                    flight.wait = min(flight.wait * 2, self._patience.longest_s)
            self._next_due = min((f.due for f in self._flying.values()), default=float("inf"))
        free = self._window - len(self._flying)
        while free > 0 and (line := self._again or self._line):
            key = next(iter(line))
            del line[key]
            first = self._patience.first_s
            # The first wait is given whole: half of it would repeat what is only slow.
            self._flying[key] = _Flight(now + first, min(first * 2, self._patience.longest_s))
            self._next_due = min(self._next_due, now + first)
            again.append(key)
            free -= 1
        return again

    def next_due(self) -> float:
        """When `due` has something next (it may turn out to be nothing); inf for never."""
        if (self._again or self._line) and len(self._flying) < self._window:
            return self._held_until
        return max(self._next_due, self._held_until)

    def _jitter(self) -> float:
        return self._rng.uniform(0.5, 1.0)


class Reconnecting:
    """How long to stay away before the next attempt to connect."""

    STEADY_S: Final = 5.0
    """A connection that held so long was a good one: the next attempt need not wait."""

    def __init__(self, patience: Patience, rng: random.Random | None = None) -> None:
        self._patience: Final = patience
        self._rng = rng or random.Random()  # noqa: S311 - jitter is no secret
        self._attempts = 0

    def pause(self, *, held_s: float, refused: bool = False) -> float:
        """Seconds until the next attempt.

        Args:
            held_s: how long the device was online; 0 where it never was.
            refused: the broker does not let it in: asking often would not help.
        """
        patience = self._patience
        if held_s > self.STEADY_S:
            self._attempts = 0
        wait = patience.reconnect_first_s * 2 ** min(self._attempts, 20)
        self._attempts += 1
        longest = patience.refused_s if refused else min(wait, patience.reconnect_longest_s)
        return longest * self._rng.uniform(0.5, 1.0)
