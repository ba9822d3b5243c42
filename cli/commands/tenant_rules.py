"""`heard tenant rules`: how a house takes orders."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from cli.application import Application, pass_application
from cli.grammar import Group, json_option, tenant_option
from cli.house_books import HouseBook
from cli.span import SPAN
from schemas.house_rules import MILLION, OrderRules
from schemas.identifiers import is_slug

_PERCENT: Final = re.compile(r"(\d+(?:\.\d+)?)\s*%?")
_TAX: Final = "taxes."
_YES: Final = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}


@click.group(cls=Group)
def rules() -> None:
    """Say how a house takes orders."""


@rules.command()
@tenant_option
@json_option
@pass_application
def show(app: Application, *, tenant: str, as_json: bool) -> None:
    """Show a house's rules.

    Examples:
      heard tenant rules show --tenant roma
      heard tenant rules show --tenant roma --json
    """
    BOOK.show(BOOK.read(app, tenant), as_json=as_json)


@rules.command("set")
@click.argument("pairs", nargs=-1, required=True, metavar="NAME=VALUE...")
@tenant_option
@json_option
@pass_application
def set_(app: Application, *, pairs: tuple[str, ...], tenant: str, as_json: bool) -> None:
    """Change a house's rules; the next order is taken by them, with no restart.

    What is not named stays as it is. Names are those that `show` lists: acceptance (at-once,
    by-hand), payment (never, before-closing, before-kitchen), payment-patience and lead (spans
    of time), taxes.NAME (a percentage; nothing takes it away), prices-include-tax (yes, no),
    time-zone, language, keep-guests-days.

    Examples:
      heard tenant rules set --tenant roma payment=before-kitchen payment-patience=10m
      heard tenant rules set --tenant roma taxes.standard=20% taxes.food=5% time-zone=Europe/Rome
      heard tenant rules set --tenant roma taxes.food=
    """
    BOOK.show_change(BOOK.change(app, tenant, pairs), as_json=as_json)


def _put(values: dict[str, Any], name: str, text: str) -> None:
    if name.startswith(_TAX):
        _put_tax(values["taxes"], name.removeprefix(_TAX), text)
        return
    plain = name.replace("-", "_")
    field = plain if plain in values else f"{plain}_s"
    if field not in values or field == "taxes":
        known = ", ".join(sorted({*_NAMES, "taxes.NAME"}))
        raise ValueError(f"there is no such rule: {known}")
    values[field] = _READERS.get(field, str)(text)


def _put_tax(taxes: dict[str, int], name: str, text: str) -> None:
    if not is_slug(name):
        raise ValueError("a tax is called in lower-case letters, digits and hyphens")
    if not text:
        taxes.pop(name, None)
        return
    found = _PERCENT.fullmatch(text)
    try:
        millionths = Decimal(found[1] if found else "x") / 100 * MILLION
    except InvalidOperation:
        raise ValueError(f"{text!r} is no percentage: write 20% or 8.875%") from None
    if millionths != millionths.to_integral_value():
        raise ValueError(f"{text!r} is finer than a millionth")
    taxes[name] = int(millionths)


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{text!r} is no time zone: write it as Europe/London") from None
    return text


def _truth(text: str) -> bool:
    if text.lower() not in _YES:
        raise ValueError(f"{text!r}: write yes or no")
    return _YES[text.lower()]


def _whole(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ValueError(f"{text!r} is no whole number")
    return int(text)


def _seconds(text: str) -> int:
    if text == "0":
        return 0
    try:
        return round(SPAN.convert(text, None, None))
    except click.BadParameter as error:
        raise ValueError(error.message) from None


_READERS: Final[dict[str, Callable[[str], Any]]] = {
    "payment_patience_s": _seconds,
    "lead_s": _seconds,
    "prices_include_tax": _truth,
    "time_zone": _zone,
    "keep_guests_days": _whole,
}
_NAMES: Final = tuple(
    name.removesuffix("_s").replace("_", "-") for name in OrderRules.model_fields if name != "taxes"
)


def _rows(rules_: OrderRules) -> Iterator[tuple[str, str]]:
    """Name and value, as `set` takes them."""
    for name, value in rules_.model_dump(mode="json").items():
        if name == "taxes":
            for tax, millionths in sorted(value.items()):
                percent = f"{Decimal(millionths).scaleb(-4):f}"
                percent = percent.rstrip("0").rstrip(".")
                yield f"{_TAX}{tax}", f"{percent or '0'}%"
        elif isinstance(value, bool):
            yield name.replace("_", "-"), "yes" if value else "no"
        elif name.endswith("_s"):
            yield name.removesuffix("_s").replace("_", "-"), f"{value}s"
        else:
            yield name.replace("_", "-"), str(value)


BOOK: Final = HouseBook("orders", "rules.set", _rows, _put)
