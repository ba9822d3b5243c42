"""`heard recipe cost`: what dishes cost to make, and what is left of their price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import click

from cli.application import Application, pass_application
from cli.book_files import the_tenant
from cli.failures import Failure
from cli.grammar import Command, json_option, tenant_option
from cli.printing import note, say, show_json, show_table
from schemas.menu import MenuItem, Modifier, ModifierGroup
from schemas.money import to_text
from services.inventory.book_words import Said
from services.inventory.costing import (
    CostBasis,
    Costing,
    ItemCost,
    MadeCost,
    net_minor,
    pack_costs,
)
from services.inventory.delivered_costs import delivered_costs
from services.inventory.importing import standing
from services.inventory.units import text
from services.inventory.whole_book import WholeBook, counted_in_pieces
from services.menu.store import menu_of
from services.orders.pricing import tax_rate
from services.runtime import house_rules
from services.runtime.database import Database
from services.runtime.facts import WITH

_SHARE = 100


@dataclass(frozen=True, slots=True)
class Priced:
    """What a thing costs to make, and what it brings.

    Attributes:
        cost: to make one.
        title: what people call it.
        net_minor: its price without the tax that is in it; None where it is on no menu.
    """

    cost: MadeCost
    title: str
    net_minor: Fraction | None

    @property
    def name(self) -> str:
        """What people call its recipe."""
        return self.cost.name.removeprefix(WITH)

    @property
    def margin_minor(self) -> Fraction | None:
        """What is left; None where not all is known."""
        if self.net_minor is None or self.cost.unknown:
            return None
        return self.net_minor - self.cost.minor

    @property
    def margin_percent(self) -> float | None:
        """The same, of the price."""
        margin = self.margin_minor
        if margin is None or not self.net_minor:
            return None
        return round(float(margin / self.net_minor * _SHARE), 1)


class _House(NamedTuple):
    book: WholeBook
    priced: Sequence[Priced]
    currency: str


@click.command(cls=Command)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@tenant_option
@click.option(
    "--by",
    type=click.Choice([each.value for each in CostBasis]),
    default=CostBasis.DELIVERIES.value,
    show_default=True,
    help="What an ingredient costs: as delivered last (else its pack), or its first pack.",
)
@json_option
@pass_application
def cost(app: Application, *, names: tuple[str, ...], tenant: str, by: str, as_json: bool) -> None:
    """Say what dishes cost to make, and what is left of the menu's price.

    Without a NAME: all that is on the menu, the smallest margin first. With one: what of it
    costs how much. A margin is of the price without tax. What is made by weight or volume
    is reckoned for all that comes out of it.

    Examples:
      heard recipe cost --tenant roma
      heard recipe cost burger no-onions --tenant roma --by packs
      heard recipe cost --tenant roma --json
    """
    house = app.run(lambda database: _read(database, tenant, CostBasis(by), set(names)))
    missing = sorted(set(names) - {each.name for each in house.priced})
    if missing:
        what = ", ".join(missing)
        raise Failure(f"nothing is made that is called {what}: heard recipe list --tenant {tenant}")
    if as_json:
        show_json([_document(each) | {"currency": house.currency} for each in house.priced])
        return
    if names:
        for each in house.priced:
            _show(each, house)
        return
    show_table(
        ("recipe", "price without tax", "cost", "margin", "", "unknown"),
        (
            (
                each.name,
                _money(each.net_minor, house.currency),
                _money(each.cost.minor, house.currency),
                _money(each.margin_minor, house.currency),
                "" if each.margin_percent is None else f"{each.margin_percent} %",
                ", ".join(each.cost.unknown),
            )
            for each in house.priced
        ),
        empty=f"nothing on the menu has a recipe: heard recipe import FILE --tenant {tenant}",
    )
    if any(each.cost.unknown for each in house.priced):
        note("nothing tells what the unknown ones cost: give them packs, or receive them with it")


async def _read(database: Database, tenant: str, basis: CostBasis, names: set[str]) -> _House:
    async with database.read() as connection:
        known = await the_tenant(connection, tenant)
        book = (await standing(connection, tenant)).book
        costs: dict[str, ItemCost] = pack_costs(book.items)
        if basis is CostBasis.DELIVERIES:
            costs |= await delivered_costs(connection, tenant)
        menu = await menu_of(connection, tenant)
        rules = (await house_rules.read(connection, tenant)).orders
    included = rules.prices_include_tax
    brings: dict[str, Fraction] = {}
    for item in menu:
        rate = tax_rate(item, rules)
        brings[item.item] = net_minor(item.price_minor, rate, included=included)
        for each in _modifiers(item):
            # The same choice may cost more beside another dish: the least tells the truth.
            net = net_minor(each.price_minor, rate, included=included)
            key = WITH + each.modifier
            brings[key] = min(net, brings.get(key, net))
    costing = Costing(book, costs)
    dishes = {item.item for item in menu}
    priced = [
        Priced(costing.of(name), made.title, brings.get(name))
        for name, made in book.recipes.items()
        if ((made.modifier or name) in names if names else name in dishes)
    ]
    priced.sort(key=lambda each: (each.margin_percent is not None, each.margin_percent, each.name))
    return _House(book, priced, known.currency)


def _modifiers(item: MenuItem) -> list[Modifier]:
    found: list[Modifier] = []
    waiting: list[ModifierGroup] = list(item.groups)
    while waiting:
        for each in waiting.pop().modifiers:
            found.append(each)
            waiting += each.groups
    return found


def _show(priced: Priced, house: _House) -> None:
    currency = house.currency
    made = house.book.recipes[priced.cost.name]
    comes_out = Said(made.recipe.yields, made.recipe.unit)
    much = f" for {comes_out}" if not counted_in_pieces(made.recipe) else ""
    what = "modifier " if made.modifier else ""
    say(f"{what}{priced.name}: {_money(priced.cost.minor, currency)}{much}")
    for used in priced.cost.used:
        amount = text(round(used.amount), house.book.items[used.item].unit)
        told = f" ({used.told_by})" if used.told_by else ""
        cost_ = "nothing tells" if used.minor is None else _money(used.minor, currency)
        say(f"  {amount} {used.item}: {cost_}{told}")
    if priced.net_minor is not None:
        say(f"  price without tax: {_money(priced.net_minor, currency)}")
    if priced.margin_minor is not None:
        percent = "" if priced.margin_percent is None else f", {priced.margin_percent} %"
        say(f"  margin: {_money(priced.margin_minor, currency)}{percent}")


def _money(minor: Fraction | None, currency: str) -> str:
    if minor is None:
        return ""
    sign = "-" if minor < 0 else ""
    return sign + to_text(abs(round(minor)), currency)


def _document(priced: Priced) -> dict[str, Any]:
    kind = "modifier" if priced.cost.name.startswith(WITH) else "recipe"
    return {
        kind: priced.name,
        "title": priced.title,
        "cost_minor": _plain(priced.cost.minor),
        "net_minor": _plain(priced.net_minor),
        "margin_minor": _plain(priced.margin_minor),
        "margin_percent": priced.margin_percent,
        "unknown": list(priced.cost.unknown),
        "used": [
            {
                "item": used.item,
                "amount": _plain(used.amount / 1000),
                "cost_minor": _plain(used.minor),
                "told_by": used.told_by,
            }
            for used in priced.cost.used
        ],
    }


def _plain(number: Fraction | None) -> float | None:
    """A number with as many decimals as mean something."""
    if number is None:
        return None
    return float(round(Decimal(number.numerator) / Decimal(number.denominator), 4))
