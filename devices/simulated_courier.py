"""Couriers in a simulation: real phones over MQTT, and legs that take their time."""

from __future__ import annotations

import contextlib
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

from devices.courier import CourierPhone
from devices.pending import Pending
from devices.simulator import Simulated
from schemas.deliveries import IN_THE_BAG, DeliveryStatus, RunStop
from schemas.delivery_requests import ByHand
from schemas.positions import OneFix, Place
from schemas.replies import DeliveryReceipt

_M_PER_DEGREE: Final = 111_195.0
_THERE_M: Final = 12.0
_WAIT_FOR_MORE_S: Final = 240.0
"""Who has one order in the bag waits so long for the next of the same way."""
_ASK_AGAIN_S: Final = 15.0
_LOOK_S: Final = 0.03

Point = tuple[float, float]
"""Metres to the east and to the north of the restaurant."""


@dataclass(frozen=True, slots=True)
class Town:
    """A flat town around the restaurant."""

    house: Place

    def point(self, place: Place) -> Point:
        """Where a place lies."""
        shrunk = _M_PER_DEGREE * math.cos(math.radians(self.house.lat))
        east = (place.lon - self.house.lon) * shrunk
        return east, (place.lat - self.house.lat) * _M_PER_DEGREE

    def place(self, point: Point) -> Place:
        """The place of a point."""
        shrunk = _M_PER_DEGREE * math.cos(math.radians(self.house.lat))
        lat = self.house.lat + point[1] / _M_PER_DEGREE
        return Place(lat=lat, lon=self.house.lon + point[0] / shrunk)


@dataclass(slots=True)
class _Asked:
    pending: Pending[DeliveryReceipt]
    at: datetime


