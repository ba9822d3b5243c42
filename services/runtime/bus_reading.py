"""Reading many messages from a connection in one go.

paho reads a packet in four calls of the system and some hundred lines of Python. Where
thousands a second come, that is most of the work there is. Here whatever the socket has is
taken at once, and cut into packets; those that are messages are handed on as they are, and all
others to paho, which reads them from here as if they came from the socket.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

AT_ONCE: Final = 1 << 16
"""Bytes that are taken from the socket in one go; what is more comes in the next turn of the
loop, after what else there is to do: a flood on one connection must not keep the others waiting."""
_PUBLISH: Final = 0x30
PUBACK: Final = 0x40

Arrive = Callable[[bytes, bytes, bool, int, int], None]
"""Takes a message: topic as it came, payload, retained, QoS, packet id."""


class Torn(ValueError):
    """What came is no MQTT."""


def cut(data: bytes, others: bytearray, arrive: Arrive) -> int:
    """Cut what came into packets (MQTT 3.1.1, 2.2 and 3.3).

    Args:
        data: from the beginning of a packet on; its end may be missing.
        others: packets that are no messages are added here, whole.
        arrive: takes the messages.

    Returns:
        How many bytes were taken; the rest is a packet that is not all there.

    Raises:
        Torn: no packet reads so.
    """
    begin, end = 0, len(data)
    while end - begin >= 2:
        command = data[begin]
        size, shift, at = 0, 0, begin + 1
        while True:
            if at == end:
                return begin
            byte = data[at]
            at += 1
            size |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift > 21:
                raise Torn("the length of a packet has at most four bytes")
        after = at + size
        if after > end:
            return begin
        if command & 0xF0 != _PUBLISH:
            others += data[begin:after]
        else:
            qos = command >> 1 & 3
            body = at + 2 + (data[at] << 8 | data[at + 1]) if size >= 2 else after + 1
            topic = data[at + 2 : body]
            number = 0
            if qos and body + 2 <= after:
                number = data[body] << 8 | data[body + 1]
                body += 2
            if body > after or (qos and not number):
                raise Torn("a message is shorter than its topic")
            arrive(topic, data[body:after], bool(command & 1), qos, number)
        begin = after
    return begin


def acknowledgement(numbers: Sequence[int]) -> bytes:
    """The PUBACKs of messages, one after the other."""
    return b"".join(b"\x40\x02" + number.to_bytes(2, "big") for number in numbers)


class SwiftReader:
    """Reads a connection that paho has opened.

    Args:
        paho: the client; it goes on reading what is no message.
        arrive: takes the messages.
    """

    def __init__(self, paho: Any, arrive: Arrive) -> None:
        self._paho: Final = paho
        self._arrive: Final = arrive
        self._rest = b""
        self._others = bytearray()
        self._given = 0
        self._own_recv: Final[Callable[[int], bytes]] = paho._sock_recv  # noqa: SLF001 - stands between paho and its socket

    def readable(self) -> bool:
        """Read what the socket has, up to `AT_ONCE` or a little more; called when it has something.

        Returns:
            Whether there may be more: then it must be called again. uvloop tells of a connection
            that was reset once, beside what came before, and not a second time: who leaves
            before the socket has no more would wait until the keepalive ends.
        """
        paho = self._paho
        if paho._in_packet["command"]:  # noqa: SLF001 - it is in the middle of a packet: its own to end
            paho.loop_read()
            if paho._in_packet["command"]:  # noqa: SLF001 - the same
                return False
        taken = 0
        while taken < AT_ONCE and paho.socket() is not None:
            try:
                data = self._own_recv(AT_ONCE)
            except BlockingIOError:
                return False
            except OSError:
                data = b""
            if not data:
                self._end()
                return False
            try:
                self._take(data)
            except Torn:
                self._end()
                return False
            taken += len(data)
        return paho.socket() is not None

    def _take(self, data: bytes) -> None:
        whole = self._rest + data if self._rest else data
        taken = cut(whole, self._others, self._arrive)
        self._rest = whole[taken:]
        self._paho._last_msg_in = time.monotonic()  # noqa: SLF001 - else it would ask whether anybody is there
        if self._others:
            self._hand_on()

    def _hand_on(self) -> None:
        self._paho._sock_recv = self._recv  # noqa: SLF001 - see above
        try:
            while self._given < len(self._others) and self._paho.socket() is not None:
                self._paho.loop_read()
        finally:
            self._paho._sock_recv = self._own_recv  # noqa: SLF001 - see above
            self._others.clear()
            self._given = 0

    def _recv(self, size: int) -> bytes:
        given = bytes(self._others[self._given : self._given + size])
        if not given:
            raise BlockingIOError
        self._given += len(given)
        return given

    def _end(self) -> None:
        """Have paho notice that the connection is over."""
        self._paho._sock_recv = lambda _size: b""  # noqa: SLF001 - see above
        try:
            self._paho.loop_read()
        finally:
            self._paho._sock_recv = self._own_recv  # noqa: SLF001 - see above
