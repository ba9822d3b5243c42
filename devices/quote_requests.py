"""What a till asks before there is an order: what a delivery would be promised."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from devices.client import DeviceClient
from devices.pending import Pending
from schemas.delivery_requests import QuoteDelivery
from schemas.orders import LineRequest
from schemas.positions import Place
from schemas.replies import DeliveryQuote

_QUESTION_S: Final = 10.0
"""How long an answer may take; a question is not kept, and asked again costs nothing."""


class QuoteRequests(DeviceClient):
    """A device of the house at which guests are told when their order will be there."""

    def quote_delivery(
        self,
        place: Place | None = None,
        *,
        lines: Iterable[LineRequest] = (),
        items: int | None = None,
        due_at: datetime | None = None,
    ) -> Pending[DeliveryQuote]:
        """What a delivery order would be promised that is placed now, and whether one is taken.

        It changes nothing and keeps nothing free: what is placed later may be promised another
        time. Refused with `no-place`, `too-far`, `time-passed` or `not-allowed`.

        Args:
            place: the guest's door; None is a door as far away as most are.
            lines: what would be ordered, as far as it is known.
            items: how many dishes, where nobody knows which; None is as many as most orders have.
            due_at: for when it is wanted, aware; None is as soon as possible.
        """
        query = QuoteDelivery(place=place, lines=tuple(lines), items=items, due_at=due_at)
        return self._ask(query, expires_s=_QUESTION_S)
