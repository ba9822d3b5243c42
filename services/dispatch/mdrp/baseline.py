"""Greedy nearest courier: what dispatch is without any planning.

Orders are taken one by one, in the order of their placing (of one moment: as the file has them).
Each goes alone to the courier who would reach its restaurant first, by the straight line, among
those who are free at that moment and would still pick it up before their off-time; of equally
near ones, to the one who has been free for longest, then by name. They are told at once, and wait
at the restaurant where the food is not ready. An order for which nobody is free waits its turn,
and is first to be asked for, before later ones, whenever somebody is free again. It never bundles
and never waits for a courier who will be free soon.

`CalledWhenReady` is the same, but that orders are taken one by one as they become ready, as where a
kitchen calls a courier when the food stands there.
"""

from __future__ import annotations

from services.dispatch.mdrp.instance import Instance, PlacedOrder
from services.dispatch.mdrp.runner import Decision, Instruction, Seen, Standing


class GreedyNearest:
    """See the module."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def decide(self, seen: Seen) -> Decision:
        """Each order to the free courier who is there first."""
        free = seen.free()
        instructions = []
        for order in self._called(seen):
            if not free:
                break
            nearest = min(
                (each for each in free if self._can(each, order, seen.now_min)),
                key=lambda each: (self._ride(each, order), each.free_min, each.courier.name),
                default=None,
            )
            if nearest is not None:
                free.remove(nearest)
                instructions.append(Instruction(nearest.courier.name, (order.name,)))
        return Decision(instructions)

    def _called(self, seen: Seen) -> list[PlacedOrder]:
        return list(seen.orders.values())

    def _ride(self, each: Standing, order: PlacedOrder) -> float:
        return self._instance.ride_min(each.place, self._instance.restaurants[order.restaurant])

    def _can(self, each: Standing, order: PlacedOrder, now: float) -> bool:
        there = now + self._ride(each, order) + self._instance.parameters.pickup_min / 2
        return max(there, order.ready_min) <= each.courier.off_min


class CalledWhenReady(GreedyNearest):
    """See the module."""

    def decide(self, seen: Seen) -> Decision:
        """Each order that is ready to the free courier who is there first."""
        again = min(
            (each.ready_min for each in seen.orders.values() if each.ready_min > seen.now_min),
            default=None,
        )
        return Decision(super().decide(seen).instructions, again)

    def _called(self, seen: Seen) -> list[PlacedOrder]:
        ready = [order for order in seen.orders.values() if order.ready_min <= seen.now_min]
        return sorted(ready, key=lambda order: order.ready_min)
