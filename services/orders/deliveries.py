"""How an order follows the courier who brings it, in the same transaction."""

from __future__ import annotations

from typing import Final

from schemas.deliveries import DeliveryStep
from schemas.orders import OrderStatus, OrderStep
from schemas.refusals import RefusalCode
from services.orders import store
from services.orders.changes import moved
from services.runtime.context import Context
from services.runtime.facts import DeliveryMoved
from services.runtime.refusal import Refusal
from services.runtime.router import Router

router: Final = Router()

_FOLLOWS: Final = {
    DeliveryStep.PICK_UP: (OrderStep.DISPATCH, OrderStatus.OUT_FOR_DELIVERY),
    DeliveryStep.DELIVER: (OrderStep.DELIVER, OrderStatus.DELIVERED),
    DeliveryStep.RETURN: (OrderStep.RETURN, OrderStatus.READY),
}

_NOT_READY: Final = frozenset({OrderStatus.PLACED, OrderStatus.ACCEPTED, OrderStatus.PREPARING})


@router.during(DeliveryMoved)
async def follow_the_courier(fact: DeliveryMoved, context: Context) -> None:
    """Send the order out, hand it over, or take it back.

    Raises:
        Refusal: `wrong-state`, where it is not so far: food that is not ready cannot leave.
    """
    following = _FOLLOWS.get(fact.step)
    order = await store.order_of(context, fact.order_id)
    if following is None or order is None or order.status is following[1]:
        return
    if fact.step is DeliveryStep.PICK_UP and order.status in _NOT_READY:
        raise Refusal(
            RefusalCode.WRONG_STATE,
            f"the food of {order.number} is not ready (its order is {order.status}): it is when "
            f"its last ticket is bumped; heard kitchen queue --tenant {context.tenant} shows them",
        )
    why = fact.reason if fact.step is DeliveryStep.RETURN else None
    await moved(context, order, following[0], why=why, rules_=("as its delivery",))
