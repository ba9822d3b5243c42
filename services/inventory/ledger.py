"""The ledger: what there is of an item is the sum of its movements. Pure.

A level has four figures, in thousandths of the item's base unit. What is damaged is still on
hand until it is thrown away or sent back; what is reserved is promised to orders and still on
hand until it is cooked; what is planned is promised to orders of later days, and takes nothing
from today. Available is what may still be promised::

    available = on hand - damaged - reserved
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from schemas.inventory import MOST, BaseUnit, MovementKind
from schemas.refusals import RefusalCode
from services.inventory.units import text
from services.runtime.refusal import Refusal

Kind = MovementKind


class Level(NamedTuple):
    """How much there is of one item; what changes it has the same four figures."""

    on_hand: int = 0
    reserved: int = 0
    damaged: int = 0
    planned: int = 0

    @property
    def available(self) -> int:
        """What may still be promised; below nothing where more is promised than there is."""
        return self.on_hand - self.damaged - self.reserved


EFFECT: Final = {
    Kind.RECEIVE: Level(on_hand=1),
    Kind.PLAN: Level(planned=1),
    Kind.UNPLAN: Level(planned=-1),
    Kind.RESERVE: Level(reserved=1),
    Kind.RELEASE: Level(reserved=-1),
    Kind.CONSUME: Level(on_hand=-1, reserved=-1),
    Kind.WASTE: Level(on_hand=-1),
    Kind.DAMAGE: Level(damaged=1),
    Kind.REPAIR: Level(damaged=-1),
    Kind.DISCARD: Level(on_hand=-1, damaged=-1),
    Kind.COUNT: Level(on_hand=1),
    Kind.TRANSFER: Level(),
    Kind.RETURN: Level(on_hand=-1),
}
"""What one of each kind does to the figures of the house; a transfer moves within it."""

_OF_THE_SOUND: Final = frozenset({Kind.WASTE, Kind.DAMAGE, Kind.RETURN})
"""They take from what is on hand and whole; promised or not, it is gone."""


def check_amount(kind: MovementKind, amount: int, item: str) -> None:
    """See that so much of a kind can be.

    Raises:
        Refusal: `invalid`, for nothing, for less where the kind has one way only, and for more
            than the books hold.
    """
    if amount == 0 or (amount < 0 and kind is not Kind.COUNT) or abs(amount) > MOST:
        raise Refusal(
            RefusalCode.INVALID, f"{item}: a quantity must be above nothing, and one that can be"
        )


def after(level: Level, kind: MovementKind, amount: int) -> Level:
    """The level with one movement more."""
    on_hand, reserved, damaged, planned = EFFECT[kind]
    return Level(
        level.on_hand + on_hand * amount,
        level.reserved + reserved * amount,
        level.damaged + damaged * amount,
        level.planned + planned * amount,
    )


def total(movements: Iterable[tuple[MovementKind, int]]) -> Level:
    """What movements come to, from nothing."""
    level = Level()
    for kind, amount in movements:
        level = after(level, kind, amount)
    return level


def checked(
    level: Level,
    kind: MovementKind,
    amount: int,
    item: str,
    base: BaseUnit,
    *,
    counted: bool = True,
    promised: bool = False,
) -> Level:
    """The level with one movement more, where that can be.

    What a cook takes is taken, whatever the books say: cooking and counting may bring what is
    on hand below nothing, which is an alert and no refusal.

    Args:
        level: before.
        kind: what moves.
        amount: how much, in thousandths of the base unit.
        item: its name, for refusals.
        base: its unit.
        counted: whether anybody has said how much there is; what nobody has counted limits
            nothing.
        promised: whether a guest was promised it before; then it is theirs, and what is
            available may fall below nothing.

    Raises:
        Refusal: `item-unavailable`, where more would be promised than is available;
            `wrong-state`, where more would be released, repaired, thrown away or sent back than
            there is; `invalid`, where it would be more than the books hold.
    """
    now = after(level, kind, amount)
    if now.on_hand > MOST:
        raise Refusal(
            RefusalCode.INVALID, f"{item}: that is more than the books can hold: check the unit"
        )
    promise = kind in {Kind.RESERVE, Kind.PLAN}
    if promise and (max(now.reserved, now.planned) > MOST or now.available < -MOST):
        # What is cooked is taken, whatever the books say: so they must be able to hold it.
        raise Refusal(
            RefusalCode.INVALID,
            f"{item}: more is promised than the books can hold: check its recipes, and count it",
        )
    if kind is Kind.RESERVE and counted and not promised and now.available < 0:
        left = text(max(0, level.available), base)
        raise Refusal(RefusalCode.ITEM_UNAVAILABLE, f"{item}: only {left} left")
    if now.reserved < 0 or now.planned < 0:
        said = text(level.reserved if now.reserved < 0 else level.planned, base)
        raise Refusal(RefusalCode.WRONG_STATE, f"{item}: only {said} is promised to orders")
    if now.damaged < 0:
        said = text(level.damaged, base)
        raise Refusal(RefusalCode.WRONG_STATE, f"{item}: only {said} is damaged")
    if kind in _OF_THE_SOUND and now.on_hand - now.damaged < 0:
        said = text(max(0, level.on_hand - level.damaged), base)
        raise Refusal(
            RefusalCode.WRONG_STATE, f"{item}: the books have only {said}; count it first"
        )
    return now
