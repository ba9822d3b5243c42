"""Purchase orders: drafted, sent, received in part or whole, called off."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from sqlalchemy import select

from schemas.identifiers import new_id
from schemas.purchasing import (
    MAX_PURCHASE_PAGE,
    CancelPurchase,
    DraftPurchase,
    EditPurchase,
    Purchase,
    PurchaseStatus,
    PurchaseStep,
    ReadPurchases,
    SendPurchase,
)
from schemas.refusals import RefusalCode
from schemas.replies import PurchasePage, PurchaseReceipt
from schemas.suppliers import Supplier
from schemas.text import MAX_REMARK
from services.inventory import purchase_rules
from services.inventory.arrivals import next_two
from services.inventory.purchase_keeping import currency_of, save, the_purchase
from services.inventory.purchase_rows import read_purchases, to_supplier
from services.inventory.receiving import the_book
from services.inventory.tables import SUPPLIERS
from services.runtime import house_rules
from services.runtime.context import Context
from services.runtime.refusal import Refusal
from services.runtime.router import Asking, Router
from services.runtime.tables import TENANTS
from services.runtime.wall_clock import zone_of

router: Final = Router()


@router.on(DraftPurchase)
async def draft_purchase(request: DraftPurchase, context: Context) -> None:
    """Write down what to ask a supplier for."""
    book = await the_book(context)
    lines = purchase_rules.lines_of(request.lines, request.supplier, book.items)
    purchase_id = new_id()
    drafted = Purchase(
        purchase_id=purchase_id,
        number=purchase_rules.purchase_number(context.now, purchase_id),
        version=1,
        supplier=request.supplier,
        status=PurchaseStatus.DRAFT,
        lines=lines,
        currency=await currency_of(context),
        total_minor=purchase_rules.total_of(lines),
        made_at=context.now,
        note=request.note,
    )
    await _keep(context, drafted)


@router.on(EditPurchase)
async def edit_purchase(request: EditPurchase, context: Context) -> None:
    """Ask for something else, before it is sent."""
    book = await the_book(context)
    purchase = await _to_change(context, request.purchase_id)
    lines = purchase_rules.lines_of(request.lines, purchase.supplier, book.items)
    changes = {
        "lines": lines,
        "total_minor": purchase_rules.total_of(lines),
        "note": purchase.note if request.note is None else request.note,
    }
    after = purchase_rules.step(purchase, PurchaseStep.EDIT, context.now)
    await _keep(context, after.model_copy(update=changes))


@router.on(SendPurchase)
async def send_purchase(request: SendPurchase, context: Context) -> None:
    """From now on it is expected."""
    purchase = await _to_change(context, request.purchase_id)
    after = purchase_rules.step(purchase, PurchaseStep.SEND, context.now)
    row = await context.draft.get(SUPPLIERS, context.tenant, purchase.supplier)
    supplier = None if row is None else to_supplier(row)
    purchase_rules.check_minimum(purchase, supplier, purchase.currency, below=request.below_minimum)
    rules = await house_rules.order_rules(context.draft, context.tenant)
    today = context.now.astimezone(zone_of(rules.time_zone)).date()
    known = supplier or Supplier(supplier=purchase.supplier, name=purchase.supplier)
    expected_on = request.expected_on or next_two(known, today)[0]
    purchase_rules.check_day(expected_on, today)
    await _keep(context, after.model_copy(update={"expected_on": expected_on}))


@router.on(CancelPurchase)
async def cancel_purchase(request: CancelPurchase, context: Context) -> None:
    """Nothing more comes of it; what has come stays."""
    purchase = await _to_change(context, request.purchase_id)
    after = purchase_rules.step(purchase, PurchaseStep.CANCEL, context.now)
    note = f"{after.note}\n{request.reason}" if after.note else request.reason
    await _keep(context, after.model_copy(update={"note": note[:MAX_REMARK]}))


@router.answer(ReadPurchases)
async def answer_purchases(query: ReadPurchases, asking: Asking) -> PurchasePage:
    """One purchase order, or the newest."""
    house = select(TENANTS.c.currency).where(TENANTS.c.tenant == asking.tenant)
    found = await read_purchases(
        asking.connection,
        asking.tenant,
        str(await asking.connection.scalar(house)),
        purchase_id=query.purchase_id,
        open_only=query.open_only,
        limit=MAX_PURCHASE_PAGE + 1,
    )
    if query.purchase_id is not None and not found:
        raise Refusal(RefusalCode.NOT_FOUND, f"there is no purchase order {query.purchase_id}")
    page = tuple(found[:MAX_PURCHASE_PAGE])
    if query.purchase_id is None:
        page = tuple(_shorter(each) for each in page)
    return PurchasePage(purchases=page, more=len(found) > len(page))


def _shorter(purchase: Purchase) -> Purchase:
    """Without reasons: many purchase orders must fit into one message."""
    lines = tuple(line.model_copy(update={"reasons": ()}) for line in purchase.lines)
    return purchase.model_copy(update={"lines": lines})


async def _to_change(context: Context, purchase_id: UUID) -> Purchase:
    """A purchase order; whoever is refused is told how it stands."""
    purchase = await the_purchase(context, purchase_id)
    context.standing = PurchaseReceipt(purchase=purchase)
    return purchase


async def _keep(context: Context, purchase: Purchase) -> None:
    await save(context, purchase)
    context.answer(PurchaseReceipt(purchase=purchase))
