"""What a movement changes of what is on hand at one place of the house. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from schemas.inventory import MovementKind
from services.inventory.ledger import EFFECT


@dataclass(frozen=True, slots=True)
class Moved:
    """One item of one entry of the ledger.

    Attributes:
        kind: what moved.
        item: of what.
        amount: as the kind counts it, in thousandths of the item's base unit.
        at: when it was so.
        kept_at: when it was kept.
        place: where; None is where the kitchen takes the item from.
        to_place: with a transfer, where to.
        reference: a delivery note, a count.
    """

    kind: MovementKind
    item: str
    amount: int
    at: datetime
    kept_at: datetime
    place: str | None = None
    to_place: str | None = None
    reference: str | None = None


class Shelf(NamedTuple):
    """Where an item lies.

    Attributes:
        item: its name.
        place: where somebody looks.
        home: where the kitchen takes it from, and where all lies that names no place.
    """

    item: str
    place: str
    home: str


def change_at(shelf: Shelf, moved: Moved) -> int:
    """How much more lies on a shelf after a movement."""
    if moved.item != shelf.item:
        return 0
    _, place, home = shelf
    if moved.kind is MovementKind.TRANSFER:
        return moved.amount * ((moved.to_place == place) - ((moved.place or home) == place))
    return EFFECT[moved.kind].on_hand * moved.amount if (moved.place or home) == place else 0


def books_had(shelf: Shelf, held: int, since: Iterable[Moved], at: datetime) -> int:
    """What the books had on a shelf at an earlier time.

    What moved at that very instant had moved already.

    Args:
        shelf: which.
        held: what they have there now.
        since: all that moved later, and perhaps more.
        at: when.
    """
    return held - sum(change_at(shelf, each) for each in since if each.at > at)
