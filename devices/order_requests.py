"""What may be asked of orders that are kept: lines that change, steps, payments."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from devices.client import DeviceClient
from devices.pending import Pending
from schemas.menu import ModifierRequest
from schemas.message import Request
from schemas.order_changes import (
    AcceptOrder,
    ChangeLine,
    DeliverOrder,
    DispatchOrder,
    ReadOrder,
    RejectOrder,
    ReturnOrder,
    ServeOrder,
    VoidLines,
    VoidOrder,
)
from schemas.orders import AddLines, CancelOrder, CloseOrder, LineRequest
from schemas.payments import CASH, PayOrder, RefundOrder, SplitOrder
from schemas.replies import OrderPage, OrderReceipt, Shares

_QUESTION_S: Final = 10.0
"""How long an answer may take; a question is not kept, and asked again costs nothing."""


class OrderRequests(DeviceClient):
    """A device that asks for changes of orders.

    Requests are written to the outbox and return at once; the handle says what became of
    them. `seen` is the order's version that the device shows: what has changed since is
    refused with `stale-version`, and the refusal carries how the order stands now.
    `request_id` is a UUIDv7 of the caller's; the same one again gives the same answer.

    Asking raises pydantic's ValidationError (a ValueError) where the request itself is
    wrong, and RuntimeError once the device is closed.
    """

    def ask_many(
        self, requests: Iterable[tuple[Request, UUID | None]]
    ) -> list[Pending[OrderReceipt]]:
        """Ask for many things, each under its id, with one write to the disk; returns at once."""
        return self._request_many(requests)

    # -- lines --------------------------------------------------------------------------

    def add_lines(
        self, order_id: UUID, lines: Iterable[LineRequest], *, request_id: UUID | None = None
    ) -> Pending[OrderReceipt]:
        """Add lines to an open order."""
        return self._request(AddLines(order_id=order_id, lines=tuple(lines)), request_id)

    def change_line(
        self,
        order_id: UUID,
        line: int,
        *,
        quantity: int | None = None,
        note: str | None = None,
        modifiers: Iterable[ModifierRequest] | None = None,
        seat: str | None = None,
        reason: str | None = None,
        seen: int | None = None,
        request_id: UUID | None = None,
    ) -> Pending[OrderReceipt]:
        """Change one line; what is None stays as it is, no modifiers take all of them off."""
        wanted = ChangeLine(
            order_id=order_id,
            line=line,
            quantity=quantity,
            note=note,
            modifiers=None if modifiers is None else tuple(modifiers),
            seat=seat,
            reason=reason,
            version=seen,
        )
        return self._request(wanted, request_id)

    def void_lines(
        self,
        order_id: UUID,
        lines: Iterable[int],
        reason: str,
        *,
        seen: int | None = None,
        request_id: UUID | None = None,
    ) -> Pending[OrderReceipt]:
        """Take lines off; what is cooked needs a manager's device."""
        wanted = VoidLines(order_id=order_id, lines=tuple(lines), reason=reason, version=seen)
        return self._request(wanted, request_id)

    # -- steps --------------------------------------------------------------------------

    def accept_order(
        self, order_id: UUID, *, request_id: UUID | None = None
    ) -> Pending[OrderReceipt]:
        """The house takes an order that waited for approval."""
        return self._request(AcceptOrder(order_id=order_id), request_id)

    def reject_order(
        self, order_id: UUID, reason: str, *, request_id: UUID | None = None
    ) -> Pending[OrderReceipt]:
        """The house does not take an order that is not yet with the kitchen."""
        return self._request(RejectOrder(order_id=order_id, reason=reason), request_id)

    def cancel_order(
        self,
        order_id: UUID,
        reason: str,
        *,
        seen: int | None = None,
        request_id: UUID | None = None,
    ) -> Pending[OrderReceipt]:
        """Call an order off, while nothing of it is cooked."""
        wanted = CancelOrder(order_id=order_id, reason=reason, version=seen)
        return self._request(wanted, request_id)

    def void_order(
        self,
        order_id: UUID,
        reason: str,
        *,
        seen: int | None = None,
        request_id: UUID | None = None,
    ) -> Pending[OrderReceipt]:
        """Annul the whole order, cooked or not: a manager's right."""
        wanted = VoidOrder(order_id=order_id, reason=reason, version=seen)
        return self._request(wanted, request_id)

    def serve_order(
        self, order_id: UUID, *, seen: int | None = None, request_id: UUID | None = None
    ) -> Pending[OrderReceipt]:
        """A ready order is on the table, or handed over."""
        return self._request(ServeOrder(order_id=order_id, version=seen), request_id)

    def dispatch_order(
        self, order_id: UUID, *, request_id: UUID | None = None
    ) -> Pending[OrderReceipt]:
        """A ready order left with a courier."""
        return self._request(DispatchOrder(order_id=order_id), request_id)

    def deliver_order(
        self, order_id: UUID, *, request_id: UUID | None = None
    ) -> Pending[OrderReceipt]:
        """The guest has it."""
        return self._request(DeliverOrder(order_id=order_id), request_id)

    def return_order(
        self, order_id: UUID, reason: str, *, request_id: UUID | None = None
    ) -> Pending[OrderReceipt]:
        """The courier brought it back."""
        return self._request(ReturnOrder(order_id=order_id, reason=reason), request_id)

    def close_order(
        self, order_id: UUID, *, seen: int | None = None, request_id: UUID | None = None
    ) -> Pending[OrderReceipt]:
        """The guests have had it: it leaves the floor."""
        return self._request(CloseOrder(order_id=order_id, version=seen), request_id)

    # -- money --------------------------------------------------------------------------

    def pay(
        self,
        order_id: UUID,
        *,
        method: str = CASH,
        amount_minor: int | None = None,
        tip_minor: int = 0,
        tendered_minor: int | None = None,
        guest: int | None = None,
        request_id: UUID | None = None,
    ) -> Pending[OrderReceipt]:
        """Pay an order, or a part of it, in minor units of its currency.

        Args:
            order_id: the order.
            method: `cash`, which is paid at once; or a provider's name, whose word is
                waited for. The payment is then called like this request's id.
            amount_minor: towards the order; None is all that is open, or the guest's share.
            tip_minor: on top of it.
            tendered_minor: the cash that was handed over; the receipt says the change.
            guest: which participant pays.
            request_id: see above.
        """
        wanted = PayOrder(
            order_id=order_id,
            method=method,
            amount_minor=amount_minor,
            tip_minor=tip_minor,
            tendered_minor=tendered_minor,
            guest=guest,
        )
        return self._request(wanted, request_id)

    def refund(
        self,
        order_id: UUID,
        reason: str,
        *,
        amount_minor: int | None = None,
        lines: Iterable[int] = (),
        payment_id: UUID | None = None,
        request_id: UUID | None = None,
    ) -> Pending[OrderReceipt]:
        """Give money back: an amount, whole lines, or with neither all that was paid.

        Args:
            order_id: the order.
            reason: why; it stands in the order's history.
            amount_minor: how much.
            lines: what is given back in whole.
            payment_id: of which payment; None takes the newest first.
            request_id: see above.
        """
        wanted = RefundOrder(
            order_id=order_id,
            payment_id=payment_id,
            amount_minor=amount_minor,
            lines=tuple(lines),
            reason=reason,
        )
        return self._request(wanted, request_id)

    # -- questions ----------------------------------------------------------------------

    def split(self, order_id: UUID, *, ways: int | None = None) -> Pending[Shares]:
        """Ask what each has to pay: by guest, or in so many equal parts."""
        return self._question(SplitOrder(order_id=order_id, ways=ways))

    def read_order(self, order_id: UUID) -> Pending[OrderPage]:
        """Ask for one order, open or ended."""
        return self._question(ReadOrder(order_id=order_id))

    def _question(self, question: Request) -> Pending[Any]:
        return self._ask(question, expires_s=_QUESTION_S)
