"""The point of sale: where orders begin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Unpack
from uuid import UUID

from devices.client import DeviceClient
from devices.connection import Received
from devices.options import DeviceOptions
from devices.pending import Pending
from schemas.envelope import envelope_of
from schemas.menu import MenuItem
from schemas.orders import AddLines, CancelOrder, CloseOrder, LineRequest, PlaceOrder
from schemas.replies import OrderReceipt


@dataclass(frozen=True, slots=True)
class NewOrder:
    """One order of a batch; see `PointOfSale.place_order`."""

    lines: tuple[LineRequest, ...]
    table: str | None = None
    reference: str | None = None
    request_id: UUID | None = None

    def request(self) -> PlaceOrder:
        """The request that asks for it."""
        return PlaceOrder(lines=self.lines, table=self.table, reference=self.reference)


class PointOfSale(DeviceClient):
    """A till, a tablet, a kiosk or a web shop: it places orders and knows the menu.

    For the arguments see `DeviceClient`; give it an outbox. What is asked is written
    to the outbox, and sent once it is safe there; so it may be asked offline too.

    Asking raises pydantic's ValidationError (a ValueError) where the request itself
    is wrong, and RuntimeError once the till is closed. Whether the order is taken is
    said by the handle.
    """

    def __init__(self, host: str, port: int, **options: Unpack[DeviceOptions]) -> None:
        super().__init__(host, port, **options)
        self._menu: dict[str, MenuItem] = {}
        self._menu_filter = MenuItem.route.filter(tenant=self.tenant)
        self._menu_route = MenuItem.route

    @property
    def menu(self) -> Mapping[str, MenuItem]:
        """The menu by item, as far as it has arrived; live, and not to be changed.

        What left the menu while this till was away may still stand here; the services
        refuse it with `unknown-item`.
        """
        return MappingProxyType(self._menu)

    def place_order(
        self,
        lines: Iterable[LineRequest],
        *,
        table: str | None = None,
        reference: str | None = None,
        request_id: UUID | None = None,
    ) -> Pending[OrderReceipt]:
        """Place an order; returns at once.

        Args:
            lines: what is ordered; prices come from the menu.
            table: where the guests sit.
            reference: the till's own number for it.
            request_id: a UUIDv7 to use as the order's id; whoever places the same
                order with the same id again gets the same receipt.
        """
        order = NewOrder(tuple(lines), table, reference)
        return self._request(order.request(), request_id)

    def place_orders(self, orders: Iterable[NewOrder]) -> list[Pending[OrderReceipt]]:
        """Place many orders with one write to the disk, in their order; returns at once."""
        return self._request_many((order.request(), order.request_id) for order in orders)

    def add_lines(
        self, order_id: UUID, lines: Iterable[LineRequest], *, request_id: UUID | None = None
    ) -> Pending[OrderReceipt]:
        """Add lines to an open order."""
        return self._request(AddLines(order_id=order_id, lines=tuple(lines)), request_id)

    def cancel_order(
        self, order_id: UUID, reason: str, *, request_id: UUID | None = None
    ) -> Pending[OrderReceipt]:
        """Call an order off."""
        return self._request(CancelOrder(order_id=order_id, reason=reason), request_id)

    def close_order(
        self, order_id: UUID, *, request_id: UUID | None = None
    ) -> Pending[OrderReceipt]:
        """The guest has it: a ready order leaves the floor."""
        return self._request(CloseOrder(order_id=order_id), request_id)

    def _filters(self) -> list[str]:
        return [self._menu_filter]

    def _receive(self, message: Received, now: float) -> None:  # noqa: ARG002 - the hook's shape
        item = self._menu_route.parse(message.topic)["item"]
        if not message.payload:
            self._menu.pop(item, None)
            return
        told: MenuItem = envelope_of(MenuItem).model_validate_json(message.payload).data
        if told.item != item:
            raise ValueError(f"it speaks of {told.item}")
        self._menu[item] = told
