"""How a device speaks: every message under its own name, as it goes on the wire."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Final
from uuid import UUID

from devices.connection import Packet
from schemas.devices import DevicePresence, Heartbeat, PresenceStatus
from schemas.envelope import device_source, encode
from schemas.identifiers import new_id
from schemas.message import Message


class Voice:
    """Turns messages of one device into packets.

    Args:
        tenant: the restaurant.
        device: the device's name there.
        software: what runs on it; None says which release of Heard.
        heartbeat_s: how often it promises to say that it is there.
    """

    def __init__(self, tenant: str, device: str, software: str | None, heartbeat_s: float) -> None:
        self.heartbeat_s: Final = heartbeat_s
        self._tenant = tenant
        self._device = device
        self._software = (_release() if software is None else software)[:64]
        self._source = device_source(tenant, device)
        self._topics: dict[type[Message], str] = {}

    def packet(
        self, message: Message, id_: UUID | None = None, at: datetime | None = None
    ) -> Packet:
        """The message as it is published, under this id (or a new one) and time (or now)."""
        topic = self._topics.get(type(message))
        if topic is None:
            # All that a device says stands on topics of its own name alone.
            topic = message.topic(tenant=self._tenant, device=self._device)
            self._topics[type(message)] = topic
        payload = encode(
            message, id=id_ or new_id(), source=self._source, time=at or datetime.now(UTC)
        )
        return Packet(topic, payload, message.qos, message.retain)

    def presence(self, status: PresenceStatus, epoch: UUID) -> Packet:
        """Birth, will or goodbye of the session of this epoch."""
        return self.packet(
            DevicePresence(
                status=status, epoch=epoch, software=self._software, heartbeat_s=self.heartbeat_s
            )
        )

    def heartbeat(self, epoch: UUID, waiting: int) -> Packet:
        """Still here, with so many requests waiting."""
        return self.packet(Heartbeat(epoch=epoch, at=datetime.now(UTC), waiting=waiting))


def _release() -> str:
    try:
        return f"heard {version('heard')}"
    except PackageNotFoundError:
        return "heard"
