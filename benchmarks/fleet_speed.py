"""What a fleet costs: CPU seconds for 25,000 fixes of 5,000 moving vehicles, in ticks of 0.2 s.

    python -m benchmarks.fleet_speed [--vehicles N] [--seconds N] [--backlog N]

Prints JSON. The fixes come in any order, with accuracy, speed and heading, some of them late,
doubled or wrong. `backlog_us` is what a fix costs of one lone vehicle that sends so many at once.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

import numpy as np

from services.tracking.batches import FixBatch
from services.tracking.fleet import Fleet
from services.tracking.limits import Limits
from services.tracking.verdicts import used

TICK_S = 0.2
BEGIN = 1_760_000_000.0


def ticks(vehicles: int, seconds: int, draw: np.random.Generator) -> list[FixBatch]:
    """One fix of each vehicle a tick, along straight roads out of a town."""
    lat, lon = 60.17 + draw.normal(0, 0.05, vehicles), 24.94 + draw.normal(0, 0.1, vehicles)
    heading = draw.uniform(0.0, 2.0 * np.pi, vehicles)
    batches = []
    for tick in range(int(seconds / TICK_S)):
        way = tick * TICK_S * 10.0
        order = draw.permutation(vehicles)
        off = draw.normal(0.0, 4.0, (2, vehicles))
        at = BEGIN + tick * TICK_S + draw.uniform(0.0, 0.05, vehicles)
        at[draw.random(vehicles) < 0.002] -= TICK_S * 2.5
        off[0, draw.random(vehicles) < 0.001] += 5_000.0
        told_lat = lat + (way * np.cos(heading) + off[0]) / 111_195.0
        told_lon = lon + (way * np.sin(heading) + off[1]) / 55_300.0
        twice = np.concatenate((order, order[: vehicles // 500]))
        batches.append(FixBatch.of(
            twice, at[twice], told_lat[twice], told_lon[twice],
            received=BEGIN + tick * TICK_S + 0.1,
            accuracy_m=np.full(len(twice), 8.0), speed_mps=np.full(len(twice), 10.0),
            heading_deg=np.degrees(heading)[twice],
        ))  # fmt: skip
    return batches


def take(vehicles: int, seconds: int) -> dict[str, float | int | dict[str, int]]:
    """Let a fleet take them, and time it after a second of warming up."""
    fleet = Fleet()
    for _ in range(vehicles):
        fleet.add(Limits())
    batches = ticks(vehicles, seconds + 1, np.random.default_rng(7))
    warm = int(1 / TICK_S)
    for batch in batches[:warm]:
        fleet.take(batch)
    began = time.process_time()
    judged = [fleet.take(batch) for batch in batches[warm:]]
    took = time.process_time() - began
    counts: dict[str, int] = {}
    for each in judged:
        for verdict, count in each.counted().items():
            counts[verdict.word] = counts.get(verdict.word, 0) + count
    total = sum(counts.values())
    return {
        "vehicles": vehicles,
        "fixes": total,
        "used": int(sum(used(each.verdict).sum() for each in judged)),
        "verdicts": counts,
        "cpu_s_per_25000": round(took / total * 25_000, 4),
    }


def backlog(count: int) -> float:
    """Microseconds a fix, of one vehicle that comes out of a tunnel with so many."""
    fleet = Fleet()
    fleet.add(Limits())
    t = BEGIN + np.arange(float(count))
    lat = 60.17 + np.arange(count) * 1e-4
    batch = FixBatch.of(
        np.zeros(count), t, lat, np.full(count, 24.94), received=t[-1] + 1.0,
        accuracy_m=np.full(count, 8.0),
    )  # fmt: skip
    began = time.process_time()
    fleet.take(batch)
    return round((time.process_time() - began) / count * 1e6, 1)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vehicles", type=int, default=5_000)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--backlog", type=int, default=10_000)
    asked = parser.parse_args()
    figures = take(asked.vehicles, asked.seconds)
    print(json.dumps(figures | {"backlog_us": backlog(asked.backlog)}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
