"""Which station makes which lines. Pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from schemas.orders import Order, OrderLine


class Share(NamedTuple):
    """What one ticket will hold."""

    station: str
    course: int


def share_out(
    order: Order, chosen: Collection[int] | None = None
) -> dict[Share, tuple[OrderLine, ...]]:
    """Share an order's lines (all, or those of the `chosen` numbers) out, by station and course.

    What is voided already is not to be made, and stands nowhere.
    """
    shared: dict[Share, list[OrderLine]] = {}
    for line in order.lines:
        if not line.voided and (chosen is None or line.line in chosen):
            shared.setdefault(Share(line.station, line.course), []).append(line)
    return {share: tuple(shared[share]) for share in sorted(shared)}
