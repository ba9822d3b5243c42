"""The planner as a policy of the Meal Delivery Routing Problem.

Food is ready here when it was said to be, so the p90 is the p50; the promise is the target. The
planner is asked whenever something changes, and when it wanted to be asked again.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.dispatch.mdrp.instance import Instance, PlacedOrder
from services.dispatch.mdrp.runner import Decision, Instruction, Seen, Standing
from services.dispatch.planner import plan
from services.dispatch.situation import Courier, Floats, OpenOrder, Situation
from services.dispatch.weights import Weights

_MINUTE_S: Final = 60.0
_AHEAD_MIN: Final = 60.0
"""Couriers whose shift begins later than this from now are not planned with yet."""


class Planned:
    """See the module."""

    def __init__(self, instance: Instance, weights: Weights | None = None) -> None:
        self._instance = instance
        self._weights = weights or Weights()
        self._had: dict[str, int] = {}

    def decide(self, seen: Seen) -> Decision:
        """What the plan says must be told now."""
        parameters = self._instance.parameters
        situation = Situation(
            now_s=seen.now_min * _MINUTE_S,
            orders=tuple(self._order(order) for order in seen.orders.values()),
            couriers=tuple(
                self._courier(each)
                for each in seen.couriers.values()
                if each.free_min <= seen.now_min + _AHEAD_MIN
            ),
            pickup_s=parameters.pickup_min * _MINUTE_S,
            dropoff_s=parameters.dropoff_min * _MINUTE_S,
        )
        found = plan(situation, self._rides, self._weights)
        told = [Instruction(trip.courier, trip.orders) for trip in found.to_tell(situation)]
        for each in told:
            self._had[each.courier] = self._had.get(each.courier, 0) + len(each.orders)
        again = found.again_s / _MINUTE_S
        return Decision(told, again if np.isfinite(again) else None)

    def _order(self, order: PlacedOrder) -> OpenOrder:
        target = order.placed_min + self._instance.parameters.target_min
        return OpenOrder(
            name=order.name,
            placed_s=order.placed_min * _MINUTE_S,
            ready_p50_s=order.ready_min * _MINUTE_S,
            ready_p90_s=order.ready_min * _MINUTE_S,
            restaurant=order.restaurant,
            pickup=self._instance.restaurants[order.restaurant],
            door=order.door,
            promised_s=target * _MINUTE_S,
        )

    def _courier(self, each: Standing) -> Courier:
        name = each.courier.name
        return Courier(
            name=name,
            place=each.place,
            free_s=each.free_min * _MINUTE_S,
            shift_end_s=each.courier.off_min * _MINUTE_S,
            had=self._had.get(name, 0),
        )

    def _rides(self, places: Floats, _mode: str) -> Floats:
        """The straight line over metres per minute, rounded up to whole minutes."""
        apart = places[:, None, :] - places[None, :, :]
        away_m = np.sqrt(apart[..., 0] ** 2 + apart[..., 1] ** 2)
        minutes: Floats = np.ceil(away_m / self._instance.parameters.meters_per_minute)
        return minutes * _MINUTE_S