@dataclass(slots=True)
class SimulatedCourier:
    """One courier: rides around blocks, stops at lights, waits for food, climbs stairs.

    Args:
        phone: started and closed by its owner.
        town: where all of it is.
        seed: of all that is drawn.
        every_s: seconds between two positions.
        begins_at: where they are in the beginning; None is around the restaurant.
    """

    phone: CourierPhone
    town: Town
    seed: int
    every_s: float = 5.0
    begins_at: Place | None = None
    handed_over: dict[UUID, datetime] = field(default_factory=dict)
    """When each guest really had their food."""
    _rng: random.Random = field(init=False)
    _mps: float = field(init=False)
    _at: Point = field(init=False)
    _way: list[Point] = field(default_factory=list)
    _to: Point | None = None
    _stands_until: datetime | None = None
    _last: datetime | None = None
    _told: datetime | None = None
    _asked: dict[tuple[UUID, str], _Asked] = field(default_factory=dict)
    _door_at: dict[UUID, datetime] = field(default_factory=dict)
    _accept_at: dict[UUID, datetime] = field(default_factory=dict)
    _first_in_bag: datetime | None = None
    _dark_until: datetime | None = None
    _dark: list[OneFix] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)  # noqa: S311 - legs, not secrets
        self._mps = 4.6 * self._rng.lognormvariate(0.0, 0.12)
        around = (self._rng.uniform(-40, 40), self._rng.uniform(-40, 40))
        self._at = around if self.begins_at is None else self.town.point(self.begins_at)

    def live(self, now: datetime) -> None:
        """Do what is done until now."""
        passed = 0.0 if self._last is None else (now - self._last).total_seconds()
        self._last = now
        self._ride(passed, now)
        self._tell(now)
        run = self.phone.run
        self._work(() if run is None else run.stops, now)

    # -- what there is to do --------------------------------------------------------------

    def _work(self, stops: Sequence[RunStop], now: datetime) -> None:
        stops = [each for each in stops if each.order_id not in self.handed_over]
        for each in stops:
            if each.status is DeliveryStatus.ASSIGNED:
                self._accept(each.order_id, now)
        bag = [each for each in stops if each.status in IN_THE_BAG]
        coming = [each for each in stops if each.status not in IN_THE_BAG]
        if not bag:
            self._first_in_bag = None
        elif self._first_in_bag is None:
            self._first_in_bag = now
        waited = 0.0 if self._first_in_bag is None else _seconds(now, self._first_in_bag)
        if coming and (not bag or (self._is_at((0.0, 0.0)) and waited < _WAIT_FOR_MORE_S)):
            self._fetch(coming, now)
        elif bag:
            self._bring(bag[0], now)
        else:
            self._go_to((0.0, 0.0))

    def _accept(self, order_id: UUID, now: datetime) -> None:
        due = self._accept_at.setdefault(order_id, now + self._draw(20.0, 0.6))
        if now >= due:
            self._ask(order_id, "accept", lambda: self.phone.accept_delivery(order_id), now)

    def _fetch(self, coming: Sequence[RunStop], now: datetime) -> None:
        """Go to the restaurant; take what is ready: what is not is refused, and asked again."""
        self._go_to((0.0, 0.0))
        if not self._is_at((0.0, 0.0)):
            return
        for each in coming:
            if each.status is DeliveryStatus.ASSIGNED:
                continue
            take = partial(self.phone.step_delivery, each.order_id, ByHand.PICK_UP)
            self._ask(each.order_id, "take", take, now)

    def _bring(self, stop: RunStop, now: datetime) -> None:
        door = self.town.point(stop.place)
        self._go_to(door)
        if not self._is_at(door):
            return
        takes = self._draw(90.0, 0.4)
        if now < self._door_at.setdefault(stop.order_id, now + takes):
            return
        self.handed_over[stop.order_id] = now
        self.phone.complete_delivery(stop.order_id)

    def _ask(
        self, order_id: UUID, what: str, ask: Callable[[], Pending[DeliveryReceipt]], now: datetime
    ) -> None:
        """Ask, unless it is under way, or was just refused."""
        before = self._asked.get((order_id, what))
        if before is not None and (
            not before.pending.done
            or before.pending.error is None
            or _seconds(now, before.at) < _ASK_AGAIN_S
        ):
            return
        self._asked[order_id, what] = _Asked(ask(), now)

    # -- legs -----------------------------------------------------------------------------

    def _go_to(self, to: Point) -> None:
        """Along two sides of the blocks, as streets go."""
        if self._to == to:
            return
        self._to = to
        east_first = self._rng.random() < 0.5
        corner = (to[0], self._at[1]) if east_first else (self._at[0], to[1])
        self._way = [corner, to]

    def _is_at(self, point: Point) -> bool:
        return math.dist(self._at, point) <= _THERE_M

    def _ride(self, passed: float, now: datetime) -> None:
        while self._way and passed > 0:
            if self._stands_until is not None and now < self._stands_until:
                return
            self._stands_until = None
            left = math.dist(self._at, self._way[0])
            step = min(left, self._mps * passed)
            if left <= 0.01:
                self._at = self._way.pop(0)
                continue
            share = step / left
            self._at = (
                self._at[0] + (self._way[0][0] - self._at[0]) * share,
                self._at[1] + (self._way[0][1] - self._at[1]) * share,
            )
            passed -= step / self._mps
            if self._rng.random() < step / 900.0:  # a red light now and then
                self._stands_until = now + self._draw(25.0, 0.5)

    def _tell(self, now: datetime) -> None:
        if self._told is not None and _seconds(now, self._told) < self.every_s:
            return
        self._told = now
        rng = self._rng
        wild = 400.0 if rng.random() < 0.004 else 4.0
        seen = (self._at[0] + rng.gauss(0, wild), self._at[1] + rng.gauss(0, wild))
        place = self.town.place(seen)
        fix = OneFix(at=now, lat=round(place.lat, 6), lon=round(place.lon, 6), accuracy_m=8.0)
        if self._dark_until is None and rng.random() < 0.001:
            self._dark_until = now + self._draw(60.0, 0.3)  # behind walls: told later, together
        if self._dark_until is not None and now < self._dark_until:
            self._dark.append(fix)
            return
        self._dark_until = None
        self.phone.report_many([*self._dark, fix])
        self._dark.clear()

    def _draw(self, middle_s: float, varies: float) -> timedelta:
        return timedelta(seconds=middle_s * self._rng.lognormvariate(0.0, varies))


class SimulatedCouriers(Simulated):
    """All couriers of a house, on one thread.

    Args:
        couriers: by name.
        clock: the simulated time.
    """

    def __init__(
        self, couriers: Mapping[str, SimulatedCourier], clock: Callable[[], datetime]
    ) -> None:
        super().__init__("couriers")
        self.couriers: Final = couriers
        self._clock = clock

    @property
    def handed_over(self) -> dict[UUID, datetime]:
        """When each guest really had their food."""
        return {k: v for each in self.couriers.values() for k, v in dict(each.handed_over).items()}

    def _run(self) -> None:
        while not self._stopped.wait(_LOOK_S):
            for courier in self.couriers.values():
                with contextlib.suppress(RuntimeError):  # a closed phone: we are stopped soon
                    courier.live(self._clock())


def _seconds(now: datetime, since: datetime) -> float:
    return (now - since).total_seconds()
