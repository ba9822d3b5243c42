"""The orders' rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    or_,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.orders import OPEN_ORDER, Order, OrderKind, OrderLine, OrderStatus
from schemas.payments import PaymentStatus
from services.runtime.changed import GUARD
from services.runtime.context import Context
from services.runtime.moment import Moment
from services.runtime.tables import DOCUMENT, METADATA, SLUG
from services.runtime.work import SHELVED, Draft, Record, Row, made_of


def _among(values: Iterable[str]) -> str:
    return ", ".join(f"'{each}'" for each in values)


OPEN: Final = sorted(status.value for status in OPEN_ORDER)
_ENDED: Final = [status.value for status in OrderStatus if status not in OPEN_ORDER]

_AT_ONCE: Final = 1000
"""No database takes any number of parameters."""

ORDERS: Final = Table(
    "orders",
    METADATA,
    Column("tenant", SLUG, primary_key=True),
    Column("order_id", Uuid, primary_key=True),
    Column("number", String(32), nullable=False),
    Column("status", String(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("status_version", Integer, nullable=False),
    Column("device", SLUG, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("reference", String(64)),
    Column("table", String(32)),
    Column("covers", Integer),
    Column("guest", DOCUMENT),
    Column("participants", DOCUMENT),
    Column("waits_for", DOCUMENT),
    Column("currency", String(3), nullable=False),
    Column("total_minor", BigInteger, nullable=False),
    Column("tax_minor", BigInteger, nullable=False),
    Column("paid_minor", BigInteger, nullable=False),
    Column("tips_minor", BigInteger, nullable=False),
    Column("refunded_minor", BigInteger, nullable=False),
    Column("due_minor", BigInteger, nullable=False),
    Column("payment", String(16)),
    Column("payments", DOCUMENT),
    Column("lines", DOCUMENT, nullable=False),
    Column("placed_at", Moment, nullable=False),
    Column("due_at", Moment),
    Column("wake_at", Moment),
    Column("closed_at", Moment),
    Column("reason", Text),
    # The number first: an index that began with the tenant might be taken, while the table
    # is small, for looking orders up by their key, and that plan would stay.
    UniqueConstraint("number", "tenant"),
    CheckConstraint(f"status in ({_among(OrderStatus)})", name="status"),
    CheckConstraint(f"kind in ({_among(OrderKind)})", name="kind"),
    CheckConstraint(f"payment in ({_among(PaymentStatus)})", name="payment"),
    CheckConstraint("version >= 1 and status_version between 1 and version", name="version"),
    CheckConstraint("total_minor >= 0 and tax_minor between 0 and total_minor", name="total"),
    CheckConstraint(
        "paid_minor >= 0 and tips_minor >= 0 and "
        "refunded_minor between 0 and paid_minor + tips_minor",
        name="money",
    ),
    CheckConstraint(
        "(status in ('rejected', 'cancelled', 'voided')) = (reason is not null)", name="reason"
    ),
    CheckConstraint(
        f"(status in ({_among(_ENDED)})) = (closed_at is not null)",
        name="ended",
    ),
    CheckConstraint(
        "(status = 'placed') = (waits_for is not null) and (wake_at is null or status = 'placed')",
        name="waiting",
    ),
    info={GUARD: "version", SHELVED: True},
)
_is_open = ORDERS.c.status.in_(OPEN)
Index(
    "ix_orders_open",
    ORDERS.c.tenant,
    ORDERS.c.placed_at,
    sqlite_where=_is_open,
    postgresql_where=_is_open,
)
_wakes = ORDERS.c.wake_at.is_not(None)
Index("ix_orders_wake", ORDERS.c.wake_at, sqlite_where=_wakes, postgresql_where=_wakes)
NAMES_SOMEBODY: Final = or_(ORDERS.c.guest.is_not(None), ORDERS.c.participants.is_not(None))
"""The condition that an order says who its guests were."""
Index(
    "ix_orders_personal",
    ORDERS.c.closed_at,
    sqlite_where=NAMES_SOMEBODY,
    postgresql_where=NAMES_SOMEBODY,
)

_LINES: Final = TypeAdapter(tuple[OrderLine, ...])
_LISTS: Final = ("participants", "waits_for", "payments")
"""Empty for most orders: nothing stands in the row then."""
_NAMES: Final = tuple(Order.model_fields)


def to_order(row: Row) -> Order:
    """Read a row."""
    values = {name: row[name] for name in _NAMES}
    for name in _LISTS:
        if values[name] is None:
            values[name] = ()
    return Order.model_validate(values)


def to_row(tenant: str, order: Order) -> Record:
    """Write a row."""
    row = {name: getattr(order, name) for name in _NAMES}
    row["status"] = order.status.value
    row["kind"] = order.kind.value
    row["payment"] = None if order.payment is None else order.payment.value
    row["lines"] = _LINES.dump_python(order.lines, mode="json", exclude_defaults=True)
    row["guest"] = None if order.guest is None else order.guest.model_dump(exclude_none=True)
    for name in _LISTS:
        row[name] = [_plain(each) for each in row[name]] or None
    kept = Record(row, tenant=tenant)
    kept.made = order
    return kept


def _plain(value: Any) -> Any:
    dump = getattr(value, "model_dump", None)
    return value.value if dump is None else dump(mode="json", exclude_defaults=True)


async def order_of(context: Context, order_id: UUID) -> Order | None:
    """Read one order."""
    row = await context.draft.get(ORDERS, context.tenant, order_id)
    return None if row is None else made_of(row, to_order)


def save(context: Context, order: Order) -> None:
    """Keep an order, new or changed."""
    context.draft.put(ORDERS, to_row(context.tenant, order))


async def prepare(draft: Draft, keys: Collection[tuple[str, UUID]]) -> None:
    """Read the orders of a whole batch at once."""
    await draft.work.fetch(ORDERS, keys)


async def numbers_of(
    connection: AsyncConnection, tenant: str, orders: Collection[UUID]
) -> dict[UUID, str]:
    """The numbers by which people call orders; of one that is gone there is none."""
    wanted, found = list(orders), {}
    for first in range(0, len(wanted), _AT_ONCE):
        rows = await connection.execute(
            select(ORDERS.c.order_id, ORDERS.c.number).where(
                ORDERS.c.tenant == tenant, ORDERS.c.order_id.in_(wanted[first : first + _AT_ONCE])
            )
        )
        found.update({row.order_id: row.number for row in rows})
    return found
