"""Whatever is asked of a kitchen, each station has the work of its tickets, and no other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.services.evenings import bound, check_much_was_done, go
from tests.services.kitchen_machine import KitchenMachine

EXAMPLES = 12
"""How many evenings on each database; `--runs N` takes N."""
STEPS = 40


@pytest.fixture
def machine(database_url: str) -> Iterator[type[KitchenMachine]]:
    """The machine on a database of this test's own."""
    with bound(KitchenMachine, database_url) as machine:
        yield machine


@pytest.mark.timeout(3600)
def test_each_station_has_the_work_of_its_tickets_whatever_is_asked(
    machine: type[KitchenMachine], fault_runs: int | None
) -> None:
    examples = fault_runs or EXAMPLES
    go(machine, examples, STEPS, anew=fault_runs is not None)
    check_much_was_done(machine, examples)
