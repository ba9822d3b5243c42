"""How large an order may grow. Pure.

It travels whole with each of its changes, and brokers take no message over 1.25 MiB: one that
was larger could never be told, and would stand in the way of all that is told after it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from pydantic import TypeAdapter

from schemas.menu import ChosenModifier
from schemas.orders import OrderLine
from schemas.refusals import RefusalCode
from services.runtime.refusal import Refusal

MOST_BYTES: Final = 512 * 1024
"""Of all lines, written down; the rest is for payments, refunds, and guests' names."""
_LIGHT: Final = 80
"""So few lines and modifiers are never too much (one has 6 KiB at most): most orders."""
_LINES: Final = TypeAdapter(tuple[OrderLine, ...])


def check_weight(lines: Collection[OrderLine]) -> None:
    """See that an order with these lines can be told.

    Raises:
        Refusal: `too-large`.
    """
    if sum(1 + _count(line.modifiers) for line in lines) <= _LIGHT:
        return
    size = len(_LINES.dump_json(tuple(lines)))
    if size > MOST_BYTES:
        raise Refusal(
            RefusalCode.TOO_LARGE,
            f"the lines of the order would have {size} bytes, of {MOST_BYTES}: place another",
        )


def _count(modifiers: Collection[ChosenModifier]) -> int:
    return sum(1 + _count(each.modifiers) for each in modifiers)
