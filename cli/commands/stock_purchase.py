"""`heard stock purchase`: what is ordered of suppliers, and what of it has come."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import click

from cli.application import Application, pass_application
from cli.book_files import the_tenant
from cli.failures import Failure
from cli.grammar import Group, device_options, json_option, tenant_option
from cli.known_houses import the_house
from cli.names import NAME
from cli.ordering import asking_options
from cli.printing import note, say, show_json, show_table, when
from cli.purchase_paper import page, table
from cli.purchase_words import PACKS
from cli.stock_asking import at_the_shelf
from cli.stock_words import day
from cli.whole_file import writing
from devices.pending import Pending
from devices.stock_tablet import StockTablet
from schemas.money import to_text
from schemas.purchasing import Purchase, WantedLine
from schemas.replies import PurchaseReceipt
from schemas.suppliers import Supplier
from services.inventory.purchase_rows import read_purchases, read_suppliers
from services.inventory.units import text
from services.runtime.database import Database

_FEW: Final = 50
Question = Callable[[StockTablet], Pending[PurchaseReceipt]]


@click.group(cls=Group)
def purchase() -> None:
    """Order of suppliers, and see what is to come."""


@purchase.command()
@click.argument("lines", type=PACKS, nargs=-1, required=True, metavar="ITEM=PACKS...")
@click.option("--supplier", type=NAME, required=True, metavar="NAME", help="Of whom.")
@click.option("--note", default="", metavar="TEXT", help="Whatever else there is to say to them.")
@device_options
@asking_options
@json_option
@pass_application
def draft(
    app: Application,
    *,
    lines: tuple[WantedLine, ...],
    supplier: str,
    note: str,
    **options: Any,
) -> None:
    """Write down what to ask a supplier for, in packs; nothing is sent yet.

    `heard stock suggest --draft` writes what it suggests.

    Examples:
      heard stock purchase draft --tenant demo --supplier butcher beef=3 bacon=1
      heard stock purchase draft --tenant demo --supplier dairy milk=4 --note "back door, please"
    """
    _ask(app, lambda tablet: tablet.draft_purchase(supplier, lines, note=note), **options)


@purchase.command()
@click.argument("number")
@click.argument("lines", type=PACKS, nargs=-1, required=True, metavar="ITEM=PACKS...")
@click.option("--note", metavar="TEXT", help="Instead of what stands there.")
@tenant_option
@asking_options
@json_option
@pass_application
def edit(
    app: Application,
    *,
    number: str,
    lines: tuple[WantedLine, ...],
    note: str | None,
    tenant: str,
    **options: Any,
) -> None:
    """Ask for something else, before it is sent: these lines instead of those.

    Examples:
      heard stock purchase edit 7KQ2X --tenant demo beef=4
    """
    known = one_purchase(app, tenant, number).purchase.purchase_id
    _ask(
        app,
        lambda tablet: tablet.edit_purchase(known, lines, note=note),
        tenant=tenant,
        credentials=None,
        **options,
    )


@purchase.command()
@click.argument("number")
@click.option("--expected", metavar="DATE", help="When it comes; without, the supplier's next day.")
@click.option("--below-minimum", is_flag=True, help="Though they bring nothing below more.")
@tenant_option
@asking_options
@json_option
@pass_application
def send(
    app: Application,
    *,
    number: str,
    expected: str | None,
    below_minimum: bool,
    tenant: str,
    **options: Any,
) -> None:
    """Say that a draft has gone to the supplier: from now on it is expected.

    Print it with `heard stock purchase show NUMBER --html FILE`, or mail that page to them.

    Examples:
      heard stock purchase send 7KQ2X --tenant demo
      heard stock purchase send PO-261121-7KQ2X --tenant demo --expected 2026-11-24
    """
    known = one_purchase(app, tenant, number).purchase.purchase_id
    on = None if expected is None else day(expected)
    _ask(
        app,
        lambda tablet: tablet.send_purchase(known, expected_on=on, below_minimum=below_minimum),
        tenant=tenant,
        credentials=None,
        **options,
    )


@purchase.command()
@click.argument("number")
@click.option("--reason", required=True, metavar="TEXT", help="Why; it stands in its note.")
@tenant_option
@asking_options
@json_option
@pass_application
def cancel(app: Application, *, number: str, reason: str, tenant: str, **options: Any) -> None:
    """Say that nothing more comes of a purchase order; what has come stays.

    Examples:
      heard stock purchase cancel 7KQ2X --tenant demo --reason "they are closed"
    """
    known = one_purchase(app, tenant, number).purchase.purchase_id
    _ask(
        app,
        lambda tablet: tablet.cancel_purchase(known, reason),
        tenant=tenant,
        credentials=None,
        **options,
    )


@purchase.command("list")
@tenant_option
@click.option("--open", "open_only", is_flag=True, help="Only drafts, and what is still to come.")
@json_option
@pass_application
def list_(app: Application, *, tenant: str, open_only: bool, as_json: bool) -> None:
    """List the newest purchase orders.

    Examples:
      heard stock purchase list --tenant demo --open
    """
    found = _read(app, tenant, None, open_only=open_only)
    if as_json:
        show_json([each.purchase.model_dump(mode="json") for each in found])
        return
    show_table(
        ("number", "supplier", "status", "lines", "total", "expected", "made"),
        [
            (
                each.purchase.number,
                each.purchase.supplier,
                each.purchase.status.value,
                len(each.purchase.lines),
                to_text(each.purchase.total_minor, each.purchase.currency),
                each.purchase.expected_on,
                when(each.purchase.made_at),
            )
            for each in found
        ],
        empty="there is no purchase order: "
        f"`heard stock suggest --tenant {tenant}` says what to buy",
    )


@purchase.command()
@click.argument("number")
@tenant_option
@click.option("--csv", "as_csv", is_flag=True, help="One row an item, for spreadsheets.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="A "
              "page to print, or to mail to the supplier.")  # fmt: skip
@json_option
@pass_application
def show(
    app: Application,
    *,
    number: str,
    tenant: str,
    as_csv: bool,
    html: Path | None,
    as_json: bool,
) -> None:
    """Show one purchase order, by its number or the end of it.

    Examples:
      heard stock purchase show 7KQ2X --tenant demo
      heard stock purchase show 7KQ2X --tenant demo --html order.html
      heard stock purchase show 7KQ2X --tenant demo --csv > order.csv
    """
    found = one_purchase(app, tenant, number)
    if html is not None:
        with writing(html) as file:
            file.write(page(found.purchase, found.supplier, found.house, found.zone))
        note(f"written to {html}")
    elif as_json:
        show_json(found.purchase.model_dump(mode="json"))
    elif as_csv:
        say(table(found.purchase).rstrip("\n"))
    else:
        _show(found.purchase)


class _Found(NamedTuple):
    """A purchase order, with what its paper says besides."""

    purchase: Purchase
    supplier: Supplier
    house: str
    zone: ZoneInfo


def _read(
    app: Application, tenant: str, number: str | None, *, open_only: bool = False
) -> list[_Found]:
    async def read(database: Database) -> list[_Found]:
        async with database.read() as connection:
            house = await the_tenant(connection, tenant)
            zone = await the_house(connection, tenant)
            suppliers = await read_suppliers(connection, tenant)
            found = await read_purchases(
                connection,
                tenant,
                house.currency,
                number=number,
                open_only=open_only,
                limit=_FEW,
            )
        return [
            _Found(
                each,
                suppliers.get(each.supplier)
                or Supplier(supplier=each.supplier, name=each.supplier),
                house.name,
                zone,
            )
            for each in found
        ]

    return app.run(read)


def one_purchase(app: Application, tenant: str, number: str) -> _Found:
    """The one of that number, or whose number ends so.

    Raises:
        Failure: there is none, or more than one.
    """
    found = _read(app, tenant, number.strip().upper())
    if not found:
        raise Failure(
            f"{tenant} has no purchase order {number}: heard stock purchase list --tenant {tenant}"
        )
    if len(found) > 1:
        some = ", ".join(each.purchase.number for each in found[:5])
        raise Failure(f"{number} is the end of several: {some}")
    return found[0]


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
        receipt: PurchaseReceipt = ask(question)
    if as_json:
        show_json(receipt.purchase.model_dump(mode="json"))
    else:
        _show(receipt.purchase)


def _show(purchase: Purchase) -> None:
    total = to_text(purchase.total_minor, purchase.currency)
    expected = "" if purchase.expected_on is None else f", expected {purchase.expected_on}"
    say(f"{purchase.number}  {purchase.supplier}  {purchase.status.value}  {total}{expected}")
    for line in purchase.lines:
        holds = text(line.holds, line.unit)
        pack = f"{line.pack} of {holds}" if line.pack else holds
        asked = f"{line.packs} x {pack}" if line.packs else "not asked for"
        came = f", {text(line.received, line.unit)} has come" if line.received else ""
        say(f"  {line.name}: {asked}{came}")
        for reason in line.reasons:
            say(f"      {reason}")
    if purchase.note:
        say(f"  {purchase.note}")
    for what, at in _times(purchase):
        say(f"  {what} {when(at)}")


def _times(purchase: Purchase) -> list[tuple[str, datetime]]:
    times = (
        ("made", purchase.made_at),
        ("sent", purchase.sent_at),
        ("ended", purchase.ended_at),
    )
    return [(what, at) for what, at in times if at is not None]
