"""The courier's phone: it tells where they are, shows what there is to bring, says how it goes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, Unpack

from devices.connection import Received
from devices.delivery_requests import DeliveryRequests
from devices.gps_tracker import GpsTracker
from devices.options import DeviceOptions
from schemas.deliveries import CourierRun
from schemas.dispatch import WaitingPlace
from schemas.envelope import envelope_of

OnRun = Callable[[CourierRun], None]
OnWaitingPlace = Callable[[WaitingPlace | None], None]


class CourierPhone(GpsTracker, DeliveryRequests):
    """A tracker with a screen.

    What its courier says stands in the outbox until it is answered; say `at` when it happened.

    Args:
        host: the broker's host name or address.
        port: the broker's port.
        backlog: the file in which positions wait; None keeps them in memory alone.
        on_run: told what there is to bring, whenever that changes.
        on_waiting_place: told where to wait, with nothing to bring; None to stay.
        options: see `DeviceClient`.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        backlog: Path | None = None,
        on_run: OnRun | None = None,
        on_waiting_place: OnWaitingPlace | None = None,
        **options: Unpack[DeviceOptions],
    ) -> None:
        super().__init__(host, port, backlog=backlog, **options)
        self._on_run: Final = on_run
        self._run_topic: Final = CourierRun.route.topic(tenant=self.tenant, device=self.device)
        self._shown: CourierRun | None = None
        self._on_waiting_place: Final = on_waiting_place
        address = {"tenant": self.tenant, "device": self.device}
        self._waiting_topic: Final = WaitingPlace.route.topic(**address)
        self._waiting_place: WaitingPlace | None = None

    @property
    def run(self) -> CourierRun | None:
        """What there is to bring, in its sequence; None where no courier carries this phone."""
        return self._shown

    @property
    def waiting_place(self) -> WaitingPlace | None:
        """Where to wait for the next order; None to stay, or with something to bring."""
        return self._waiting_place

    # -- on the device's own thread ---------------------------------------------------

    def _filters(self) -> list[str]:
        return [*super()._filters(), self._run_topic, self._waiting_topic]

    def _receive(self, message: Received, now: float) -> None:
        if message.topic == self._run_topic:
            self._told_to_bring(message.payload)
        elif message.topic == self._waiting_topic:
            self._told_to_wait(message.payload)
        else:
            super()._receive(message, now)

    def _told_to_bring(self, payload: bytes) -> None:
        shown: CourierRun | None = None
        if payload:
            shown = envelope_of(CourierRun).model_validate_json(payload).data
        self._shown = shown
        if shown is not None and self._on_run is not None:
            self._call(self._on_run, shown)

    def _told_to_wait(self, payload: bytes) -> None:
        place: WaitingPlace | None = None
        if payload:
            place = envelope_of(WaitingPlace).model_validate_json(payload).data
        self._waiting_place = place
        if self._on_waiting_place is not None:
            self._call(self._on_waiting_place, place)
