"""A purchase order on paper: a page to print or send, and a table for spreadsheets. Pure."""

from __future__ import annotations

import csv
import io
from datetime import tzinfo
from importlib import resources
from typing import Final

from schemas.money import to_text
from schemas.purchasing import Purchase
from schemas.suppliers import Supplier
from services.inventory.units import text

_PAGE: Final = "purchase_page.html.j2"
_HEADS: Final = (
    "number", "supplier", "item", "name", "pack", "packs", "amount", "unit", "price", "total",
    "currency", "received",
)  # fmt: skip


def page(purchase: Purchase, supplier: Supplier, house: str, zone: tzinfo) -> str:
    """The purchase order as a page of HTML; what was not asked for is not on it.

    Args:
        purchase: which.
        supplier: to whom.
        house: the restaurant's name.
        zone: of the house's clock.
    """
    from jinja2 import Environment  # noqa: PLC0415 - slow to import, and only paper needs it

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(
        resources.files("cli").joinpath(_PAGE).read_text(encoding="utf-8")
    )
    at = purchase.sent_at or purchase.made_at
    return template.render(
        purchase=purchase,
        supplier=supplier,
        house=house,
        date=at.astimezone(zone).date(),
        total=to_text(purchase.total_minor, purchase.currency),
        lines=[
            {
                "name": line.name,
                "pack": line.pack or text(line.holds, line.unit),
                "packs": line.packs,
                "amount": text(line.ordered, line.unit),
                "price": to_text(line.price_minor, purchase.currency),
                "total": to_text(line.packs * line.price_minor, purchase.currency),
            }
            for line in purchase.lines
            if line.packs
        ],
    )


def table(purchase: Purchase) -> str:
    """The purchase order as CSV, one row an item."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(_HEADS)
    for line in purchase.lines:
        # In the item's own unit: spreadsheets know no thousandths.
        amounts = [f"{amount / 1000:.3f}" for amount in (line.ordered, line.received)]
        price, total = (
            to_text(minor, purchase.currency).split()[0]
            for minor in (line.price_minor, line.packs * line.price_minor)
        )
        writer.writerow(
            (
                purchase.number, purchase.supplier, line.item, line.name, line.pack, line.packs,
                amounts[0], line.unit, price, total, purchase.currency, amounts[1],
            )
        )  # fmt: skip
    return written.getvalue()
