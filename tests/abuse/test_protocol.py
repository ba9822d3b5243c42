"""Attempts 58 to 69: packets that no device would send."""

from __future__ import annotations

import itertools

from tests.abuse import packets
from tests.abuse.attempts import CAME, FIVE, attempt
from tests.abuse.packets import DISCONNECT, PUBACK, PUBREC, SUBACK
from tests.abuse.scene import Scene, opening
from tests.abuse.stage import Account

CLOSED = "closed; reached nobody"
ONLY_3 = "speaks MQTT 3.1.1 only: CONNACK 0x84; closed"
LARGEST = 268_435_455
"""The largest length that MQTT can write: 256 MB."""


def own_topic(account: Account, tail: str = "x") -> str:
    return f"heard/v1/{account.tenant}/telemetry/{account.device}/{tail}"


def breaks(scene: Scene, *sent: bytes) -> None:
    """Come in, send each on a connection of its own, and see what comes of it."""
    told = set()
    for each in sent:
        link = scene.enter(scene.thief())
        link.send(each)
        told.add("closed" if not link.ping() else "acknowledged" if link.came else "ignored")
    scene.seen(told.pop())
    assert not told
    scene.reached_nobody()


@attempt(
    58,
    both="from a stranger: closed; from a device: closed",
    embedded_logs="protocol violation",
    mosquitto_logs="oversize packet",
)
def test_58_an_announced_length_of_256_megabytes(scene: Scene) -> None:
    stranger = scene.link()
    stranger.send(b"\x10" + packets.length(LARGEST) + b"\x00\x04MQTT")
    scene.holds(stranger.end(), "from a stranger: closed")
    device = scene.enter(scene.thief())
    device.send(b"\x30" + packets.length(LARGEST) + b"x" * 1000)
    scene.holds(device.end(), "from a device: closed")


@attempt(
    59,
    both=CLOSED,
    embedded_logs="protocol violation",
    mosquitto_logs="oversize packet",
)
def test_59_a_payload_of_20_megabytes(scene: Scene) -> None:
    thief = scene.thief()
    link = scene.enter(thief)
    link.send(packets.publish(own_topic(thief), scene.mark + b"x" * 20 * 2**20))
    scene.holds(link.answer(PUBACK) is None, "closed")
    scene.reached_nobody()


@attempt(
    60,
    both=CLOSED,
    embedded_logs="protocol violation",
    mosquitto_logs="malformed packet",
)
def test_60_a_topic_in_broken_utf_8(scene: Scene) -> None:
    topics = (
        b"heard/v1/tb/\xff\xfe",
        b"\xc3\x28",
        b"heard/v1/ta/\xed\xa0\x80",
        b"\xf8\x88\x80\x80",
    )
    breaks(scene, *(packets.publish(topic, scene.mark) for topic in topics))


@attempt(
    61,
    both=CLOSED,
    embedded_logs="protocol violation",
    mosquitto_logs="malformed packet",
)
def test_61_nul_in_a_topic(scene: Scene) -> None:
    topics = ("heard/v1/tb\x00/state/menu/x", "\x00", "heard/v1/tb/state/menu/burger\x00")
    breaks(scene, *(packets.publish(topic, scene.mark, retain=True) for topic in topics))


@attempt(
    62,
    embedded="acknowledged; reached nobody",
    mosquitto=CLOSED,
    embedded_logs="publish refused",
    mosquitto_logs="protocol error",
)
def test_62_a_topic_of_300_levels(scene: Scene) -> None:
    breaks(
        scene,
        packets.publish("heard/v1/ta" + "/x" * 297, scene.mark, retain=True),
        packets.publish("/" * 300, scene.mark, retain=True),
    )


@attempt(
    63,
    both="acknowledged; reached nobody",
    embedded_logs="publish refused",
    mosquitto_logs=CAME,
)
def test_63_a_topic_of_65000_bytes(scene: Scene) -> None:
    breaks(
        scene,
        packets.publish("heard/v1/ta/telemetry/" + "x" * 65_000, scene.mark, retain=True),
        packets.publish("x" * 65_000, scene.mark, retain=True),
    )


