"""What the embedded broker keeps for anybody is bounded: subscriptions, queues, sessions."""

from __future__ import annotations

import itertools
import threading

import pytest

from broker_config.embedded_door import Door
from broker_config.embedded_outbox import Kept, Outbox, Share
from broker_config.embedded_refusals import Kind
from broker_config.embedded_subscriptions import Subscriptions
from schemas.topics import ROOT, Plane, matches
from tests.abuse import packets
from tests.abuse.packets import PINGRESP, SUBACK, RawWill
from tests.contract.limited import (
    FIX,
    MENU,
    OTHER,
    OTHERS_FIX,
    TENANT,
    Limited,
    limited,
    opening,
    topic,
    until,
    works,
)
from tests.mqtt_client import REFUSED_FILTER

EVERYTHING = f"{ROOT}/{TENANT}/#"
STREAM = topic(Plane.TELEMETRY, "car-1/marker")


def test_a_device_may_leave_its_presence_behind_and_nothing_else() -> None:
    birth = topic(Plane.PRESENCE, "car-1")
    with limited() as one, one.client("car-1") as car, one.client("boss-1") as boss:
        boss.subscribe(EVERYTHING)
        for said in (FIX, topic(Plane.REQUEST, "car-1/people/read-limits"), birth):
            car.publish(said, b"x", retain=True)
            assert boss.next_message().topic == said, "it is delivered all the same"
        boss.unsubscribe(EVERYTHING)
        boss.subscribe(EVERYTHING)
        car.publish(STREAM, b"marker")
        assert [(m.topic, m.retain) for m in boss.until(STREAM)] == [(birth, True)]
        assert one.count(Kind.RETAIN) == 2
        car.publish(birth, b"", retain=True)
        boss.unsubscribe(EVERYTHING)
        boss.messages.clear()
        boss.subscribe(EVERYTHING)
        car.publish(STREAM, b"marker")
        assert boss.until(STREAM) == []


def test_a_will_may_stay_on_a_devices_presence_alone() -> None:
    birth = topic(Plane.PRESENCE, "car-1")
    with limited() as one, one.client("boss-1") as boss:
        boss.subscribe(EVERYTHING)
        for about in (FIX, birth):
            with one.link() as car:
                will = RawWill(about, b"gone", retain=True)
                car.send(opening(one.login("car-1"), will=will))
                assert car.connack() is not None
                car.cut()
            assert boss.next_message().topic == about
        boss.unsubscribe(EVERYTHING)
        boss.subscribe(EVERYTHING)
        with one.client("car-1") as car_again:
            car_again.publish(STREAM, b"marker")
            assert [m.topic for m in boss.until(STREAM)] == [birth]


def test_the_services_clear_what_a_device_left_and_leave_nothing_there_themselves() -> None:
    birth = topic(Plane.PRESENCE, "car-1")
    with limited() as one, one.client("car-1") as car, one.services() as back:
        for said in (b"", b"a lie"):
            car.publish(birth, b"born", retain=True)
            back.publish(birth, said, retain=True)
            with one.client("boss-1") as boss:
                boss.subscribe(EVERYTHING)
                car.publish(STREAM, b"marker")
                stood = [m.payload for m in boss.until(STREAM)]
                assert stood == ([b"born"] if said else [])


def test_a_device_has_a_hundred_subscriptions_and_no_more() -> None:
    with limited() as one, one.entered("boss-1") as boss:
        wanted = [f"{ROOT}/{TENANT}/state/menu/item-{number}" for number in range(1_000)]
        boss.send(packets.subscribe(wanted))
        answer = boss.answer(SUBACK)
        assert answer is not None
        assert answer.granted() == [1] * 100 + [REFUSED_FILTER] * 900
        assert boss.subscribe(wanted[99], wanted[100]) == [1, REFUSED_FILTER]
        boss.send(packets.packet(0xA2, b"\x00\x07" + packets.text(wanted[0])))
        assert boss.subscribe(wanted[100], wanted[101]) == [1, REFUSED_FILTER]
        assert one.count(Kind.SUBSCRIPTIONS) == 902
        with one.services() as back:
            back.publish(wanted[0], b"let go")
            back.publish(wanted[100], b"taken instead")
        assert boss.ping()
        assert [m.topic for m in boss.messages()] == [wanted[100]]


