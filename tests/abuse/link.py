"""A plain socket to a broker: it sends any bytes, and reads packets with a deadline."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Iterable
from typing import Final, Self

from broker_config.settings import BrokerAddress
from tests.abuse.packets import (
    CONNACK,
    GOODBYE,
    PING,
    PINGRESP,
    PUBACK,
    PUBLISH,
    SUBACK,
    Answer,
    publish,
    subscribe,
)
from tests.patience import PATIENCE_S

RST: Final = struct.pack("ii", 1, 0)


class NoAnswer(AssertionError):
    """The broker neither answered nor closed the connection in time."""


class Link:
    """One connection of a stranger."""

    def __init__(self, address: BrokerAddress) -> None:
        self._socket = socket.create_connection((address.host, address.port), timeout=PATIENCE_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray()
        self._mid = 0
        self.ended = False
        """The broker has closed it."""
        self.came: list[Answer] = []
        """Messages that came while something else was awaited."""

    # Sending

    def send(self, data: bytes) -> bool:
        """Send bytes; False where the broker has closed the connection."""
        try:
            self._socket.sendall(data)
        except (ConnectionError, TimeoutError):
            self.ended = True
        return not self.ended

    def send_while(self, data: Iterable[bytes], seconds: float) -> int:
        """Send one after another until the time is over; returns how many were taken."""
        sent = 0
        until = time.monotonic() + seconds
        for one in data:
            if time.monotonic() > until:
                break
            self._socket.settimeout(max(0.01, until - time.monotonic()))
            if not self.send(one):
                break
            sent += 1
        return sent

    # Reading

    def next(self, within: float = PATIENCE_S) -> Answer | None:
        """Wait for the next packet; None when the broker has closed instead.

        Raises:
            NoAnswer: neither happened in time.
        """
        deadline = time.monotonic() + within
        while (answer := self._cut_packet()) is None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise NoAnswer(f"no packet and no end in {within:.1f} s")
            if not self._read(left):
                return None
        return answer

    def answer(self, kind: int, within: float = PATIENCE_S) -> Answer | None:
        """Wait for a packet of one kind; messages that come before go to `came`."""
        while (found := self.next(within)) is not None and found.kind != kind:
            self.came.append(found)
        return found

    def end(self, within: float = PATIENCE_S) -> bool:
        """Wait until the broker has closed; whatever comes before goes to `came`."""
        while (found := self.next(within)) is not None:
            self.came.append(found)
        return True

    def _read(self, within: float) -> bool:
        self._socket.settimeout(within)
        try:
            data = self._socket.recv(65_536)
        except TimeoutError:
            return True
        except ConnectionError:
            data = b""
        self._buffer += data
        self.ended = not data
        return bool(data)

    def _cut_packet(self) -> Answer | None:
        size = shift = 0
        for position in range(1, min(5, len(self._buffer))):
            byte = self._buffer[position]
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                end = position + 1 + size
                if len(self._buffer) < end:
                    return None
                first, body = self._buffer[0], bytes(self._buffer[position + 1 : end])
                del self._buffer[:end]
                return Answer(first >> 4, first & 15, body)
        return None

    # What a device does

    def connack(self) -> Answer | None:
        """The answer to CONNECT."""
        return self.answer(CONNACK)

    def subscribe(self, *filters: str) -> list[int]:
        """Subscribe; returns the codes. An empty list: the broker closed instead."""
        self.send(subscribe(filters, mid=self.mid()))
        found = self.answer(SUBACK)
        return [] if found is None else found.granted()

    def publish(self, topic: str, payload: bytes = b"", *, retain: bool = False) -> bool:
        """Publish at QoS 1; False where the broker closed instead of acknowledging."""
        self.send(publish(topic, payload, mid=self.mid(), retain=retain))
        return self.answer(PUBACK) is not None

    def ping(self) -> bool:
        """Ping, and wait for the answer: whatever was sent before was dealt with then."""
        return self.send(PING) and self.answer(PINGRESP) is not None

    def messages(self) -> list[Answer]:
        """The messages that came."""
        return [one for one in self.came if one.kind == PUBLISH]

    def mid(self) -> int:
        """The next packet id."""
        self._mid = self._mid % 65_535 + 1
        return self._mid

    # Leaving

    def leave(self) -> None:
        """Leave as one should."""
        with contextlib.suppress(OSError):
            self._socket.sendall(GOODBYE)
        self.close()

    def cut(self) -> None:
        """Break the connection: a reset, and no goodbye."""
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
        self.close()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
