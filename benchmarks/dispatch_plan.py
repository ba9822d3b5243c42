"""How long one plan of a crowded evening takes.

    python -m benchmarks.dispatch_plan [--couriers N] [--orders N] [--restaurants N] [--runs N]

A town of ten kilometres with forty restaurants, or so many, made from a seed; half of the couriers
are on their way, and most of the food is not ready yet. Prints one JSON document.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np

from services.dispatch.planner import plan
from services.dispatch.situation import Courier, Floats, OpenOrder, Place, Situation

_TOWN_M = 10_000.0
_METERS_PER_SECOND = 6.0
_NOW_S = 1_000_000.0


def straight(places: Floats, _mode: str) -> Floats:
    """Seconds along straight lines."""
    apart = places[:, None, :] - places[None, :, :]
    found: Floats = np.sqrt((apart**2).sum(axis=2)) / _METERS_PER_SECOND
    return found


def evening(couriers: int, orders: int, kitchens: int, seed: int) -> Situation:
    """So many couriers, open orders and restaurants."""
    draw = np.random.default_rng(seed)

    def place() -> Place:
        x, y = draw.uniform(0, _TOWN_M, 2)
        return float(x), float(y)

    restaurants = [place() for _ in range(kitchens)]
    found = []
    for i in range(orders):
        at = int(draw.integers(kitchens))
        placed = _NOW_S - float(draw.uniform(0, 1_200))
        ready = placed + float(draw.uniform(300, 2_400))
        found.append(
            OpenOrder(
                name=f"o{i}",
                placed_s=placed,
                ready_p50_s=ready,
                ready_p90_s=ready + float(draw.uniform(60, 600)),
                restaurant=f"r{at}",
                pickup=restaurants[at],
                door=place(),
                promised_s=placed + 2_700,
            )
        )
    riders = tuple(
        Courier(
            name=f"c{k}",
            place=place(),
            free_s=_NOW_S + max(0.0, float(draw.uniform(-900, 900))),
            shift_end_s=_NOW_S + float(draw.uniform(3_600, 14_400)),
            capacity=4,
        )
        for k in range(couriers)
    )
    return Situation(_NOW_S, tuple(found), riders)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--couriers", type=int, default=100)
    parser.add_argument("--orders", type=int, default=300)
    parser.add_argument("--restaurants", type=int, default=40)
    parser.add_argument("--runs", type=int, default=10)
    asked = parser.parse_args()
    took, worked, told, left = [], [], [], []
    for seed in range(asked.runs):
        situation = evening(asked.couriers, asked.orders, asked.restaurants, seed)
        began, began_work = time.perf_counter(), time.process_time()
        found = plan(situation, straight)
        took.append(time.perf_counter() - began)
        worked.append(time.process_time() - began_work)
        told.append(len(found.to_tell(situation)))
        left.append(len(found.left_out))
    print(
        json.dumps(
            {
                "couriers": asked.couriers,
                "orders": asked.orders,
                "restaurants": asked.restaurants,
                "runs": asked.runs,
                "seconds_median": round(float(np.median(took)), 3),
                "seconds_most": round(max(took), 3),
                "processor_seconds_median": round(float(np.median(worked)), 3),
                "told_now_mean": round(float(np.mean(told)), 1),
                "left_out_mean": round(float(np.mean(left)), 1),
            }
        )
    )


if __name__ == "__main__":
    main()
