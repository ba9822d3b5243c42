"""Asking the stock over MQTT, as a tablet that exists for one command alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from cli.admission import as_device
from cli.application import Application
from cli.failures import Failure
from cli.printing import say, show_json, show_table
from devices.pending import Pending
from devices.stock_tablet import StockTablet
from schemas.devices import Role
from schemas.replies import StockReceipt
from services.inventory.units import text

R = TypeVar("R")

_OF_THE_HOUSE: Final = frozenset({Role.POS, Role.KITCHEN_DISPLAY, Role.MANAGER})


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
    role = Role.MANAGER if as_manager else _role(credentials)
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


def _role(credentials: Path | None) -> Role:
    """As what somebody asks: any device of the house will do."""
    if credentials is not None:
        from devices.enrolment import read_credentials  # noqa: PLC0415 - httpx is slow to import

        known = read_credentials(credentials).role
        if known in _OF_THE_HOUSE:
            return known
    return Role.KITCHEN_DISPLAY


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
