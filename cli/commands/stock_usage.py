"""`heard stock usage`: what was used, wasted and missing, and what it cost."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import click

from cli.amounts import on_table
from cli.application import Application, pass_application
from cli.book_files import the_tenant
from cli.dish_usage import DishUsage, dish_usage
from cli.dish_usage_shown import DishPeriod, dishes_as_csv, dishes_as_json, show_dishes
from cli.failures import Failure
from cli.grammar import Command, json_option, tenant_option
from cli.known_houses import the_house
from cli.names import NAME
from cli.printing import counted, note, say, show_json, show_table
from cli.stock_words import day
from schemas.money import to_text
from services.inventory.usage import Usage
from services.inventory.usage_book import recount
from services.inventory.usage_reading import ItemUsage, used_between
from services.runtime.database import Database
from services.runtime.moment import system_clock

_COSTED: Final = ("consumed", "wasted", "missing")


class _Period(NamedTuple):
    """What is looked at, and what was found."""

    first: date
    last: date
    currency: str
    items: list[ItemUsage]
    dishes: list[DishUsage]


@click.command("usage", cls=Command)
@tenant_option
@click.option("--since", metavar="DATE", help="The first day, by the house's clock; today without.")
@click.option("--until", metavar="DATE", help="The last day; today without.")
@click.option("--item", "items", type=NAME, multiple=True, metavar="NAME", help="That one; may be "
              "given several times.")  # fmt: skip
@click.option("--dishes", "by_dish", is_flag=True, help="What was sold of each dish, what went "
              "into it and what is left; --item is then a dish.")  # fmt: skip
@click.option("--csv", "as_csv", is_flag=True, help="One row an item, for spreadsheets.")
@click.option("--recount", "anew", is_flag=True, help="First reckon all of it anew from the "
              "ledger, and say what was wrong.")  # fmt: skip
@json_option
@pass_application
def usage(
    app: Application,
    *,
    tenant: str,
    since: str | None,
    until: str | None,
    items: Sequence[str],
    by_dish: bool,
    as_csv: bool,
    anew: bool,
    as_json: bool,
) -> None:
    """Show what was used of each item in a period, and what that cost.

    By recipe is what dishes should have taken; missing is what counts did not find of it, below
    nothing where they found more; gone is both, with what was thrown away. The cost is that of
    the last delivery, else of the item's first pack. Figures are a few seconds behind the floor.

    With --dishes: what was cooked of each dish that has a recipe, what that took, modifiers and
    all, and what it brought without tax. What was called off after a cook began it costs, and
    brings nothing. An order counts on the day on which the first of it was cooked.

    Examples:
      heard stock usage --tenant demo
      heard stock usage --tenant demo --since 2026-03-01 --until 2026-03-31 --csv > march.csv
      heard stock usage --tenant demo --since 2026-03-01 --item beef --json
      heard stock usage --tenant demo --dishes --since 2026-03-01 --csv > dishes.csv
      heard stock usage --tenant demo --recount
    """
    if anew:
        note(f"reckoned anew from the ledger: {counted(_anew(app, tenant), 'figure')} corrected")
    found = _read(app, tenant, since, until, items, by_dish=by_dish)
    if by_dish:
        period = DishPeriod(tenant, found.first, found.last, found.currency, found.dishes)
        (dishes_as_json if as_json else dishes_as_csv if as_csv else show_dishes)(period)
    elif as_json:
        show_json(
            {
                "tenant": tenant,
                "since": found.first.isoformat(),
                "until": found.last.isoformat(),
                "currency": found.currency,
                "items": [_plain(each) for each in found.items],
                "cost_minor": _totals(found),
            }
        )
    elif as_csv:
        _write(found)
    else:
        _show(found)


def _anew(app: Application, tenant: str) -> int:
    async def run(database: Database) -> int:
        async with database.write() as connection:
            await the_house(connection, tenant)
            return await recount(connection, tenant)

    return app.run(run)


def _read(
    app: Application,
    tenant: str,
    since: str | None,
    until: str | None,
    items: Sequence[str],
    *,
    by_dish: bool,
) -> _Period:
    first, last = (None if each is None else day(each) for each in (since, until))

    async def read(database: Database) -> _Period:
        async with database.read() as connection:
            zone = await the_house(connection, tenant)
            house = await the_tenant(connection, tenant)
            today = system_clock().astimezone(zone).date()
            to = last or max(today, first or today)
            from_ = first or min(today, to)
            if to < from_:
                raise Failure(f"{to} is before {from_}: say the first day with --since")
            span = _midnight(from_, zone), _midnight(to + timedelta(days=1), zone)
            if by_dish:
                dishes = await dish_usage(connection, tenant, *span)
                wanted = [each for each in dishes if not items or each.item in items]
                return _Period(from_, to, house.currency, [], wanted)
            used = await used_between(connection, tenant, *span, items=items or None)
            return _Period(from_, to, house.currency, used, [])

    return app.run(read)


def _midnight(on: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(on, time.min, zone).astimezone(UTC)


def _amounts(each: ItemUsage) -> dict[str, int]:
    """The figures as people look at them."""
    return {**each.usage._asdict(), "missing": -each.usage.counted, "gone": each.usage.gone}


def _plain(each: ItemUsage) -> dict[str, Any]:
    amounts = _amounts(each)
    share = each.unexplained
    return {
        "item": each.item.item,
        "name": each.item.name,
        "unit": each.item.unit,
        **amounts,
        "missing_share": None if share is None else round(float(share), 4),
        "cost_minor": {name: each.minor(amounts[name]) for name in (*_COSTED, "gone")},
        "cost_told_by": None if each.cost is None else each.cost.told_by,
    }


def _totals(found: _Period) -> dict[str, int]:
    return {
        name: sum(each.minor(_amounts(each)[name]) or 0 for each in found.items)
        for name in (*_COSTED, "gone")
    }


def _show(found: _Period) -> None:
    rows = []
    for each in found.items:
        amounts = _amounts(each)
        share, cost = each.unexplained, each.minor(each.usage.gone)
        rows.append(
            (
                each.item.item,
                *(
                    on_table(amounts[name], each.item.unit) if amounts[name] else ""
                    for name in ("received", "consumed", "wasted", "damaged", "returned", "missing")
                ),
                "" if share is None or not each.usage.counted else f"{float(share):.1%}",
                "?" if cost is None else to_text(cost, found.currency),
            )
        )
    show_table(
        ("item", "received", "by recipe", "wasted", "damaged", "returned", "missing", "", "cost"),
        rows,
        empty=f"nothing moved from {found.first} to {found.last}",
    )
    if not found.items:
        return
    totals = {name: to_text(amount, found.currency) for name, amount in _totals(found).items()}
    say(
        f"{found.first} to {found.last}: {totals['gone']} gone; {totals['consumed']} by recipe, "
        f"{totals['wasted']} wasted, {totals['missing']} missing"
    )
    unknown = [each.item.item for each in found.items if each.cost is None and each.usage.gone]
    if unknown:
        note(f"nothing tells what {', '.join(unknown)} cost: give them a pack with a price")


def _write(found: _Period) -> None:
    names = (*Usage._fields, "missing", "gone")
    heads = ("item", "name", "unit", *names, "cost", "currency")
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(heads)
    for each in found.items:
        amounts = _amounts(each)
        cost = each.minor(each.usage.gone)
        money = "" if cost is None else to_text(cost, found.currency).split()[0]
        # In the item's own unit: spreadsheets know no thousandths.
        figures = (f"{amounts[name] / 1000:g}" for name in names)
        writer.writerow(
            (each.item.item, each.item.name, each.item.unit, *figures, money, found.currency)
        )
