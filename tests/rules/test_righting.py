"""What stands retained is put right: the newest word stands, and whoever fails harms nobody."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import cast
from uuid import UUID

import numpy as np

from schemas.etas import EtaState
from schemas.guest_tracking import TrackingState
from schemas.message import State
from schemas.positions import VehicleState
from schemas.topics import Plane, is_on
from services.runtime.bus import Delivery, Session
from services.runtime.context import Outgoing
from services.runtime.positions import Announce, Positions
from services.tracking import righting
from services.tracking.announcing import Announcer
from services.tracking.righting import Righting

NOW = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


def eta(number: int) -> str:
    return EtaState.route.topic(tenant="roma", order_id=str(UUID(int=number)))


def vehicle(name: str) -> str:
    return VehicleState.route.topic(tenant="roma", vehicle=name)


def says(topic: str, what: bytes) -> Outgoing:
    return Outgoing("roma", topic, what, 1, retain=True)


class Broker:
    """A session with a broker that keeps what is retained, and shows it to who subscribes."""

    def __init__(self, standing: dict[str, bytes]) -> None:
        self.standing = dict(standing)
        self.published: list[str] = []
        self.meanwhile: Callable[[], None] = lambda: None
        """Happens once, after all that stands was shown."""
        self._filters: tuple[str, ...] = ()
        self._waiting: list[Delivery] = []

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> int:
        del qos
        if retain:
            self.published.append(topic)
            self.standing[topic] = payload
            if not payload:
                del self.standing[topic]
        else:
            shown = self._filters[0].removesuffix("#").replace("+", "roma")
            self._waiting += [
                Delivery(each, what, retain=True, qos=1, tag=1)
                for each, what in self.standing.items()
                if each.startswith(shown)
            ]
            self._waiting.append(Delivery(topic, payload, retain=False, qos=1, tag=1))
        return 1

    async def subscribe(self, *filters: str) -> None:
        self._filters = filters

    async def unsubscribe(self, *filters: str) -> None:
        del filters

    async def receive(self, limit: int) -> list[Delivery]:
        del limit
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        waiting, self._waiting = self._waiting, []
        meanwhile()
        return waiting

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        del deliveries

    def send_now(self) -> None:
        pass

    def on_confirmed(self, callback: Callable[[int], None]) -> None:
        del callback

    def on_lost(self, callback: Callable[[], None]) -> None:
        del callback


class Book:
    """A listener that says of one kind what it is given to say."""

    def __init__(self, kind: type[State], stands: dict[str, bytes], *, ready: bool = True) -> None:
        self.kinds: Sequence[type[State]] = (kind,)
        self.stands = stands
        self.is_ready = ready
        self.fails = False
        self.begun = 0
        self.told = 0

    def begin(self, announce: Announce) -> None:
        del announce
        self.begun += 1

    async def ready(self) -> None:
        if not self.is_ready:
            raise RuntimeError("it was never read")

    def moved(self, positions: Positions) -> None:
        del positions
        if self.fails:
            raise RuntimeError("ours")
        self.told += 1

    def standing(self) -> Sequence[Outgoing]:
        return [says(topic, what) for topic, what in self.stands.items()]


class World:
    """A line's states on a broker."""

    def __init__(self, standing: dict[str, bytes], *books: Book) -> None:
        self.broker = Broker(standing)
        self.places: dict[str, bytes] = {}
        self.announcer = Announcer()
        self.announcer.attach(self.session)
        self.righting = Righting(
            self.announcer,
            books,
            lambda: [says(topic, what) for topic, what in self.places.items()],
            nobody,
        )

    @property
    def session(self) -> Session:
        return cast("Session", self.broker)

    async def put_right(self) -> None:
        await self.righting.put_right(self.session, handle)


def nobody() -> Positions:
    none = np.empty(0)
    numbers, flags = np.empty(0, dtype=np.int32), np.empty(0, dtype=np.bool_)
    return Positions([], numbers, none, none, none, none, none, none, flags)


async def handle(deliveries: Sequence[Delivery]) -> None:
    assert not any(is_on(Plane.STATE, each.topic) for each in deliveries)


async def test_what_should_stand_is_told_and_what_should_not_is_cleared() -> None:
    book = Book(EtaState, {eta(1): b"now"})
    world = World({eta(1): b"old", eta(2): b"over", vehicle("gone"): b"old"}, book)
    world.places = {vehicle("bike-1"): b"here"}
    await world.put_right()
    assert world.broker.standing == {eta(1): b"now", vehicle("bike-1"): b"here"}
    assert world.righting.due_in is None


async def test_what_ends_while_it_is_listened_does_not_come_back() -> None:
    book = Book(EtaState, {eta(1): b"on its way", eta(2): b"on its way"})
    world = World({eta(1): b"on its way", eta(2): b"on its way"}, book)
    world.places = {vehicle("bike-1"): b"before"}

    def meanwhile() -> None:
        del book.stands[eta(1)]
        book.stands[eta(2)] = b"at the door"
        world.places = {vehicle("bike-1"): b"after"}
        world.announcer.say([says(eta(1), b""), says(eta(2), b"at the door")])

    world.broker.meanwhile = meanwhile
    await world.put_right()
    assert world.broker.standing == {eta(2): b"at the door", vehicle("bike-1"): b"after"}


async def test_who_does_not_know_what_should_stand_keeps_nobody_waiting_and_loses_nothing() -> None:
    screen = TrackingState.route.topic(tenant="roma", device="guest-1")
    late, other = Book(TrackingState, {screen: b"now"}, ready=False), Book(EtaState, {})
    world = World({screen: b"before", eta(1): b"over"}, late, other)
    await world.put_right()
    assert world.broker.standing == {screen: b"before"}
    assert world.righting.due_in is not None
    late.is_ready = True
    await world.put_right()
    assert world.broker.standing == {screen: b"now"}
    assert world.righting.due_in is None


async def test_a_listener_that_fails_harms_no_other_and_is_put_right_later() -> None:
    bad, good = Book(TrackingState, {}), Book(EtaState, {eta(1): b"now"})
    world = World({}, bad, good)
    await world.put_right()
    begun, told = bad.begun, good.told
    bad.fails = True
    world.righting.move(nobody())
    world.righting.move(nobody())
    assert good.told == told + 2
    assert bad.begun == begun + 1, "it is told no more until it was put right"
    assert 0.0 < (world.righting.due_in or 0.0) <= righting.AGAIN_S
    await world.put_right()
    assert world.righting.due_in is not None
    bad.fails = False
    await world.put_right()
    assert world.righting.due_in is None


async def test_where_all_becomes_wrong_while_it_is_put_right_it_is_looked_at_once_more() -> None:
    book = Book(EtaState, {})
    world = World({}, book)

    def meanwhile() -> None:
        world.announcer.say([says(eta(1), b"forgotten")])
        world.righting.all_wrong()

    world.broker.meanwhile = meanwhile
    await world.put_right()
    assert world.broker.standing == {}
    assert world.righting.due_in is None
