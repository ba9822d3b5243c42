"""The packets of a client that was let in, read by the letter of MQTT 3.1.1.

amqtt reads them with an await for each field, and lets pass what the standard forbids: a
QoS of 3, a topic with a wildcard or a NUL, an identifier of 0, flags that are reserved.
"""

from __future__ import annotations

from collections.abc import Sized
from typing import Final, NamedTuple

_FORBIDDEN_IN_TOPIC: Final = frozenset("+#\0")


class ProtocolViolation(Exception):
    """A client sent what MQTT 3.1.1 forbids, or more than is taken here."""


class Publish(NamedTuple):
    """A message as it came."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    acknowledgement: bytes
    """The whole packet to answer with; empty at QoS 0."""


def read_publish(first: int, body: bytes) -> Publish:
    """Read a PUBLISH.

    Args:
        first: its first byte.
        body: all that follows its length.

    Raises:
        ProtocolViolation: it is none, or of QoS 2, which is not taken here.
    """
    qos = (first >> 1) & 3
    if qos > 1:
        raise ProtocolViolation(f"QoS {qos} is not taken here")
    if first & 0x08 and not qos:
        raise ProtocolViolation("a PUBLISH of QoS 0 is marked as sent again")  # 3.3.1-2
    end = 2 + int.from_bytes(body[:2], "big")
    topic = _text(body[2:end], end <= len(body))
    if not topic or not _FORBIDDEN_IN_TOPIC.isdisjoint(topic):
        raise ProtocolViolation("one cannot publish to such a topic")  # 3.3.2-2, 4.7.3
    acknowledgement = b""
    if qos:
        identifier = body[end : end + 2]
        _mind_identifier(identifier)
        acknowledgement = b"\x40\x02" + identifier
        end += 2
    return Publish(topic, body[end:], qos, bool(first & 1), acknowledgement)


def read_subscribe(first: int, body: bytes, most: int) -> tuple[bytes, list[tuple[str, int]]]:
    """Read a SUBSCRIBE.

    Args:
        first: its first byte.
        body: all that follows its length.
        most: filters that are taken at once.

    Returns:
        Its identifier, and its filters with the QoS that each is wanted at.

    Raises:
        ProtocolViolation: it is none, or longer.
    """
    _mind_head(first, 0x82, body)
    found: list[tuple[str, int]] = []
    position = 2
    while position < len(body):
        filter_, position = _filter(body, position, found, most)
        if position >= len(body) or body[position] > 2:
            raise ProtocolViolation("a SUBSCRIBE asks for a QoS that does not exist")  # 3.8.3-4
        found.append((filter_, body[position]))
        position += 1
    _mind_some(found)
    return body[:2], found


def read_unsubscribe(first: int, body: bytes, most: int) -> tuple[bytes, list[str]]:
    """Read an UNSUBSCRIBE, as `read_subscribe` does a SUBSCRIBE.

    Raises:
        ProtocolViolation: it is none, or longer.
    """
    _mind_head(first, 0xA2, body)
    found: list[str] = []
    position = 2
    while position < len(body):
        filter_, position = _filter(body, position, found, most)
        found.append(filter_)
    _mind_some(found)
    return body[:2], found


def read_puback(first: int, body: bytes) -> int:
    """Read a PUBACK; returns which message it is for.

    Raises:
        ProtocolViolation: it is none.
    """
    if first != 0x40 or len(body) != 2:
        raise ProtocolViolation("a PUBACK is not of two bytes")
    return int.from_bytes(body, "big")


def mind_empty(first: int, body: bytes) -> None:
    """Make sure that a packet is nothing but its kind: PINGREQ and DISCONNECT.

    Raises:
        ProtocolViolation: there is more to it.
    """
    if first & 0x0F or body:
        raise ProtocolViolation(f"a packet of kind {first >> 4} has flags or a body")


def publish_packet(
    topic: bytes, payload: bytes, identifier: int, *, retain: bool, dup: bool = False
) -> bytes:
    """Write a PUBLISH; at QoS 1 where `identifier` is not 0."""
    head = (0x30 if not identifier else 0x3A if dup else 0x32) | retain
    names = len(topic).to_bytes(2, "big") + topic
    if identifier:
        names += identifier.to_bytes(2, "big")
    return bytes([head]) + _length(len(names) + len(payload)) + names + payload


def _length(count: int) -> bytes:
    if count < 0x80:
        return bytes([count])
    found = bytearray()
    while count >= 0x80:
        found.append(count & 0x7F | 0x80)
        count >>= 7
    found.append(count)
    return bytes(found)


def _mind_head(first: int, wanted: int, body: bytes) -> None:
    if first != wanted:
        raise ProtocolViolation("a packet's reserved flags are not as they must be")  # 2.2.2-2
    _mind_identifier(body[:2])


def _mind_identifier(identifier: bytes) -> None:
    if len(identifier) < 2 or identifier == b"\0\0":
        raise ProtocolViolation("a packet that needs an identifier has none")  # 2.3.1-1


def _mind_some(found: Sized) -> None:
    if not found:
        raise ProtocolViolation("a packet without filters")  # 3.8.3-3, 3.10.3-2


def _filter(body: bytes, position: int, found: Sized, most: int) -> tuple[str, int]:
    if len(found) >= most:
        raise ProtocolViolation(f"more than {most} filters in one packet")
    start = position + 2
    end = start + int.from_bytes(body[position:start], "big")
    filter_ = _text(body[start:end], start <= len(body) and end <= len(body))
    if not filter_ or "\0" in filter_:
        raise ProtocolViolation("a filter is empty, or holds a NUL")
    return filter_, end


def _text(given: bytes, is_whole: bool) -> str:  # noqa: FBT001 - private, and said once a line
    if not is_whole:
        raise ProtocolViolation("a packet is shorter than it says")
    try:
        return given.decode()
    except UnicodeDecodeError as error:
        raise ProtocolViolation("a text is no UTF-8") from error
