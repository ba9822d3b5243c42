"""The simulated waiter sees every order to its end, and asks for nothing twice."""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import UUID

import pytest

from devices.pos import PointOfSale
from devices.simulated_waiter import SimulatedWaiter
from schemas.identifiers import new_id
from schemas.message import Request
from schemas.order_changes import AcceptOrder, DeliverOrder, DispatchOrder, ServeOrder
from schemas.orders import CloseOrder, Order, OrderKind, OrderState, OrderStatus, Wait
from schemas.payments import PayOrder
from schemas.replies import Outcome, Reply
from tests.devices.stage import CALM, TENANT, Broker, Responder, receipt, until
from tests.devices.test_orders_view import order

NEXT: dict[type[Request], dict[str, Any]] = {
    AcceptOrder: {"status": OrderStatus.READY, "waits_for": ()},
    ServeOrder: {"status": OrderStatus.SERVED},
    DispatchOrder: {"status": OrderStatus.OUT_FOR_DELIVERY},
    DeliverOrder: {"status": OrderStatus.DELIVERED},
    PayOrder: {"due_minor": 0},
    CloseOrder: {"status": OrderStatus.CLOSED},
}


class House:
    """As much of the services as keeps one order moving."""

    def __init__(self, responder: Responder, first: Order) -> None:
        self.order = first
        self.asked: Counter[type[Request]] = Counter()
        self._responder = responder
        responder.answers = self.answer
        self.show()

    def answer(self, id_: UUID, request: Request) -> Reply:
        self.asked[type(request)] += 1
        changes = {"version": self.order.version + 1, **NEXT[type(request)]}
        self.order = self.order.model_copy(update=changes)
        self.show()
        return Reply(request=id_, outcome=Outcome.ACCEPTED, result=receipt(self.order.order_id))

    def show(self) -> None:
        id_ = self.order.order_id
        if self.order.status is OrderStatus.CLOSED:
            topic = OrderState.route.topic(tenant=TENANT, order_id=str(id_))
            self._responder.say_raw(topic, b"", retain=True)
        else:
            self._responder.say(OrderState(order_id=id_, order=self.order))


@pytest.mark.parametrize(
    ("kind", "steps"),
    [
        (OrderKind.DINE_IN, {AcceptOrder, ServeOrder, PayOrder, CloseOrder}),
        (OrderKind.DELIVERY, {AcceptOrder, DispatchOrder, DeliverOrder, PayOrder, CloseOrder}),
    ],
)
def test_an_order_is_brought_paid_and_closed(
    broker: Broker, responder: Responder, kind: OrderKind, steps: set[type[Request]]
) -> None:
    first = order(new_id(), status=OrderStatus.PLACED).model_copy(
        update={"kind": kind, "waits_for": (Wait.APPROVAL,), "due_minor": 950}
    )
    house = House(responder, first)
    till = PointOfSale(
        "127.0.0.1", broker.port, tenant=TENANT, device="waiter-1", secret="open-sesame",
        patience=CALM, watch_orders=True,
    )  # fmt: skip
    with till, SimulatedWaiter(till, speed=600.0, seed=1) as waiter:
        until(lambda: waiter.closed == 1, "the order is closed")
        until(lambda: not till.orders, "it is seen no more")
    assert house.asked == Counter(dict.fromkeys(steps, 1))
    [paid] = [heard.message for heard in responder.requests(PayOrder)]
    assert isinstance(paid, PayOrder)
    assert paid.amount_minor == 950
    assert waiter.taken_minor == 950 + paid.tip_minor
    assert paid.tip_minor >= 0


def test_a_waiter_of_no_speed_is_none(broker: Broker) -> None:
    till = PointOfSale("127.0.0.1", broker.port, tenant=TENANT, device="w", secret="s")
    with pytest.raises(ValueError, match="speed"):
        SimulatedWaiter(till, speed=0)
    till.close()
