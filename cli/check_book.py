"""A house's checks as people write them: one check's values by name. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import click

from cli.kitchen_book import BookBroken, checked_book
from cli.span import SPAN
from schemas.kitchen_rules import CheckKind, CheckRules, KitchenRules

_DAY_S: Final = 86_400
_YES: Final = {"yes": True, "no": False}
_FIELDS: Final = {name.removesuffix("_s"): name for name in CheckRules.model_fields}
NAMES: Final = tuple(_FIELDS)


def changed_check(book: KitchenRules, check: str, pairs: Sequence[str]) -> KitchenRules:
    """The book with other values for one check.

    Args:
        book: the rules before.
        check: its name.
        pairs: as ``most=5``; what is not named stays, and what is empty is taken away.

    Raises:
        BookBroken: there is no such field, or the value is none of it.
    """
    before = book.checks.get(check)
    values: dict[str, Any] = {} if before is None else before.model_dump(mode="json")
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise BookBroken(f"{pair!r}: write it as NAME=VALUE")
        field = _FIELDS.get(name.strip().replace("-", "_").removesuffix("_s"))
        if field is None:
            raise BookBroken(f"{name}: there is no such field, only {', '.join(NAMES)}")
        stripped = text.strip()
        try:
            if stripped:
                values[field] = _READERS.get(field, str)(stripped)
            else:
                values.pop(field, None)
        except ValueError as error:
            raise BookBroken(f"{name}: {error}") from None
    if "kind" not in values:
        raise BookBroken(f"{check} is new: say kind={'|'.join(CheckKind)}")
    return _with_checks(book, {**_dumped(book.checks), check: values})


def without_check(book: KitchenRules, check: str) -> KitchenRules:
    """The book without a check.

    Raises:
        BookBroken: there is none.
    """
    if check not in book.checks:
        known = ", ".join(sorted(book.checks)) or "none"
        raise BookBroken(f"there is no check {check}, only {known}")
    left = {name: each for name, each in book.checks.items() if name != check}
    return _with_checks(book, _dumped(left))


def check_rows(check: CheckRules) -> Iterator[tuple[str, str]]:
    """Name and value, as `changed_check` takes them."""
    for field, value in check.model_dump(mode="json").items():
        name = field.removesuffix("_s")
        if isinstance(value, bool):
            yield name, "yes" if value else "no"
        elif isinstance(value, list):
            yield name, ",".join(value)
        elif field.endswith("_s") and value is not None:
            yield name, f"{value}s"
        else:
            yield name, "" if value is None else f"{value:g}" if field in _DEGREES else str(value)


def _with_checks(book: KitchenRules, checks: Mapping[str, Any]) -> KitchenRules:
    return checked_book({**book.model_dump(mode="json"), "checks": checks})


def _dumped(checks: Mapping[str, CheckRules]) -> dict[str, Any]:
    return {name: each.model_dump(mode="json") for name, each in checks.items()}


def _kind(text: str) -> str:
    if text not in set(CheckKind):
        raise ValueError(f"{text!r}: write {', '.join(CheckKind)}")
    return text


def _listed(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def _truth(text: str) -> bool:
    if text.lower() not in _YES:
        raise ValueError(f"{text!r}: write yes or no")
    return _YES[text.lower()]


def _degrees(text: str) -> float:
    try:
        return float(text.removesuffix("C").removesuffix("°").strip())
    except ValueError:
        raise ValueError(f"{text!r} is no temperature: write 75, in degrees Celsius") from None


def _seconds(text: str) -> int:
    if text[-1:] == "d" and text[:-1].isascii() and text[:-1].isdigit():
        return int(text[:-1]) * _DAY_S
    try:
        return round(SPAN.convert(text, None, None))
    except click.BadParameter as error:
        raise ValueError(error.message) from None


_DEGREES: Final = frozenset({"least", "most"})
_READERS: Final[dict[str, Callable[[str], Any]]] = {
    "kind": _kind,
    "items": _listed,
    "stations": _listed,
    "every_s": _seconds,
    "least": _degrees,
    "most": _degrees,
    "blocks": _truth,
}
