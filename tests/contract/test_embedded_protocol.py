"""Who breaks the protocol is put out by the embedded broker, alone and at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_config.embedded_packets import (
    ProtocolViolation,
    Publish,
    publish_packet,
    read_puback,
    read_publish,
    read_subscribe,
    read_unsubscribe,
)
from broker_config.embedded_refusals import Kind
from schemas.topics import MAX_TOPIC_BYTES, ROOT, Plane
from tests.abuse import packets
from tests.abuse.packets import PINGRESP, PUBACK, packet, publish, subscribe, text
from tests.contract.limited import FIX, TENANT, Limited, limited, opening, topic, works


@pytest.fixture(scope="module")
def shared() -> Iterator[Limited]:
    with limited(free_guesses=1_000) as one:
        yield one


BREAKS = {
    "a second CONNECT": packets.connect("roma:car-1", "roma:car-1", "x"),
    "a reserved type, 0": b"\x00\x00",
    "a reserved type, 15": b"\xf0\x00",
    "what only a broker says": b"\x20\x02\x00\x00",
    "QoS 2": publish(FIX, b"x", qos=2),
    "QoS 2, one identifier again and again": publish(FIX, b"x", qos=2, mid=7) * 50,
    "QoS 3": publish(FIX, b"x", qos=3),
    "PUBREL of nothing": b"\x62\x02\x00\x01",
    "a topic in broken UTF-8": publish(b"heard/v1/\xff\xfe", b"x"),
    "a topic with a surrogate": publish(b"heard/\xed\xa0\x80", b"x"),
    "a NUL in a topic": publish(FIX + "\0", b"x"),
    "a plus in a topic": publish(FIX + "/+", b"x"),
    "a hash in a topic": publish(f"{ROOT}/{TENANT}/#", b"x"),
    "an empty topic": publish("", b"x"),
    "a PUBLISH without an identifier": publish(FIX, b"x", mid=0),
    "a PUBLISH that ends in its topic": packet(0x32, b"\x00\x40abc"),
    "a PUBLISH that ends in its identifier": packet(0x32, text("a") + b"\x00"),
    "DUP at QoS 0": publish(FIX, b"x", qos=0, dup=True),
    "a SUBSCRIBE without an identifier": subscribe([FIX], mid=0),
    "a SUBSCRIBE without filters": packet(0x82, b"\x00\x01"),
    "a SUBSCRIBE with wrong flags": packet(0x80, b"\x00\x01" + text(FIX) + b"\x01"),
    "a SUBSCRIBE at QoS 3": subscribe([FIX], qos=3),
    "a SUBSCRIBE that ends in a filter": packet(0x82, b"\x00\x01\x00\x40abc"),
    "a SUBSCRIBE that ends before a QoS": packet(0x82, b"\x00\x01" + text(FIX)),
    "an empty filter": subscribe([""]),
    "a NUL in a filter": subscribe(["a\0b"]),
    "more filters than are taken": subscribe([FIX] * 1_025),
    "a SUBSCRIBE of a megabyte": packet(0x82, b"\x00\x01" + b"x" * 2**20),
    "an UNSUBSCRIBE without filters": packet(0xA2, b"\x00\x01"),
    "an UNSUBSCRIBE with wrong flags": packet(0xA0, b"\x00\x01" + text(FIX)),
    "a PUBACK of three bytes": b"\x40\x03\x00\x01\x00",
    "a PINGREQ with a body": b"\xc0\x01\x00",
    "a PINGREQ with flags": b"\xc1\x00",
    "a DISCONNECT with a body": b"\xe0\x01\x00",
    "a length of five bytes": b"\x30\xff\xff\xff\xff\x01",
    "256 MB announced": b"\x32\xff\xff\xff\x7f",
}


@pytest.mark.parametrize("broken", BREAKS.values(), ids=BREAKS)
def test_who_breaks_the_protocol_is_put_out_alone(shared: Limited, broken: bytes) -> None:
    before = shared.count(Kind.VIOLATION)
    with shared.entered("car-2") as beside:
        with shared.entered("car-1") as car:
            car.send(broken)
            assert car.end(5.0)
            assert not car.messages()
        assert beside.ping()
    assert shared.count(Kind.VIOLATION) == before + 1


NOT_LET_IN = {
    "the reserved flag": (b"\x00\x04MQTT\x04\xc3\x00\x1e", None),
    "a will of QoS 3": (b"\x00\x04MQTT\x04\xde\x00\x1e", None),
    "a retained will that is none": (b"\x00\x04MQTT\x04\xe2\x00\x1e", None),
    "a QoS of a will that is none": (b"\x00\x04MQTT\x04\xca\x00\x1e", None),
    "a secret without a name": (b"\x00\x04MQTT\x04\x42\x00\x1e", 4),
    "another protocol": (b"\x00\x04MQTX\x04\xc2\x00\x1e", 1),
    "a later version": (b"\x00\x04MQTT\x06\xc2\x00\x1e", 1),
}


@pytest.mark.parametrize(("head", "code"), NOT_LET_IN.values(), ids=NOT_LET_IN)
def test_a_connect_that_is_not_as_it_must_be_lets_nobody_in(
    shared: Limited, head: bytes, code: int | None
) -> None:
    login = shared.login("car-1")
    with shared.link() as link:
        names = text(login.client_id) + text(login.username) + text(login.secret)
        link.send(packet(0x10, head + names))
        answer = link.connack()
        assert (None if answer is None else answer.code) == code
        assert link.end(5.0)


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize(
    "client_id", ["", "#", "+", "roma/car-1", "roma:+", "roma:car-2", "x" * 60_000, "roma:car-1\0"]
)
def test_no_other_client_id_is_taken(shared: Limited, client_id: str, clean: bool) -> None:
    login = shared.login("car-1")
    with shared.link() as link:
        link.send(packets.connect(client_id, login.username, login.secret, clean=clean))
        answer = link.connack()
        assert answer is not None
        assert answer.code == 2
        assert link.end(5.0)


def test_a_first_packet_of_more_than_it_may_have_is_not_waited_for(shared: Limited) -> None:
    login = shared.login("car-1")
    with shared.link() as link:
        whole = packet(0x10, opening(login)[2:] + b"x" * 65_536)
        link.send(whole[:500])
        assert link.end(5.0)
    assert works(shared.broker)


def test_a_topic_that_is_only_too_long_is_acknowledged_and_goes_nowhere(shared: Limited) -> None:
    with shared.services() as back, shared.entered("car-1") as car:
        back.subscribe(topic(Plane.TELEMETRY, "#", "+"))
        for long in ("x" * 65_000, FIX + "x" * MAX_TOPIC_BYTES, f"{ROOT}/{TENANT}" + "/x" * 297):
            assert car.publish(long, b"x")
        assert car.publish(FIX, b"marker")
        assert back.until(FIX, b"marker") == []


def test_an_identifier_may_come_again_at_qos_1(shared: Limited) -> None:
    with shared.services() as back, shared.entered("car-1") as car:
        back.subscribe(topic(Plane.TELEMETRY, "#", "+"))
        car.send(publish(FIX, b"x", mid=7) + publish(FIX, b"x", mid=7, dup=True))
        for _ in range(2):
            answer = car.answer(PUBACK)
            assert answer is not None
            assert answer.mid == 7
        assert len(back.take(2)) == 2


def test_silence_beyond_the_keepalive_ends_and_no_keepalive_does_not(shared: Limited) -> None:
    before = shared.count(Kind.SILENCE)
    with shared.link() as silent, shared.link() as without:
        without.send(opening(shared.login("car-2"), keepalive_s=0))
        silent.send(opening(shared.login("car-1"), keepalive_s=1))
        assert without.connack() is not None
        assert silent.end(5.0)
        assert shared.count(Kind.SILENCE) == before + 1
        without.send(packets.PING)
        assert without.answer(PINGRESP) is not None


@pytest.mark.parametrize("size", [0, 1, 100, 127, 128, 16_383, 16_384, 2_097_152])
@pytest.mark.parametrize("identifier", [0, 1, 65_535])
@pytest.mark.parametrize("retain", [False, True])
def test_what_is_written_is_read_back(size: int, identifier: int, retain: bool) -> None:
    written = publish_packet(b"a/b", b"x" * size, identifier, retain=retain)
    body = written[-(size + 5 + (2 if identifier else 0)) :]
    assert written == packet(written[0], body)
    assert read_publish(written[0], body) == Publish(
        topic="a/b",
        payload=b"x" * size,
        qos=1 if identifier else 0,
        retain=retain,
        acknowledgement=b"\x40\x02" + identifier.to_bytes(2, "big") if identifier else b"",
    )


READERS: list[Callable[[int, bytes], object]] = [
    read_publish,
    read_puback,
    lambda first, body: read_subscribe(first, body, 10),
    lambda first, body: read_unsubscribe(first, body, 10),
]


@given(
    first=st.integers(0, 255),
    body=st.binary(max_size=40),
    read=st.sampled_from(READERS),
)
def test_no_bytes_do_more_than_break_the_protocol(
    first: int, body: bytes, read: Callable[[int, bytes], object]
) -> None:
    try:
        found = read(first, body)
    except ProtocolViolation as violation:
        found = str(violation)
    assert found != "", "it says what is wrong"
