"""Anything is asked of deliveries in any order, through deaths, and what is kept agrees."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from services.migrations.upgrade import upgrade
from services.runtime.database import Database
from tests.services.delivery_machine import DeliveryMachine

EXAMPLES = 8
"""How many evenings hypothesis takes on each database; `--runs N` takes N."""
STEPS = 30


@pytest.fixture
def machine(database_url: str) -> Iterator[type[DeliveryMachine]]:
    """The machine on a database of this test's own."""
    with asyncio.Runner() as runner:
        database = Database(database_url)
        runner.run(upgrade(database))

        class Bound(DeliveryMachine):
            """On this database."""

        Bound.runner, Bound.database, Bound.counts = runner, database, Counter()
        yield Bound
        runner.run(database.close())


@pytest.mark.timeout(3600)
def test_deliveries_agree_with_orders_and_couriers_whatever_is_asked_and_whatever_dies(
    machine: type[DeliveryMachine], fault_runs: int | None
) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=fault_runs or EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    for name in ("assign", "accept", "step"):
        assert machine.counts[f"heard.delivery.{name}.v1 done"], f"no {name} was ever done"
    assert machine.counts["heard.inside.ask-courier.v1 done"], "nobody was ever asked"
