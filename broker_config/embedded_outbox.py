"""What is on its way to one client of the embedded broker, or is kept for it: bounded.

amqtt bounds neither what waits nor what is in flight, and forgets what was not acknowledged
within 5 s, or before the link was cut.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

from broker_config.embedded_packets import publish_packet

_OVERHEAD: Final = 400
"""Bytes that a message costs here besides its payload, about."""
_IDENTIFIERS: Final = 65_535


class Kept(NamedTuple):
    """A message of QoS 1."""

    topic: bytes
    payload: bytes
    retain: bool

    @property
    def cost(self) -> int:
        """Bytes that it takes here; receivers share a payload, and each is charged for it."""
        return len(self.payload) + _OVERHEAD


class Share:
    """Bytes that may wait for several clients together.

    Args:
        most: how many.
    """

    __slots__ = ("most", "used")

    def __init__(self, most: int) -> None:
        self.most: Final = most
        self.used = 0


class Outbox:
    """One client's messages of QoS 1, until they are acknowledged.

    Args:
        inflight: how many may be sent and not acknowledged.
        waiting: how many there may be.
        waiting_bytes: the same in bytes.
        share: what bounds others together with this client.
    """

    def __init__(self, inflight: int, waiting: int, waiting_bytes: int, share: Share) -> None:
        self._most = (inflight, waiting, waiting_bytes)
        self._share = share
        self._waiting: deque[Kept] = deque()
        self._inflight: dict[int, Kept] = {}
        self._bytes = 0
        self._last = 0

    def put(self, message: Kept) -> bool:
        """Take a message; False where there is no more room, and it is dropped."""
        _, waiting, waiting_bytes = self._most
        cost, share = message.cost, self._share
        if (
            len(self._waiting) + len(self._inflight) >= waiting
            or self._bytes + cost > waiting_bytes
            or share.used + cost > share.most
        ):
            return False
        self._bytes += cost
        share.used += cost
        self._waiting.append(message)
        return True

    def next_packet(self) -> bytes | None:
        """Put the next message in flight; None while none waits, or too many are."""
        if not self._waiting or len(self._inflight) >= self._most[0]:
            return None
        identifier = self._last % _IDENTIFIERS + 1
        while identifier in self._inflight:
            identifier = identifier % _IDENTIFIERS + 1
        self._last = identifier
        message = self._waiting.popleft()
        self._inflight[identifier] = message
        return publish_packet(message.topic, message.payload, identifier, retain=message.retain)

    def acknowledge(self, identifier: int) -> None:
        """Forget a message that has come; an identifier of none is no error."""
        message = self._inflight.pop(identifier, None)
        if message is not None:
            self._give_back(message.cost)

    def unacknowledged(self) -> Iterator[bytes]:
        """Write what is in flight once more, in its order."""
        for identifier, message in self._inflight.items():
            yield publish_packet(
                message.topic, message.payload, identifier, retain=message.retain, dup=True
            )

    @property
    def is_in_flight(self) -> bool:
        """Tell whether an acknowledgement is to come."""
        return bool(self._inflight)

    def clear(self) -> None:
        """Forget everything."""
        self._give_back(self._bytes)
        self._waiting.clear()
        self._inflight.clear()

    def _give_back(self, cost: int) -> None:
        self._bytes -= cost
        self._share.used -= cost
