"""What the orders area does with messages: an order's way from the till to the guest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.money import Currency
from schemas.order_changes import (
    AcceptOrder,
    DeliverOrder,
    DispatchOrder,
    ReadOrder,
    RejectOrder,
    ReturnOrder,
    ServeOrder,
    VoidOrder,
)
from schemas.orders import (
    AddLines,
    CancelOrder,
    CloseOrder,
    LineRequest,
    Order,
    OrderChange,
    OrderLine,
    OrderState,
    OrderStatus,
    OrderStep,
    PlaceOrder,
)
from schemas.refusals import RefusalCode
from schemas.replies import OrderPage
from services.orders import (
    deliveries,
    line_changes,
    payments,
    pricing,
    reading,
    rules,
    store,
    waiting,
)
from services.orders.changes import (
    changed,
    load,
    moved,
    placed,
    receipt,
    what_waiting_became,
)
from services.orders.decided import Decided
from services.orders.inside import ForgetGuest, WakeOrder
from services.orders.ordinals import Ordinals
from services.runtime import house_rules
from services.runtime.context import Context, Outgoing, outgoing
from services.runtime.facts import TicketMoved, TicketRecalled
from services.runtime.ports import LineWork, Ports
from services.runtime.refusal import Refusal
from services.runtime.rights import is_manager
from services.runtime.router import Asking, Router
from services.runtime.work import Draft

router: Final = Router()
_ordinals: Final = Ordinals()


@router.prepare(PlaceOrder)
async def read_menu_ahead(
    draft: Draft, ports: Ports, asked: Sequence[tuple[str, PlaceOrder]]
) -> None:
    """Read all items of the batch in one query, and the rules of the houses."""
    await house_rules.prepare(draft, {tenant for tenant, _ in asked})
    await ports.menu.prepare(
        draft, {(tenant, line.item) for tenant, request in asked for line in request.lines}
    )


@router.on(PlaceOrder)
async def place_order(request: PlaceOrder, context: Context) -> None:
    """Keep a new order; where nothing is waited for, the kitchen cuts its tickets meanwhile."""
    context.answer(receipt(await place(request, context)))


async def place(request: PlaceOrder, context: Context) -> Order:
    """Price, keep and tell a new order.

    Raises:
        Refusal: see `pricing.price_lines` and `rules.place`.
    """
    house = await house_rules.order_rules(context.draft, context.tenant)
    lines, currency = await _priced(context, request.lines, due_at=request.due_at)
    decided = rules.place(
        request,
        house,
        order_id=context.request_id,
        number=rules.order_number(context.now, _ordinals.next()),
        device=context.device,
        lines=lines,
        currency=currency,
        at=context.now,
    )
    return await placed(context, decided)


@router.on(AddLines)
async def add_lines(request: AddLines, context: Context) -> None:
    """Put more lines on an open order."""
    order = await load(context, request.order_id)
    house = await house_rules.order_rules(context.draft, context.tenant)
    lines, _ = await _priced(
        context,
        request.lines,
        due_at=order.due_at,
        first=len(order.lines) + 1,
        version=order.version + 1,
    )
    rules.check_more(order, house, rules.total(lines))
    order = await changed(
        context,
        rules.add_lines(order, lines),
        OrderChange.LINES_ADDED,
        lines=tuple(line.line for line in lines),
    )
    context.answer(receipt(order))


@router.on(AcceptOrder)
async def accept_order(request: AcceptOrder, context: Context) -> None:
    """The house takes it; what else it waits for, it still waits for."""
    order = rules.approve(await load(context, request.order_id))
    order = order.model_copy(update={"version": order.version + 1})
    context.answer(receipt(await changed(context, Decided(order), OrderChange.APPROVED)))


@router.on(RejectOrder)
async def reject_order(request: RejectOrder, context: Context) -> None:
    """The house does not take it."""
    order = await load(context, request.order_id)
    context.answer(receipt(await moved(context, order, OrderStep.REJECT, why=request.reason)))


@router.on(CancelOrder)
async def cancel_order(request: CancelOrder, context: Context) -> None:
    """Call the whole order off, while nothing of it is cooked."""
    order = await load(context, request.order_id)
    rules.check_version(order, request.version)
    if await _is_cooked(order, context):
        raise Refusal(
            RefusalCode.ALREADY_COOKED,
            f"some of {order.number} is cooked: a manager may void it",
        )
    context.answer(receipt(await moved(context, order, OrderStep.CANCEL, why=request.reason)))


@router.on(VoidOrder)
async def void_order(request: VoidOrder, context: Context) -> None:
    """Annul the whole order, cooked or not."""
    order = await load(context, request.order_id)
    if not await is_manager(context):
        raise Refusal(RefusalCode.NOT_ALLOWED, "to void a whole order is a manager's right")
    rules.check_version(order, request.version)
    context.answer(
        receipt(
            await moved(
                context, order, OrderStep.VOID, why=request.reason, rules_=("a manager may",)
            )
        )
    )


@router.on(ServeOrder)
async def serve_order(request: ServeOrder, context: Context) -> None:
    """It is on the table, or handed over."""
    order = await load(context, request.order_id)
    rules.check_version(order, request.version)
    context.answer(receipt(await moved(context, order, OrderStep.SERVE)))


@router.on(DispatchOrder)
async def dispatch_order(request: DispatchOrder, context: Context) -> None:
    """A courier has it."""
    order = await load(context, request.order_id)
    context.answer(receipt(await moved(context, order, OrderStep.DISPATCH)))


@router.on(DeliverOrder)
async def deliver_order(request: DeliverOrder, context: Context) -> None:
    """The guest has it."""
    order = await load(context, request.order_id)
    context.answer(receipt(await moved(context, order, OrderStep.DELIVER)))


@router.on(ReturnOrder)
async def return_order(request: ReturnOrder, context: Context) -> None:
    """The courier brought it back."""
    order = await load(context, request.order_id)
    context.answer(receipt(await moved(context, order, OrderStep.RETURN, why=request.reason)))


@router.on(CloseOrder)
async def close_order(request: CloseOrder, context: Context) -> None:
    """The guests have had it: it leaves the floor, paid where this house asks for that."""
    order = await load(context, request.order_id)
    rules.check_version(order, request.version)
    rules.check_paid(order, await house_rules.order_rules(context.draft, context.tenant))
    context.answer(receipt(await moved(context, order, OrderStep.CLOSE)))


@router.on(WakeOrder)
async def wake_order(request: WakeOrder, context: Context) -> None:
    """The time has come to look at a waiting order: to release it, or to give it up."""
    order = await load(context, request.order_id)
    if order.status is not OrderStatus.PLACED or order.wake_at != request.wake_at:
        context.answer(receipt(order))
        return
    house = await house_rules.order_rules(context.draft, context.tenant)
    # A clock that was set back must not make this the only answer that it ever gets.
    now = max(context.now, request.wake_at)
    if waiting.unpaid_too_long(order, house, now):
        order = await moved(context, order, OrderStep.CANCEL, why="not paid in time")
    elif (decided := waiting.settle(order, house, now)) is not None:
        order = await changed(context, decided, what_waiting_became(decided))
    context.answer(receipt(order))


@router.on(ForgetGuest)
async def forget_guest(request: ForgetGuest, context: Context) -> None:
    """Erase who the guests were."""
    order = await load(context, request.order_id)
    order = rules.forget_guest(order)
    context.answer(receipt(await changed(context, Decided(order), OrderChange.GUEST_FORGOTTEN)))


@router.during(TicketMoved)
async def follow_the_kitchen(fact: TicketMoved, context: Context) -> None:
    """Move the order on with its tickets: the first started, the last bumped."""
    order = await store.order_of(context, fact.order_id)
    if order is None:
        return
    if fact.open_tickets == 0 and order.status in {OrderStatus.ACCEPTED, OrderStatus.PREPARING}:
        await moved(context, order, OrderStep.FINISH)
    elif fact.started and order.status is OrderStatus.ACCEPTED:
        await moved(context, order, OrderStep.START)


@router.during(TicketRecalled)
async def take_up_again(fact: TicketRecalled, context: Context) -> None:
    """What was ready is prepared once more.

    Raises:
        Refusal: `wrong-state`, where the guest has it already or nobody wants it any more.
    """
    order = await load(context, fact.order_id)
    if order.status is OrderStatus.ACCEPTED:
        await moved(context, order, OrderStep.START)
    elif order.status is OrderStatus.READY:
        await moved(context, order, OrderStep.REOPEN)
    elif order.status is not OrderStatus.PREPARING:
        raise Refusal(
            RefusalCode.WRONG_STATE,
            f"{order.number} is {order.status}: what was made of it cannot be recalled, "
            "order it again",
            state=receipt(order),
        )


@router.answer(ReadOrder)
async def read_order(query: ReadOrder, asking: Asking) -> OrderPage:
    """One order, whole."""
    return OrderPage(order=await reading.one(asking.connection, asking.tenant, query.order_id))


@router.state
async def open_orders(connection: AsyncConnection, tenant: str, now: datetime) -> list[Outgoing]:
    """What stands retained on the broker: every open order."""
    return [
        outgoing(OrderState(order_id=order.order_id, order=order), tenant=tenant, now=now)
        for order in await reading.open_orders(connection, tenant)
    ]


async def _is_cooked(order: Order, context: Context) -> bool:
    if order.status not in {OrderStatus.ACCEPTED, OrderStatus.PREPARING}:
        return False
    work = await context.ports.kitchen.work(context.draft, context.tenant, order.order_id)
    return LineWork.COOKED in work.values()


async def _priced(
    context: Context,
    lines: Sequence[LineRequest],
    *,
    due_at: datetime | None,
    first: int = 1,
    version: int = 1,
) -> tuple[tuple[OrderLine, ...], Currency]:
    menu = await context.ports.menu.offered(
        context.draft, context.tenant, lines, now=context.now, due_at=due_at
    )
    house = await house_rules.order_rules(context.draft, context.tenant)
    priced = pricing.price_lines(lines, menu, house, first=first, version=version)
    return priced, next(iter(menu.values())).currency


router.include(deliveries.router)
router.include(line_changes.router)
router.include(payments.router)
