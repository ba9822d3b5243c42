"""One courier in the simulation: where they are, what they do next, when they will be free. Pure.

What a courier is expected to do is reckoned as anybody would who sees them: from what has happened,
usual rides, and what the kitchen says. How long rides really take is not in it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from services.dispatch.simulation.world import Placed, Rider, ride_s
from services.dispatch.situation import Place

PICKUP_S = 120.0
DROPOFF_S = 120.0
"""The services at a restaurant and at a door: half before the food changes hands, half after it."""


@dataclass(slots=True, eq=False)
class Job:
    """Orders of one restaurant that a courier was asked to bring.

    Attributes:
        orders: what is still to be brought, in the sequence of the doors.
        pickup: where the restaurant is.
        leave_s: the courier need not set out sooner.
        accepted: they said yes.
        left_s: when they set out; NaN before.
        there_s: when they came to the restaurant; NaN before.
        leg_s: when they leave for the door that is next; NaN before they have the food.
    """

    orders: list[Placed]
    pickup: Place
    leave_s: float
    accepted: bool = False
    left_s: float = math.nan
    there_s: float = math.nan
    leg_s: float = math.nan

    @property
    def in_bag(self) -> bool:
        """The courier has the food."""
        return not math.isnan(self.leg_s)

    def done_s(
        self, start: Place, free_s: float, mode: str, now_s: float, ready: Callable[[Placed], float]
    ) -> tuple[Place, float]:
        """Where and when the courier is expected to be free after this.

        Args:
            start: where they are before it, or at which place they are now.
            free_s: from when on.
            mode: how they travel.
            now_s: the moment.
            ready: when an order is expected to be ready.
        """
        if self.in_bag:
            here, since = start, self.leg_s
        else:
            left = max(now_s, free_s, self.leave_s) if math.isnan(self.left_s) else self.left_s
            there = self.there_s
            if math.isnan(there):
                there = max(now_s, left + ride_s(start, self.pickup, mode))
            food = max(map(ready, self.orders), default=now_s)
            here, since = self.pickup, max(now_s, there + PICKUP_S / 2, food) + PICKUP_S / 2
        for number, order in enumerate(self.orders):
            since += ride_s(here, order.door, mode) + DROPOFF_S
            if not number:
                since = max(since, now_s)
            here = order.door
        return here, since


@dataclass(slots=True)
class Riding:
    """A courier on this evening.

    Attributes:
        rider: who they really are.
        place: where they are, or were before the ride that they are on.
        goes_to: where they move without an order; None where they stand.
        goes_s: since when.
        jobs: what they were asked and did not decline, the one in hand first.
        gone: nobody hears of them any more.
        noticed: and everybody knows.
        asked: so many requests.
        had: so many orders were accepted.
        brought: so many were delivered.
        ridden_m: metres along straight lines.
        busy_s: seconds between setting out for a job and being free again.
        declined: requests that they declined.
        lapsed: requests that they did not answer.
        until_s: when they were last at work.
    """

    rider: Rider
    place: Place
    goes_to: Place | None = None
    goes_s: float = math.nan
    jobs: list[Job] = field(default_factory=list)
    gone: bool = False
    noticed: bool = False
    asked: int = 0
    had: int = 0
    brought: int = 0
    ridden_m: float = 0.0
    busy_s: float = 0.0
    declined: int = 0
    lapsed: int = 0
    until_s: float = 0.0

    def next_free(self, now_s: float, ready: Callable[[Placed], float]) -> tuple[Place, float]:
        """Where and when they are expected to be free."""
        here, free = self.here(now_s), max(now_s, self.rider.on_s)
        for job in self.jobs:
            here, free = job.done_s(here, free, self.rider.mode, now_s, ready)
        return here, free

    def here(self, now_s: float) -> Place:
        """Where they are; on a ride with an order, where it began."""
        if self.goes_to is None:
            return self.place
        whole = ride_s(self.place, self.goes_to, self.rider.mode)
        share = 1.0 if whole <= 0 else min(1.0, max(0.0, (now_s - self.goes_s) / whole))
        x, y = self.place
        return x + share * (self.goes_to[0] - x), y + share * (self.goes_to[1] - y)

    def halt(self, now_s: float) -> None:
        """Stop moving without an order, and stand where they are."""
        here = self.here(now_s)
        self.ridden_m += math.dist(self.place, here)
        self.place, self.goes_to = here, None
