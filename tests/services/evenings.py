"""Evenings that hypothesis draws: a house's machine, run on a database of the test's own."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Final, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from services.migrations.upgrade import upgrade
from services.runtime.database import Database

T = TypeVar("T")
MANY: Final = 100
"""In so many evenings nearly everything is done."""


class Evening(RuleBasedStateMachine):
    """One evening of a house; `bound` gives it its database.

    Attributes:
        runner: runs what is asked.
        database: where the house is.
        counts: what was asked in all evenings, and what came of it.
    """

    runner: ClassVar[asyncio.Runner]
    database: ClassVar[Database]
    counts: ClassVar[Counter[str]]

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)


E = TypeVar("E", bound=Evening)


@contextmanager
def bound(machine: type[E], database_url: str) -> Iterator[type[E]]:
    """A machine on a database of this test's own."""
    with asyncio.Runner() as runner:
        database = Database(database_url)
        runner.run(upgrade(database))
        names = {"runner": runner, "database": database, "counts": Counter()}
        yield type("Bound", (machine,), names)
        runner.run(database.close())


def go(machine: type[Evening], examples: int, steps: int, *, anew: bool) -> None:
    """Draw evenings, and show the shortest one in which something is wrong.

    Args:
        machine: bound.
        examples: how many.
        steps: of each.
        anew: others each time; else a short set that is always the same.
    """
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=not anew,
            suppress_health_check=list(HealthCheck),
        ),
    )


def check_much_was_done(machine: type[Evening], examples: int) -> None:
    """See that the evenings were worth something."""
    done = {each for each in machine.counts if each.endswith(": done")}
    # Few evenings are drawn by chance: not all that there is to do comes about in them.
    enough = 8 if examples >= MANY else 4
    assert len(done) >= enough, f"too little of it could be done: {machine.counts}"
