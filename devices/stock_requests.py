"""What people ask of the stock: receive, count, throw away, set aside, carry, send back."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from devices.client import DeviceClient
from devices.pending import Pending
from schemas.inventory import Quantity
from schemas.inventory_requests import (
    CountedLine,
    CountStock,
    LoseStock,
    ReadCountSheet,
    ReadStock,
    ReceivedLine,
    ReceiveStock,
    ReturnStock,
    StockLoss,
    TransferStock,
)
from schemas.replies import CountSheet, StockPage, StockReceipt

_QUESTION_S: Final = 10.0
"""How long an answer may take; a question is not kept, and asked again costs nothing."""


class StockRequests(DeviceClient):
    """A device at which people say what they do with stock.

    Requests are written to the outbox and return at once, offline too; the handle says what
    became of them. `request_id` is a UUIDv7 of the caller's; the same one again gives the same
    answer.

    Asking raises pydantic's ValidationError (a ValueError) where the request itself is
    wrong, and RuntimeError once the device is closed.
    """

    def receive_stock(
        self,
        supplier: str,
        note: str,
        lines: Iterable[ReceivedLine],
        *,
        purchase: UUID | None = None,
        person: str | None = None,
        request_id: UUID | None = None,
    ) -> Pending[StockReceipt]:
        """A delivery has come; the same note of the same supplier counts once."""
        wanted = ReceiveStock(
            supplier=supplier, note=note, lines=tuple(lines), purchase=purchase, person=person
        )
        return self._request(wanted, request_id)

    def count_stock(
        self,
        count: str,
        lines: Iterable[CountedLine],
        *,
        note: str = "",
        person: str | None = None,
        request_id: UUID | None = None,
    ) -> Pending[StockReceipt]:
        """Somebody has counted; what says no time of its own was counted just now.

        The answer may be hours away, where the device is offline: the count is of the time at
        which it was made, whenever it arrives.

        Args:
            count: the count that it belongs to, as ``2026-11-21-night``.
            lines: what was found; no quantity is nothing left.
            note: whatever else there is to say.
            person: who has counted.
            request_id: see the class.
        """
        now = datetime.now(UTC)
        found = tuple(
            line if line.at is not None else line.model_copy(update={"at": now}) for line in lines
        )
        return self._request(
            CountStock(count=count, lines=found, note=note, person=person), request_id
        )

    def lose_stock(
        self,
        what: StockLoss,
        item: str,
        quantity: Quantity,
        reason: str,
        *,
        place: str | None = None,
        lot_id: UUID | None = None,
        person: str | None = None,
        request_id: UUID | None = None,
    ) -> Pending[StockReceipt]:
        """Something was thrown away, or set aside as damaged, or was not damaged after all."""
        wanted = LoseStock(
            what=what,
            item=item,
            quantity=quantity,
            reason=reason,
            place=place,
            lot_id=lot_id,
            person=person,
        )
        return self._request(wanted, request_id)

    def transfer_stock(
        self,
        item: str,
        quantity: Quantity,
        place: str,
        to_place: str,
        *,
        person: str | None = None,
        request_id: UUID | None = None,
    ) -> Pending[StockReceipt]:
        """Something was carried from one place of the house to another."""
        wanted = TransferStock(
            item=item, quantity=quantity, place=place, to_place=to_place, person=person
        )
        return self._request(wanted, request_id)

    def return_stock(
        self,
        supplier: str,
        item: str,
        quantity: Quantity,
        reason: str,
        *,
        place: str | None = None,
        lot_id: UUID | None = None,
        person: str | None = None,
        request_id: UUID | None = None,
    ) -> Pending[StockReceipt]:
        """Something goes back to who delivered it."""
        wanted = ReturnStock(
            supplier=supplier,
            item=item,
            quantity=quantity,
            reason=reason,
            place=place,
            lot_id=lot_id,
            person=person,
        )
        return self._request(wanted, request_id)

    def read_stock(
        self, items: Iterable[str] = (), *, after: str | None = None
    ) -> Pending[StockPage]:
        """How much there is of these, or of the first that there are."""
        question = ReadStock(items=tuple(items), after=after)
        return self._ask(question, expires_s=_QUESTION_S)

    def read_count_sheet(self, after: str | None = None) -> Pending[CountSheet]:
        """What there is to count, from that name on; nothing of how much there should be."""
        return self._ask(ReadCountSheet(after=after), expires_s=_QUESTION_S)
