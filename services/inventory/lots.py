"""What is left of each delivery: first expired, first out. Pure.

Cooks do not say from which crate they take. So what they took is reckoned: they take what
expires first, and of that what came first. What is left then lies in the lots that expire
last. What was named as lost of a lot is gone from that one, whatever the order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from schemas.inventory import Lot


@dataclass(frozen=True, slots=True)
class KeptLot:
    """A delivery of one item, as it is kept.

    Attributes:
        lot_id: its name.
        item: what it is of.
        received: how much came, in thousandths of the item's base unit.
        gone: how much of exactly this lot was thrown away or sent back.
        expires_on: the last day on which it may be used; None keeps.
        received_at: when it came.
        place: where it was put.
        supplier: who brought it.
        reference: the number of the delivery note.
        cost_minor: what all of it cost.
    """

    lot_id: UUID
    item: str
    received: int
    gone: int
    expires_on: date | None
    received_at: datetime
    place: str
    supplier: str | None = None
    reference: str | None = None
    cost_minor: int | None = None

    def with_left(self, left: int) -> Lot:
        """As it is told."""
        return Lot(
            lot_id=self.lot_id,
            item=self.item,
            received=self.received,
            left=left,
            expires_on=self.expires_on,
            received_at=self.received_at,
            reference=self.reference,
            cost_minor=self.cost_minor,
        )


def left_of(on_hand: int, lots: Iterable[KeptLot]) -> list[Lot]:
    """What is left of each lot of one item, what is to be used first before the others.

    Where more is on hand than the lots can hold (a count has found it), nobody knows when the
    rest expires, and it is of no lot.

    Args:
        on_hand: of the item, in thousandths of its base unit; below nothing is nothing.
        lots: all of them, in any order.
    """
    rest = max(0, on_hand)
    found: list[Lot] = []
    for lot in sorted(lots, key=_use_by, reverse=True):
        left = min(lot.received - lot.gone, rest)
        rest -= left
        found.append(lot.with_left(left))
    return found[::-1]


def _use_by(lot: KeptLot) -> tuple[date, datetime, UUID]:
    return lot.expires_on or date.max, lot.received_at, lot.lot_id
