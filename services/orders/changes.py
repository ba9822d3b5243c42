"""How a change of an order is kept and told: one way for all of them."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from schemas.orders import (
    OPEN_ORDER,
    Order,
    OrderChange,
    OrderChanged,
    OrderPlaced,
    OrderState,
    OrderStatus,
    OrderStep,
)
from schemas.refusals import RefusalCode
from schemas.replies import OrderReceipt
from services.orders import journal, rules, store, waiting
from services.orders.decided import Decided
from services.orders.journal import Happened
from services.runtime import house_rules
from services.runtime.context import Context
from services.runtime.refusal import Refusal
from services.runtime.rights import whose_screen

_TOLD: Final = {
    OrderStatus.ACCEPTED: OrderChange.ACCEPTED,
    OrderStatus.PREPARING: OrderChange.PREPARING,
    OrderStatus.READY: OrderChange.READY,
    OrderStatus.SERVED: OrderChange.SERVED,
    OrderStatus.OUT_FOR_DELIVERY: OrderChange.OUT_FOR_DELIVERY,
    OrderStatus.DELIVERED: OrderChange.DELIVERED,
    OrderStatus.CLOSED: OrderChange.CLOSED,
    OrderStatus.REJECTED: OrderChange.REJECTED,
    OrderStatus.CANCELLED: OrderChange.CANCELLED,
    OrderStatus.VOIDED: OrderChange.VOIDED,
}


async def load(context: Context, order_id: UUID) -> Order:
    """Read the order that a request is about; refusals say from now on how it stands.

    Raises:
        Refusal: `not-found`.
    """
    order = await store.order_of(context, order_id)
    if order is None:
        raise Refusal(RefusalCode.NOT_FOUND, f"there is no order {order_id}")
    context.standing = receipt(order)
    return order


async def placed(context: Context, decided: Decided) -> Order:
    """Keep and tell a new order."""
    order = decided.order
    store.save(context, order)
    happened = Happened(OrderChange.PLACED, rules=decided.rules, posting=decided.posting)
    journal.write(context, order, happened, await whose_screen(context))
    await context.emit(OrderPlaced(order_id=order.order_id, order=order))
    await context.emit(OrderState(order_id=order.order_id, order=order))
    return order


async def changed(
    context: Context,
    decided: Decided,
    change: OrderChange,
    *,
    lines: tuple[int, ...] = (),
    payment_id: UUID | None = None,
    why: str | None = None,
) -> Order:
    """Keep and tell the next version of an order; it may go to the kitchen with it."""
    order = decided.order
    store.save(context, order)
    happened = Happened(change, why, decided.rules, lines, payment_id, decided.posting)
    journal.write(context, order, happened, await whose_screen(context))
    await context.emit(
        OrderChanged(
            order_id=order.order_id,
            change=change,
            order=order,
            lines=lines,
            payment_id=payment_id,
            why=why,
        )
    )
    if order.status is OrderStatus.PLACED:
        order = await _look_again(context, order)
    if order.status in OPEN_ORDER:
        await context.emit(OrderState(order_id=order.order_id, order=order))
    else:
        context.clear(OrderState, order_id=str(order.order_id))
    return order


async def moved(
    context: Context,
    order: Order,
    step: OrderStep,
    *,
    why: str | None = None,
    rules_: tuple[str, ...] = (),
) -> Order:
    """Move an order one step, and keep and tell it.

    Raises:
        Refusal: `wrong-state`.
    """
    decided = rules.step(order, step, at=context.now, reason=why)
    told = Decided(decided.order, decided.posting, (*decided.rules, *rules_))
    change = OrderChange.RETURNED if step is OrderStep.RETURN else _TOLD[decided.order.status]
    return await changed(context, told, change, why=why)


async def _look_again(context: Context, order: Order) -> Order:
    """After a change of a placed order: does it still wait for the same?"""
    house = await house_rules.order_rules(context.draft, context.tenant)
    decided = waiting.settle(order, house, context.now)
    if decided is None:
        return order
    order, change = decided.order, what_waiting_became(decided)
    store.save(context, order)
    journal.write(
        context, order, Happened(change, rules=decided.rules), await whose_screen(context)
    )
    await context.emit(OrderChanged(order_id=order.order_id, change=change, order=order))
    return order


def what_waiting_became(decided: Decided) -> OrderChange:
    """Name the change of a placed order that was looked at again."""
    accepted = decided.order.status is OrderStatus.ACCEPTED
    return OrderChange.ACCEPTED if accepted else OrderChange.WAITS


async def finish_if_made(context: Context, order: Order) -> Order:
    """After lines went: where all that is left is cooked, the order is ready."""
    if order.status not in {OrderStatus.ACCEPTED, OrderStatus.PREPARING}:
        return order
    if await context.ports.kitchen.open_tickets(context.draft, context.tenant, order.order_id):
        return order
    return await moved(context, order, OrderStep.FINISH, rules_=("what is left of it is cooked",))


def receipt(
    order: Order, *, payment_id: UUID | None = None, change_minor: int | None = None
) -> OrderReceipt:
    """What the sender of a request is told of an order."""
    return OrderReceipt(
        order_id=order.order_id,
        number=order.number,
        status=order.status,
        version=order.version,
        currency=order.currency,
        total_minor=order.total_minor,
        due_minor=order.due_minor,
        payment=order.payment,
        waits_for=order.waits_for,
        payment_id=payment_id,
        change_minor=change_minor,
    )