@attempt(
    64,
    both="closed; reached nobody; nor may one subscribe so: closed",
    embedded_logs="protocol violation",
    mosquitto_logs="malformed packet",
)
def test_64_qos_3(scene: Scene) -> None:
    thief = scene.thief()
    breaks(
        scene,
        packets.publish("heard/v1/tb/state/menu/burger", scene.mark, qos=3),
        packets.publish(own_topic(thief), scene.mark, qos=3),
    )
    link = scene.enter(thief)
    link.send(packets.subscribe(["heard/v1/ta/state/menu/#"], qos=3))
    scene.holds(link.answer(SUBACK) is None, "nor may one subscribe so: closed")


@attempt(
    65,
    both="closed; the one that it names is untouched",
    embedded_logs="protocol violation",
    mosquitto_logs="multiple CONNECT",
)
def test_65_a_second_connect(scene: Scene) -> None:
    thief, mate = scene.thief(), scene.thief()
    with scene.enter(mate) as other:
        for second in (opening(thief), opening(mate), packets.connect("tb:pos-1", "tb:pos-1", "x")):
            link = scene.enter(thief)
            link.send(second)
            assert link.end()
        scene.seen("closed")
        scene.holds(other.ping(), "the one that it names is untouched")


@attempt(
    66,
    both=CLOSED,
    embedded_logs="protocol violation",
    mosquitto_logs="protocol error",
)
def test_66_a_reserved_packet_type(scene: Scene) -> None:
    breaks(scene, b"\x00\x00", b"\xf0\x00", b"\xf0\x02ab", b"\x0f\x00", b"\x20\x02\x00\x00")


@attempt(
    67,
    embedded=ONLY_3,
    mosquitto=CLOSED,
    embedded_logs=FIVE,
    mosquitto_logs="protocol error",
)
def test_67_a_topic_alias_that_was_never_mapped(scene: Scene) -> None:
    for alias in (1, 7, 0, 65_535):
        link = scene.enter_5(scene.thief())
        if link is None:
            return
        extra = packets.properties(packets.number_property(0x23, alias, 2))
        link.send(packets.publish("", scene.mark, extra=extra))
        while (answer := link.next()) is not None:
            assert answer.kind == DISCONNECT
    scene.seen("closed")
    scene.reached_nobody()


@attempt(
    68,
    embedded=ONLY_3,
    mosquitto="acknowledged; they go no further than the broker; into `tb`: PUBACK 0x87",
    embedded_logs=FIVE,
    mosquitto_logs='"event": "unfit"',
)
def test_68_thousands_of_user_properties(scene: Scene) -> None:
    thief = scene.thief()
    link = scene.enter_5(thief)
    if link is None:
        return
    many = packets.properties(*(packets.user_property(f"n{n}", "x" * 20) for n in range(5000)))
    presence = f"heard/v1/ta/presence/{thief.device}"
    for _ in range(5):
        link.send(packets.publish(presence, b"{}", mid=link.mid(), extra=many))
        answer = link.answer(PUBACK)
        assert answer is not None
        assert answer.code == 0
    scene.seen("acknowledged")
    scene.after_an_order()
    heard = [one for one in scene.witness.heard_at_attackers() if one.topic == presence]
    scene.holds({one.payload for one in heard} == {b"{}"}, "they go no further than the broker")
    link.send(packets.publish("heard/v1/tb/presence/pos-1", scene.mark, mid=link.mid(), extra=many))
    answer = link.answer(PUBACK)
    assert answer is not None
    scene.seen(f"into `tb`: PUBACK 0x{answer.code:02x}")


@attempt(
    69,
    both="QoS 2 is not taken: closed; reached nobody",
    embedded_logs="protocol violation",
    mosquitto_logs="QoS not supported",
)
def test_69_qos_2_and_no_pubrel(scene: Scene) -> None:
    thief = scene.thief()
    link = scene.enter(thief)
    packet = packets.publish(own_topic(thief), scene.mark, qos=2, mid=7)
    link.send_while(itertools.repeat(packet, 2000), 2.0)
    assert link.answer(PUBREC) is None
    scene.seen("QoS 2 is not taken: closed")
    scene.reached_nobody()
