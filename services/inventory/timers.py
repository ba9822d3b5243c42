"""Orders for a later day, when their day has come: what they take is reserved."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, select

from services.inventory.inside import ReservePlanned
from services.inventory.tables import STOCK_HOLDS
from services.runtime.timers import DueTimer


class PlannedOrders(DueTimer):
    """Asks for what was planned to be reserved."""

    usual_s = 0.5
    later = "planned orders are reserved"

    def due(self, now: datetime) -> Select[Any]:
        """The holds whose day has come."""
        hold = STOCK_HOLDS.c
        return select(hold.tenant, hold.plan_until, hold.order_id).where(hold.plan_until <= now)

    def request(self, row: Row[Any]) -> ReservePlanned:
        """Reserve it."""
        return ReservePlanned(order_id=row.order_id, plan_until=row.plan_until)
