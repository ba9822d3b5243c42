"""How a change of a delivery is kept and told: one way for all of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from schemas.deliveries import (
    OPEN_DELIVERY,
    WITH_COURIER,
    DeliveryChanged,
    DeliveryState,
    DeliveryStep,
)
from schemas.replies import DeliveryReceipt
from services.delivery import couriers, rules, store
from services.delivery.kept import Kept
from services.runtime.context import Context
from services.runtime.facts import DeliveryMoved


async def moved(
    context: Context,
    kept: Kept,
    step: DeliveryStep,
    *,
    at: datetime | None = None,
    reason: str | None = None,
    **more: Any,
) -> Kept:
    """Move a delivery one step, keep and tell it; its order follows, and its courier's stops.

    Raises:
        Refusal: `wrong-state`, of the delivery or of its order: food that is not ready cannot be
            picked up.
    """
    before = kept.delivery.courier
    kept = rules.step(kept, step, now=context.now, at=at, reason=reason, **more)
    await changed(context, kept, step)
    # Only now: the order follows a delivery that stands where it shall, and does not push it.
    await context.tell(DeliveryMoved(kept.delivery.order_id, step, reason))
    await _let_go(context, kept, before)
    return kept


async def changed(context: Context, kept: Kept, step: DeliveryStep | None) -> None:
    """Keep and tell the next version of a delivery."""
    store.save(context, kept)
    delivery = kept.delivery
    context.standing = DeliveryReceipt(delivery=delivery)
    context.answer(context.standing)
    await context.emit(DeliveryChanged(order_id=delivery.order_id, step=step, delivery=delivery))
    if delivery.status in OPEN_DELIVERY:
        state = DeliveryState(order_id=delivery.order_id, delivery=delivery)
        await couriers.show(context, state)
    else:
        clear(context, kept)
    if delivery.courier is not None and delivery.status in WITH_COURIER:
        row = await couriers.seek(context, delivery.courier)
        if row is not None and delivery.order_id in couriers.stops_of(row):
            await couriers.show_run(context, row)


def clear(context: Context, kept: Kept) -> None:
    """A delivery that has ended is shown no more, nor what was decided of it just before."""
    state = DeliveryState(order_id=kept.delivery.order_id, delivery=kept.delivery)
    topic = state.topic(tenant=context.tenant)
    context.emitted[:] = [each for each in context.emitted if each.topic != topic]
    context.clear(DeliveryState, order_id=str(kept.delivery.order_id))


async def _let_go(context: Context, kept: Kept, courier: str | None) -> None:
    """Whoever had it to bring, and has not any more, has one stop less."""
    if courier is None or kept.delivery.status in WITH_COURIER:
        return
    row = await couriers.seek(context, courier)
    if row is None:
        return
    left = [each for each in couriers.stops_of(row) if each != kept.delivery.order_id]
    row = await couriers.set_stops(context, row, left)
    await couriers.show_run(context, row)
