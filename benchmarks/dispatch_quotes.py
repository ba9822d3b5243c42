"""How well a quote foretells when a courier has the food, where the dispatcher asks couriers.

    python -m benchmarks.dispatch_quotes [--couriers N ...] [--orders N] [--evenings N]

Lives through simulated evenings (`services.dispatch.simulation`) with the planner. As each order is
placed it is told two ways when courier and food are both at the counter: as the last plan leaves a
courier free (`planned`), and by how many orders wait for how many couriers (`shared`), as where no
dispatcher is. What was told is held against when the food was in the bag. Prints one JSON document:
minutes, and the share of orders for which the p90 held.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from services.delivery.quoting import Quote, quote
from services.delivery.spans import Span, later_of
from services.dispatch.next_free import Opening, openings, soonest
from services.dispatch.simulation.day import live_through
from services.dispatch.simulation.policies import Planned
from services.dispatch.simulation.policy import Decision
from services.dispatch.simulation.world import Setting, draw_world, rides
from services.dispatch.situation import OpenOrder, Place, Plan, Situation

_MINUTE_S = 60.0
Told = tuple[float, float, float]
"""When it was told, and by when courier and food are there: p50 and p90."""


class Quoting(Planned):
    """The planner; what is placed is told by the plan before."""

    def __init__(self) -> None:
        super().__init__()
        self.planned: dict[str, Told] = {}
        self.shared: dict[str, Told] = {}
        self._kitchens: dict[str, Place] = {}
        self._open: Mapping[str, Sequence[Opening]] = {}

    def decide(self, situation: Situation) -> Decision:
        """As the planner does, and quote what is new."""
        for order in situation.orders:
            if order.name not in self.planned:
                self._tell(order, situation)
        return super().decide(situation)

    def plan(self, situation: Situation) -> Plan:
        """As the planner does, and keep what it leaves open."""
        made = super().plan(situation)
        crew = {each.name for each in situation.couriers}
        crews = dict.fromkeys(self._kitchens, crew)
        self._open = openings(situation, made, rides, self._kitchens, crews)
        return made

    def _tell(self, order: OpenOrder, situation: Situation) -> None:
        self._kitchens[order.restaurant] = order.pickup
        there = soonest(self._open.get(order.restaurant, ()), order.ready_p50_s)
        known = math.isfinite(there)
        at = _at(max(there, situation.now_s)) if known else None
        self.planned[order.name] = _told(order, situation, courier_at=at)
        self.shared[order.name] = _told(order, situation)


def _told(order: OpenOrder, situation: Situation, courier_at: datetime | None = None) -> Told:
    said: Quote = quote(
        now=_at(situation.now_s),
        distance_m=1_000,
        ready_p50_at=_at(order.ready_p50_s),
        ready_p90_at=_at(order.ready_p90_s),
        waiting=len(situation.orders) - 1,
        couriers=len(situation.couriers),
        courier_at=courier_at,
    )
    both = later_of(*(Span.of([each.p50_s], [each.p90_s]) for each in said.parts[:2]))
    return situation.now_s, float(both.p50_s[0]), float(both.p90_s[0])


def _at(seconds: float) -> datetime:
    return datetime(2026, 3, 14, tzinfo=UTC) + timedelta(seconds=seconds)


def measured(told: Mapping[str, Told], picked: Mapping[str, float]) -> dict[str, float]:
    """What was told against what was so."""
    rows = np.array([(*told[name], picked[name]) for name in picked if name in told])
    took = rows[:, 3] - rows[:, 0]
    error = (took - rows[:, 1]) / _MINUTE_S
    return {
        "bias": round(float(error.mean()), 2),
        "mae": round(float(np.abs(error).mean()), 2),
        "p90_held": round(float((took <= rows[:, 2]).mean()), 3),
        "told_p50": round(float(np.median(rows[:, 1])) / _MINUTE_S, 1),
        "told_p90": round(float(np.median(rows[:, 2])) / _MINUTE_S, 1),
    }


def evenings(couriers: int, orders: int, count: int) -> dict[str, Any]:
    """So many evenings with so many couriers."""
    found: dict[str, dict[str, Any]] = {"planned": {}, "shared": {}}
    picked: dict[str, float] = {}
    for seed in range(1, count + 1):
        policy = Quoting()
        setting = Setting(seed=seed, orders=orders, couriers=couriers)
        for each in live_through(draw_world(setting), policy).ended:
            if not math.isnan(each.picked_s):
                picked[f"{seed}/{each.order.name}"] = each.picked_s
        for name, told in (("planned", policy.planned), ("shared", policy.shared)):
            found[name] |= {f"{seed}/{order}": one for order, one in told.items()}
    return {
        "couriers": couriers,
        "orders": orders,
        "evenings": count,
        **{name: measured(told, picked) for name, told in found.items()},
    }


def main() -> None:
    """Read the arguments, live through the evenings, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--couriers", type=int, nargs="+", default=[24, 16, 12])
    parser.add_argument("--orders", type=int, default=200)
    parser.add_argument("--evenings", type=int, default=2)
    given = parser.parse_args()
    rows = [evenings(each, given.orders, given.evenings) for each in given.couriers]
    print(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
