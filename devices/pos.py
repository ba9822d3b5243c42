"""The point of sale: where orders begin."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Unpack
from uuid import UUID

from devices.alerts_view import AlertsView
from devices.channels_view import ChannelsView
from devices.connection import Received
from devices.floor import FloorRequests
from devices.menu_view import MenuView
from devices.options import DeviceOptions
from devices.order_requests import OrderRequests
from devices.orders_view import OrdersView
from devices.pending import Pending, Rejected
from devices.quote_requests import QuoteRequests
from schemas.alerts import Alert
from schemas.envelope import envelope_of
from schemas.kitchen_pace import ChannelState
from schemas.menu import MenuItem
from schemas.orders import (
    Guest,
    LineRequest,
    Order,
    OrderKind,
    OrderState,
    Participant,
    PlaceOrder,
)
from schemas.refusals import RefusalCode
from schemas.replies import OrderPage, OrderReceipt


@dataclass(frozen=True, slots=True)
class NewOrder:
    """One order of a batch; see `PointOfSale.place_order`."""

    lines: tuple[LineRequest, ...]
    table: str | None = None
    reference: str | None = None
    request_id: UUID | None = None
    kind: OrderKind = OrderKind.DINE_IN
    covers: int | None = None
    guest: Guest | None = None
    participants: tuple[Participant, ...] = ()
    due_at: datetime | None = None

    def request(self) -> PlaceOrder:
        """The request that asks for it."""
        return PlaceOrder(
            lines=self.lines,
            kind=self.kind,
            reference=self.reference,
            table=self.table,
            covers=self.covers,
            guest=self.guest,
            participants=self.participants,
            due_at=self.due_at,
        )


class PointOfSale(OrderRequests, FloorRequests, QuoteRequests):
    """A till, a tablet, a kiosk or a web shop: it places orders and knows the menu.

    Give it an outbox. What is asked is written to the outbox, and sent once it is safe
    there; so it may be asked offline too.

    Args:
        host: the broker's host name or address.
        port: the broker's port.
        watch_orders: hear of every change of every open order, for `orders`. A till that
            shows none need not bear that.
        options: see `DeviceClient`.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        watch_orders: bool = False,
        **options: Unpack[DeviceOptions],
    ) -> None:
        super().__init__(host, port, **options)
        self._menu: Final = MenuView(self.tenant)
        self._channels: Final = ChannelsView(self.tenant)
        self._watches: Final = watch_orders
        self._view: Final = OrdersView()
        self._view_lock: Final = threading.Lock()
        self._alerts: Final = AlertsView(self.tenant, mine=frozenset({self.device}))

    @property
    def menu(self) -> Mapping[str, MenuItem]:
        """The menu by item, as far as it has arrived; live, and not to be changed.

        What left the menu while this till was away may still stand here; the services
        refuse it with `unknown-item`.
        """
        return self._menu.items

    @property
    def channels(self) -> Mapping[OrderKind, ChannelState]:
        """How each kind of order is taken, and why, as far as it has arrived; live.

        A kind that is absent is taken freely. What is paused here may be taken by the time that
        an order comes, and the other way round: the services' answer counts.
        """
        return self._channels.channels

    @property
    def alerts(self) -> list[Alert]:
        """What this till is told: whose orders the kitchen has not heard, critical first."""
        with self._view_lock:
            return self._alerts.alerts

    @property
    def orders(self) -> Mapping[UUID, Order]:
        """The open orders by id, as they stand now; empty without `watch_orders`.

        An order never goes back to an earlier version. One that ended while this till was
        away may stand here for some seconds after it is online again: until `orders_doubted`
        is zero.
        """
        with self._view_lock:
            return dict(self._view.orders)

    @property
    def orders_doubted(self) -> int:
        """How many of `orders` are not yet known to be open still, after a connection."""
        with self._view_lock:
            return self._view.doubted

    def place_order(
        self,
        lines: Iterable[LineRequest],
        *,
        table: str | None = None,
        reference: str | None = None,
        request_id: UUID | None = None,
        kind: OrderKind = OrderKind.DINE_IN,
        covers: int | None = None,
        guest: Guest | None = None,
        participants: Iterable[Participant] = (),
        due_at: datetime | None = None,
    ) -> Pending[OrderReceipt]:
        """Place an order; returns at once.

        Args:
            lines: what is ordered; prices come from the menu.
            table: where the guests sit.
            reference: the till's own number for it.
            request_id: a UUIDv7 to use as the order's id; whoever places the same
                order with the same id again gets the same receipt.
            kind: how the guests get it.
            covers: how many they are.
            guest: whom it is for, where that is known.
            participants: the guests who share it; lines name them by number.
            due_at: for when it is ordered, aware; None is as soon as possible.
        """
        order = NewOrder(
            tuple(lines), table, reference, request_id, kind, covers, guest, tuple(participants),
            due_at,
        )  # fmt: skip
        return self._request(order.request(), request_id)

    def place_orders(self, orders: Iterable[NewOrder]) -> list[Pending[OrderReceipt]]:
        """Place many orders with one write to the disk, in their order; returns at once."""
        return self._request_many((order.request(), order.request_id) for order in orders)

    # -- on the device's own thread ---------------------------------------------------

    def _filters(self) -> list[str]:
        watched = [OrderState.route.filter(tenant=self.tenant)] if self._watches else []
        return [self._menu.filter, self._alerts.filter, self._channels.filter, *watched]

    def _connected(self, now: float) -> None:
        with self._view_lock:
            self._view.connected(now)
            self._alerts.connected()

    def _receive(self, message: Received, now: float) -> None:  # noqa: ARG002 - the hook's shape
        if self._menu.owns(message.topic):
            self._menu.receive(message.topic, message.payload)
        elif self._channels.owns(message.topic):
            self._channels.receive(message.topic, message.payload)
        elif self._alerts.owns(message.topic):
            with self._view_lock:
                self._alerts.receive(message.topic, message.payload)
        else:
            self._receive_order(message)

    def _receive_order(self, message: Received) -> None:
        order_id = UUID(OrderState.route.parse(message.topic)["order_id"])
        if not message.payload:
            with self._view_lock:
                self._view.end(order_id)
            return
        told: OrderState = envelope_of(OrderState).model_validate_json(message.payload).data
        if told.order.order_id != order_id:
            raise ValueError(f"it speaks of {told.order.order_id}")
        with self._view_lock:
            self._view.show(told.order)

    def _tick(self, now: float) -> float:
        if not self.online:
            return float("inf")
        with self._view_lock:
            wanted = self._view.ask(now)
        for order_id in wanted:
            self._make_sure(order_id)
        with self._view_lock:
            return self._view.next_look

    def _make_sure(self, order_id: UUID) -> None:
        """Ask for an order of which nothing stands retained any more."""
        pending = self.read_order(order_id)

        def answered(pending: Pending[OrderPage]) -> None:
            error = pending.error
            with self._view_lock:
                if isinstance(error, Rejected) and error.code == RefusalCode.NOT_FOUND:
                    self._view.end(order_id)
                elif error is None and isinstance(page := pending.result(0), OrderPage):
                    self._view.show(page.order)
                else:
                    self._view.failed(order_id, time.monotonic())

        pending.then(answered)
