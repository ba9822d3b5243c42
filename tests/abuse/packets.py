"""MQTT packets, also such as no library would send."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

CONNECT: Final = 1
CONNACK: Final = 2
PUBLISH: Final = 3
PUBACK: Final = 4
PUBREC: Final = 5
SUBACK: Final = 9
PINGRESP: Final = 13
DISCONNECT: Final = 14

PING: Final = b"\xc0\x00"
GOODBYE: Final = b"\xe0\x00"

KINDS: Final = {
    CONNACK: "CONNACK",
    PUBLISH: "PUBLISH",
    PUBACK: "PUBACK",
    PUBREC: "PUBREC",
    SUBACK: "SUBACK",
    PINGRESP: "PINGRESP",
    DISCONNECT: "DISCONNECT",
}

_NO_PROPERTIES: Final = b"\x00"


def length(number: int) -> bytes:
    """A length as MQTT writes it: seven bits a byte."""
    written = bytearray()
    while True:
        number, low = divmod(number, 128)
        written.append(low | (0x80 if number else 0))
        if not number:
            return bytes(written)


def text(value: str | bytes) -> bytes:
    """A string, or any bytes in the place of one."""
    raw = value.encode() if isinstance(value, str) else value
    return len(raw).to_bytes(2, "big") + raw


def packet(first: int, body: bytes) -> bytes:
    """A whole packet."""
    return bytes([first]) + length(len(body)) + body


def properties(*each: bytes) -> bytes:
    """Properties of MQTT 5, each already written."""
    body = b"".join(each)
    return length(len(body)) + body


def user_property(name: str, value: str) -> bytes:
    """A user property of MQTT 5."""
    return b"\x26" + text(name) + text(value)


def number_property(identifier: int, value: int, width: int) -> bytes:
    """A property of MQTT 5 that is a number of `width` bytes."""
    return bytes([identifier]) + value.to_bytes(width, "big")


@dataclass(frozen=True, slots=True)
class RawWill:
    """A will as it stands in CONNECT."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    properties: bytes = _NO_PROPERTIES


def connect(
    client_id: str | bytes,
    username: str | None = None,
    password: str | None = None,
    *,
    clean: bool = True,
    keepalive_s: int = 30,
    will: RawWill | None = None,
    version: int = 4,
    extra: bytes = _NO_PROPERTIES,
) -> bytes:
    """A CONNECT; `extra` are the properties of MQTT 5."""
    flags = 0x02 if clean else 0
    body = b""
    if will is not None:
        flags |= 0x04 | will.qos << 3 | (0x20 if will.retain else 0)
        body += will.properties if version == 5 else b""
        body += text(will.topic) + text(will.payload)
    if username is not None:
        flags |= 0x80
        body += text(username)
    if password is not None:
        flags |= 0x40
        body += text(password)
    head = text("MQTT") + bytes([version, flags]) + keepalive_s.to_bytes(2, "big")
    return packet(0x10, head + (extra if version == 5 else b"") + text(client_id) + body)


def publish(
    topic: str | bytes,
    payload: bytes = b"",
    *,
    qos: int = 1,
    mid: int = 1,
    retain: bool = False,
    dup: bool = False,
    extra: bytes | None = None,
) -> bytes:
    """A PUBLISH; `extra`, the properties of MQTT 5, are None in MQTT 3.1.1."""
    first = 0x30 | (8 if dup else 0) | qos << 1 | (1 if retain else 0)
    body = text(topic) + (mid.to_bytes(2, "big") if qos else b"") + (extra or b"")
    return packet(first, body + payload)


def subscribe(
    filters: Iterable[str | bytes], *, mid: int = 1, qos: int = 1, extra: bytes | None = None
) -> bytes:
    """A SUBSCRIBE of any number of filters."""
    wanted = b"".join(text(one) + bytes([qos]) for one in filters)
    return packet(0x82, mid.to_bytes(2, "big") + (extra or b"") + wanted)


def puback(mid: int) -> bytes:
    """A PUBACK of MQTT 3.1.1."""
    return packet(0x40, mid.to_bytes(2, "big"))


@dataclass(frozen=True, slots=True)
class Answer:
    """A packet that came."""

    kind: int
    flags: int
    body: bytes

    @property
    def name(self) -> str:
        """What MQTT calls it."""
        return KINDS.get(self.kind, f"packet {self.kind}")

    @property
    def code(self) -> int:
        """The return or reason code of a CONNACK, PUBACK or DISCONNECT."""
        at = {CONNACK: 1, PUBACK: 2, PUBREC: 2, DISCONNECT: 0}[self.kind]
        return self.body[at] if len(self.body) > at else 0

    @property
    def session_present(self) -> bool:
        """Whether a CONNACK speaks of a session that was kept."""
        return self.kind == CONNACK and bool(self.body[0] & 1)

    @property
    def mid(self) -> int:
        """The packet id: of a PUBLISH at QoS 1 or 2, or of an answer."""
        start = 0
        if self.kind == PUBLISH:
            start = 2 + int.from_bytes(self.body[:2], "big")
        return int.from_bytes(self.body[start : start + 2], "big")

    @property
    def topic(self) -> str:
        """The topic of a PUBLISH."""
        return self.body[2 : 2 + int.from_bytes(self.body[:2], "big")].decode()

    def granted(self, *, mqtt5: bool = False) -> list[int]:
        """The codes of a SUBACK, one for each filter."""
        return list(self.body[3 if mqtt5 else 2 :])
