"""Asking for something of an order, over MQTT, as a device that exists for one command alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from cli.admission import visiting
from cli.application import Application
from cli.failures import Failure
from cli.known_houses import must_be_there
from cli.printing import say, show_json
from cli.span import SPAN
from cli.standing import standing
from devices.pending import Pending
from devices.pos import PointOfSale
from schemas.devices import Role
from schemas.money import MAX_MINOR, digits, to_minor, to_text
from schemas.orders import Order
from schemas.replies import OrderReceipt
from services.orders import reading
from services.runtime.database import Database

F = TypeVar("F", bound=Callable[..., Any])
R = TypeVar("R")


def patience_option(function: F) -> F:
    """Add ``--patience``."""
    return click.option(
        "--patience",
        type=SPAN,
        default="15s",
        show_default=True,
        help="How long to wait for the answer.",
    )(function)


def asking_options(function: F) -> F:
    """Add what every command has that asks: ``--patience`` and ``--as-manager``."""
    for option in (
        patience_option,
        click.option(
            "--as-manager", is_flag=True, help="Ask with a manager's right, not with a till's."
        ),
    ):
        function = option(function)
    return function


def seen_option(function: F) -> F:
    """Add ``--seen``."""
    return click.option(
        "--seen",
        type=click.IntRange(min=1),
        metavar="VERSION",
        help="The version you have seen: refused where what this touches has changed since.",
    )(function)


reason_option = click.option(
    "--reason", required=True, metavar="TEXT", help="Why; it stands in the order's history."
)


@contextmanager
def at_till(
    app: Application, tenant: str, patience: float, *, as_manager: bool
) -> Iterator[Callable[[Callable[[PointOfSale], Pending[R]]], R]]:
    """A till that asks and waits: call what it gives with a question.

    Raises:
        Failure: no answer came in time.
        Rejected: the services refused it.
    """
    role = Role.MANAGER if as_manager else Role.POS
    with visiting(app, tenant, role) as (admitted,):
        problems: list[str] = []
        till = PointOfSale(
            admitted.address.host,
            admitted.address.port,
            on_problem=problems.append,
            **admitted.options(),
        )

        def ask(question: Callable[[PointOfSale], Pending[R]]) -> R:
            try:
                return question(till).result(patience)
            except TimeoutError:
                why = problems[-1] if problems else "do the services run? `heard doctor` says more"
                raise Failure(f"no answer within {patience:g} s: {why}") from None

        with till:
            yield ask


def the_order(app: Application, tenant: str, name: str) -> Order:
    """The one order of this name: its number or the end of it, its id, or its reference.

    Raises:
        Failure: there is none, or more than one.
    """

    async def read(database: Database) -> Order:
        async with database.read() as connection:
            return await find_order(connection, tenant, name)

    return app.run(read)


async def find_order(connection: AsyncConnection, tenant: str, name: str) -> Order:
    """The one order of this name, as `the_order` knows it.

    Raises:
        Failure: there is none, or more than one.
        Unknown: there is not even such a house.
    """
    found = await reading.find(connection, tenant, name)
    if len(found) > 1:
        raise Failure(f"{name} may be any of {', '.join(each.number for each in found)}")
    if not found:
        await must_be_there(connection, tenant)
        raise Failure(f"{tenant} has no order {name}: heard order list --tenant {tenant}")
    return found[0]


def ask_and_show(
    app: Application,
    tenant: str,
    question: Callable[[PointOfSale], Pending[OrderReceipt]],
    *,
    patience: float,
    as_manager: bool,
    as_json: bool,
) -> None:
    """Ask, and print how the order stands then."""
    with at_till(app, tenant, patience, as_manager=as_manager) as ask:
        show_receipt(ask(question), as_json=as_json)


def show_receipt(receipt: OrderReceipt, *, as_json: bool) -> None:
    """Print how an order stands after what was asked."""
    if as_json:
        show_json(receipt.model_dump(mode="json"))
        return
    say(f"{receipt.number}  {standing(receipt)}")
    if receipt.change_minor is not None:
        say(f"change {to_text(receipt.change_minor, receipt.currency)}")


def amount(text: str, currency: str) -> int:
    """Read an amount of a currency; one below zero too, which the services refuse by name.

    Raises:
        ValueError: it is no amount of that currency.
    """
    stripped = text.strip()
    try:
        minor = Decimal(stripped).scaleb(digits(currency))
    except InvalidOperation:
        raise ValueError(f"{text!r} is no amount of money") from None
    if not minor.is_finite():
        raise ValueError(f"{text!r} is no amount of money")
    if not -MAX_MINOR <= minor < 0:
        return to_minor(stripped, currency)
    return -to_minor(stripped.removeprefix("-"), currency)


def amount_option(text: str | None, currency: str, option: str) -> int | None:
    """The amount that was given with an option, in minor units.

    Raises:
        BadParameter: it is no amount of that currency.
    """
    if text is None:
        return None
    try:
        return amount(text, currency)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from None
