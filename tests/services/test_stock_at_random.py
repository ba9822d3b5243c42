"""Whatever is asked at once, killed and repeated: the shelves add up, and nothing leaks."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from services.migrations.upgrade import upgrade
from services.runtime.database import Database
from tests.services.stock_machine import StockMachine

EXAMPLES = 10
"""How many evenings on each database; `--runs N` takes N."""
MANY = 100
"""In so many evenings nearly everything is done."""
STEPS = 25


@pytest.fixture
def machine(database_url: str) -> Iterator[type[StockMachine]]:
    """The machine on a database of this test's own."""
    with asyncio.Runner() as runner:
        database = Database(database_url)
        runner.run(upgrade(database))

        class Bound(StockMachine):
            """On this database."""

        Bound.runner, Bound.database, Bound.counts = runner, database, Counter()
        yield Bound
        runner.run(database.close())


@pytest.mark.timeout(3600)
def test_no_figure_lies_and_no_reservation_leaks_whatever_is_asked_at_once(
    machine: type[StockMachine], fault_runs: int | None
) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=fault_runs or EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            # The short set is the same each time; --runs draws anew.
            derandomize=fault_runs is None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    done = {each for each in machine.counts if each.endswith(": done")}
    # Few evenings are drawn by chance: not all that there is to do comes about in them.
    enough = 8 if (fault_runs or EXAMPLES) >= MANY else 4
    assert len(done) >= enough, f"too little of it could be done: {machine.counts}"
