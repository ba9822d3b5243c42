"""What people ask of purchase orders: draft, edit, send, call off, read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Final
from uuid import UUID

from devices.client import DeviceClient
from devices.pending import Pending
from schemas.purchasing import (
    CancelPurchase,
    DraftPurchase,
    EditPurchase,
    ReadPurchases,
    SendPurchase,
    WantedLine,
)
from schemas.replies import PurchasePage, PurchaseReceipt

_QUESTION_S: Final = 10.0
"""How long an answer may take; a question is not kept, and asked again costs nothing."""


class PurchaseRequests(DeviceClient):
    """A device at which people say what is to be bought; see `devices.stock_requests`."""

    def draft_purchase(
        self,
        supplier: str,
        lines: Iterable[WantedLine],
        *,
        note: str = "",
        request_id: UUID | None = None,
    ) -> Pending[PurchaseReceipt]:
        """Write down what to ask a supplier for; nothing is sent yet."""
        wanted = DraftPurchase(supplier=supplier, lines=tuple(lines), note=note)
        return self._request(wanted, request_id)

    def edit_purchase(
        self,
        purchase_id: UUID,
        lines: Iterable[WantedLine],
        *,
        note: str | None = None,
        request_id: UUID | None = None,
    ) -> Pending[PurchaseReceipt]:
        """Ask for something else, before it is sent."""
        wanted = EditPurchase(purchase_id=purchase_id, lines=tuple(lines), note=note)
        return self._request(wanted, request_id)

    def send_purchase(
        self,
        purchase_id: UUID,
        *,
        expected_on: date | None = None,
        below_minimum: bool = False,
        request_id: UUID | None = None,
    ) -> Pending[PurchaseReceipt]:
        """It goes to the supplier: from now on it is expected."""
        wanted = SendPurchase(
            purchase_id=purchase_id, expected_on=expected_on, below_minimum=below_minimum
        )
        return self._request(wanted, request_id)

    def cancel_purchase(
        self, purchase_id: UUID, reason: str, *, request_id: UUID | None = None
    ) -> Pending[PurchaseReceipt]:
        """Nothing more is to come of it."""
        return self._request(CancelPurchase(purchase_id=purchase_id, reason=reason), request_id)

    def read_purchases(
        self, purchase_id: UUID | None = None, *, open_only: bool = False
    ) -> Pending[PurchasePage]:
        """One purchase order, or the newest ones."""
        question = ReadPurchases(purchase_id=purchase_id, open_only=open_only)
        return self._ask(question, expires_s=_QUESTION_S)
