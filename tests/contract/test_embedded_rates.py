"""A device that speaks too fast is read more slowly; it loses nothing, and disturbs nobody."""

from __future__ import annotations

import time

import pytest

from broker_config.access import Identity
from broker_config.embedded_flow import Bucket, Meters
from broker_config.embedded_refusals import Kind
from broker_config.limits import BrokerLimits, Flow
from schemas.devices import Role
from schemas.topics import Plane
from tests.abuse import packets
from tests.abuse.packets import RawWill
from tests.contract.limited import (
    ANY_TELEMETRY,
    FIX,
    OTHERS_FIX,
    TENANT,
    limited,
    opening,
    topic,
    until,
    works,
)

SLOW = Flow(per_s=200, burst=50)
SLOWER = Flow(per_s=40, burst=50)


def flood(count: int, size: int = 1, about: str = FIX) -> bytes:
    return b"".join(
        packets.publish(about, b"%0*d" % (size, number), qos=0) for number in range(count)
    )


def test_a_device_over_its_rate_is_slowed_down_and_loses_nothing() -> None:
    with limited(device_messages=SLOWER) as one, one.services() as back:
        back.subscribe(ANY_TELEMETRY)
        with one.entered("car-1") as car, one.client("car-1", "napoli") as neighbour:
            began = time.monotonic()
            car.send(flood(170))
            neighbour.publish(OTHERS_FIX, b"quick")
            before = back.until(OTHERS_FIX, b"quick")
            rest = back.take(170 - len(before))
            assert time.monotonic() - began >= (170 - 1 - 50) / 40 * 0.9
            assert [int(each.payload) for each in (*before, *rest)] == list(range(170))
            assert len(before) < 170, "the neighbour did not wait for the flood"
        assert one.count(Kind.MESSAGES) > 0
        assert one.count(Kind.BYTES) == 0


def test_a_device_with_too_many_bytes_is_slowed_down_too() -> None:
    with limited(device_bytes=Flow(per_s=100_000, burst=20_000)) as one, one.services() as back:
        back.subscribe(ANY_TELEMETRY)
        with one.entered("car-1") as car:
            began = time.monotonic()
            car.send(flood(60, size=1_000))
            assert [int(each.payload) for each in back.take(60)] == list(range(60))
            assert time.monotonic() - began >= (59_000 - 20_000) / 100_000 * 0.9
        assert one.count(Kind.BYTES) > 0


def test_a_tenants_devices_share_its_rate() -> None:
    with limited(tenant_messages=SLOW) as one, one.services() as back:
        back.subscribe(ANY_TELEMETRY)
        second = FIX.replace("car-1", "car-2")
        with one.entered("car-1") as car, one.entered("car-2") as other:
            began = time.monotonic()
            car.send(flood(85))
            other.send(flood(85, about=second))
            came = back.take(170)
            assert time.monotonic() - began >= (170 - 2 - 50) / 200 * 0.9
        for each in (FIX, second):
            assert [int(m.payload) for m in came if m.topic == each] == list(range(85))
        assert works(one.broker)


def test_who_comes_again_finds_its_burst_as_it_left_it() -> None:
    with limited(device_messages=Flow(per_s=40, burst=20)) as one, one.services() as back:
        back.subscribe(ANY_TELEMETRY)
        began = time.monotonic()
        for _ in range(3):
            with one.entered("car-1") as car:
                car.send(flood(15))
                assert car.ping()
        assert len(back.take(45)) == 45
        assert time.monotonic() - began >= (45 - 20) / 40 * 0.9


def test_who_fires_wills_by_coming_and_going_is_slowed_down_at_the_door() -> None:
    with limited(device_messages=Flow(per_s=20, burst=5)) as one:
        will = RawWill(topic(Plane.PRESENCE, "car-1"), b"{}")
        began = time.monotonic()
        for _ in range(15):
            with one.link() as link:
                link.send(opening(one.login("car-1"), will=will))
                assert link.connack() is not None
                link.cut()
        assert time.monotonic() - began >= (15 - 1 - 5) / 20 * 0.9
        assert works(one.broker)


def test_a_revoked_device_that_is_held_back_goes_with_what_it_still_had_to_say() -> None:
    with limited(device_messages=Flow(per_s=0.01, burst=1)) as one, one.services() as back:
        back.subscribe(ANY_TELEMETRY)
        with one.entered("car-1") as car:
            car.send(flood(1_000))
            back.take(1)
            one.broker.revoke(TENANT, "car-1")
            assert car.end()
        assert works(one.broker)
        assert len(back.messages) <= 3, "what was not taken yet is not taken"


def test_a_device_that_is_held_back_is_not_called_silent() -> None:
    with limited(device_messages=Flow(per_s=10, burst=1)) as one, one.services() as back:
        back.subscribe(ANY_TELEMETRY)
        with one.link() as car:
            car.send(opening(one.login("car-1"), keepalive_s=1))
            assert car.connack() is not None
            car.send(flood(30))
            assert [int(each.payload) for each in back.take(30)] == list(range(30))
        assert one.count(Kind.SILENCE) == 0


def test_the_services_may_say_all_they_have_to() -> None:
    with limited(device_messages=Flow(1, 1), tenant_messages=Flow(1, 1)) as one:
        with one.services() as back:
            back.subscribe(topic(Plane.STATE, "#", "+"))
            back.publish_all([(topic(Plane.STATE, "menu/x"), b"x")] * 500)
            assert len(back.take(500)) == 500
        assert one.count(Kind.MESSAGES) == 0


def test_whoever_started_the_broker_is_told_what_a_device_exceeds() -> None:
    with limited(device_messages=Flow(per_s=1_000, burst=5)) as one, one.services() as back:
        back.subscribe(ANY_TELEMETRY)
        with one.entered("car-1") as car:
            car.send(flood(100))
            back.take(100)
        until(lambda: one.exceeded, "the word of it")
        assert one.exceeded == [("roma:car-1", Kind.MESSAGES)], "once in a minute"
        assert one.count(Kind.MESSAGES) > 3


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    bucket = Bucket(Flow(per_s=10, burst=5))
    assert [bucket.take(100.0, 1) <= 0 for _ in range(6)] == [True] * 5 + [False]
    assert bucket.take(100.0, 1) == pytest.approx(0.2)
    assert not bucket.is_full(100.5)
    assert bucket.is_full(100.7)
    assert bucket.take(200.0, 5) == pytest.approx(0.0)


def test_limits_may_be_left_out_and_lie_far_above_what_a_restaurant_needs() -> None:
    till = Identity("roma", "pos-1", Role.POS)
    none = BrokerLimits(
        device_messages=None, device_bytes=None, tenant_messages=None, tenant_bytes=None
    )
    assert Meters(none).of(till, 0.0) is None
    usual = Meters(BrokerLimits())
    assert usual.of(Identity.service(), 0.0) is None
    meter = usual.of(till, 0.0)
    assert meter is not None
    # After an evening without a link: ten thousand orders of 1.5 kB in ten seconds.
    assert {meter.take(number / 1_000, 1_500)[0] for number in range(10_000)} == {0.0}
    with pytest.raises(ValueError, match="None is no limit"):
        Flow(0, 1)