def test_filters_deeper_than_any_topic_are_refused() -> None:
    with limited() as one, one.client("boss-1") as boss:
        assert boss.subscribe(f"{ROOT}/{TENANT}" + "/+" * 13) == 1
        assert boss.subscribe(f"{ROOT}/{TENANT}" + "/+" * 14) == REFUSED_FILTER
        assert boss.subscribe(f"{ROOT}/{TENANT}" + "/+" * 200) == REFUSED_FILTER


def test_a_client_that_never_acknowledges_is_kept_little_for() -> None:
    with limited(inflight=10, waiting_bytes=100_000) as one, one.services() as back:
        with one.entered("boss-1") as boss:
            assert boss.subscribe(MENU) == [1]
            back.publish_all([(MENU, b"%01000d" % number) for number in range(300)])
            assert boss.ping()
            assert len(boss.messages()) == 10
            assert one.count(Kind.WAITING) == 300 - 100_000 // 1_400
            for taken in boss.messages()[:2]:
                boss.send(packets.puback(taken.mid))
            assert boss.ping()
            assert len(boss.messages()) == 12
            back.publish_all([(MENU, b"%01000d" % number) for number in range(3)])
            assert one.count(Kind.WAITING) == 300 - 100_000 // 1_400 + 1
        assert works(one.broker)


def test_a_client_that_is_away_for_too_much_comes_back_to_no_session() -> None:
    with limited(waiting_bytes=10_000) as one, one.services() as back:
        with one.client("boss-1", clean=False) as boss:
            boss.subscribe(MENU)
        one.wait_until_away("boss-1")
        back.publish_all([(MENU, b"x" * 1_000)] * 7)
        with one.client("boss-1", clean=False) as boss:
            assert boss.session_present
            assert len(boss.take(7)) == 7
        one.wait_until_away("boss-1")
        back.publish_all([(MENU, b"x" * 1_000)] * 8)
        with one.client("boss-1", clean=False) as boss:
            assert not boss.session_present
        assert one.count(Kind.WAITING) == 1


def test_what_waits_for_a_tenants_devices_is_bounded_for_all_together() -> None:
    with limited(tenant_waiting_bytes=20_000) as one, one.services() as back:
        names = ("boss-1", "car-1", "car-2")
        about = {name: topic(Plane.REPLY, name) for name in names}
        for name in names:
            with one.client(name, clean=False) as away:
                away.subscribe(about[name])
            one.wait_until_away(name)
        for name in names:
            back.publish_all([(about[name], b"x" * 1_000)] * 5)
        present = []
        for name in names:
            with one.client(name, clean=False) as again:
                present.append(again.session_present)
                if again.session_present:
                    assert len(again.take(5)) == 5
        assert present == [True, True, False]


def test_the_services_keep_their_session_whatever_waits_for_them() -> None:
    with limited(services_waiting_bytes=10_000) as one:
        with one.services(clean=False) as back:
            back.subscribe(topic(Plane.TELEMETRY, "#", "+"))
        with one.client("car-1") as car:
            car.publish_all([(FIX, b"%01000d" % number) for number in range(50)])
        with one.services(clean=False) as back:
            assert back.session_present
            assert [int(m.payload) for m in back.take(7)] == list(range(7))
        assert one.count(Kind.WAITING) == 43


def door(one: Limited) -> Door:
    found = one.broker.broker._door
    assert found is not None
    return found


def test_a_session_ends_when_its_client_is_away_for_too_long() -> None:
    with limited(away_s=0.2) as one:
        with one.client("boss-1", clean=False) as boss:
            boss.subscribe(MENU)
        with one.client("car-1", clean=False) as car, one.services() as back:
            car.subscribe(topic(Plane.REPLY, "car-1"))
            gone = lambda: "roma:boss-1" not in door(one).engine.sessions  # noqa: E731 - said once
            until(gone, "the end of the session")
            assert "roma:car-1" in door(one).engine.sessions, "it is here"
            back.publish(topic(Plane.REPLY, "car-1"), b"still")
            assert car.next_message().payload == b"still"
        with one.client("boss-1", clean=False) as boss:
            assert not boss.session_present


def test_an_account_has_one_session_however_often_it_comes() -> None:
    with limited() as one:
        for clean in (False, True, False, False):
            with one.client("boss-1", clean=clean) as boss:
                boss.subscribe(MENU)
        with one.client("boss-1", clean=True) as boss:
            boss.subscribe(MENU)
        until(lambda: not door(one).engine.sessions, "the end of the last one")
        assert door(one).engine._subscribers._top.below == {}
        assert {share.used for share in door(one).engine._shares.values()} == {0}


