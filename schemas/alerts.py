"""Alerts: what somebody has to look at, raised once and cleared when it is over."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, Field

from schemas.identifiers import Slug
from schemas.message import Part, Request, State


class AlertKind(StrEnum):
    """What is wrong."""

    UNHEARD = "unheard"
    """A station does not say that it sees its tickets."""
    DISPLAY_GONE = "display-gone"
    """A station has no display any more."""
    CHECK_FAILED = "check-failed"
    CHECK_OVERDUE = "check-overdue"
    LOW_STOCK = "low-stock"
    CRITICAL_STOCK = "critical-stock"
    NEGATIVE_STOCK = "negative-stock"
    """More was taken than the books had."""
    STOCK_OUT = "stock-out"
    """It will run out before the next delivery, as it is used."""
    EXPIRING = "expiring"
    EXPIRED = "expired"
    TEMPERATURE = "temperature"
    """A fridge or a hot-hold has been out of its limits for longer than allowed."""
    SENSOR_SILENT = "sensor-silent"
    TRACKER_SILENT = "tracker-silent"
    """Where a vehicle is nobody knows any more."""
    OFF_ROUTE = "off-route"
    """A courier goes away from the door that they bring food to."""
    LATE_DELIVERY = "late-delivery"
    """A guest will not have their food by when they were told."""
    NOBODY_BRINGS = "nobody-brings"
    """An order waits, and no courier can be asked to bring it."""
    LONG_DWELL = "long-dwell"
    """A courier with food in the bag stands where no guest is."""
    LOW_BATTERY = "low-battery"
    SPEEDING = "speeding"
    ZONE_LEFT = "zone-left"
    """A vehicle has left an area that it has to stay in."""


class Severity(StrEnum):
    """How soon somebody has to look."""

    LOW = "low"
    CRITICAL = "critical"


class Audience(StrEnum):
    """Whose screen it stands on."""

    STATION = "station"
    DEVICE = "device"
    MANAGERS = "managers"


class Alert(Part):
    """One thing that is wrong, while it is."""

    alert: Slug
    """Its name: the same trouble has the same name, and is raised once."""
    kind: AlertKind
    severity: Severity = Severity.LOW
    audience: Audience
    to: Slug
    """The station or the device; ``managers``."""
    about: Slug
    """The station, the check, the thing that it is about."""
    text: Annotated[str, Field(max_length=500)]
    """For people: what is wrong, and what to do."""
    tickets: tuple[UUID, ...] = ()
    raised_at: AwareDatetime
    acknowledged_at: AwareDatetime | None = None
    acknowledged_by: Slug | None = None


class AlertState(State, type="heard.alert.v1", topic="alerts/{alert_id}", about="alert_id"):
    """An alert that stands: retained, and cleared when it is over."""

    alert_id: Slug
    alert: Alert


class AcknowledgeAlert(Request, type="heard.alert.acknowledge.v1", topic="alerts/acknowledge"):
    """Somebody says: I have seen it, and see to it."""

    alert: Slug
