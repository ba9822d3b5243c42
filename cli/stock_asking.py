"""Asking the stock over MQTT, as a tablet that exists for one command alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from cli.admission import as_device
from cli.application import Application
from cli.failures import Failure
from cli.printing import say, show_json, show_table
from devices.pending import Pending
from devices.stock_requests import StockTablet
from schemas.devices import Role
from schemas.replies import StockReceipt
from services.inventory.units import text

R = TypeVar("R")

Ask = Callable[[Callable[[StockTablet], Pending[R]]], R]


@contextmanager
def at_the_shelf(
    app: Application,
    tenant: str | None,
    credentials: Path | None,
    patience: float,
    *,
    as_manager: bool,
) -> Iterator[Callable[[Callable[[StockTablet], Pending[R]]], R]]:
    """Somebody who asks and waits: call what it gives with a question.

    Raises:
        Failure: nobody said whose stock it is, or no answer came in time.
        Rejected: the services refused it.
    """
    role = Role.MANAGER if as_manager else Role.KITCHEN_DISPLAY
    with as_device(app, tenant, credentials, role) as admitted:
        problems: list[str] = []
        tablet = StockTablet(
            admitted.address.host,
            admitted.address.port,
            on_problem=problems.append,
            **admitted.options(),
        )

        def ask(question: Callable[[StockTablet], Pending[R]]) -> R:
            try:
                return question(tablet).result(patience)
            except TimeoutError:
                why = problems[-1] if problems else "do the services run? `heard doctor` says more"
                raise Failure(f"no answer within {patience:g} s: {why}") from None

        with tablet:
            yield ask


def show_levels(receipt: StockReceipt, *, as_json: bool) -> None:
    """Print how all that was touched stands now."""
    if as_json:
        show_json(receipt.model_dump(mode="json"))
        return
    show_table(
        ("item", "on hand", "available"),
        (
            (each.item, text(each.on_hand, each.unit), text(each.available, each.unit))
            for each in receipt.levels
        ),
        empty="nothing moved",
    )


def show_count(receipt: StockReceipt, count: str, lines: int, *, as_json: bool) -> None:
    """Print what became of a count, and nothing of what the books had."""
    if as_json:
        show_json(receipt.model_dump(mode="json"))
        return
    say(f"{count}  {lines} counted")
    if receipt.superseded:
        say(f"counted later already, and kept aside: {', '.join(receipt.superseded)}")
