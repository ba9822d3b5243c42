"""What the embedded broker refuses: counted, and told in lines that nobody can flood.

Names that strangers send are cut short and escaped; secrets and payloads are never shown.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from typing import Final

from broker_config.limits import BrokerLimits

_log: Final = logging.getLogger(__name__)

_SHOWN: Final = 80
_REMEMBERED: Final = 4_096


class Kind(StrEnum):
    """What was refused."""

    LOGIN = "login refused"
    WILL = "will refused"
    SUBSCRIBE = "subscription refused"
    PUBLISH = "publish refused"
    RETAIN = "retained flag dropped"
    VIOLATION = "protocol violation"
    SILENCE = "silent for too long"
    MESSAGES = "too many messages"
    BYTES = "too many bytes"
    SUBSCRIPTIONS = "too many subscriptions"
    CONNECTIONS = "too many connections"
    WAITING = "too much waits unread"


EXCEEDED: Final = frozenset(
    {Kind.MESSAGES, Kind.BYTES, Kind.SUBSCRIPTIONS, Kind.CONNECTIONS, Kind.WAITING, Kind.RETAIN}
)
"""Of these a device is told: it did what it may, but too much of it."""


class _Told:
    __slots__ = ("again_at", "unsaid")

    def __init__(self) -> None:
        self.again_at = 0.0
        self.unsaid = 0


class Refusals:
    """Counts refusals, and tells of the first of each kind and client in a minute.

    Args:
        limits: how often.
        exceeded: called with a client id and what it exceeded, as often as a line is written.
    """

    def __init__(self, limits: BrokerLimits, exceeded: Callable[[str, Kind], None]) -> None:
        self._every_s: Final = limits.told_every_s
        self._most: Final = limits.lines
        self._exceeded: Final = exceeded
        self._told: dict[tuple[Kind, str], _Told] = {}
        self._lines: Counter[Kind] = Counter()
        self._lines_until = 0.0
        # All of them from the start: another thread may copy it at any time.
        self.counts: Final = Counter(dict.fromkeys(Kind, 0))

    def note(self, kind: Kind, who: str, where: str, why: str, *, let_in: bool = True) -> None:
        """Count a refusal, and write a line about it unless that was done a moment ago.

        Args:
            kind: what was refused.
            who: a client id, or the name that a stranger gave.
            where: the address it came from.
            why: what was wrong; whatever a client sent is shown by `shown`.
            let_in: `who` is the client that it says it is.
        """
        self.counts[kind] += 1
        now = time.monotonic()
        told = self._told_of(kind, who, now)
        if told is None or now < told.again_at:
            if told is not None:
                told.unsaid += 1
            return
        if self._lines[kind] >= self._most:
            return
        self._lines[kind] += 1
        more = f" ({told.unsaid} more since the last line)" if told.unsaid else ""
        told.again_at, told.unsaid = now + self._every_s, 0
        _log.warning("%s: %s from %s: %s%s", kind.value, shown(who), where, why, more)
        if let_in and kind in EXCEEDED:
            self._exceeded(who, kind)

    def _told_of(self, kind: Kind, who: str, now: float) -> _Told | None:
        if now >= self._lines_until:
            self._lines_until = now + self._every_s
            self._lines.clear()
            since = now - self._every_s
            self._told = {k: one for k, one in self._told.items() if one.again_at > since}
        key = (kind, who[:_SHOWN])
        if key not in self._told:
            if len(self._told) >= _REMEMBERED:
                return None
            self._told[key] = _Told()
        return self._told[key]


def shown(text: str) -> str:
    """Write a text from outside so that it cannot break a line, nor fill the log."""
    safe = ascii(text[:_SHOWN])[1:-1]
    return f"'{safe}{'…' if len(text) > _SHOWN else ''}'"
