"""Payments: taken from guests, told by providers, given back."""

from __future__ import annotations

from typing import Final

from schemas.orders import OrderChange
from schemas.payments import CASH, PayOrder, RefundOrder, SplitOrder
from schemas.replies import Shares
from services.orders import paying, reading, sharing
from services.orders.changes import changed, load, receipt
from services.orders.inside import SettlePayment
from services.runtime.context import Context
from services.runtime.router import Asking, Router

router: Final = Router()


@router.on(PayOrder)
async def pay_order(request: PayOrder, context: Context) -> None:
    """Take cash, or ask a provider for the money."""
    order = await load(context, request.order_id)
    payment_id = context.request_id
    decided = paying.begin(
        order, request, payment_id=payment_id, device=context.device, at=context.now
    )
    taken = request.method == CASH
    order = await changed(
        context,
        decided,
        OrderChange.PAID if taken else OrderChange.PAYMENT_ASKED,
        payment_id=payment_id,
    )
    payment = next(each for each in order.payments if each.payment_id == payment_id)
    back = None
    if request.tendered_minor is not None:
        back = request.tendered_minor - payment.amount_minor - payment.tip_minor
    context.answer(receipt(order, payment_id=payment_id, change_minor=back))


@router.on(SettlePayment)
async def settle_payment(request: SettlePayment, context: Context) -> None:
    """A provider has spoken; what waited for the money goes to the kitchen in this instant."""
    order = await load(context, request.order_id)
    decided, change = paying.settle(order, request)
    order = await changed(
        context, decided, change, payment_id=request.payment_id, why=request.reason
    )
    context.answer(receipt(order, payment_id=request.payment_id))


@router.on(RefundOrder)
async def refund_order(request: RefundOrder, context: Context) -> None:
    """Give money back."""
    order = await load(context, request.order_id)
    decided, change = paying.refund(order, request, refund_id=context.request_id)
    order = await changed(
        context,
        decided,
        change,
        lines=tuple(sorted(set(request.lines))),
        payment_id=request.payment_id,
        why=request.reason,
    )
    context.answer(receipt(order, payment_id=request.payment_id))


@router.answer(SplitOrder)
async def split_order(query: SplitOrder, asking: Asking) -> Shares:
    """What each has to pay of what is open."""
    order = await reading.one(asking.connection, asking.tenant, query.order_id)
    return Shares(
        order_id=order.order_id,
        currency=order.currency,
        shares=sharing.shares(order, query.ways),
    )
