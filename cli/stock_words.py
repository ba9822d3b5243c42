"""Stock as it is written on a command line: ``25kg``, ``flour=25kg,expires=2026-12-01``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final, NamedTuple

import click

from schemas.identifiers import is_slug
from schemas.inventory import Quantity

_QUANTITY: Final = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)\s*([A-Za-z]*)", re.ASCII)
_BEYOND: Final = re.compile(r"\d{13,}(?:\.\d*)?\s*[A-Za-z]*", re.ASCII)
_MORE: Final = ("expires", "cost", "place")


class Said(NamedTuple):
    """One item of a list.

    Attributes:
        item: its name.
        quantity: how much of it; None is nothing.
        more: what else was said of it, by name.
    """

    item: str
    quantity: Quantity | None
    more: Mapping[str, str]


def read_quantity(text: str) -> Quantity | None:
    """Read ``25kg``, ``1.5 l`` or ``3``, which is so many pieces; None is nothing.

    Raises:
        ValueError: it is no quantity.
    """
    found = _QUANTITY.fullmatch(text.strip())
    if _BEYOND.fullmatch(text.strip()):
        raise ValueError(f"{text!r} is more than a restaurant has: check the number and its unit")
    if found is None:
        raise ValueError(f"{text!r} is no quantity: write a number and its unit, as 25kg or 3each")
    if Decimal(found[1]) == 0:
        return None
    return Quantity(amount=found[1], unit=found[2].lower() or "each")


class _Quantity(click.ParamType[Quantity]):
    """So much of something."""

    name = "quantity"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Quantity:
        """Read it; nothing is refused."""
        try:
            found = read_quantity(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if found is None:
            self.fail(f"{value!r} is nothing: say more than that", param, ctx)
        return found


class _Listed(click.ParamType[Said]):
    """One item of a list, with how much of it."""

    name = "line"

    def __init__(self, *words: str) -> None:
        self._words = words

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Said:
        """Read it."""
        head, *rest = str(value).split(",")
        item, equals, amount = head.partition("=")
        if not equals or not is_slug(item):
            self.fail(f"{value!r} is no line: write ITEM=QUANTITY, as flour=25kg", param, ctx)
        more = {}
        for each in rest:
            name, equals, said = each.partition("=")
            if not equals or name not in self._words:
                known = ", ".join(f"{word}=…" for word in self._words)
                self.fail(f"{each!r} is nothing that is known here: {known}", param, ctx)
            more[name] = said
        try:
            return Said(item, read_quantity(amount), more)
        except ValueError as error:
            self.fail(str(error), param, ctx)


QUANTITY: Final = _Quantity()
RECEIVED: Final = _Listed(*_MORE)
COUNTED: Final = _Listed("place")


def day(text: str) -> date:
    """Read a day.

    Raises:
        BadParameter: it is none.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no day: write 2026-12-01") from None
