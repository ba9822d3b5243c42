"""Purchase orders inside one decision: looked up, received against, kept."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import select

from schemas.purchasing import COMING, Purchase, PurchaseChanged, PurchaseStatus
from schemas.refusals import RefusalCode
from schemas.replies import PurchaseReceipt
from services.inventory import purchase_rules
from services.inventory.purchase_rows import to_purchase, to_row
from services.inventory.stock_book import StockBook
from services.inventory.tables import PURCHASES
from services.runtime.context import Context
from services.runtime.refusal import Refusal
from services.runtime.tables import TENANTS


async def the_purchase(context: Context, purchase_id: UUID) -> Purchase:
    """A purchase order, to decide about it.

    Raises:
        Refusal: `not-found`.
    """
    row = await context.draft.get(PURCHASES, context.tenant, purchase_id)
    if row is None:
        raise Refusal(RefusalCode.NOT_FOUND, f"there is no purchase order {purchase_id}")
    return to_purchase(row, await currency_of(context))


async def save(context: Context, purchase: Purchase) -> None:
    """Keep a purchase order as it is now, and tell of it."""
    context.draft.put(PURCHASES, to_row(context.tenant, purchase))
    await context.emit(PurchaseChanged(purchase_id=purchase.purchase_id, purchase=purchase))


async def currency_of(context: Context) -> str:
    """In what a house pays; it never changes, so no decision rests on it."""
    query = select(TENANTS.c.currency).where(TENANTS.c.tenant == context.tenant)
    return str(await context.draft.work.connection.scalar(query))


async def expected_from(context: Context, purchase_id: UUID, supplier: str) -> Purchase:
    """The purchase order that a delivery belongs to.

    Raises:
        Refusal: `not-found`; `invalid` where it is another supplier's; `wrong-state` where
            nothing is expected of it.
    """
    purchase = await the_purchase(context, purchase_id)
    context.standing = PurchaseReceipt(purchase=purchase)
    if purchase.supplier != supplier:
        raise Refusal(
            RefusalCode.INVALID,
            f"{purchase.number} went to {purchase.supplier}, and this comes from {supplier}",
        )
    if purchase.status not in COMING:
        why = "send it first" if purchase.status is PurchaseStatus.DRAFT else "nothing more comes"
        raise Refusal(RefusalCode.WRONG_STATE, f"{purchase.number} is {purchase.status}: {why}")
    return purchase


async def has_come(
    context: Context, book: StockBook, purchase: Purchase, amounts: Mapping[str, int]
) -> None:
    """Write down what has come of a purchase order; `expected_from` vouches for it."""
    await save(context, purchase_rules.received(purchase, amounts, book.items, context.now))
