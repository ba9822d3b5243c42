"""The tracker: where a courier is."""

from __future__ import annotations

from collections import deque
from typing import Unpack

from devices.client import DeviceClient
from devices.options import DeviceOptions
from schemas.devices import Fix


class GpsTracker(DeviceClient):
    """A phone or a box in a vehicle that tells its position.

    Positions are telemetry: the last one wins, so they are published once, at QoS 0,
    and need no outbox.

    Args:
        host: the broker's host name or address.
        port: the broker's port.
        held: how many positions are kept while offline; the oldest go first.
        options: see `DeviceClient`.
    """

    def __init__(
        self, host: str, port: int, *, held: int = 600, **options: Unpack[DeviceOptions]
    ) -> None:
        super().__init__(host, port, **options)
        self._packets = deque(maxlen=held)

    def report(self, fix: Fix) -> None:
        """Tell a position; returns at once. Offline, it is told at the next connection."""
        self._publish(fix)
