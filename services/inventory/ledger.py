"""The ledger: what there is of an item is the sum of its movements. Pure.

A level has three figures, in thousandths of the item's base unit. What is damaged is still on
hand until it is thrown away or sent back; what is reserved is promised to orders and still on
hand until it is cooked. Available is what may still be promised::

    available = on hand - damaged - reserved
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from schemas.refusals import RefusalCode
from services.runtime.refusal import Refusal
from services.inventory.units import MOST, BaseUnit, text


class Kind(StrEnum):
    """What moved."""

    RECEIVE = "receive"
    RESERVE = "reserve"
    RELEASE = "release"
    CONSUME = "consume"
    """Cooked: what was reserved for it is no longer, and no longer there."""
    WASTE = "waste"
    DAMAGE = "damage"
    REPAIR = "repair"
    """It was not damaged after all."""
    DISCARD = "discard"
    """What was damaged is thrown away."""
    COUNT = "count"
    """Somebody looked: the difference between what there is and what the books said."""
    TRANSFER = "transfer"
    """To another place (below nothing), or from one."""
    RETURN = "return"
    """To who delivered it, whole."""


@dataclass(frozen=True, slots=True)
class Level:
    """How much there is of one item at one place."""

    on_hand: int = 0
    reserved: int = 0
    damaged: int = 0

    @property
    def available(self) -> int:
        """What may still be promised; below nothing where more is promised than there is."""
        return self.on_hand - self.damaged - self.reserved


@dataclass(frozen=True, slots=True)
class Movement:
    """What changed, figure by figure."""

    kind: Kind
    on_hand: int = 0
    reserved: int = 0
    damaged: int = 0


_EFFECT: Final = {
    Kind.RECEIVE: (1, 0, 0),
    Kind.RESERVE: (0, 1, 0),
    Kind.RELEASE: (0, -1, 0),
    Kind.CONSUME: (-1, -1, 0),
    Kind.WASTE: (-1, 0, 0),
    Kind.DAMAGE: (0, 0, 1),
    Kind.REPAIR: (0, 0, -1),
    Kind.DISCARD: (-1, 0, -1),
    Kind.COUNT: (1, 0, 0),
    Kind.TRANSFER: (1, 0, 0),
    Kind.RETURN: (-1, 0, 0),
}
"""What one of each kind does to what is on hand, reserved and damaged."""

_EITHER_WAY: Final = frozenset({Kind.COUNT, Kind.TRANSFER})
_OF_THE_SOUND: Final = frozenset({Kind.WASTE, Kind.DAMAGE, Kind.RETURN})
"""They take from what is on hand and whole; promised or not, it is gone."""


def movement(kind: Kind, amount: int) -> Movement:
    """One movement of so much.

    Raises:
        Refusal: `invalid`, for nothing, for less where the kind has one way only, and for more
            than the books hold.
    """
    if amount == 0 or (amount < 0 and kind not in _EITHER_WAY) or abs(amount) > MOST:
        raise Refusal(RefusalCode.INVALID, f"{kind}: a quantity must be above nothing, and real")
    on_hand, reserved, damaged = _EFFECT[kind]
    return Movement(kind, on_hand * amount, reserved * amount, damaged * amount)


def after(level: Level, moved: Movement) -> Level:
    """The level with one movement more."""
    return Level(
        level.on_hand + moved.on_hand,
        level.reserved + moved.reserved,
        level.damaged + moved.damaged,
    )


def total(movements: Iterable[Movement]) -> Level:
    """What movements come to, from nothing."""
    level = Level()
    for each in movements:
        level = after(level, each)
    return level


def checked(level: Level, moved: Movement, item: str, base: BaseUnit) -> Level:
    """The level with one movement more, where that can be.

    What a cook takes is taken, whatever the books say: cooking and counting may bring what is
    on hand below nothing, which is an alert and no refusal.

    Raises:
        Refusal: `item-unavailable`, where more would be promised than is available; `wrong-state`, where
            more would be released, repaired, thrown away or moved than there is.
    """
    now = after(level, moved)
    if moved.kind is Kind.RESERVE and now.available < 0:
        left = text(max(0, level.available), base)
        raise Refusal(RefusalCode.ITEM_UNAVAILABLE, f"{item}: only {left} left")
    if now.reserved < 0:
        said = text(level.reserved, base)
        raise Refusal(RefusalCode.WRONG_STATE, f"{item}: only {said} is promised to orders")
    if now.damaged < 0:
        said = text(level.damaged, base)
        raise Refusal(RefusalCode.WRONG_STATE, f"{item}: only {said} is damaged")
    takes = moved.kind in _OF_THE_SOUND or (moved.kind is Kind.TRANSFER and moved.on_hand < 0)
    if takes and now.on_hand - now.damaged < 0:
        said = text(max(0, level.on_hand - level.damaged), base)
        raise Refusal(
            RefusalCode.WRONG_STATE, f"{item}: the books have only {said}; count it first"
        )
    return now
