"""The usage of dishes as a table, for spreadsheets and for programs."""

from __future__ import annotations

import csv
import sys
from datetime import date
from fractions import Fraction
from typing import Any, NamedTuple

from cli.dish_usage import DishUsage
from cli.printing import note, say, show_json, show_table
from schemas.money import to_text


class DishPeriod(NamedTuple):
    """What was looked at, and what was found.

    Attributes:
        tenant: whose.
        first: the first day.
        last: the last day.
        currency: of all amounts.
        dishes: by name.
    """

    tenant: str
    first: date
    last: date
    currency: str
    dishes: list[DishUsage]


def show_dishes(found: DishPeriod) -> None:
    """Show a table, and the sums below it."""
    show_table(
        ("dish", "sold", "called off", "cost", "price without tax", "margin", "", "unknown"),
        (
            (
                each.item,
                str(each.sold),
                str(each.called_off) if each.called_off else "",
                _money(each.cost_minor, found.currency),
                _money(each.net_minor, found.currency),
                _money(each.margin_minor, found.currency),
                "" if each.margin_share is None else f"{float(each.margin_share):.1%}",
                ", ".join(sorted(each.unknown)),
            )
            for each in found.dishes
        ),
        empty=f"no dish with a recipe was cooked from {found.first} to {found.last}",
    )
    if not found.dishes:
        return
    cost, net = _sums(found)
    say(
        f"{found.first} to {found.last}: {_money(net, found.currency)} without tax, "
        f"{_money(cost, found.currency)} went into it"
    )
    unknown = sorted(set().union(*(each.unknown for each in found.dishes)))
    if unknown:
        note(f"nothing tells what {', '.join(unknown)} cost: give them a pack with a price")


def dishes_as_json(found: DishPeriod) -> None:
    """Show a document: amounts of money in the currency's minor unit."""
    cost, net = _sums(found)
    show_json(
        {
            "tenant": found.tenant,
            "since": found.first.isoformat(),
            "until": found.last.isoformat(),
            "currency": found.currency,
            "dishes": [_plain(each) for each in found.dishes],
            "cost_minor": round(cost),
            "net_minor": round(net),
        }
    )


def dishes_as_csv(found: DishPeriod) -> None:
    """Write one row a dish."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(
        ("dish", "name", "sold", "called_off", "cost", "net", "margin", "currency", "unknown")
    )
    for each in found.dishes:
        money = (each.cost_minor, each.net_minor, each.margin_minor)
        writer.writerow(
            (
                each.item,
                each.name,
                each.sold,
                each.called_off,
                *(_money(amount, found.currency).split(" ")[0] for amount in money),
                found.currency,
                " ".join(sorted(each.unknown)),
            )
        )


def _plain(each: DishUsage) -> dict[str, Any]:
    margin, share = each.margin_minor, each.margin_share
    return {
        "dish": each.item,
        "name": each.name,
        "sold": each.sold,
        "called_off": each.called_off,
        "cost_minor": round(each.cost_minor),
        "net_minor": round(each.net_minor),
        "margin_minor": None if margin is None else round(margin),
        "margin_share": None if share is None else round(float(share), 4),
        "unknown": sorted(each.unknown),
    }


def _sums(found: DishPeriod) -> tuple[Fraction, Fraction]:
    """What went into all of them, and what they brought."""
    cost = sum((each.cost_minor for each in found.dishes), Fraction(0))
    return cost, sum((each.net_minor for each in found.dishes), Fraction(0))


def _money(minor: Fraction | None, currency: str) -> str:
    if minor is None:
        return ""
    return ("-" if minor < 0 else "") + to_text(abs(round(minor)), currency)
