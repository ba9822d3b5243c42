"""Devices: birth, will, heartbeat, and what the services make of them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, Field

from schemas.identifiers import Slug
from schemas.message import PresenceMessage, State, Telemetry
from schemas.text import Line64


class Role(StrEnum):
    """What a device is; its rights follow from it."""

    POS = "pos"
    KITCHEN_DISPLAY = "kitchen-display"
    TRACKER = "tracker"
    MANAGER = "manager"
    SENSOR = "sensor"
    GUEST = "guest"
    """A guest's own phone: it takes part in a party, and sees the menu."""
    SERVICE = "service"


class PresenceStatus(StrEnum):
    """Whether a device is there."""

    ONLINE = "online"
    IDLE = "idle"
    OFFLINE = "offline"


class DevicePresence(PresenceMessage, type="heard.device.presence.v1", topic=""):
    """Birth, idleness and will of one session of a device.

    The will carries the epoch of the session that left it; a will whose epoch is
    not the current one is the late word of a dead session, and is not believed.
    """

    status: PresenceStatus
    epoch: UUID
    """UUIDv7 of the session: later sessions sort after earlier ones."""
    software: Line64 = ""
    heartbeat_s: Annotated[float, Field(gt=0, le=3600)] = 15.0


class Heartbeat(Telemetry, type="heard.device.heartbeat.v1", topic="heartbeat"):
    """Still here: wills alone cannot be trusted, so silence counts too."""

    epoch: UUID
    at: AwareDatetime
    waiting: Annotated[int, Field(ge=0)] = 0
    """Requests in the device's outbox that no reply has cleared yet."""


class DeviceState(State, type="heard.device.state.v1", topic="devices/{device}", about="device"):
    """A device's presence as the services know it: heartbeats weighed, late wills dropped."""

    device: Slug
    role: Role
    status: PresenceStatus
    since: AwareDatetime
    epoch: UUID
