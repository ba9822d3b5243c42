"""A house's manager in a simulation: a screen that takes everything down, and who sits before it.

The manager does what nobody else can: gives up what a lost courier has in the bag, takes orders
back that a kitchen will never cook, or that nobody brings for too long. Each with a reason.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final, Unpack
from uuid import UUID

from devices.connection import Received
from devices.delivery_requests import DeliveryRequests
from devices.options import DeviceOptions
from devices.order_requests import OrderRequests
from devices.pending import Pending
from devices.simulator import Simulated
from schemas.alerts import Alert, AlertKind, AlertState
from schemas.deliveries import (
    IN_THE_BAG,
    Delivery,
    DeliveryChanged,
    DeliveryState,
    DeliveryStatus,
    DeliveryStep,
)
from schemas.dispatch import DispatchState
from schemas.envelope import envelope_of
from schemas.replies import OrderReceipt

_CALLS_S: Final = 300.0
"""So long a manager tries to reach a courier whose phone is silent."""
_NOBODY_S: Final = 1_800.0
"""So long a guest is asked to be patient with an order that nobody brings."""
_AGAIN_S: Final = 60.0
_LOOK_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Move:
    """Something that became of a delivery.

    Attributes:
        at: when, on the simulated clock.
        order_id: of which.
        step: what.
        courier: who had it, or has it now; None for nobody.
        asked_at: when that courier was asked.
        reason: why, where somebody said so.
    """

    at: datetime
    order_id: UUID
    step: DeliveryStep
    courier: str | None
    asked_at: datetime | None
    reason: str | None


class Office(OrderRequests, DeliveryRequests):
    """A manager's screen.

    Args:
        host: the broker's host name or address.
        port: the broker's port.
        options: see `DeviceClient`.
    """

    def __init__(self, host: str, port: int, **options: Unpack[DeviceOptions]) -> None:
        super().__init__(host, port, **options)
        self._lock: Final = threading.Lock()
        self._deliveries: Final[dict[UUID, Delivery]] = {}
        self._seen: Final[set[UUID]] = set()
        self._moves: Final[list[Move]] = []
        self._alerts: Final[dict[str, Alert]] = {}
        self._raised: Final[dict[tuple[str, datetime], Alert]] = {}
        self._plan: DispatchState | None = None
        self._had: Final[dict[UUID, tuple[str | None, datetime | None]]] = {}
        of = {"tenant": self.tenant}
        self._changed: Final = DeliveryChanged.route.topic(**of)
        self._planned: Final = DispatchState.route.topic(**of)
        self._states: Final = DeliveryState.route.filter(**of)
        self._alarms: Final = AlertState.route.filter(**of)

    @property
    def open(self) -> list[Delivery]:
        """What is to be brought, or under way."""
        with self._lock:
            return list(self._deliveries.values())

    @property
    def ended(self) -> set[UUID]:
        """What was to be brought, and is over."""
        with self._lock:
            return self._seen - self._deliveries.keys()

    @property
    def moves(self) -> list[Move]:
        """All that became of any delivery, oldest first."""
        with self._lock:
            return list(self._moves)

    @property
    def alerts(self) -> list[Alert]:
        """What is wrong now."""
        with self._lock:
            return list(self._alerts.values())

    @property
    def raised(self) -> list[Alert]:
        """Everything that ever was."""
        with self._lock:
            return list(self._raised.values())

    @property
    def plan(self) -> DispatchState | None:
        """What the dispatcher means to do."""
        return self._plan

    # -- on the device's own thread ---------------------------------------------------

    def _filters(self) -> list[str]:
        return [self._changed, self._planned, self._states, self._alarms]

    def _receive(self, message: Received, now: float) -> None:
        topic, payload = message.topic, message.payload
        if topic == self._changed:
            said = envelope_of(DeliveryChanged).model_validate_json(payload)
            self._move(said.time, said.data)
        elif topic == self._planned:
            plan = envelope_of(DispatchState).model_validate_json(payload).data if payload else None
            self._plan = plan
        elif topic.startswith(self._states.removesuffix("+")):
            self._show(topic, payload)
        elif topic.startswith(self._alarms.removesuffix("+")):
            self._alarm(topic, payload)
        else:
            super()._receive(message, now)

    def _move(self, at: datetime, changed: DeliveryChanged) -> None:
        delivery, step = changed.delivery, changed.step
        if step is None:
            return
        now_has = delivery.courier, delivery.assigned_at
        with self._lock:
            had = self._had.get(delivery.order_id, (None, None))
            courier, asked_at = had if now_has[0] is None else now_has
            self._had[delivery.order_id] = now_has
            self._moves.append(
                Move(at, delivery.order_id, step, courier, asked_at, delivery.reason)
            )

    def _show(self, topic: str, payload: bytes) -> None:
        with self._lock:
            if payload:
                said = envelope_of(DeliveryState).model_validate_json(payload).data
                self._deliveries[said.order_id] = said.delivery
                self._seen.add(said.order_id)
            else:
                self._deliveries.pop(UUID(DeliveryState.route.parse(topic)["order_id"]), None)

    def _alarm(self, topic: str, payload: bytes) -> None:
        with self._lock:
            if payload:
                alert = envelope_of(AlertState).model_validate_json(payload).data.alert
                self._alerts[alert.alert] = alert
                self._raised.setdefault((alert.alert, alert.raised_at), alert)
            else:
                self._alerts.pop(AlertState.route.parse(topic)["alert_id"], None)


class SimulatedManagers(Simulated):
    """Who sits before the houses' screens.

    Args:
        offices: the screens.
        clock: the simulated time.
        closed: the houses whose kitchen stands still for good.
    """

    def __init__(
        self,
        offices: Sequence[Office],
        clock: Callable[[], datetime],
        closed: set[str],
    ) -> None:
        super().__init__("managers")
        self._offices: Final = offices
        self._clock: Final = clock
        self._closed: Final = closed
        self._given_up: Final[dict[UUID, tuple[Pending[OrderReceipt], datetime]]] = {}

    def _run(self) -> None:
        while not self._stopped.wait(_LOOK_S):
            for office in self._offices:
                with contextlib.suppress(RuntimeError):  # a closed screen: we are stopped soon
                    self._see_to(office, self._clock())

    def _see_to(self, office: Office, now: datetime) -> None:
        for alert in office.alerts:
            waited = now - alert.raised_at
            if alert.kind is AlertKind.TRACKER_SILENT and waited >= _span(_CALLS_S):
                self._give_up_what_has(office, alert)
            elif alert.kind is AlertKind.NOBODY_BRINGS and waited >= _span(_NOBODY_S):
                self._take_off(office, UUID(alert.about), _why_nobody(office, alert))
        if office.tenant in self._closed:
            for delivery in office.open:
                if delivery.status not in IN_THE_BAG:
                    self._take_off(office, delivery.order_id, "the kitchen stands still for good")

    def _give_up_what_has(self, office: Office, alert: Alert) -> None:
        """The food is gone with its courier: it is cooked for nobody any more."""
        for delivery in office.open:
            if delivery.device != alert.about or delivery.status not in IN_THE_BAG:
                continue
            why = f"{delivery.courier} was lost with the food"
            order_id = delivery.order_id
            if delivery.status is DeliveryStatus.FAILED or self._is_asked(order_id):
                continue
            back = office.return_order(order_id, why)
            self._given_up[order_id] = back, self._clock()
            back.then(partial(self._is_back, office, order_id, why))

    def _is_back(
        self, office: Office, order_id: UUID, why: str, asked: Pending[OrderReceipt]
    ) -> None:
        if asked.error is None:
            self._void(office, order_id, why)

    def _take_off(self, office: Office, order_id: UUID, why: str) -> None:
        if not self._is_asked(order_id):
            self._void(office, order_id, why)

    def _void(self, office: Office, order_id: UUID, why: str) -> None:
        self._given_up[order_id] = office.void_order(order_id, why[:120]), self._clock()

    def _is_asked(self, order_id: UUID) -> bool:
        """Whether it was asked for; what was refused is asked for again, a little later."""
        if order_id not in self._given_up:
            return False
        asked, at = self._given_up[order_id]
        return not asked.done or asked.error is None or self._clock() - at < _span(_AGAIN_S)


def _why_nobody(office: Office, alert: Alert) -> str:
    """Why nobody brings it, in the dispatcher's words."""
    left = () if office.plan is None else office.plan.left_out
    why = next((each.why for each in left if str(each.order_id) == alert.about), alert.text)
    return f"nobody brings it: {why}"


def _span(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)
