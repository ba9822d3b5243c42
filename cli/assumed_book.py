"""Recipes that name ingredients and no quantities, made whole by declared assumptions. Pure.

Files of real pizzerias say what is on a pizza, but not how much of it. What is assumed stands in
one file (`assumed_quantities.yaml`, or one of your own), by words in the ingredients' names.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cli.failures import Failure
from cli.order_files import FileOrder, file_text
from schemas.identifiers import slug
from schemas.inventory import BaseUnit, Pack, StockItem
from schemas.money import to_minor
from services.inventory.units import Measure, UnitMismatch, thousandths

OURS: Final = "assumed_quantities.yaml"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Rule(_Strict):
    """What is assumed of the ingredients with one of these words in their names."""

    words: tuple[str, ...] = ()
    amount: str
    supplier: str
    pack: str
    price: Decimal
    keeps_days: int = Field(ge=1)


class _Cover(_Strict):
    """How many days there should be enough for, from the mean day of the first days."""

    from_days: int = Field(ge=1)
    par: Decimal
    low: Decimal
    critical: Decimal


class Assumptions(_Strict):
    """All that is assumed."""

    currency: str
    sizes: Mapping[str, Decimal]
    default: _Rule
    rules: tuple[_Rule, ...] = ()
    same: Mapping[str, str] = {}
    cover: _Cover

    def rule_for(self, ingredient: str) -> _Rule:
        """The first rule with a word of the name, else the default."""
        words = ingredient.lower()
        for rule in self.rules:
            if any(word in words for word in rule.words):
                return rule
        return self.default


@dataclass(frozen=True, slots=True)
class AssumedBook:
    """Items and recipes as the stock keeps them.

    Attributes:
        items: by name.
        takes: what one of each dish takes, by the file's own name of the dish
            (``hawaiian_m``) and item, in thousandths of the item's base unit.
        keeps_days: how long a delivery of each item keeps.
        cover: what thresholds are reckoned from.
    """

    items: Mapping[str, StockItem]
    takes: Mapping[str, Mapping[str, int]]
    keeps_days: Mapping[str, int]
    cover: _Cover


def read_assumptions(path: Path | None = None) -> Assumptions:
    """Read what is assumed; None is what comes with the program.

    Raises:
        Failure: it is no such file.
    """
    if path is None:
        text = resources.files("cli").joinpath(OURS).read_text(encoding="utf-8")
    else:
        text = file_text(path)
    try:
        return Assumptions.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise Failure(f"{path or OURS} is no YAML: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise Failure(f"{path or OURS}: {where}: {first['msg']}") from None


def read_book(recipes: Path, menu: Path, assumed: Assumptions) -> AssumedBook:
    """Read recipes and the menu of their sizes, and assume how much goes in.

    Args:
        recipes: with ``pizza_type_id,ingredients``, the ingredients with commas between them.
        menu: with ``pizza_id,pizza_type_id,size``.
        assumed: what they do not say.

    Raises:
        Failure: a file is of another shape, or an assumption cannot be.
    """
    made_of: dict[str, list[str]] = {}
    for row in _rows(recipes, "pizza_type_id", "ingredients"):
        names = [each.strip() for each in row["ingredients"].split(",") if each.strip()]
        made_of[row["pizza_type_id"].strip()] = [assumed.same.get(each, each) for each in names]
    items: dict[str, StockItem] = {}
    amounts: dict[str, int] = {}
    keeps: dict[str, int] = {}
    for name in sorted({each for names in made_of.values() for each in names}):
        rule, item = assumed.rule_for(name), slug(name)
        amounts[item], items[item] = _item(item, name, rule, assumed.currency)
        keeps[item] = rule.keeps_days
    takes: dict[str, dict[str, int]] = {}
    for row in _rows(menu, "pizza_id", "pizza_type_id", "size"):
        kind, size = row["pizza_type_id"].strip(), row["size"].strip()
        if kind not in made_of:
            raise Failure(f"{menu}: {kind} is not in {recipes}")
        if size not in assumed.sizes:
            raise Failure(f"{menu}: nothing is assumed of size {size}: add it to the sizes")
        takes[row["pizza_id"].strip()] = {
            slug(each): round(amounts[slug(each)] * assumed.sizes[size]) for each in made_of[kind]
        }
    return AssumedBook(items, takes, keeps, assumed.cover)


def used_by(book: AssumedBook, orders: Iterable[FileOrder]) -> dict[str, dict[datetime, int]]:
    """What orders take of each item, by the hour in which they were placed.

    A dish without a recipe takes nothing.
    """
    found: dict[str, dict[datetime, int]] = {item: defaultdict(int) for item in book.items}
    for order in orders:
        hour = order.placed_at.replace(minute=0, second=0, microsecond=0)
        for line in order.lines:
            for item, amount in book.takes.get(line.name, {}).items():
                found[item][hour] += amount * line.quantity
    return {item: dict(hours) for item, hours in found.items()}


def with_thresholds(book: AssumedBook, orders: Sequence[FileOrder]) -> AssumedBook:
    """The book with par, low and critical, from the mean day of its first days."""
    if not orders:
        return book
    cover = book.cover
    until = orders[0].placed_at + timedelta(days=cover.from_days)
    used = used_by(book, (order for order in orders if order.placed_at < until))
    items = {}
    for name, item in book.items.items():
        day = Decimal(sum(used[name].values())) / cover.from_days
        par, low, critical = (
            int(day * days) or None for days in (cover.par, cover.low, cover.critical)
        )
        given = {"par": par, "low": low, "critical": critical}
        items[name] = StockItem.model_validate(item.model_dump() | given)
    return replace(book, items=items)


def _item(item: str, name: str, rule: _Rule, currency: str) -> tuple[int, StockItem]:
    """How much of it goes on a dish of size 1, and what it is."""
    amount, unit = _quantity(rule.amount)
    if unit not in set(BaseUnit):
        raise Failure(f"{name}: {rule.amount} is assumed: say it in {', '.join(BaseUnit)}")
    base = BaseUnit(unit)
    held, held_unit = _quantity(rule.pack)
    try:
        holds = thousandths(held, held_unit, Measure(base))
        price = to_minor(str(rule.price), currency)
    except (UnitMismatch, ValueError) as error:
        raise Failure(f"{name}: {error}") from None
    pack = Pack(supplier=rule.supplier, holds=holds, price_minor=price, name=rule.pack)
    known = StockItem(item=item, name=name, unit=base, packs=(pack,))
    return thousandths(amount, unit, Measure(base)), known


def _quantity(text: str) -> tuple[Decimal, str]:
    number, _, unit = text.strip().partition(" ")
    try:
        return Decimal(number), unit.strip()
    except ArithmeticError:
        raise Failure(f"{text!r} is assumed: write it as '80 g'") from None


def _rows(path: Path, *heads: str) -> list[dict[str, Any]]:
    table = csv.DictReader(io.StringIO(file_text(path)))
    table.fieldnames = [head.strip() for head in table.fieldnames or []]
    if not set(heads) <= set(table.fieldnames):
        raise Failure(f"{path}: its first line must have {','.join(heads)}")
    return [{head: row[head] or "" for head in heads} for row in table]
