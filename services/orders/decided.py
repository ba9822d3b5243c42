"""What a rule makes of an order."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.orders import Order
from services.orders import ledger
from services.orders.ledger import Posting


@dataclass(frozen=True, slots=True)
class Decided:
    """What a rule made of an order.

    Attributes:
        order: as it stands now; its version has grown by one.
        posting: the money that this moved.
        rules: what decided, in words for people.
    """

    order: Order
    posting: Posting = ledger.NOTHING
    rules: tuple[str, ...] = ()
