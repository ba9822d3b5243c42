"""What is on the road, put together from what the services publish."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import ValidationError

from schemas.alerts import Alert, AlertKind, AlertState
from schemas.catalogue import locate
from schemas.deliveries import Courier, CourierState, Delivery, DeliveryState
from schemas.envelope import envelope_of
from schemas.etas import EtaState
from schemas.positions import Place, VehicleState
from schemas.topics import TopicMismatch
from services.runtime.bus import Delivery as Arrival

TAILS: Final = ("positions/#", "deliveries/#", "couriers/#", "etas/#", "alerts/#")
"""What of the states is to be listened to."""


_OF_THE_ROAD: Final = frozenset(
    {
        AlertKind.TRACKER_SILENT, AlertKind.OFF_ROUTE, AlertKind.LATE_DELIVERY,
        AlertKind.LONG_DWELL, AlertKind.LOW_BATTERY, AlertKind.SPEEDING, AlertKind.ZONE_LEFT,
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Told:
    """One change of the scene.

    Attributes:
        topic: what of the states it is, as ``etas/ID``.
        name: what it is about, for people: an order by its number where that is known.
        says: what stands there now; None for what was cleared.
    """

    topic: str
    name: str
    says: Any

    @property
    def area(self) -> str:
        """Of what: ``positions``, ``etas``."""
        return self.topic.partition("/")[0]


@dataclass(slots=True)
class Scene:
    """Vehicles, couriers, deliveries and ETAs of one house, as they stand.

    Attributes:
        place: where the restaurant is.
        vehicles: by name.
        couriers: by the vehicle that they go with.
        stops: deliveries that somebody has to bring, by order.
        etas: by order.
        alerts: of vehicles and deliveries, by name.
    """

    place: Place | None = None
    vehicles: dict[str, VehicleState] = field(default_factory=dict)
    couriers: dict[str, Courier] = field(default_factory=dict)
    stops: dict[UUID, Delivery] = field(default_factory=dict)
    etas: dict[UUID, EtaState] = field(default_factory=dict)
    alerts: dict[str, Alert] = field(default_factory=dict)
    _tracked: dict[str, str] = field(default_factory=dict)
    """Vehicle by courier."""
    _numbers: dict[UUID, str] = field(default_factory=dict)
    """Of orders, as long as anything is told of them."""

    def take(self, arrival: Arrival) -> Told | None:
        """Take one message in; returns what has changed, None for nothing of ours."""
        try:
            located = locate(arrival.topic)
        except TopicMismatch:
            return None
        message, about = located.message, next(iter(reversed(located.address.values())), "")
        said: Any = None
        if arrival.payload:
            try:
                said = envelope_of(message).model_validate_json(arrival.payload).data
            except ValidationError:
                return None  # of a later version: what it says nobody here can read
        name = about
        if message is VehicleState:
            _put(self.vehicles, about, said)
        elif message is CourierState:
            self._take_courier(about, said)
        elif message is DeliveryState:
            order = UUID(about)
            if said is not None:
                self._numbers[order] = said.delivery.number
            name = self.number(order)
            _put(self.stops, order, None if said is None else said.delivery)
            self._forget(order)
        elif message is EtaState:
            order = UUID(about)
            name = self.number(order)
            _put(self.etas, order, said)
            self._forget(order)
        elif message is AlertState:
            alert = self.alerts.get(about) if said is None else said.alert
            if alert is None or alert.kind not in _OF_THE_ROAD:
                return None  # a fridge's
            name = f"{alert.kind.value} {self._in_words(alert.about)}"
            _put(self.alerts, about, None if said is None else alert)
        else:
            return None
        return Told(arrival.topic.split("/", 4)[-1], name, said)

    def clear(self) -> None:
        """Forget all but the place: who connects anew is told what stands, not what has gone."""
        for known in (self.vehicles, self.couriers, self.stops, self.etas, self.alerts):
            known.clear()
        self._tracked.clear()
        self._numbers.clear()

    def number(self, order: UUID) -> str:
        """An order for people; its id where nothing else is known."""
        return self._numbers.get(order, str(order))

    def on_the_road(self) -> list[str]:
        """The vehicles that were heard, and those that somebody has to bring something with."""
        owing = {each.device for each in self.stops.values() if each.device is not None}
        return sorted(self.vehicles.keys() | owing)

    def waiting(self) -> list[Delivery]:
        """The deliveries that nobody is to bring yet, oldest first."""
        found = [each for each in self.stops.values() if each.courier is None]
        return sorted(found, key=lambda each: each.placed_at)

    def next_stop(self, vehicle: str) -> Delivery | None:
        """The delivery that a vehicle is on now."""
        mine = [each for each in self.stops.values() if each.device == vehicle]
        return min(mine, key=lambda each: (each.stop or 0, each.placed_at), default=None)

    def alerts_of(self, vehicle: str) -> list[Alert]:
        """What is wrong with a vehicle."""
        return [each for each in self.alerts.values() if each.about == vehicle]

    def _in_words(self, about: str) -> str:
        """What an alert is about: a vehicle by its name, an order by its number."""
        try:
            return self.number(UUID(about))
        except ValueError:
            return about

    def _forget(self, order: UUID) -> None:
        """Once an order is neither brought nor expected, its number is not asked for any more."""
        if order not in self.stops and order not in self.etas:
            self._numbers.pop(order, None)

    def _take_courier(self, courier: str, said: CourierState | None) -> None:
        before = self._tracked.pop(courier, None)
        if before is not None:
            self.couriers.pop(before, None)
        if said is not None:
            self._tracked[courier] = said.courier.device
            self.couriers[said.courier.device] = said.courier


def _put(known: dict[Any, Any], about: Any, said: Any) -> None:
    if said is None:
        known.pop(about, None)
    else:
        known[about] = said


def spoken(number: str) -> str:
    """An order's number as people say it, and as every command takes it: its last part."""
    return number.rsplit("-", 1)[-1] or number


def minutes(until: datetime, now: datetime) -> int:
    """Minutes until a moment, rounded; below zero, it has passed."""
    return round((until - now).total_seconds() / 60)
