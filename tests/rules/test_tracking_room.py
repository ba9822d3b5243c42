from __future__ import annotations

from collections import Counter

from schemas.limits import Limits
from schemas.positions import VehicleState
from schemas.topics import Plane, plane_filter, state_marker
from services.runtime.bus import Delivery
from services.runtime.guard import Guard
from services.runtime.limits import Gate
from services.runtime.moment import system_clock
from services.tracking.announcing import Announcer
from services.tracking.room import OF_ALL_BYTES, OF_TICK, OF_TICK_BYTES, PositionRoom


def room() -> PositionRoom:
    gate = Gate(Limits(), Limits())
    return PositionRoom(Guard(gate, Announcer(), system_clock), Counter())


def said(device: str, stream: str, size: int) -> Delivery:
    topic = plane_filter(Plane.TELEMETRY, tenant="roma", tail=f"{device}/{stream}")
    return Delivery(topic, b"x" * size, retain=False, qos=1, tag=1)


def test_a_tunnels_worth_of_one_device_leaves_room_for_the_others_in_every_tick() -> None:
    waiting = room()
    for _ in range(50):
        assert waiting.add(said("bike-1", "fixes", 40_000))
    assert waiting.add(said("bike-2", "fix", 100))
    tick = waiting.take(5_000)
    assert len(tick) == OF_TICK + 1
    assert tick[-1].topic.endswith("bike-2/fix")
    assert len(waiting) == 50 - OF_TICK


def test_a_bridge_that_speaks_for_hundreds_is_taken_at_its_pace() -> None:
    waiting = room()
    for _ in range(200):
        assert waiting.add(said("vans", "traccar", 1_000))
    assert len(waiting.take(5_000)) == OF_TICK_BYTES // 1_000
    assert len(waiting.take(10)) == 10, "the tick's own limit holds too"


def test_what_others_listen_to_does_not_wait_here_and_what_nobody_knows_does() -> None:
    waiting = room()
    assert not waiting.add(said("bike-1", "heartbeat", 10))
    assert len(waiting) == 0
    assert waiting.add(said("bike-1", "of-no-kind", 10))
    assert len(waiting) == 1


def stood(vehicle: str, size: int) -> Delivery:
    topic = VehicleState.route.topic(tenant="roma", vehicle=vehicle)
    return Delivery(topic, b"x" * size, retain=True, qos=1, tag=1)


def test_what_shows_that_all_states_were_there_comes_after_all_of_them() -> None:
    waiting = room()
    for number in range(400):
        assert waiting.add(stood(f"v-{number}", 450))
    marker = Delivery(state_marker("m-1"), b"{}", retain=False, qos=1, tag=1)
    assert waiting.add(marker)
    taken: list[Delivery] = []
    while len(waiting):
        taken += waiting.take(256)
    assert len(taken) == 401
    assert taken[-1] == marker


def test_a_tick_of_many_devices_with_much_to_tell_is_bounded() -> None:
    waiting = room()
    for number in range(100):
        for _ in range(OF_TICK):
            assert waiting.add(said(f"bike-{number}", "fixes", 16_000))
    ticks = 0
    while len(waiting):
        tick = waiting.take(5_000)
        assert sum(len(each.payload) for each in tick) <= OF_ALL_BYTES + 16_000
        ticks += 1
    assert ticks == 5


def test_one_message_larger_than_a_tick_is_taken_all_the_same() -> None:
    waiting = room()
    assert waiting.add(said("bike-1", "fixes", 2 * OF_ALL_BYTES))
    assert waiting.add(said("bike-2", "fix", 100))
    assert len(waiting.take(10)) == 1
    assert len(waiting.take(10)) == 1
