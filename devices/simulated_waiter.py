"""A simulated waiter: brings what is ready, takes the money, and closes the orders."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable
from typing import Final
from uuid import UUID

from devices.pending import Pending
from devices.pos import PointOfSale
from devices.simulator import Simulated
from schemas.orders import Order, OrderKind, OrderStatus, Wait
from schemas.replies import OrderReceipt

Act = Callable[[], Pending[OrderReceipt]]

_LOOK_S: Final = 0.25
_ROUND: Final = 50
"""Tips are in steps of this many minor units."""


class SimulatedWaiter(Simulated):
    """A waiter who sees every open order to its end.

    What waits for approval is accepted; what is ready is served, or sent out and delivered;
    what is due is paid in cash, some with a tip; what is paid is closed.

    Args:
        pos: the till he uses, which watches orders; started and closed by its owner.
        pause_s: least and longest time until he does what is to be done.
        speed: 60 makes a minute a second.
        seed: the same seed gives the same waiter; None gives another each time.
    """

    def __init__(
        self,
        pos: PointOfSale,
        *,
        pause_s: tuple[float, float] = (15.0, 90.0),
        speed: float = 1.0,
        seed: int | None = None,
    ) -> None:
        super().__init__(f"waiter at {pos.device}")
        if speed <= 0:
            raise ValueError(f"speed must be above 0, not {speed}")
        self.closed = 0
        """How many orders were closed."""
        self.taken_minor = 0
        """What was paid, in minor units, with tips."""
        self._pos = pos
        self._pause_s = pause_s
        self._speed = speed
        self._rng = random.Random(seed)  # noqa: S311 - a waiter, not a secret
        self._due: dict[tuple[UUID, OrderStatus, bool], float] = {}
        self._asked: dict[UUID, Pending[OrderReceipt]] = {}

    def _run(self) -> None:
        while not self._stopped.wait(_LOOK_S):
            with contextlib.suppress(RuntimeError):  # a closed till: we are stopped soon
                self._work(time.monotonic())

    def _work(self, now: float) -> None:
        orders = self._pos.orders
        self._asked = {id_: asked for id_, asked in self._asked.items() if not asked.done}
        steps = {}
        for order in orders.values():
            act = self._next(order)
            if act is None or order.order_id in self._asked:
                continue
            step = (order.order_id, order.status, order.due_minor > 0)
            pause = self._rng.uniform(*self._pause_s) / self._speed
            steps[step] = self._due.get(step, now + pause)
            if now >= steps[step]:
                self._asked[order.order_id] = act()
                # Should it be refused, for somebody was quicker, it is looked at again.
                steps[step] = now + pause
        self._due = steps

    def _next(self, order: Order) -> Act | None:
        """What is to be done for an order."""
        pos, id_, seen = self._pos, order.order_id, order.version
        if order.status is OrderStatus.PLACED:
            waits = Wait.APPROVAL in order.waits_for
            return (lambda: pos.accept_order(id_)) if waits else None
        if order.guest is not None and order.guest.place is not None:
            return self._bill(order)  # couriers fetch it, and bring it to a door on the map
        if order.status is OrderStatus.READY:
            if order.kind is OrderKind.DELIVERY:
                return lambda: pos.dispatch_order(id_)
            return lambda: pos.serve_order(id_, seen=seen)
        if order.status is OrderStatus.OUT_FOR_DELIVERY:
            return lambda: pos.deliver_order(id_)
        return self._bill(order)

    def _bill(self, order: Order) -> Act | None:
        """Whoever has eaten pays, and then goes."""
        if order.status not in {OrderStatus.SERVED, OrderStatus.DELIVERED}:
            return None
        return (lambda: self._take(order)) if order.due_minor > 0 else lambda: self._close(order)

    def _take(self, order: Order) -> Pending[OrderReceipt]:
        due = order.due_minor
        tip = 0
        if self._rng.random() < 0.4:
            tip = max(1, round(due * self._rng.uniform(0.05, 0.15) / _ROUND)) * _ROUND
        asked = self._pos.pay(order.order_id, amount_minor=due, tip_minor=tip)
        asked.then(lambda pending: self._count(pending, due + tip))
        return asked

    def _close(self, order: Order) -> Pending[OrderReceipt]:
        asked = self._pos.close_order(order.order_id, seen=order.version)
        asked.then(self._count_closed)
        return asked

    def _count(self, pending: Pending[OrderReceipt], minor: int) -> None:
        if pending.error is None:
            self.taken_minor += minor

    def _count_closed(self, pending: Pending[OrderReceipt]) -> None:
        if pending.error is None:
            self.closed += 1
