"""What a tracker sends faster than it may waits, in its order; nothing of it is lost."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from schemas.limits import Limits
from schemas.topics import Plane, plane_filter
from services.runtime.bus import Delivery
from services.runtime.guard import Guard
from services.runtime.limits import Gate
from services.runtime.moment import system_clock
from services.tracking import holding_back
from services.tracking.announcing import Announcer
from services.tracking.room import PositionRoom

NARROW = Limits(
    messages_per_s=20.0,
    messages_burst=100,
    bytes_per_s=1_000.0,
    bytes_burst=5_000,
    payload_bytes=2_000,
)


class Place:
    """A room whose clock is turned by hand."""

    def __init__(self, device: Limits = NARROW, tenant: Limits | None = None) -> None:
        self.now = 1_000.0
        self.counts: Counter[str] = Counter()
        gate = Gate(device, tenant or Limits())
        guard = Guard(
            gate, Announcer(), system_clock, counts=self.counts, monotonic=lambda: self.now
        )
        self.gate = gate
        self.room = PositionRoom(guard, self.counts)
        self._tag = 0

    def say(self, device: str = "bike-1", size: int = 1_000, **other: Any) -> bool:
        """Something arrives; tells whether it is kept."""
        self._tag += 1
        topic = plane_filter(Plane.TELEMETRY, tenant="roma", tail=f"{device}/fixes")
        values = {"retain": False, "qos": 1, "tag": self._tag, **other}
        return self.room.add(Delivery(topic, b"x" * size, **values))

    def take(self) -> list[int]:
        """The tags of what comes in the next tick."""
        return [each.tag for each in self.room.take(5_000)]


def test_a_tunnels_worth_comes_whole_in_its_order_at_the_pace_that_is_allowed() -> None:
    place = Place()
    assert all(place.say() for _ in range(40))
    came: list[int] = []
    seconds = 0
    while len(came) < 40:
        came += place.take()
        place.now += 1.0
        seconds += 1
    assert came == list(range(1, 41))
    # Five thousand bytes at once, and a thousand a second from then on.
    assert seconds == pytest.approx(36, abs=2)
    assert place.counts == {"held back": 35}
    assert not place.gate.offenders


def test_what_waits_wakes_nobody_before_its_time() -> None:
    place = Place()
    for _ in range(7):
        place.say()
    while place.take():
        pass
    assert len(place.room) == 0
    place.now += 0.9
    assert len(place.room) == 0
    place.now += 0.2
    assert len(place.room) == 1
    assert len(place.take()) == 1


def test_it_keeps_nobody_else_waiting() -> None:
    place = Place()
    for _ in range(20):
        place.say()
    assert place.say("bike-2")
    assert 21 in place.take()


def test_who_speaks_too_often_is_turned_away_all_the_same() -> None:
    place = Place(NARROW.model_copy(update={"messages_burst": 3}))
    assert [place.say(size=10) for _ in range(5)] == [True, True, True, False, False]
    assert place.counts["limited"] == 2


def test_what_may_never_come_is_turned_away_at_once() -> None:
    place = Place()
    assert not place.say(size=2_001)
    assert place.counts["unfit:too-large"] == 1
    for _ in range(5):
        place.say()
    assert not place.say(retain=True), "what nobody may leave standing is cleared"


def test_what_a_restaurants_trackers_send_together_waits_too() -> None:
    place = Place(tenant=Limits(messages_per_s=999.0, messages_burst=999, bytes_per_s=1_000.0,
                                bytes_burst=3_000))  # fmt: skip
    for number in range(6):
        assert place.say(f"bike-{number}")
    assert place.take() == [1, 2, 3]
    place.now += 3.1
    assert sorted(place.take()) == [4, 5, 6]


def test_what_waits_is_bounded_and_more_is_counted_as_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(holding_back, "MOST", 10)
    place = Place()
    kept = [place.say() for _ in range(30)]
    assert kept == [True] * 15 + [False] * 15
    assert place.counts == {"held back": 10, "limited": 15}
    place.room.clear()
    place.now += 60.0
    assert len(place.room) == 0


def test_what_waits_is_bounded_in_bytes() -> None:
    wide = Limits(messages_per_s=9e3, messages_burst=9_000, bytes_per_s=1.0, bytes_burst=1 << 20)
    place = Place(wide)
    kept = sum(place.say(size=1 << 20) for _ in range(20))
    assert kept == 1 + holding_back.MOST_BYTES // (1 << 20)
