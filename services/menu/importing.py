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
from schemas.money import to_minor, to_text

FIELDS: Final = ("item", "name", "category", "station", "price", "currency", "available")
_REQUIRED: Final = ("name", "station", "price")
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
    values: Mapping[str, str]


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
            item = _item(row.values, currency)
        except ValueError as error:
            complaints += [f"{row.where}: {each}" for each in _told(error)]
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
    _check_names(heads, "line 1")
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
        if not isinstance(each, dict) or not all(isinstance(v, str) for v in each.values()):
            raise Unreadable([f"{where}: an item is a list of names with values: {FIELDS}"])
        _check_names([str(name) for name in each], where, complete=False)
        rows.append(Row(where, {str(name): str(value).strip() for name, value in each.items()}))
    return rows, said


def _check_names(names: Sequence[str], where: str, *, complete: bool = True) -> None:
    unknown = [name for name in names if name not in FIELDS]
    if unknown:
        raise Unreadable([f"{where}: {', '.join(unknown)}: there are {', '.join(FIELDS)}"])
    missing = [name for name in _REQUIRED if name not in names]
    if complete and missing:
        raise Unreadable([f"{where}: {', '.join(missing)} must be there"])


def _item(values: Mapping[str, str], currency: str) -> MenuItem:
    missing = [name for name in _REQUIRED if not values.get(name)]
    if missing:
        raise ValueError(f"{', '.join(missing)} must be there")
    said = values.get("currency") or currency
    if said != currency:
        raise ValueError(f"the currency is {said}, the tenant's {currency}")
    available = values.get("available", "").lower()
    if available not in _TRUE | _FALSE:
        raise ValueError(f"available is {available!r}: it is yes or no")
    return MenuItem(
        item=values.get("item") or slug(values["name"]),
        name=values["name"],
        category=values.get("category", ""),
        station=values["station"],
        price_minor=to_minor(values["price"], currency),
        currency=currency,
        available=available in _TRUE,
    )


def _told(error: ValueError) -> list[str]:
    if not isinstance(error, ValidationError):
        return [str(error)]
    told = []
    for each in error.errors(include_url=False, include_context=False):
        what = each["msg"]
        if each["type"] == "string_pattern_mismatch":
            what = f"{each['input']!r} is no name: lower-case letters, digits and hyphens"
        told.append(f"{'.'.join(str(part) for part in each['loc'])}: {what}")
    return told


@dataclass(frozen=True, slots=True)
class Changed:
    """What putting a menu would do to one item."""

    item: str
    what: str
    """``new``, ``gone``, or what is different."""


def difference(
    before: Sequence[MenuItem], items: Sequence[MenuItem], *, replace: bool
) -> list[Changed]:
    """Tell what would change."""
    known = {item.item: item for item in before}
    found: list[Changed] = []
    for item in items:
        old = known.pop(item.item, None)
        if old is None:
            price = to_text(item.price_minor, item.currency)
            found.append(Changed(item.item, f"new: {item.name}, {item.station}, {price}"))
        elif old != item:
            found.append(Changed(item.item, ", ".join(_fields_changed(old, item))))
    if replace:
        found += [Changed(item, "gone") for item in sorted(known)]
    return found


def _fields_changed(old: MenuItem, new: MenuItem) -> list[str]:
    def shown(item: MenuItem, name: str) -> Any:
        if name == "price_minor":
            return to_text(item.price_minor, item.currency)
        return getattr(item, name)

    return [
        f"{name.removesuffix('_minor')} {shown(old, name)} → {shown(new, name)}"
        for name in MenuItem.model_fields
        if getattr(old, name) != getattr(new, name)
    ]
