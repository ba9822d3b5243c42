"""What the kitchen asks of itself: see `services.runtime.intake`."""

from __future__ import annotations

from uuid import UUID

from pydantic import AwareDatetime

from schemas.message import Request


class WakeTicket(Request, type="heard.inside.wake-ticket.v1", topic="inside/wake-ticket"):
    """The time has come at which a ticket is to be looked at again."""

    ticket_id: UUID
    wake_at: AwareDatetime
