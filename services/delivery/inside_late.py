"""What the live ETA asks of the worker: see `services.runtime.intake`."""

from __future__ import annotations

from uuid import UUID

from pydantic import AwareDatetime

from schemas.message import Request


class LatenessSeen(Request, type="heard.inside.lateness-seen.v1", topic="inside/lateness-seen"):
    """An order will rather not be at its door as promised; or it will be after all."""

    order_id: UUID
    late: bool
    p50_at: AwareDatetime
