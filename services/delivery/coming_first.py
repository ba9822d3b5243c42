"""Which doors a courier goes to before another: one answer for ETAs, guests and fences. Pure.

A courier brings what is in the bag, in the sequence of the stops; then they come for the rest.
What failed at its door is nobody's next: it goes back, or its courier says that they try again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar
from uuid import UUID

from schemas.deliveries import IN_THE_BAG, ON_ITS_WAY, WITH_COURIER, DeliveryStatus


class Stop(Protocol):
    """A door that a courier has to go to."""

    @property
    def order_id(self) -> UUID:
        """Whose food."""

    @property
    def status(self) -> DeliveryStatus:
        """Where it stands."""

    @property
    def stop(self) -> int | None:
        """Which of the courier's stops it is."""


S = TypeVar("S", bound=Stop)

_TO_FETCH = WITH_COURIER - IN_THE_BAG


def come_first(mine: Stop, run: Iterable[S]) -> tuple[list[S], list[S]]:
    """The doors that a courier goes to before one.

    Args:
        mine: the one.
        run: all that the courier has to do, in any sequence; with it or without.

    Returns:
        Those whose food is in the bag, and those whose food is fetched together with this one's,
        each in the sequence of the stops. Nothing is fetched before what is in the bag.
    """
    in_sequence = sorted(run, key=_place)
    bag = [each for each in in_sequence if each.status in ON_ITS_WAY]
    if mine.status in ON_ITS_WAY:
        return [each for each in bag if _place(each) < _place(mine)], []
    return bag, [
        each for each in in_sequence if each.status in _TO_FETCH and _place(each) < _place(mine)
    ]


def _place(stop: Stop) -> tuple[int, UUID]:
    return stop.stop or 0, stop.order_id
