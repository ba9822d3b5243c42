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
from schemas.envelope import envelope_of

OnRun = Callable[[CourierRun], None]


class CourierPhone(GpsTracker, DeliveryRequests):
    """A tracker with a screen.

    What its courier says stands in the outbox until it is answered; say `at` when it happened.

    Args:
        host: the broker's host name or address.
        port: the broker's port.
        backlog: the file in which positions wait; None keeps them in memory alone.
        on_run: told what there is to bring, whenever that changes.
        options: see `DeviceClient`.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        backlog: Path | None = None,
        on_run: OnRun | None = None,
        **options: Unpack[DeviceOptions],
    ) -> None:
        super().__init__(host, port, backlog=backlog, **options)
        self._on_run: Final = on_run
        self._run_topic: Final = CourierRun.route.topic(tenant=self.tenant, device=self.device)
        self._shown: CourierRun | None = None

    @property
    def run(self) -> CourierRun | None:
        """What there is to bring, in its sequence; None where no courier carries this phone."""
        return self._shown

    # -- on the device's own thread ---------------------------------------------------

    def _filters(self) -> list[str]:
        return [*super()._filters(), self._run_topic]

    def _receive(self, message: Received, now: float) -> None:
        if message.topic != self._run_topic:
            super()._receive(message, now)
            return
        shown: CourierRun | None = None
        if message.payload:
            shown = envelope_of(CourierRun).model_validate_json(message.payload).data
        self._shown = shown
        if shown is not None and self._on_run is not None:
            self._call(self._on_run, shown)
