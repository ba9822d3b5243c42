"""What it costs to change one line of a long order, against one line of a short one.

    python -m benchmarks.order_changes --rounds 300

Prints JSON, for Mosquitto with PostgreSQL and for the embedded broker with SQLite. Both orders
are changed in turn in the same run, each change timed from the till's PUBLISH to its reply;
``cpu`` is what the services' thread worked meanwhile, which a busy machine does not blur.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from uuid import UUID

from schemas.identifiers import new_id
from schemas.order_changes import ChangeLine
from schemas.orders import LineRequest, PlaceOrder
from tests.brokers import EmbeddedInTest, PrivateMosquitto
from tests.postgres import PostgresCluster
from tests.spoken import Speaker
from tests.system import MENU, RunningSystem, running_system

SHORT: Final = 2
LONG: Final = 60
WARM: Final = 30
PAUSE_S: Final = 0.004
"""Between two changes: a till that asks without a pause is told to ask less."""


def main() -> int:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--short", type=int, default=SHORT)
    parser.add_argument("--long", type=int, default=LONG)
    arguments = parser.parse_args()
    found = {}
    for name, stack in (("mosquitto+postgresql", servers), ("embedded+sqlite", embedded)):
        with (
            tempfile.TemporaryDirectory(prefix="heard-changes-") as folder,
            stack(Path(folder)) as system,
        ):
            found[name] = measure(system, arguments.rounds, arguments.short, arguments.long)
    print(json.dumps(found, indent=1))
    return 0


@contextmanager
def servers(folder: Path) -> Iterator[RunningSystem]:
    """Heard on a Mosquitto and a PostgreSQL of its own."""
    with PostgresCluster.running() as cluster:
        cluster.execute("CREATE DATABASE heard_changes")
        broker = PrivateMosquitto(folder / "mosquitto")
        try:
            with running_system(broker, cluster.url("heard_changes")) as system:
                yield system
        finally:
            broker.kill()


@contextmanager
def embedded(folder: Path) -> Iterator[RunningSystem]:
    """Heard as `heard up` has it."""
    broker = EmbeddedInTest()
    try:
        with running_system(broker, f"sqlite+aiosqlite:///{folder / 'heard.db'}") as system:
            yield system
    finally:
        broker.close()


def measure(system: RunningSystem, rounds: int, short: int, long: int) -> dict[str, float]:
    """Change a line of each in turn; milliseconds, and their ratios."""
    with system.add_tenant().speaker() as till:
        orders = {count: _place(till, count) for count in (short, long)}
        for number in range(WARM):
            for count, order_id in orders.items():
                _change(till, order_id, count, number)
        gc.collect()
        took: dict[int, list[float]] = {short: [], long: []}
        worked: dict[int, list[float]] = {short: [], long: []}
        for number in range(WARM, WARM + rounds):
            for count, order_id in orders.items():
                before = _worked(system)
                took[count].append(_change(till, order_id, count, number))
                worked[count].append(_worked(system) - before)
    waited = {count: statistics.median(times) * 1000 for count, times in took.items()}
    # The mean: some systems count a thread's time in ticks that are longer than a change.
    cpu = {count: statistics.fmean(times) * 1000 for count, times in worked.items()}
    best = {count: min(times) * 1000 for count, times in took.items()}
    return {
        "rounds": rounds,
        "short_lines": short,
        "long_lines": long,
        "short_p50_ms": round(waited[short], 3),
        "long_p50_ms": round(waited[long], 3),
        "ratio": round(waited[long] / waited[short], 2),
        "short_best_ms": round(best[short], 3),
        "long_best_ms": round(best[long], 3),
        "best_ratio": round(best[long] / best[short], 2),
        "short_cpu_ms": round(cpu[short], 3),
        "long_cpu_ms": round(cpu[long], 3),
        "cpu_ratio": round(cpu[long] / cpu[short], 2),
    }


def _worked(system: RunningSystem) -> float:
    """The processor's time that the services' own thread has taken so far, in seconds."""

    async def look() -> float:
        return time.thread_time()

    return system.call(look())


def _place(till: Speaker, count: int) -> UUID:
    items = sorted(MENU)
    lines = tuple(LineRequest(item=items[n % len(items)], quantity=1) for n in range(count))
    order_id: UUID = till.accepted(PlaceOrder(lines=lines)).order_id
    return order_id


def _change(till: Speaker, order_id: UUID, count: int, number: int) -> float:
    request = ChangeLine(
        order_id=order_id, line=1 + number % count, quantity=2 + number // count % 8
    )
    # Another than it has each time: to ask for what is so already costs nothing.
    time.sleep(PAUSE_S)
    id_ = new_id()
    began = time.perf_counter()
    till.accepted(request, id_)
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
