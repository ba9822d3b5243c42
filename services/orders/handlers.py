"""What the orders area does with messages."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Sequence
from typing import Final

from schemas.money import Currency
from schemas.orders import (
    AddLines,
    CancelOrder,
    CloseOrder,
    LineRequest,
    Order,
    OrderChange,
    OrderChanged,
    OrderLine,
    OrderPlaced,
    OrderStatus,
    OrderStep,
    PlaceOrder,
)
from schemas.refusals import RefusalCode
from schemas.replies import OrderReceipt
from services.orders import rules, store
from services.runtime.context import Context
from services.runtime.facts import TicketMoved
from services.runtime.ports import Ports
from services.runtime.refusal import Refusal
from services.runtime.router import Router
from services.runtime.work import Draft

router: Final = Router()
# One process serves at a time, so that its own count tells the orders of a second apart;
# two lives of it in one second are told apart by the random start.
_ordinals: Final = itertools.count(secrets.randbelow(2**20))


@router.prepare(PlaceOrder)
async def read_menu_ahead(
    draft: Draft, ports: Ports, asked: Sequence[tuple[str, PlaceOrder]]
) -> None:
    """Read all items of the batch in one query."""
    await ports.menu.prepare(
        draft, {(tenant, line.item) for tenant, request in asked for line in request.lines}
    )


@router.on(PlaceOrder)
async def place_order(request: PlaceOrder, context: Context) -> None:
    """Keep a new order; the kitchen cuts its tickets while this is decided."""
    lines, currency = await _priced(context, request.lines)
    order = rules.place(
        order_id=context.request_id,
        number=rules.order_number(context.now, next(_ordinals)),
        device=context.device,
        lines=lines,
        currency=currency,
        placed_at=context.now,
        reference=request.reference,
        table=request.table,
    )
    store.save(context, order)
    await context.emit(OrderPlaced(order_id=order.order_id, order=order))
    context.answer(_receipt(order))


@router.on(AddLines)
async def add_lines(request: AddLines, context: Context) -> None:
    """Put more lines on an open order."""
    order = await _open(context, request)
    lines, _ = await _priced(context, request.lines, first=len(order.lines) + 1)
    order = rules.add_lines(order, lines)
    await _changed(context, order, OrderChange.LINES_ADDED, tuple(line.line for line in lines))
    context.answer(_receipt(order))


@router.on(CancelOrder)
async def cancel_order(request: CancelOrder, context: Context) -> None:
    """Call the whole order off."""
    order = rules.step(await _open(context, request), OrderStep.CANCEL, reason=request.reason)
    await _changed(context, order, OrderChange.CANCELLED)
    context.answer(_receipt(order))


@router.on(CloseOrder)
async def close_order(request: CloseOrder, context: Context) -> None:
    """The guest has it."""
    order = rules.step(await _open(context, request), OrderStep.CLOSE)
    await _changed(context, order, OrderChange.CLOSED)
    context.answer(_receipt(order))


@router.during(TicketMoved)
async def follow_the_kitchen(moved: TicketMoved, context: Context) -> None:
    """Move the order on with its tickets: the first started, the last bumped."""
    order = await store.order_of(context, moved.order_id)
    if order is None:
        return
    if moved.open_tickets == 0 and order.status in {OrderStatus.PLACED, OrderStatus.PREPARING}:
        await _changed(context, rules.step(order, OrderStep.FINISH), OrderChange.READY)
    elif moved.started and order.status is OrderStatus.PLACED:
        await _changed(context, rules.step(order, OrderStep.START), OrderChange.PREPARING)


async def _priced(
    context: Context, lines: Sequence[LineRequest], *, first: int = 1
) -> tuple[tuple[OrderLine, ...], Currency]:
    menu = await context.ports.menu.items(
        context.draft, context.tenant, {line.item for line in lines}
    )
    priced = rules.price_lines(lines, menu, first=first)
    return priced, next(iter(menu.values())).currency


async def _open(context: Context, request: AddLines | CancelOrder | CloseOrder) -> Order:
    order = await store.order_of(context, request.order_id)
    if order is None:
        raise Refusal(RefusalCode.NOT_FOUND, f"there is no order {request.order_id}")
    return order


async def _changed(
    context: Context, order: Order, change: OrderChange, added: tuple[int, ...] = ()
) -> None:
    store.save(context, order)
    await context.emit(
        OrderChanged(order_id=order.order_id, change=change, order=order, added=added)
    )


def _receipt(order: Order) -> OrderReceipt:
    return OrderReceipt(
        order_id=order.order_id,
        number=order.number,
        status=order.status,
        version=order.version,
        currency=order.currency,
        total_minor=order.total_minor,
    )
