"""The orders' rows."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)

from schemas.orders import Order, OrderStatus
from services.runtime.context import Context
from services.runtime.flush import GUARD
from services.runtime.moment import Moment
from services.runtime.tables import DOCUMENT, METADATA, SLUG
from services.runtime.work import SHELVED, Draft, Row

_STATUSES = ", ".join(f"'{status}'" for status in OrderStatus)

ORDERS: Final = Table(
    "orders",
    METADATA,
    Column("tenant", SLUG, primary_key=True),
    Column("order_id", Uuid, primary_key=True),
    Column("number", String(32), nullable=False),
    Column("status", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("device", SLUG, nullable=False),
    Column("reference", String(64)),
    Column("table", String(32)),
    Column("currency", String(3), nullable=False),
    Column("total_minor", BigInteger, nullable=False),
    Column("lines", DOCUMENT, nullable=False),
    Column("placed_at", Moment, nullable=False),
    Column("reason", Text),
    # The number first: an index that began with the tenant might be taken, while the table
    # is small, for looking orders up by their key, and that plan would stay.
    UniqueConstraint("number", "tenant"),
    CheckConstraint(f"status in ({_STATUSES})", name="status"),
    CheckConstraint("version >= 1", name="version"),
    CheckConstraint("total_minor >= 0", name="total"),
    CheckConstraint("(status = 'cancelled') = (reason is not null)", name="reason"),
    info={GUARD: "version", SHELVED: True},
)


def to_order(row: Row) -> Order:
    """Read a row."""
    return Order.model_validate({name: row[name] for name in Order.model_fields})


def to_row(tenant: str, order: Order) -> dict[str, Any]:
    """Write a row."""
    row = {name: getattr(order, name) for name in Order.model_fields}
    row["status"] = order.status.value
    row["lines"] = [line.model_dump(mode="json") for line in order.lines]
    return {"tenant": tenant, **row}


async def order_of(context: Context, order_id: UUID) -> Order | None:
    """Read one order."""
    row = await context.draft.get(ORDERS, context.tenant, order_id)
    return None if row is None else to_order(row)


def save(context: Context, order: Order) -> None:
    """Keep an order, new or changed."""
    context.draft.put(ORDERS, to_row(context.tenant, order))


async def prepare(draft: Draft, keys: Collection[tuple[str, UUID]]) -> None:
    """Read the orders of a whole batch at once."""
    await draft.work.fetch(ORDERS, keys)
