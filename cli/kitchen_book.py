"""The kitchen's rules as people write them: read from YAML, one station's values by name. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import NoneType
from typing import Any, Final, get_args

import click
import yaml
from pydantic import BaseModel, ValidationError

from cli.span import SPAN
from schemas.kitchen_rules import KitchenRules, StationKind, StationRules

_YES: Final = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}


class BookBroken(ValueError):
    """These are no rules of a kitchen; the text names the field, and says what is wrong."""


# -- the whole book -------------------------------------------------------------------------


def read_book(text: str) -> KitchenRules:
    """Read rules from YAML, as they are written by hand.

    Raises:
        BookBroken: they cannot be read, or hold a word that means nothing.
    """
    try:
        # Text alone: YAML else takes `no` for a truth, and 22:00 for a number.
        document = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - it builds text only
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise BookBroken(f"no YAML{where}: {getattr(error, 'problem', error)}") from None
    if document in ("", None):
        return KitchenRules()
    if not isinstance(document, Mapping):
        known = ", ".join(KitchenRules.model_fields)
        raise BookBroken(f"write names and values: {known}")
    return checked_book(_without_nothing(document))


def checked_book(values: Mapping[str, Any]) -> KitchenRules:
    """Rules from plain values; a name that means nothing is refused, not passed over.

    Raises:
        BookBroken: a value is none; the message names its field.
    """
    for path, known in _unknown(KitchenRules, values, ""):
        raise BookBroken(f"{path}: there is no such field, only {', '.join(known)}")
    try:
        return KitchenRules.model_validate(values)
    except ValidationError as error:
        raise BookBroken(_named(error)) from None


def differences(before: KitchenRules, after: KitchenRules) -> dict[str, str]:
    """What is different after, by the name of its field; what is gone is empty."""
    was, is_ = (dict(_flat(book.model_dump(mode="json"), "")) for book in (before, after))
    return {
        name: is_.get(name, "")
        for name in sorted(was.keys() | is_.keys())
        if was.get(name, "") != is_.get(name, "")
    }


# -- one station ----------------------------------------------------------------------------


def changed_station(book: KitchenRules, station: str, pairs: Sequence[str]) -> KitchenRules:
    """The book with other values for one station.

    Args:
        book: the rules before.
        station: its name.
        pairs: as ``prep=4m``; what is not named stays.

    Raises:
        BookBroken: there is no such field, or the value is none of it.
    """
    values = book.station(station).model_dump(mode="json")
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise BookBroken(f"{pair!r}: write it as NAME=VALUE")
        field = _FIELDS.get(name.strip().replace("-", "_").removesuffix("_s"))
        if field is None:
            raise BookBroken(f"{name}: there is no such field, only {', '.join(NAMES)}")
        try:
            values[field] = _READERS.get(field, _text)(text.strip())
        except ValueError as error:
            raise BookBroken(f"{name}: {error}") from None
    whole = book.model_dump(mode="json")
    return checked_book({**whole, "stations": {**whole["stations"], station: values}})


def without_station(book: KitchenRules, station: str) -> KitchenRules:
    """The book without what it says of one station.

    Raises:
        BookBroken: it says nothing of it, or names it elsewhere.
    """
    if station not in book.stations:
        raise BookBroken(f"nothing is said of {station}: heard station list")
    rest = {name: each for name, each in book.stations.items() if name != station}
    using = [f"stations.{name}.fallback" for name, each in rest.items() if each.fallback == station]
    using += [f"routes.{each.route}.to" for each in book.routes if each.to == station]
    if using:
        raise BookBroken(f"{station} is named by {', '.join(using)}: change that first")
    return checked_book({**book.model_dump(mode="json"), "stations": _dumped(rest)})


def station_rows(rules: StationRules) -> Iterator[tuple[str, str]]:
    """Name and value, as `changed_station` takes them."""
    for field, value in rules.model_dump(mode="json").items():
        name = field.removesuffix("_s")
        if isinstance(value, bool):
            yield name, "yes" if value else "no"
        elif field.endswith("_s"):
            yield name, f"{value}s"
        else:
            yield name, "" if value is None else str(value)


_FIELDS: Final = {name.removesuffix("_s"): name for name in StationRules.model_fields}
NAMES: Final = tuple(_FIELDS)


def _truth(text: str) -> bool:
    if text.lower() not in _YES:
        raise ValueError(f"{text!r}: write yes or no")
    return _YES[text.lower()]


def _whole(text: str) -> int:
    if not text.isascii() or not text.removeprefix("-").isdigit():
        raise ValueError(f"{text!r} is no whole number")
    return int(text)


def _seconds(text: str) -> int:
    try:
        return round(SPAN.convert(text, None, None))
    except click.BadParameter as error:
        raise ValueError(error.message) from None


def _kind(text: str) -> str:
    if text not in set(StationKind):
        raise ValueError(f"{text!r}: write {' or '.join(StationKind)}")
    return text


def _text(text: str) -> str | None:
    return text or None


_READERS: Final[dict[str, Callable[[str], Any]]] = {
    "name": str,
    "kind": _kind,
    "hands": _whole,
    "prep_s": _seconds,
    "warn_s": _seconds,
    "late_s": _seconds,
    "merge": _truth,
}


# -- inside -----------------------------------------------------------------------------------


def _dumped(stations: Mapping[str, StationRules]) -> dict[str, Any]:
    return {name: each.model_dump(mode="json") for name, each in stations.items()}


def _without_nothing(value: Any) -> Any:
    """What was left empty is as usual."""
    if isinstance(value, Mapping):
        return {key: _without_nothing(each) for key, each in value.items() if not _empty(key, each)}
    if isinstance(value, list):
        return [_without_nothing(each) for each in value]
    return value


def _empty(key: str, value: Any) -> bool:
    return value in ("", "null", "~", None) and key != "name"


def _unknown(
    model: type[BaseModel], values: Any, path: str
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Names that no field has, with those that there are: the wire passes them over."""
    if not isinstance(values, Mapping):
        return
    for name, value in values.items():
        here = f"{path}{name}"
        field = model.model_fields.get(name)
        if field is None:
            yield here, tuple(model.model_fields)
            continue
        inner = _model_in(field.annotation)
        if inner is None:
            continue
        if isinstance(value, list):
            for number, each in enumerate(value, 1):
                yield from _unknown(inner, each, f"{here}.{_called(each, number)}.")
        elif isinstance(value, Mapping) and _is_by_name(field.annotation):
            for key, each in value.items():
                yield from _unknown(inner, each, f"{here}.{key}.")
        else:
            yield from _unknown(inner, value, f"{here}.")


def _called(value: Any, number: int) -> str:
    return str(value.get("route", number)) if isinstance(value, Mapping) else str(number)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The kind of part that an annotation is about; None where it is plain."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in get_args(annotation):
        found = None if inner is NoneType else _model_in(inner)
        if found is not None:
            return found
    return None


def _is_by_name(annotation: Any) -> bool:
    return getattr(annotation, "__origin__", None) is dict


def _named(error: ValidationError) -> str:
    """What is wrong, each with the name of its field."""
    told = []
    for each in error.errors(include_url=False, include_context=False):
        name = ".".join(
            str(part + 1 if isinstance(part, int) else part)
            for part in each["loc"]
            if part != "[key]"
        )
        what = each["msg"].removeprefix("Value error, ")
        what = what[:1].lower() + what[1:]
        told.append(f"{name}: {what}" if name else what)
    return "; ".join(told)


def _flat(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every value by the path that leads to it."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _flat(each, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for number, each in enumerate(value, 1):
            called = _called(each, number)
            yield from _flat(each, f"{path}.{called}")
    else:
        yield path, "" if value is None else str(value)
