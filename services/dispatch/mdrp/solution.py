"""What was done with an instance's orders: who brought which, and when.

A plain record, as a runner wrote it; nothing here says that it could really be done
(`services.dispatch.mdrp.checker` does). Times are minutes from the instance's midnight.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.dispatch.mdrp.instance import Place


@dataclass(frozen=True, slots=True)
class Drop:
    """One door.

    Attributes:
        order: whose door.
        arrived_min: when the courier came to it.
        dropped_min: when the guest had the food.
        left_min: when the courier was done there.
    """

    order: str
    arrived_min: float
    dropped_min: float
    left_min: float


@dataclass(frozen=True, slots=True)
class Assignment:
    """One courier's way to one restaurant and from there to the doors of one bundle.

    Attributes:
        courier: who.
        restaurant: where it was picked up.
        orders: what was picked up there.
        instructed_min: when the courier was told.
        start: where they stood then.
        left_min: when they set out.
        arrived_min: when they came to the restaurant.
        picked_min: when they had the food.
        departed_min: when they left the restaurant.
        drops: the doors, in their sequence.
    """

    courier: str
    restaurant: str
    orders: tuple[str, ...]
    instructed_min: float
    start: Place
    left_min: float
    arrived_min: float
    picked_min: float
    departed_min: float
    drops: tuple[Drop, ...]

    @property
    def done_min(self) -> float:
        """When the courier can be told of something else."""
        return self.drops[-1].left_min if self.drops else self.departed_min


@dataclass(frozen=True, slots=True)
class Solution:
    """All that was done; an order in none of the assignments was not delivered."""

    assignments: tuple[Assignment, ...]