def test_a_client_that_does_not_read_is_not_read_either() -> None:
    unhurried = {"device_messages": None, "tenant_messages": None}
    with limited(backlog_bytes=64 * 1024, **unhurried) as one, one.services() as back:
        back.subscribe(topic(Plane.TELEMETRY, "#", "+"))
        with one.entered("boss-1") as deaf:
            deaf.send(packets.subscribe([MENU], qos=0))
            assert deaf.answer(SUBACK) is not None

            def is_full() -> bool:
                before = one.count(Kind.WAITING)
                back.publish_all([(MENU, b"x" * 50_000)] * 40)
                return one.count(Kind.WAITING) == before + 40

            until(is_full, "all between them to be full")
            # What is refused is answered with a thousand bytes; and it speaks after all that.
            said = b"".join(packets.subscribe(["x"] * 1_000, mid=n) for n in range(1, 400))
            own = topic(Plane.TELEMETRY, "boss-1/marker")
            speaking = threading.Thread(
                target=deaf.send, args=(said + packets.publish(own, b"x", qos=0) + packets.PING,)
            )
            speaking.start()
            connection = door(one)._live["roma:boss-1"]
            until(lambda: connection.is_choked, "the broker to read no more")
            with one.client("car-1", OTHER) as neighbour:
                neighbour.publish(OTHERS_FIX, b"others are heard")
                assert back.until(OTHERS_FIX) == []
            assert deaf.answer(PINGRESP) is not None
            speaking.join()
            assert back.until(own, b"x") is not None


def test_subscriptions_are_found_as_the_standard_says() -> None:
    levels = ("a", "b", "")
    topics = ["/".join(t) for n in (1, 2, 3) for t in itertools.product(levels, repeat=n)]
    filters = [
        "/".join((*f, *last))
        for n in (0, 1, 2)
        for f in itertools.product(("a", "b", "+", ""), repeat=n)
        for last in (("#",), ("+",), ("a",))
    ]
    found = Subscriptions(lambda _client, _topic: True)
    for filter_ in filters:
        found.add(filter_, filter_, 1)
    for about in topics:
        assert set(found.audience(about)) == {each for each in filters if matches(each, about)}
    for filter_ in filters[::2]:
        found.drop(filter_)
    for about in topics:
        assert set(found.audience(about)) == {
            each for each in filters[1::2] if matches(each, about)
        }
    for filter_ in filters:
        found.drop(filter_)
    assert found._top.below == {}


def test_the_best_of_overlapping_subscriptions_counts_and_nobody_hears_what_it_may_not() -> None:
    found = Subscriptions(lambda client, _topic: client != "revoked")
    found.add("one", "a/+", 0)
    found.add("one", "a/#", 1)
    found.add("revoked", "#", 1)
    assert found.audience("a/b") == {"one": 1}
    found.add("one", "a/#", 0)
    assert found.audience("a/b") == {"one": 0}
    found.remove("one", "a/#")
    assert found.audience("a") == {}


def test_an_outbox_gives_back_what_it_took() -> None:
    share = Share(10_000)
    one, other = Outbox(2, 5, 5_000, share), Outbox(2, 5, 5_000, share)
    message = Kept(b"t", b"x" * 600, retain=False)
    assert [one.put(message) for _ in range(6)] == [True] * 5 + [False]
    assert share.used == 5_000
    assert [one.next_packet() is None for _ in range(3)] == [False, False, True]
    one.acknowledge(1)
    one.acknowledge(1)
    one.acknowledge(77)
    assert share.used == 4_000
    assert len(list(one.unacknowledged())) == 1
    assert one.put(message)
    assert [other.put(message) for _ in range(6)] == [True] * 5 + [False]
    one.clear()
    other.clear()
    assert share.used == 0


@pytest.mark.parametrize("size", [1, 127, 128, 16_383, 16_384, 500_000])
def test_messages_of_every_size_arrive_whole(size: int) -> None:
    with limited() as one, one.services() as back, one.client("boss-1") as boss:
        boss.subscribe(MENU)
        for qos in (0, 1):
            back.publish(MENU, b"x" * size, qos=qos)
            came = boss.next_message()
            assert (len(came.payload), came.qos) == (size, qos)
