"""What deliveries ask of themselves: see `services.runtime.intake`."""

from __future__ import annotations

from uuid import UUID

from pydantic import AwareDatetime

from schemas.deliveries import DeliveryStep
from schemas.identifiers import Slug
from schemas.message import Request


class FollowArrival(Request, type="heard.inside.follow-arrival.v1", topic="inside/follow-arrival"):
    """A courier's tracker shows how far they are."""

    vehicle: Slug
    step: DeliveryStep
    order_ids: tuple[UUID, ...]
    """What the courier has to bring that this may be about."""
    at: AwareDatetime
