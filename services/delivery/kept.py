"""A delivery as it is kept: what everybody in the house may see of it, and what is beside that."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from pydantic import AwareDatetime

from schemas.deliveries import Delivery
from schemas.message import Part


class Beside(Part):
    """What is kept with a delivery and published to nobody as it is."""

    guest: str = ""
    phone: str = ""
    address: str = ""
    """Of the order: for the courier who brings it, and erased with the guest's other data."""
    code: str | None = None
    """What the guest's page shows, and the courier is told; None where the house wants none."""
    tries: int = 0
    """So many wrong codes."""
    link: str = ""
    """Under what the guest's links are signed; erased, none of them is good any more."""
    failed_at: AwareDatetime | None = None
    declined_at: AwareDatetime | None = None
    """When somebody would not bring it last, or did not answer."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A delivery, whole.

    Attributes:
        delivery: what the house sees.
        beside: what goes with it.
        items: how many dishes are brought.
        ready_at: when the kitchen had the last of it; None while it has not.
        quoted_p50_at: when it was thought to be there, as the order was placed.
        begun_at: when its order was accepted; None is as it was placed.
        distance_m: about how far the door is from the restaurant, along the straight line; None
            where nobody has said where that is. It stays when the guest is forgotten.
    """

    delivery: Delivery
    beside: Beside
    items: int = 1
    ready_at: datetime | None = None
    quoted_p50_at: datetime | None = None
    begun_at: datetime | None = None
    distance_m: float | None = None

    def with_(self, delivery: Delivery) -> Kept:
        """The same with this delivery."""
        return replace(self, delivery=delivery)
