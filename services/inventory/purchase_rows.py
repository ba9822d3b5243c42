"""Purchase orders and suppliers, as they are kept."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.purchasing import COMING, Purchase, PurchaseStatus
from schemas.suppliers import Supplier
from services.inventory.suggesting import OnItsWay
from services.inventory.tables import PURCHASES, SUPPLIERS
from services.runtime.among import among
from services.runtime.work import Row

_COLUMNS: Final = (
    "purchase_id",
    "version",
    "number",
    "supplier",
    "expected_on",
    "made_at",
    "sent_at",
    "ended_at",
    "note",
)
_OPEN: Final = sorted(each.value for each in COMING | {PurchaseStatus.DRAFT})


def to_row(tenant: str, purchase: Purchase) -> dict[str, Any]:
    """What is kept of a purchase order."""
    return {
        "tenant": tenant,
        **{name: getattr(purchase, name) for name in _COLUMNS},
        "status": purchase.status.value,
        "lines": [line.model_dump(mode="json") for line in purchase.lines],
    }


def to_purchase(row: Row, currency: str) -> Purchase:
    """Read a row.

    Args:
        row: of `PURCHASES`.
        currency: the house's.
    """
    lines = row["lines"]
    return Purchase.model_validate(
        {
            **{name: row[name] for name in _COLUMNS},
            "status": row["status"],
            "lines": lines,
            "currency": currency,
            "total_minor": sum(line["packs"] * line["price_minor"] for line in lines),
        }
    )


def to_supplier(row: Row) -> Supplier:
    """Read a row."""
    return Supplier.model_validate({**row["document"], "supplier": row["supplier"]})


async def read_suppliers(connection: AsyncConnection, tenant: str) -> dict[str, Supplier]:
    """All suppliers of a house, by name and in its order."""
    query = select(SUPPLIERS).where(SUPPLIERS.c.tenant == tenant).order_by(SUPPLIERS.c.supplier)
    rows = (await connection.execute(query)).mappings()
    return {row["supplier"]: to_supplier(dict(row)) for row in rows}


async def read_purchases(
    connection: AsyncConnection,
    tenant: str,
    currency: str,
    *,
    purchase_id: UUID | None = None,
    number: str | None = None,
    open_only: bool = False,
    limit: int | None = None,
) -> list[Purchase]:
    """Purchase orders, the newest first.

    Args:
        connection: reads.
        tenant: whose.
        currency: the house's.
        purchase_id: that one alone.
        number: those whose number ends so.
        open_only: only drafts, and what is still to come.
        limit: at most so many.
    """
    query = select(PURCHASES).where(PURCHASES.c.tenant == tenant)
    if purchase_id is not None:
        query = query.where(PURCHASES.c.purchase_id == purchase_id)
    if number is not None:
        query = query.where(PURCHASES.c.number.endswith(number, autoescape=True))
    if open_only:
        query = query.where(among(PURCHASES.c.status, _OPEN, connection.dialect.name))
    query = query.order_by(PURCHASES.c.made_at.desc(), PURCHASES.c.purchase_id.desc())
    if limit is not None:
        query = query.limit(limit)
    rows = (await connection.execute(query)).mappings()
    return [to_purchase(dict(row), currency) for row in rows]


async def on_its_way(
    connection: AsyncConnection, tenant: str, currency: str
) -> dict[str, list[OnItsWay]]:
    """What is ordered and has not come, by item; drafts are not ordered."""
    found: dict[str, list[OnItsWay]] = {}
    for purchase in await read_purchases(connection, tenant, currency, open_only=True):
        if purchase.status not in COMING:
            continue
        for line in purchase.lines:
            if line.ordered > line.received:
                left = line.ordered - line.received
                coming = OnItsWay(left, purchase.expected_on, purchase.number)
                found.setdefault(line.item, []).append(coming)
    return found
