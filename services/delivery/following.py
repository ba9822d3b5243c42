"""How deliveries follow their orders, in the same transaction.

It goes both ways: a delivery that is picked up sends its order out (`DeliveryMoved`), and an
order that the till sends out takes its delivery with it. Whoever was moved first stands already
where it shall, so neither pushes the other twice.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from schemas.deliveries import IN_THE_BAG, OPEN_DELIVERY, DeliveryStatus, DeliveryStep
from schemas.orders import Order, OrderChange, OrderChanged, OrderKind, OrderPlaced, OrderStatus
from schemas.refusals import RefusalCode
from services.delivery import beginning, doors, moving, rules, store
from services.delivery.kept import Kept
from services.runtime import house_rules
from services.runtime.context import Context
from services.runtime.refusal import Refusal
from services.runtime.router import Router

router: Final = Router()

_ANNULLED: Final = frozenset({OrderStatus.CANCELLED, OrderStatus.VOIDED, OrderStatus.REJECTED})
_LINES: Final = frozenset(
    {OrderChange.LINES_ADDED, OrderChange.LINES_CHANGED, OrderChange.LINES_VOIDED}
)


@router.during(OrderPlaced)
async def begin_with_the_order(placed: OrderPlaced, context: Context) -> None:
    """What is accepted at once is to be brought."""
    if placed.order.status is OrderStatus.ACCEPTED:
        await _begin(context, placed.order)


@router.during(OrderChanged)
async def follow_the_order(changed: OrderChanged, context: Context) -> None:
    """Move a delivery with its order.

    Raises:
        Refusal: `wrong-state`, where the order is sent out, and no courier is to bring it.
    """
    order = changed.order
    if order.kind is not OrderKind.DELIVERY:
        return
    if changed.change is OrderChange.ACCEPTED:
        await _begin(context, order)
        return
    kept = await store.seek(context, order.order_id)
    if kept is None:
        return
    if changed.change is OrderChange.GUEST_FORGOTTEN:
        store.save(context, rules.forget_guest(kept))
    elif kept.delivery.status in OPEN_DELIVERY:
        await _follow(context, kept, changed)


async def _begin(context: Context, order: Order) -> None:
    place = None if order.guest is None else order.guest.place
    if order.kind is not OrderKind.DELIVERY or place is None:
        return
    house = await house_rules.delivery_rules(context.draft, context.tenant)
    # A door too far away is a slip: the order is kept and cooked, and the house says the door.
    if house.place is not None and doors.too_far_km(place, house) is None:
        answer, standing = context.result, context.standing
        await beginning.begin(context, order, place, house)
        # It is the order that was asked about, and not what comes of it.
        context.result, context.standing = answer, standing


async def _follow(context: Context, kept: Kept, changed: OrderChanged) -> None:
    answer, standing = context.result, context.standing
    order = changed.order
    if changed.change in _LINES and rules.items(order) != kept.items:
        kept = replace(_again(kept), items=rules.items(order))
        await moving.changed(context, kept, None)
    cooking = order.status in {OrderStatus.ACCEPTED, OrderStatus.PREPARING}
    if order.status in _ANNULLED:
        await _cancel(context, kept, order)
    elif changed.change is OrderChange.READY:
        await moving.changed(context, rules.ready(kept, context.now), None)
    elif cooking and kept.ready_at is not None:
        await moving.changed(context, rules.ready(kept, None), None)
    elif changed.change is OrderChange.OUT_FOR_DELIVERY:
        await _take_out(context, kept)
    elif changed.change is OrderChange.DELIVERED:
        if kept.delivery.status is DeliveryStatus.FAILED:
            kept = await moving.moved(context, kept, DeliveryStep.SET_OUT)
        await moving.moved(context, kept, DeliveryStep.DELIVER)
    elif changed.change is OrderChange.RETURNED:
        if kept.delivery.status is not DeliveryStatus.FAILED:
            kept = await moving.moved(context, kept, DeliveryStep.FAIL, reason=changed.why)
        await moving.moved(context, kept, DeliveryStep.RETURN)
    context.result, context.standing = answer, standing


async def _take_out(context: Context, kept: Kept) -> None:
    if kept.delivery.status in IN_THE_BAG:
        return
    if not rules.can(kept.delivery, DeliveryStep.PICK_UP):
        raise Refusal(
            RefusalCode.WRONG_STATE,
            f"the delivery of {kept.delivery.number} is {kept.delivery.status}: no courier has "
            "accepted it yet",
        )
    await moving.moved(context, kept, DeliveryStep.PICK_UP)


async def _cancel(context: Context, kept: Kept, order: Order) -> None:
    reason = (order.reason or f"the order is {order.status}")[:120]
    await moving.moved(
        context, kept, DeliveryStep.CANCEL, reason=" ".join(reason.split()) or str(order.status)
    )


def _again(kept: Kept) -> Kept:
    changes = {"version": kept.delivery.version + 1}
    return replace(kept, delivery=kept.delivery.model_copy(update=changes))
