"""What the position line publishes: states of which only the last counts.

They are no parcels: who misses one is told the next. So what waits while the broker is slow is
not a line of messages but one a topic, and memory stays as it is whatever happens.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from services.runtime.bus import ConnectionLost, Session
from services.runtime.context import Outgoing

WINDOW: Final = 500
"""How many may be on their way to the broker, unconfirmed."""


class Announcer:
    """Publishes on whatever connection there is."""

    def __init__(self) -> None:
        self._session: Session | None = None
        self._waiting: dict[str, Outgoing] = {}
        self._in_flight = 0
        self.published = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def attach(self, session: Session) -> None:
        """Publish on this connection from now on."""
        self._session = session
        self._in_flight = 0
        session.on_confirmed(lambda _tag: self._confirm() if self._session is session else None)
        session.on_lost(lambda: self.detach() if self._session is session else None)

    def detach(self) -> None:
        """The connection is gone; what was told on it is told again after the next."""
        self._session = None
        self._waiting.clear()

    @property
    def backlog(self) -> int:
        """How many messages wait."""
        return len(self._waiting)

    def say(self, messages: Iterable[Outgoing]) -> None:
        """Publish these; one that waits still gives way to what is newer."""
        if self._session is None:
            return
        for each in messages:
            self._waiting.pop(each.topic, None)
            self._waiting[each.topic] = each
        self._pump()

    def _confirm(self) -> None:
        self._in_flight -= 1
        if self._waiting:
            self._pump()

    def _pump(self) -> None:
        session = self._session
        while self._waiting and session is not None and self._in_flight < WINDOW:
            topic = next(iter(self._waiting))
            each = self._waiting.pop(topic)
            try:
                session.publish(topic, each.payload, qos=each.qos, retain=each.retain)
            except ConnectionLost:
                self.detach()
                return
            self.published += 1
            self._in_flight += 1 if each.qos else 0
