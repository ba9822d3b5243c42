"""What decides in the simulation: from a situation, what couriers are asked and where they move."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from services.dispatch.situation import Place, Situation


@dataclass(frozen=True, slots=True)
class Ask:
    """A courier is asked to bring orders of one restaurant, in this sequence of the doors.

    Attributes:
        courier: who.
        orders: what.
        leave_s: they need not set out sooner.
    """

    courier: str
    orders: tuple[str, ...]
    leave_s: float


@dataclass(frozen=True, slots=True)
class Move:
    """A courier with nothing to do goes to a place, to be near what is expected."""

    courier: str
    place: Place


@dataclass(frozen=True, slots=True)
class Decision:
    """What a policy says at a moment.

    Attributes:
        asks: whom it asks now.
        moves: who moves without an order.
        again_s: when it wants to be asked at the latest.
        why: of orders that get nobody for now, why, where the policy knows.
    """

    asks: Sequence[Ask] = ()
    moves: Sequence[Move] = ()
    again_s: float = math.inf
    why: Mapping[str, str] = field(default_factory=dict)


class Policy(Protocol):
    """Decides on an evening; one of them serves one evening."""

    def decide(self, situation: Situation) -> Decision:
        """What is to be done now; what couriers were asked already is not in it any more."""
        ...
