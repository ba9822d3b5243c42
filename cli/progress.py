"""How far long work is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


@contextmanager
def progress_bar(
    count: int | None, *, show: bool, what: str = "orders"
) -> Iterator[Callable[[int], None]]:
    """A bar of orders, or whatever it is, on the terminal; None is as many as there are.

    What is given is told how many are done.
    """
    if not show:
        yield lambda _number: None
        return
    bars = Progress(
        TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=Console(stderr=True), transient=True,
    )  # fmt: skip
    with bars:
        task = bars.add_task(what, total=count)
        yield lambda number: bars.update(task, completed=number)
