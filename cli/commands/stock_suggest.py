"""`heard stock suggest`: what to buy today, of whom, and why."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import click

from cli.application import Application, pass_application
from cli.book_files import the_tenant
from cli.grammar import Command, json_option, tenant_option
from cli.known_houses import the_house
from cli.names import NAME
from cli.ordering import patience_option
from cli.printing import note, say, show_json
from cli.stock_asking import at_the_shelf
from devices.pending import Pending
from devices.stock_tablet import StockTablet
from schemas.money import to_text
from schemas.purchasing import MAX_PURCHASE_LINES, WantedLine
from schemas.replies import PurchaseReceipt
from schemas.text import MAX_REMARK
from services.inventory.purchase_rows import read_suppliers
from services.inventory.shelves import read_shelves
from services.inventory.suggesting import Basket, Suggestions, suggest
from services.inventory.units import text
from services.people.store import Unknown
from services.runtime.database import Database
from services.runtime.moment import system_clock

_COLUMNS: Final = ("supplier", "item", "name", "packs", "pack", "cost", "arrives_on", "reasons")


@click.command("suggest", cls=Command)
@tenant_option
@click.option("--supplier", type=NAME, metavar="NAME", help="Of that one alone.")
@click.option("--draft", is_flag=True, help="Make a purchase order of what each supplier is to "
              "bring.")  # fmt: skip
@click.option("--csv", "as_csv", is_flag=True, help="One row an item, for spreadsheets.")
@patience_option
@json_option
@pass_application
def suggest_(
    app: Application,
    *,
    tenant: str,
    supplier: str | None,
    draft: bool,
    as_csv: bool,
    patience: float,
    as_json: bool,
) -> None:
    """Suggest what to order today, so that it lasts until the delivery after the next one.

    Reckoned from what is usable and on its way, what goes off before it is used, what will be
    used by weekday and hour, par, and the suppliers' days, packs and minimum. Each line says
    from what.

    Examples:
      heard stock suggest --tenant demo
      heard stock suggest --tenant demo --supplier butcher --csv > butcher.csv
      heard stock suggest --tenant demo --draft
    """
    now = system_clock()
    found, currency = _read(app, tenant, supplier, now)
    numbers = _draft(app, tenant, found, patience) if draft else {}
    if as_json:
        show_json(
            {
                "tenant": tenant,
                "at": now,
                "currency": currency,
                "baskets": [
                    _plain(each) | {"purchase": numbers.get(each.supplier.supplier)}
                    for each in found.baskets
                ],
                "not_counted": found.not_counted,
                "not_sold": found.not_sold,
            }
        )
    elif as_csv:
        _write(found, currency)
    else:
        _show(found, currency, numbers)


def _read(
    app: Application, tenant: str, supplier: str | None, now: datetime
) -> tuple[Suggestions, str]:
    """Suggest for all suppliers, or for one.

    Raises:
        Unknown: the house has none of this name.
    """

    async def read(database: Database) -> tuple[Suggestions, str]:
        async with database.read() as connection:
            house = await the_tenant(connection, tenant)
            zone = await the_house(connection, tenant)
            suppliers = await read_suppliers(connection, tenant)
            if supplier is not None and supplier not in suppliers:
                known = f"look at {', '.join(suppliers)}" if suppliers else "it has none"
                raise Unknown(f"{tenant} has no supplier {supplier}: {known}")
            shelves = await read_shelves(connection, tenant, house.currency, now)
        found = suggest(shelves, suppliers, now, zone, house.currency)
        if supplier is not None:
            theirs = tuple(each for each in found.baskets if each.supplier.supplier == supplier)
            found = replace(found, baskets=theirs)
        return found, house.currency

    return app.run(read)


def _draft(app: Application, tenant: str, found: Suggestions, patience: float) -> dict[str, str]:
    """Ask for a purchase order of each basket; their numbers by supplier."""
    if not found.baskets:
        return {}
    numbers = {}
    with at_the_shelf(app, tenant, None, patience, as_manager=False) as ask:
        for basket in found.baskets:
            wanted = [
                WantedLine(
                    item=line.item.item,
                    packs=line.packs,
                    holds=line.pack.holds,
                    reasons=tuple(each[:MAX_REMARK] for each in line.reasons),
                )
                for line in basket.lines
            ]
            name = basket.supplier.supplier
            # What is more than one purchase order may hold becomes several.
            parts = range(0, len(wanted), MAX_PURCHASE_LINES)
            numbers[name] = ", ".join(
                ask(_drafting(name, wanted[at : at + MAX_PURCHASE_LINES])).purchase.number
                for at in parts
            )
    return numbers


def _drafting(
    supplier: str, wanted: list[WantedLine]
) -> Callable[[StockTablet], Pending[PurchaseReceipt]]:
    return lambda tablet: tablet.draft_purchase(supplier, wanted)


def _plain(basket: Basket) -> dict[str, Any]:
    return {
        "supplier": basket.supplier.supplier,
        "name": basket.supplier.name,
        "arrives_on": basket.arrives_on.isoformat(),
        "total_minor": basket.total_minor,
        "below_minimum_minor": basket.below_minimum,
        "lines": [
            {
                "item": line.item.item,
                "name": line.item.name,
                "unit": line.item.unit,
                "packs": line.packs,
                "pack": line.pack.name,
                "amount": line.amount,
                "cost_minor": line.cost_minor,
                "urgent": line.urgent,
                "reasons": line.reasons,
            }
            for line in basket.lines
        ],
    }


def _show(found: Suggestions, currency: str, numbers: dict[str, str]) -> None:
    if not found.baskets:
        note("nothing has to be ordered today")
    for basket in found.baskets:
        total = to_text(basket.total_minor, currency)
        number = numbers.get(basket.supplier.supplier)
        drafted = "" if number is None else f", drafted as {number}"
        say(f"{basket.supplier.name}: {total}, comes {basket.arrives_on:%a %d %b}{drafted}")
        for line in basket.lines:
            mark = "!" if line.urgent else " "
            holds = text(line.pack.holds, line.item.unit)
            pack = f"{line.pack.name} of {holds}" if line.pack.name else holds
            cost = to_text(line.cost_minor, currency)
            say(f"{mark} {line.packs} x {pack} {line.item.name}, {cost}")
            for reason in line.reasons:
                say(f"      {reason}")
        if basket.below_minimum:
            missing = to_text(basket.below_minimum, currency)
            note(f"{basket.supplier.name} brings it only with {missing} more")
    if found.not_counted:
        note(f"nobody has counted {', '.join(found.not_counted)}: heard stock count")
    if found.not_sold:
        note(f"short, and nobody is known who sells it: {', '.join(found.not_sold)}")


def _write(found: Suggestions, currency: str) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for basket in found.baskets:
        for line in basket.lines:
            writer.writerow(
                (
                    basket.supplier.supplier,
                    line.item.item,
                    line.item.name,
                    line.packs,
                    line.pack.name,
                    to_text(line.cost_minor, currency).split()[0],
                    basket.arrives_on.isoformat(),
                    "; ".join(line.reasons),
                )
            )
