"""However the bytes of a connection fall into pieces, the same messages are read from them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.runtime.bus_reading import Torn, acknowledgement, cut

Message = tuple[bytes, bytes, bool, int, int]


def length(size: int) -> bytes:
    found = bytearray()
    while True:
        size, low = divmod(size, 128)
        found.append(low | (128 if size else 0))
        if not size:
            return bytes(found)


def publish(message: Message) -> bytes:
    topic, payload, retain, qos, number = message
    body = len(topic).to_bytes(2, "big") + topic
    body += number.to_bytes(2, "big") if qos else b""
    body += payload
    return bytes((0x30 | qos << 1 | retain,)) + length(len(body)) + body


MESSAGES = st.builds(
    lambda topic, payload, retain, qos, number: (topic, payload, retain, qos, number if qos else 0),
    st.binary(min_size=1, max_size=40),
    st.one_of(st.binary(max_size=40), st.integers(120, 300).map(bytes)),
    st.booleans(),
    st.integers(0, 1),
    st.integers(1, 65_535),
)
OTHERS = st.sampled_from([b"\xd0\x00", b"\x40\x02\x00\x07", b"\x90\x03\x00\x01\x01"])


@given(st.lists(st.one_of(MESSAGES, OTHERS), max_size=12), st.lists(st.integers(1, 60), min_size=1))
def test_what_is_read_does_not_depend_on_how_it_came(
    packets: list[Message | bytes], sizes: list[int]
) -> None:
    stream = b"".join(each if isinstance(each, bytes) else publish(each) for each in packets)
    found: list[Message] = []
    others, rest = bytearray(), b""
    place = turn = 0
    while place < len(stream):
        size = sizes[turn % len(sizes)]
        turn += 1
        rest += stream[place : place + size]
        place += size
        rest = rest[cut(rest, others, lambda *message: found.append(message)) :]
    assert rest == b""
    assert found == [each for each in packets if not isinstance(each, bytes)]
    assert bytes(others) == b"".join(each for each in packets if isinstance(each, bytes))


@pytest.mark.parametrize(
    "torn",
    [
        b"\x32\xff\xff\xff\xff\x01",
        b"\x32\x03\x00\x09a",
        b"\x32\x03\x00\x01a",
        b"\x32\x05\x00\x01a\x00\x00",
        b"\x32\x01\x00",
    ],
)
def test_what_is_no_mqtt_ends_the_connection(torn: bytes) -> None:
    with pytest.raises(Torn):
        cut(torn, bytearray(), lambda *_: None)


def test_messages_are_acknowledged_by_their_numbers() -> None:
    assert acknowledgement([1, 513]) == b"\x40\x02\x00\x01\x40\x02\x02\x01"
