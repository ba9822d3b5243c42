"""What one area tells another inside the transaction, where no message is published.

A fact is handed to its listeners at once (`Router.during`), so that what must be true
together is decided together. Messages of the contract are facts too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from schemas.deliveries import DeliveryStep
from schemas.orders import OrderKind

WITH: Final = "with:"
"""Before a modifier's name, where items and recipes are named: a dish may be called the same."""


@dataclass(frozen=True, slots=True)
class TicketMoved:
    """A ticket of an order was started or ended.

    Attributes:
        order_id: the order it belongs to.
        started: True when a cook has begun it with this step.
        open_tickets: how many tickets of the order are still open after this step.
        cooking: the order's lines on this ticket that are being made, or are made.
    """

    order_id: UUID
    started: bool
    open_tickets: int
    cooking: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class TicketRecalled:
    """A ticket that was bumped is to be made once more, or some of it.

    Attributes:
        order_id: the order it belongs to; what was ready is so no more.
    """

    order_id: UUID


@dataclass(frozen=True, slots=True)
class TicketGiven:
    """Others see to an open ticket than before.

    Attributes:
        ticket_id: the ticket.
        people: all who see to it now, by name.
    """

    ticket_id: UUID
    people: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PortionsLeft:
    """The stock says how many of some things can still be made.

    Attributes:
        left: by menu item, and by `WITH` and the modifier; None is enough for now.
        runs_out: for people, of what there is not enough, where nothing is left.
        known: all that is made of stock, where it says so: nothing else is scarce any more.
    """

    left: Mapping[str, int | None]
    runs_out: Mapping[str, str] = field(default_factory=dict)
    known: Collection[str] | None = None


@dataclass(frozen=True, slots=True)
class DeliveryMoved:
    """A delivery went one step; where the food went with it, so does its order.

    Attributes:
        order_id: the order that is brought.
        step: what was done; the delivery stands already as it is after it.
        reason: why, where somebody said so.
    """

    order_id: UUID
    step: DeliveryStep
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ChannelHeld:
    """An area outside the kitchen has a kind of order taken no more, or lets go of it.

    Attributes:
        channel: the kind.
        why: for people; None lets go.
    """

    channel: OrderKind
    why: str | None
