"""The policies that are compared: greedy nearest courier in three ways, and the planner. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

from services.dispatch.planner import plan
from services.dispatch.prepositioning import Prepositioning, expected_of, preposition
from services.dispatch.simulation.policy import Ask, Decision, Move, Policy
from services.dispatch.simulation.world import ride_s, rides
from services.dispatch.situation import Courier, OpenOrder, Plan, Situation
from services.dispatch.weights import Weights

LEAD_S: Final = 60.0
"""Couriers are asked so long before they have to leave: answering takes a while."""


class AtPlacement:
    """Greedy nearest courier: each order as it is placed, to the free courier who is there first.

    The courier goes at once, and waits at the restaurant. Where nobody is free an order waits its
    turn, before later ones. Never a bundle, and nobody is waited for.
    """

    def decide(self, situation: Situation) -> Decision:
        """One free courier for each order, one order after the other."""
        now, half = situation.now_s, situation.pickup_s / 2
        free = [each for each in situation.couriers if each.free_s <= now]
        asks = []
        for order in self._called(situation):
            can = [each for each in free if _can(each, order, now, half)]
            if not can:
                continue
            nearest = min(can, key=lambda each: (_ride(each, order), each.free_s, each.name))
            free.remove(nearest)
            asks.append(Ask(nearest.name, (order.name,), now))
        return Decision(asks)

    def _called(self, situation: Situation) -> list[OpenOrder]:
        return sorted(situation.orders, key=lambda order: order.placed_s)


class WhenReady(AtPlacement):
    """The same, but a courier is called when the food stands there."""

    def _called(self, situation: Situation) -> list[OpenOrder]:
        ready = [order for order in situation.orders if order.ready_p50_s <= situation.now_s]
        return sorted(ready, key=lambda order: order.ready_p50_s)


class TimedNearest(AtPlacement):
    """The same, but a courier is asked so that they are there when food is predicted to be ready.

    Nothing but the timing is the planner's: what it is worth by itself.
    """

    def decide(self, situation: Situation) -> Decision:
        """One free courier for each order that it is time for, one order after the other."""
        now, half = situation.now_s, situation.pickup_s / 2
        free = [each for each in situation.couriers if each.free_s <= now]
        asks, again = [], math.inf
        for order in sorted(situation.orders, key=lambda order: order.ready_p50_s):
            can = [each for each in free if _can(each, order, now, half)]
            if not can:
                continue
            nearest = min(can, key=lambda each: (_ride(each, order), each.free_s, each.name))
            leave = order.ready_p50_s - half - _ride(nearest, order)
            if leave > now + LEAD_S:
                again = min(again, leave - LEAD_S)
                continue
            free.remove(nearest)
            asks.append(Ask(nearest.name, (order.name,), leave))
        return Decision(asks, again_s=again)


class Planned:
    """The planner, asked again whenever something changed; see `services.dispatch.planner`.

    Couriers of whom the plan says nothing may be sent to where orders are expected, as many as
    came there in the last hour; see `services.dispatch.prepositioning`.
    """

    def __init__(
        self, weights: Weights | None = None, prepositioning: Prepositioning | None = None
    ) -> None:
        self._weights = weights or Weights(lead_s=LEAD_S)
        self._prepositioning = prepositioning
        self._seen: dict[str, OpenOrder] = {}

    def decide(self, situation: Situation) -> Decision:
        """What the plan says must be told now."""
        self._seen |= {order.name: order for order in situation.orders}
        found = self.plan(situation)
        return Decision(
            [Ask(trip.courier, trip.orders, trip.leave_s) for trip in found.to_tell(situation)],
            self._moves(situation, found),
            again_s=found.again_s,
            why={each.order: each.why for each in found.left_out},
        )

    def plan(self, situation: Situation) -> Plan:
        """Who brings what, as things stand."""
        return plan(situation, rides, self._weights)

    def _moves(self, situation: Situation, found: Plan) -> list[Move]:
        if self._prepositioning is None:
            return []
        now, busy = situation.now_s, {route.courier for route in found.routes}
        idle = [each for each in situation.couriers if each.free_s <= now and each.name not in busy]
        expected = expected_of(self._seen.values(), now)
        sent = preposition(idle, expected, rides, self._prepositioning)
        return [Move(each.courier, each.place) for each in sent]


def _alone() -> Policy:
    return Planned(Weights(lead_s=LEAD_S, most_in_bundle=1))


def _prepositioned() -> Policy:
    return Planned(prepositioning=Prepositioning())


POLICIES: Final[Mapping[str, Callable[[], Policy]]] = {
    "assign-at-placement": AtPlacement,
    "called-when-ready": WhenReady,
    "timed-nearest": TimedNearest,
    "planned": Planned,
    "planned-alone": _alone,
    "planned-preposition": _prepositioned,
}
"""By their names, in the order in which they are shown."""


def _ride(courier: Courier, order: OpenOrder) -> float:
    return ride_s(courier.place, order.pickup, courier.mode)


def _can(courier: Courier, order: OpenOrder, now: float, half_pickup: float) -> bool:
    there = max(now + _ride(courier, order) + half_pickup, order.ready_p50_s)
    declined = courier.name in order.declined_by
    return not declined and math.isfinite(there) and there <= courier.shift_end_s
