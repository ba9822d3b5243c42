"""The orders as other areas see them."""

from __future__ import annotations

from uuid import UUID

from schemas.orders import Order
from schemas.replies import OrderReceipt
from services.orders import changes
from services.orders.store import ORDERS, to_order
from services.runtime.work import Draft


class StoredOrders:
    """See `services.runtime.ports.OrdersPort`."""

    async def order(self, draft: Draft, tenant: str, order_id: UUID) -> Order | None:
        """See `OrdersPort.order`."""
        row = await draft.get(ORDERS, tenant, order_id)
        if row is None:
            return None
        draft.work.rely(ORDERS, (tenant, order_id))
        return to_order(dict(row))

    def receipt(self, order: Order) -> OrderReceipt:
        """See `OrdersPort.receipt`."""
        return changes.receipt(order)
