"""What one area tells another inside the transaction, where no message is published.

A fact is handed to its listeners at once (`Router.during`), so that what must be true
together is decided together. Messages of the contract are facts too.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class TicketMoved:
    """A ticket of an order was started or ended.

    Attributes:
        order_id: the order it belongs to.
        started: True when a cook has begun it with this step.
        open_tickets: how many tickets of the order are still open after this step.
    """

    order_id: UUID
    started: bool
    open_tickets: int
