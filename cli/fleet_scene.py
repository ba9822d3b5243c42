"""What is on the road, put together from what the services publish."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import ValidationError

from schemas.alerts import Alert, AlertState
from schemas.catalogue import locate
from schemas.deliveries import Courier, CourierState, Delivery, DeliveryState
from schemas.envelope import envelope_of
from schemas.etas import EtaState
from schemas.positions import Place, VehicleState
from schemas.topics import TopicMismatch
from services.runtime.bus import Delivery as Arrival

TAILS: Final = ("positions/#", "deliveries/#", "couriers/#", "etas/#", "alerts/#")
"""What of the states is to be listened to."""


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

    def take(self, arrival: Arrival) -> tuple[str, Any] | None:
        """Take one message in; returns what it is about and what it says, None for nothing of ours.

        What is cleared says None.
        """
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
        if message is VehicleState:
            _put(self.vehicles, about, said)
        elif message is CourierState:
            self._take_courier(about, said)
        elif message is DeliveryState:
            _put(self.stops, UUID(about), None if said is None else said.delivery)
        elif message is EtaState:
            _put(self.etas, UUID(about), said)
        elif message is AlertState:
            _put(self.alerts, about, None if said is None else said.alert)
        else:
            return None
        return arrival.topic.split("/", 4)[-1], said

    def next_stop(self, vehicle: str) -> Delivery | None:
        """The delivery that a vehicle is on now."""
        mine = [each for each in self.stops.values() if each.device == vehicle]
        return min(mine, key=lambda each: (each.stop or 0, each.placed_at), default=None)

    def alerts_of(self, vehicle: str) -> list[Alert]:
        """What is wrong with a vehicle."""
        return [each for each in self.alerts.values() if each.about == vehicle]

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


def minutes(until: datetime, now: datetime) -> int:
    """Minutes until a moment, rounded; below zero, it has passed."""
    return round((until - now).total_seconds() / 60)
