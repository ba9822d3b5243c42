"""Filling a tenant with closed orders, to see whether its past makes its present slower."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from schemas.identifiers import derived_id, new_id
from schemas.kitchen import TicketStatus
from schemas.orders import OrderStatus
from services.kitchen.store import TICKETS
from services.orders.store import ORDERS
from services.runtime.database import Database
from services.runtime.flush import flush
from services.runtime.moment import system_clock
from services.runtime.tables import INBOX

BATCH: Final = 2_000


async def fill(
    database: Database, tenant: str, count: int, progress: Callable[[int], None]
) -> None:
    """Write closed orders of the past months, each with its ticket and its inbox row."""
    now = system_clock()
    for begun in range(0, count, BATCH):
        orders: list[dict[str, Any]] = []
        tickets: list[dict[str, Any]] = []
        inbox: list[dict[str, Any]] = []
        for number in range(begun, min(begun + BATCH, count)):
            at = now - timedelta(days=90) + timedelta(seconds=number * 90 * 86_400 / count)
            order_id = derived_id(at, tenant, str(count), str(number))
            line = {"line": 1, "item": "item-1", "name": "Item 1", "quantity": 1, "note": ""}
            orders.append(
                {
                    "tenant": tenant,
                    "order_id": order_id,
                    "number": f"PAST-{count}-{number}",
                    "status": OrderStatus.CLOSED.value,
                    "version": 4,
                    "device": "bench-pos-0",
                    "reference": None,
                    "table": None,
                    "currency": "GBP",
                    "total_minor": 101,
                    "lines": [{**line, "unit_minor": 101, "station": "bench-0"}],
                    "placed_at": at,
                    "reason": None,
                }
            )
            tickets.append(
                {
                    "tenant": tenant,
                    "ticket_id": new_id(),
                    "station": "bench-0",
                    "order_id": order_id,
                    "order_number": f"PAST-{count}-{number}",
                    "status": TicketStatus.BUMPED.value,
                    "version": 4,
                    "sequence": 1,
                    "lines": [line],
                    "table": None,
                    "placed_at": at,
                    "heard_at": at,
                    "heard_by": "bench-display-0",
                    "started_at": at,
                    "ended_at": at,
                }
            )
            inbox.append(
                {
                    "tenant": tenant,
                    "request_id": order_id,
                    "device": "bench-pos-0",
                    "digest": "0" * 64,
                    "reply": '{"request":null,"outcome":"accepted"}',
                    "received_at": at,
                }
            )
        async with database.decide() as connection:
            await flush(connection, {ORDERS: orders, TICKETS: tickets, INBOX: inbox}, {}, {})
        progress(len(orders))
