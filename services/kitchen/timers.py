"""The kitchen's timer: asks for tickets to be looked at when their `wake_at` has come."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, select

from services.kitchen.inside import WakeTicket
from services.kitchen.store import TICKETS
from services.runtime.timers import DueTimer


class KitchenTimer(DueTimer):
    """Wakes tickets."""

    usual_s = 0.5
    later = "tickets are woken"

    def due(self, now: datetime) -> Select[Any]:
        """The tickets whose time has come."""
        ticket = TICKETS.c
        return select(ticket.tenant, ticket.wake_at, ticket.ticket_id).where(ticket.wake_at <= now)

    def request(self, row: Row[Any]) -> WakeTicket:
        """Look at it."""
        return WakeTicket(ticket_id=row.ticket_id, wake_at=row.wake_at)
