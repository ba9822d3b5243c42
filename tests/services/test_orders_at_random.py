"""Whatever is asked of orders, and whatever dies meanwhile: no order is ever impossible."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.services.evenings import bound, go
from tests.services.order_machine import OrderMachine
from tests.services.order_walk import Walk

EXAMPLES = 12
"""How many evenings hypothesis takes on each database; `--runs N` takes N."""
STEPS = 40
WALKS = 3
WALK_STEPS = 120


@pytest.fixture
def machine(database_url: str) -> Iterator[type[OrderMachine]]:
    """The machine on a database of this test's own."""
    with bound(OrderMachine, database_url) as machine:
        yield machine


@pytest.mark.timeout(3600)
def test_no_order_is_ever_impossible_whatever_is_asked_and_whatever_dies(
    machine: type[OrderMachine], fault_runs: int | None
) -> None:
    """Hypothesis chooses, and shows the shortest way to whatever it finds."""
    examples = fault_runs or EXAMPLES
    go(machine, examples, STEPS, anew=fault_runs is not None)
    assert machine.counts["orders"] >= examples


@pytest.mark.timeout(3600)
def test_money_adds_up_at_every_step_of_long_evenings_with_deaths_in_them(
    machine: type[OrderMachine], fault_runs: int | None
) -> None:
    """Seeded: mostly what makes sense, so that orders are cooked, paid and given back."""
    for seed in range(fault_runs or WALKS):
        try:
            Walk(machine(), random.Random(seed)).go(WALK_STEPS)  # noqa: S311 - repeatable
        except BaseException as error:
            error.add_note(f"the evening of seed {seed}")
            raise
    counts = machine.counts
    for much in ("place", "add-lines", "change-line", "void-lines", "pay", "refund", "bump"):
        assert counts[f"{much}: done"], f"nothing was tried of {much}: {counts}"
    assert counts["settle-payment: done"]
    assert counts["deaths"]
