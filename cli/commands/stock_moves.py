"""`heard stock receive`, `waste`, `damage`, `repair`, `discard`, `transfer`, `return`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import click

from cli.application import Application, pass_application
from cli.commands.stock_purchase import one_purchase
from cli.failures import Failure
from cli.grammar import Command, device_options, json_option
from cli.names import NAME
from cli.ordering import amount_option, asking_options
from cli.stock_asking import at_the_shelf, show_levels
from cli.stock_words import QUANTITY, RECEIVED, Said, day
from devices.pending import Pending
from devices.stock_tablet import StockTablet
from schemas.inventory import Quantity
from schemas.inventory_requests import ReceivedLine, StockLoss
from schemas.replies import StockReceipt
from services.people.store import Unknown, find_tenant
from services.runtime.database import Database
from services.runtime.house_rules import no_such_house

F = TypeVar("F", bound=Callable[..., Any])

Question = Callable[[StockTablet], Pending[StockReceipt]]


def stock_options(function: F) -> F:
    """Add what every command takes that moves stock: as whom, who did it, and how it answers."""
    person = click.option("--person", type=NAME, metavar="NAME", help="Who has done it.")
    for more in (json_option, asking_options, person, device_options):
        function = more(function)
    return function


def _of_an_item(function: F) -> F:
    for more in (
        click.argument("quantity", type=QUANTITY),
        click.argument("item", type=NAME),
        click.option(
            "--place",
            type=NAME,
            metavar="NAME",
            help="Where; without, where the kitchen takes it from.",
        ),
        click.option("--lot", type=click.UUID, metavar="ID", help="Of exactly this lot."),
        click.option("--reason", required=True, metavar="TEXT", help="Why; the ledger keeps it."),
    ):
        function = more(function)
    return stock_options(function)


@click.command(cls=Command)
@click.argument("lines", type=RECEIVED, nargs=-1, required=True, metavar="ITEM=QUANTITY[,…]...")
@click.option("--supplier", type=NAME, required=True, metavar="NAME", help="Who brought it.")
@click.option(
    "--note", required=True, metavar="TEXT", help="The delivery note's number: it counts once."
)
@click.option(
    "--purchase",
    metavar="NUMBER",
    help="The purchase order that it belongs to, or the end of its number.",
)
@stock_options
@pass_application
def receive(
    app: Application,
    *,
    lines: tuple[Said, ...],
    supplier: str,
    note: str,
    purchase: str | None,
    person: str | None,
    tenant: str | None,
    **options: Any,
) -> None:
    """Put a delivery on the shelves: all of it, or, where a line is wrong, none.

    A line may go on with expires=DAY, cost=AMOUNT (what all of it cost, in the house's
    currency) and place=NAME, with commas between.

    Examples:
      heard stock receive --tenant roma --supplier metro --note 4711 flour=25kg egg=180
      heard stock receive --tenant roma --supplier metro --note 4712 milk=12l,expires=2026-12-01
      heard stock receive --tenant roma --supplier metro --note 4713 ham=3kg,cost=41.70,place=cold
    """
    currency = _currency(app, tenant) if any("cost" in each.more for each in lines) else ""
    wanted = [_received(each, currency) for each in lines]
    ordered = None if purchase is None else _purchase(app, tenant, purchase)
    _ask(
        app,
        lambda tablet: tablet.receive_stock(
            supplier, note, wanted, purchase=ordered, person=person
        ),
        tenant=tenant,
        **options,
    )


def _purchase(app: Application, tenant: str | None, said: str) -> UUID:
    """The id of a purchase order: itself, or looked up where the database is at hand."""
    try:
        return UUID(said)
    except ValueError:
        if tenant is None:
            raise Failure(
                f"{said} is no purchase order's id: a device names it by its id, which "
                "`heard stock purchase show --json` prints"
            ) from None
    return one_purchase(app, tenant, said).purchase.purchase_id


def _received(said: Said, currency: str) -> ReceivedLine:
    if said.quantity is None:
        raise click.BadParameter(f"{said.item}: nothing came of it")
    expires = said.more.get("expires")
    cost = amount_option(said.more.get("cost"), currency, "cost")
    if cost is not None and cost < 0:
        raise click.BadParameter(f"{said.item}: a cost below nothing cannot be")
    return ReceivedLine(
        item=said.item,
        quantity=said.quantity,
        expires_on=None if expires is None else day(expires),
        cost_minor=cost,
        place=said.more.get("place"),
    )


def _currency(app: Application, tenant: str | None) -> str:
    if tenant is None:
        raise Failure("what it cost is counted in the house's currency: say --tenant NAME")
    name = tenant

    async def read(database: Database) -> str:
        async with database.read() as connection:
            found = await find_tenant(connection, name)
        if found is None:
            raise Unknown(no_such_house(name))
        return found.currency

    return app.run(read)


@click.command(cls=Command)
@_of_an_item
@pass_application
def waste(app: Application, **named: Any) -> None:
    """Say that something was thrown away.

    Examples:
      heard stock waste milk 2l --tenant roma --reason "left out over night"
    """
    _lose(app, StockLoss.WASTE, **named)


@click.command(cls=Command)
@_of_an_item
@pass_application
def damage(app: Application, **named: Any) -> None:
    """Set something aside as damaged: it is on hand still, and available no more.

    Examples:
      heard stock damage wine 6each --tenant roma --reason "corked" --place cellar
    """
    _lose(app, StockLoss.DAMAGE, **named)


@click.command(cls=Command)
@_of_an_item
@pass_application
def repair(app: Application, **named: Any) -> None:
    """Say that what was set aside is not damaged after all.

    Examples:
      heard stock repair wine 2each --tenant roma --reason "it was the glass"
    """
    _lose(app, StockLoss.REPAIR, **named)


@click.command(cls=Command)
@_of_an_item
@pass_application
def discard(app: Application, **named: Any) -> None:
    """Throw away what was set aside as damaged.

    Examples:
      heard stock discard wine 4each --tenant roma --reason "nobody takes it back"
    """
    _lose(app, StockLoss.DISCARD, **named)


def _lose(
    app: Application,
    what: StockLoss,
    *,
    item: str,
    quantity: Quantity,
    place: str | None,
    lot: UUID | None,
    reason: str,
    person: str | None,
    **options: Any,
) -> None:
    _ask(
        app,
        lambda tablet: tablet.lose_stock(
            what, item, quantity, reason, place=place, lot_id=lot, person=person
        ),
        **options,
    )


@click.command(cls=Command)
@click.argument("item", type=NAME)
@click.argument("quantity", type=QUANTITY)
@click.option("--from", "place", type=NAME, required=True, metavar="PLACE", help="From there.")
@click.option("--to", "to_place", type=NAME, required=True, metavar="PLACE", help="To there.")
@stock_options
@pass_application
def transfer(
    app: Application,
    *,
    item: str,
    quantity: Quantity,
    place: str,
    to_place: str,
    person: str | None,
    **options: Any,
) -> None:
    """Say that something was carried from one place of the house to another.

    Examples:
      heard stock transfer flour 10kg --from cellar --to kitchen --tenant roma
    """
    _ask(
        app,
        lambda tablet: tablet.transfer_stock(item, quantity, place, to_place, person=person),
        **options,
    )


@click.command("return", cls=Command)
@click.option("--supplier", type=NAME, required=True, metavar="NAME", help="Who takes it back.")
@_of_an_item
@pass_application
def return_(
    app: Application,
    *,
    supplier: str,
    item: str,
    quantity: Quantity,
    place: str | None,
    lot: UUID | None,
    reason: str,
    person: str | None,
    **options: Any,
) -> None:
    """Send something back to who delivered it.

    Examples:
      heard stock return milk 6l --supplier metro --tenant roma --reason "warm when it came"
    """
    _ask(
        app,
        lambda tablet: tablet.return_stock(
            supplier, item, quantity, reason, place=place, lot_id=lot, person=person
        ),
        **options,
    )


def _ask(
    app: Application,
    question: Question,
    *,
    tenant: str | None,
    credentials: Path | None,
    patience: float,
    as_manager: bool,
    as_json: bool,
) -> None:
    with at_the_shelf(app, tenant, credentials, patience, as_manager=as_manager) as ask:
        show_levels(ask(question), as_json=as_json)
