"""Reading a menu from a file: YAML or CSV. Pure: text in, items and complaints out."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml
from pydantic import ValidationError

from schemas.identifiers import slug
from schemas.menu import MenuItem
from schemas.money import to_minor
from services.menu import making, serving
from services.menu.choices import Choices, told

FIELDS: Final = (
    "item",
    "name",
    "category",
    "station",
    "price",
    "currency",
    "available",
    "tax",
    "allergens",
    "components",
    "prep_s",
    "course",
    "hours",
)
YAML_FIELDS: Final = (*FIELDS, "groups")
"""A table has no room for choices that stand in each other."""
_LISTS: Final = ("allergens", "groups", "components", "hours")
_REQUIRED: Final = ("name", "station", "price")
MAX_ITEM_BYTES: Final = 128 * 1024
"""A till with a little memory keeps the whole menu; a broker takes messages ten times as long."""
_TRUE: Final = {"", "true", "yes", "1"}
_FALSE: Final = {"false", "no", "0"}


class Unreadable(ValueError):
    """A file is no menu.

    Attributes:
        complaints: what is wrong, one line each, with where it stands.
    """

    def __init__(self, complaints: Sequence[str]) -> None:
        super().__init__("; ".join(complaints))
        self.complaints: Final = tuple(complaints)


@dataclass(frozen=True, slots=True)
class Row:
    """One item as it stands in the file."""

    where: str
    """For people: ``line 3`` or ``item 3``."""
    values: Mapping[str, Any]


def read_menu(text: str, *, kind: str, currency: str) -> list[MenuItem]:
    """Read a menu.

    Args:
        text: the file's text.
        kind: ``yaml`` or ``csv``.
        currency: the tenant's; what the file says must agree.

    Raises:
        Unreadable: with every complaint, not only the first.
    """
    rows, said = _csv_rows(text) if kind == "csv" else _yaml_rows(text)
    complaints: list[str] = []
    if said is not None and said != currency:
        complaints.append(f"the file says {said}, the tenant has {currency}")
    items: dict[str, MenuItem] = {}
    for row in rows:
        try:
            item = _item(row, currency)
        except Unreadable as error:
            complaints += error.complaints
            continue
        if item.item in items:
            complaints.append(f"{row.where}: the item {item.item} stands there twice")
        items[item.item] = item
    if not rows and not complaints:
        complaints.append("there is no item in it")
    if complaints:
        raise Unreadable(complaints)
    return list(items.values())


def _csv_rows(text: str) -> tuple[list[Row], None]:
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    heads = [head.strip().lower() for head in reader.fieldnames or []]
    reader.fieldnames = heads
    _check_names(heads, "line 1", FIELDS)
    rows = []
    for values in reader:
        where = f"line {reader.line_num}"
        if None in values or None in values.values():
            raise Unreadable([f"{where}: it has not as many columns as the first line"])
        rows.append(Row(where, {name: (value or "").strip() for name, value in values.items()}))
    return rows, None


def _yaml_rows(text: str) -> tuple[list[Row], str | None]:
    try:
        # Every scalar as it is written: a price must never become a float.
        document = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - it builds text only
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise Unreadable([f"line {line}: {error.problem or 'this is no YAML'}"]) from None
    except yaml.YAMLError as error:
        raise Unreadable([f"this is no YAML: {error}"]) from None
    said: str | None = None
    if isinstance(document, dict):
        said = str(document.get("currency")) if "currency" in document else None
        document = document.get("items")
    if not isinstance(document, list):
        raise Unreadable(["a menu is a list of items, or has one under `items`"])
    rows = []
    for number, each in enumerate(document, start=1):
        where = f"item {number}"
        if not isinstance(each, dict) or not all(
            isinstance(value, str) or name in _LISTS for name, value in each.items()
        ):
            names = ", ".join(YAML_FIELDS)
            raise Unreadable([f"{where}: an item is a list of names with values: {names}"])
        _check_names([str(name) for name in each], where, YAML_FIELDS, complete=False)
        rows.append(
            Row(
                where,
                {
                    str(name): value.strip() if isinstance(value, str) else value
                    for name, value in each.items()
                },
            )
        )
    return rows, said


def _check_names(
    names: Sequence[str], where: str, known: Sequence[str], *, complete: bool = True
) -> None:
    unknown = [name for name in names if name not in known]
    if unknown == ["groups"]:
        raise Unreadable([f"{where}: groups of modifiers need YAML: a table has no room for them"])
    if unknown:
        raise Unreadable([f"{where}: {', '.join(unknown)}: there are {', '.join(known)}"])
    missing = [name for name in _REQUIRED if name not in names]
    if complete and missing:
        raise Unreadable([f"{where}: {', '.join(missing)} must be there"])


def _item(row: Row, currency: str) -> MenuItem:
    """Read one item.

    Raises:
        Unreadable: with all that is wrong with it.
    """
    values = row.values
    missing = [name for name in _REQUIRED if not values.get(name)]
    if missing:
        raise Unreadable([f"{row.where}: {', '.join(missing)} must be there"])
    name = values.get("item") or slug(values["name"])
    choices = Choices(currency)
    allergens = choices.words(values.get("allergens", ""), f"{row.where} ({name}): allergens")
    groups = choices.groups(values.get("groups") or [], f"{row.where} ({name})")
    complaints = choices.complaints

    def complain(what: str) -> None:
        complaints.append(f"{row.where} ({name}): {what}")

    components = making.components(values.get("components", ""), complain)
    prep_s = making.prep_s(values.get("prep_s", ""), complain)
    course = making.course(values.get("course", ""), complain)
    hours = serving.hours(values.get("hours", ""), complain)
    said = values.get("currency") or currency
    if said != currency:
        complaints.append(f"{row.where}: the currency is {said}, the tenant's {currency}")
    available = values.get("available", "").lower()
    if available not in _TRUE | _FALSE:
        complaints.append(f"{row.where}: available is {available!r}: it is yes or no")
    try:
        item = MenuItem(
            item=name,
            name=values["name"],
            category=values.get("category", ""),
            station=values["station"],
            price_minor=to_minor(values["price"], currency),
            currency=currency,
            available=available in _TRUE,
            tax=values.get("tax") or None,
            allergens=allergens,
            groups=groups,
            components=components,
            prep_s=prep_s,
            course=course,
            hours=hours,
        )
    except ValidationError as error:
        complaints += [f"{row.where}: {each}" for each in told(error)]
    except ValueError as error:
        complaints.append(f"{row.where}: {error}")
    else:
        size = len(item.model_dump_json().encode())
        if size > MAX_ITEM_BYTES and not complaints:
            complaints.append(
                f"{row.where} ({name}): with all its choices it is {size} bytes long; "
                f"one message holds {MAX_ITEM_BYTES}"
            )
    if complaints:
        raise Unreadable(complaints)
    return item
