"""Whatever is asked at once, killed and repeated: the shelves add up, and nothing leaks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.services.evenings import bound, check_much_was_done, go
from tests.services.stock_machine import StockMachine

EXAMPLES = 10
"""How many evenings on each database; `--runs N` takes N."""
STEPS = 25


@pytest.fixture
def machine(database_url: str) -> Iterator[type[StockMachine]]:
    """The machine on a database of this test's own."""
    with bound(StockMachine, database_url) as machine:
        yield machine


@pytest.mark.timeout(3600)
def test_no_figure_lies_and_no_reservation_leaks_whatever_is_asked_at_once(
    machine: type[StockMachine], fault_runs: int | None
) -> None:
    examples = fault_runs or EXAMPLES
    go(machine, examples, STEPS, anew=fault_runs is not None)
    check_much_was_done(machine, examples)
