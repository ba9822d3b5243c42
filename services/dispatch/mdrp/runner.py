"""Runs a policy through a day: it sees each order from its placement on, and nothing sooner.

The runner carries out what the policy says by the problem's rules; it never decides. Moments at
which a policy is asked are those at which something changes - an order is placed, a shift begins,
a courier is done - and those that it asked for itself.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from services.dispatch.mdrp.instance import Instance, Place, PlacedOrder, ShiftedCourier
from services.dispatch.mdrp.solution import Assignment, Drop, Solution


@dataclass(frozen=True, slots=True)
class Standing:
    """A courier as a policy sees one.

    Attributes:
        courier: who, with the shift.
        place: where they are free next.
        free_min: when; not before the shift begins.
    """

    courier: ShiftedCourier
    place: Place
    free_min: float


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known at a moment.

    Attributes:
        now_min: the moment.
        orders: what is placed by now and nobody was told of, in the order of its placing.
        couriers: everybody whose shift has not ended, by name; shifts are known in advance.
    """

    now_min: float
    orders: Mapping[str, PlacedOrder]
    couriers: Mapping[str, Standing]

    def free(self) -> list[Standing]:
        """Who can be told of something now."""
        return [each for each in self.couriers.values() if each.free_min <= self.now_min]


@dataclass(frozen=True, slots=True)
class Instruction:
    """A courier goes now, for these orders of one restaurant, to be dropped in this sequence."""

    courier: str
    orders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """What a policy says at a moment.

    Attributes:
        instructions: what couriers are told now; they set out at once.
        again_min: when it wants to be asked at the latest; None where no sooner than something
            changes.
    """

    instructions: Sequence[Instruction] = ()
    again_min: float | None = None


class Policy(Protocol):
    """Says who brings what, from what is known at a moment."""

    def decide(self, seen: Seen) -> Decision:
        """What couriers are told now."""
        ...


class NotPossible(Exception):
    """A policy told somebody what cannot be told: a mistake of the policy."""


@dataclass(slots=True)
class _Day:
    instance: Instance
    standing: dict[str, Standing]
    waiting: dict[str, PlacedOrder] = field(default_factory=dict)
    done: list[Assignment] = field(default_factory=list)

    def carry_out(self, told: Instruction, now: float) -> None:
        """Let a courier go; see the rules in `services.dispatch.mdrp.checker`."""
        who = self.standing.get(told.courier)
        if who is None or who.free_min > now:
            raise NotPossible(f"{told.courier} cannot be told of anything at {now:g}")
        orders = [self.waiting.pop(name, None) for name in told.orders]
        known = [order for order in orders if order is not None]
        if not known or len(known) < len(orders):
            raise NotPossible(f"{told.courier} is told of {told.orders}, which do not all wait")
        restaurant = known[0].restaurant
        if any(order.restaurant != restaurant for order in known):
            raise NotPossible(f"{told.orders} are of several restaurants")
        parameters = self.instance.parameters
        here = self.instance.restaurants[restaurant]
        arrived = now + self.instance.ride_min(who.place, here)
        ready = max(order.ready_min for order in known)
        picked = max(ready, arrived + parameters.pickup_min / 2)
        departed = since = picked + parameters.pickup_min / 2
        drops = []
        for order in known:
            at = since + self.instance.ride_min(here, order.door)
            dropped = at + parameters.dropoff_min / 2
            here, since = order.door, dropped + parameters.dropoff_min / 2
            drops.append(Drop(order.name, at, dropped, since))
        self.done.append(
            Assignment(
                told.courier, restaurant, told.orders, now, who.place, now, arrived, picked,
                departed, tuple(drops),
            )
        )  # fmt: skip
        self.standing[told.courier] = Standing(who.courier, here, since)


def run(
    instance: Instance, policy: Policy, progress: Callable[[int], None] | None = None
) -> Solution:
    """A whole day of a policy.

    Args:
        instance: the day.
        policy: who decides.
        progress: told now and then how many orders were placed by then.

    Raises:
        NotPossible: the policy told somebody what cannot be told.
    """
    day = _Day(
        instance,
        {
            name: Standing(courier, courier.place, courier.on_min)
            for name, courier in instance.couriers.items()
        },
    )
    coming: Final = sorted(instance.orders.values(), key=lambda order: order.placed_min)
    moments = [order.placed_min for order in coming]
    moments += [courier.on_min for courier in instance.couriers.values()]
    heapq.heapify(moments)
    placed = 0
    while moments:
        now = heapq.heappop(moments)
        while moments and moments[0] == now:
            heapq.heappop(moments)
        while placed < len(coming) and coming[placed].placed_min <= now:
            day.waiting[coming[placed].name] = coming[placed]
            placed += 1
        if progress is not None:
            progress(placed)
        if not day.waiting:
            continue
        seen = {name: each for name, each in day.standing.items() if each.courier.off_min >= now}
        decision = policy.decide(Seen(now, dict(day.waiting), seen))
        for told in decision.instructions:
            day.carry_out(told, now)
            heapq.heappush(moments, day.standing[told.courier].free_min)
        if decision.again_min is not None and decision.again_min > now:
            heapq.heappush(moments, decision.again_min)
    return Solution(tuple(day.done))
