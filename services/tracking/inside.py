"""What tracking asks of itself: see `services.runtime.intake`."""

from __future__ import annotations

from pydantic import AwareDatetime

from schemas.alerts import AlertKind
from schemas.fences import CrossingKind
from schemas.identifiers import Slug
from schemas.message import Request


class TrackerFound(Request, type="heard.inside.tracker-found.v1", topic="inside/tracker-found"):
    """Something stands against a vehicle, or does so no more."""

    vehicle: Slug
    kind: AlertKind
    stands: bool
    since: AwareDatetime
    amount: float | None = None
    """What is left of a battery, metres, or metres a second."""
    where: str | None = None
    """The fence, or the order."""


class TellCrossing(Request, type="heard.inside.tell-crossing.v1", topic="inside/tell-crossing"):
    """A vehicle came, went or stayed at a fence that the house has drawn."""

    fence: Slug
    vehicle: Slug
    what: CrossingKind
    at: AwareDatetime
