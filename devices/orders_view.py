"""What a till knows of the open orders: pure.

Each order's state is retained, and cleared when it ends. The view never goes back in an
order's versions, and what has ended stays so, however late an older word of it arrives.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final
from uuid import UUID

from schemas.orders import OPEN_ORDER, Order

_ENDED_KEPT: Final = 10_000
"""So many orders that ended are remembered; a word that is older than that never comes."""


class OrdersView:
    """The open orders, from messages that may be late or come twice.

    An order that ended while nobody listened leaves nothing behind that would say so: after
    each connection it is therefore doubted, until its state arrives again or somebody asks.

    Args:
        grace_s: how long after a connection what is retained may take to arrive.
    """

    def __init__(self, *, grace_s: float = 2.0) -> None:
        self._grace_s: Final = grace_s
        self._orders: dict[UUID, Order] = {}
        self._ended: dict[UUID, None] = {}
        self._doubted: set[UUID] = set()
        self._asked: set[UUID] = set()
        self._ask_at = float("inf")

    @property
    def orders(self) -> Mapping[UUID, Order]:
        """The open orders by id: live, and not to be changed."""
        return MappingProxyType(self._orders)

    @property
    def doubted(self) -> int:
        """How many of them are not known to be open still."""
        return len(self._doubted)

    def connected(self, now: float) -> None:
        """What is retained arrives from now on; what happened before was missed."""
        self._doubted = set(self._orders)
        self._asked.clear()
        self._ask_at = now + self._grace_s if self._doubted else float("inf")

    def show(self, order: Order) -> bool:
        """An order's state has arrived; tells whether it is news."""
        id_ = order.order_id
        if id_ in self._ended:
            return False
        if order.status not in OPEN_ORDER:
            return self.end(id_)
        self._trust(id_)
        known = self._orders.get(id_)
        if known is not None and known.version >= order.version:
            return False
        self._orders[id_] = order
        return True

    def end(self, order_id: UUID) -> bool:
        """An order has ended; tells whether it stood here."""
        self._trust(order_id)
        self._ended[order_id] = None
        while len(self._ended) > _ENDED_KEPT:
            del self._ended[next(iter(self._ended))]
        return self._orders.pop(order_id, None) is not None

    def ask(self, now: float) -> Iterable[UUID]:
        """The orders to ask for now; each counts as asked until it is told or failed."""
        if now < self._ask_at:
            return ()
        wanted = self._doubted - self._asked
        self._asked |= wanted
        self._ask_at = float("inf")
        return sorted(wanted)

    def failed(self, order_id: UUID, now: float) -> None:
        """No answer came of this order: it is to be asked for again."""
        self._asked.discard(order_id)
        if order_id in self._doubted:
            self._ask_at = min(self._ask_at, now + self._grace_s)

    @property
    def next_look(self) -> float:
        """When `ask` may name orders; inf for never."""
        return self._ask_at

    def _trust(self, order_id: UUID) -> None:
        self._doubted.discard(order_id)
        self._asked.discard(order_id)
        if not self._doubted:
            self._ask_at = float("inf")
