"""Filling a tenant with closed orders, to see whether its past makes its present slower."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from schemas.identifiers import derived_id, new_id
from schemas.kitchen import TicketStatus
from schemas.orders import Order, OrderChange, OrderLine, OrderStatus, PlaceOrder
from services.kitchen import rules
from services.kitchen import store as kitchen_store
from services.kitchen.routing import Share
from services.kitchen.store import TICKETS
from services.orders import journal, ledger
from services.orders import store as orders_store
from services.orders.journal import JOURNAL, By, Happened
from services.orders.store import ORDERS
from services.runtime.database import Database
from services.runtime.flush import flush
from services.runtime.moment import system_clock
from services.runtime.tables import INBOX

BATCH: Final = 2_000


async def fill(
    database: Database, tenant: str, count: int, progress: Callable[[int], None]
) -> None:
    """Write closed orders of the past months, each with all the rows that it leaves."""
    now = system_clock()
    for begun in range(0, count, BATCH):
        orders: list[dict[str, Any]] = []
        tickets: list[dict[str, Any]] = []
        inbox: list[dict[str, Any]] = []
        entries: list[dict[str, Any]] = []
        for number in range(begun, min(begun + BATCH, count)):
            at = now - timedelta(days=90) + timedelta(seconds=number * 90 * 86_400 / count)
            order_id = derived_id(at, tenant, str(count), str(number))
            line = OrderLine(
                line=1,
                item="item-1",
                name="Item 1",
                quantity=1,
                unit_minor=101,
                total_minor=101,
                station="bench-0",
            )
            order = Order(
                order_id=order_id,
                number=f"PAST-{count}-{number}",
                status=OrderStatus.CLOSED,
                version=4,
                device="bench-pos-0",
                currency="GBP",
                total_minor=101,
                due_minor=101,
                lines=(line,),
                placed_at=at,
                closed_at=at,
            )
            ticket = rules.cut(
                new_id(),
                order,
                Share("bench-0", 1),
                order.lines,
                sequence=1,
                at=at,
            ).model_copy(
                update={
                    "status": TicketStatus.BUMPED,
                    "version": 4,
                    "heard_at": at,
                    "heard_by": "bench-display-0",
                    "started_at": at,
                    "ended_at": at,
                }
            )
            orders.append(orders_store.to_row(tenant, order))
            told = Happened(OrderChange.CLOSED, posting=ledger.sold(101, 0))
            by = By(order.device, order_id)
            entries.append(journal.to_row(tenant, order, told, by, at))
            tickets.append(kitchen_store.to_row(tenant, ticket))
            inbox.append(
                {
                    "tenant": tenant,
                    "request_id": order_id,
                    "device": "bench-pos-0",
                    "type": PlaceOrder.type_name,
                    "digest": "0" * 64,
                    "reply": '{"request":null,"outcome":"accepted"}',
                    "received_at": at,
                }
            )
        async with database.decide() as connection:
            written = {ORDERS: orders, TICKETS: tickets, INBOX: inbox, JOURNAL: entries}
            await flush(connection, written, {}, {})
        progress(len(orders))
