"""Books of recipes as tables: CSV, one row an item, a part of a recipe, or a supplier. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from services.inventory.book_files import (
    Many,
    Named,
    Source,
    Unreadable,
    Value,
    Word,
    csv_rows,
)

ITEM_COLUMNS: Final = (
    "item",
    "name",
    "unit",
    "piece",
    "litre",
    "place",
    "par",
    "low",
    "low_clear",
    "critical",
    "critical_clear",
    "sells",
    "supplier",
    "holds",
    "price",
    "pack",
)
RECIPE_COLUMNS: Final = ("recipe", "name", "yields", "part", "amount", "waste")
MODIFIER_COLUMNS: Final = ("modifier", "name", "leaves_out", "part", "amount", "waste")
SUPPLIER_COLUMNS: Final = ("supplier", "name", "email", "lead_days", "delivery_days", "minimum")
_PACK: Final = ("supplier", "holds", "price", "pack")
_PART: Final = ("part", "amount", "waste")


def table_sections(source: Source) -> Named:
    """Read a table as the section of a book that its columns tell it is.

    Raises:
        Unreadable: it is no table, or of nothing that is in a book.
    """
    heads, rows = csv_rows(source)
    where = f"{source.name}, line 1"
    if "item" in heads:
        _check(heads, ITEM_COLUMNS, where)
        things = _gathered(rows, "item", _PACK, "packs")
        return Named({"items": Many(tuple(map(_with_packs, things)), where)}, where)
    if "recipe" in heads:
        _check(heads, RECIPE_COLUMNS, where)
        return Named({"recipes": _many(_gathered(rows, "recipe", _PART, "parts"), where)}, where)
    if "modifier" in heads:
        _check(heads, MODIFIER_COLUMNS, where)
        things = _gathered(rows, "modifier", _PART, "parts")
        return Named({"modifiers": _many(things, where)}, where)
    if "supplier" in heads:
        _check(heads, SUPPLIER_COLUMNS, where)
        return Named({"suppliers": Many(tuple(rows), where)}, where)
    raise Unreadable([f"{where}: a table has a column item, recipe, modifier or supplier"])


def _check(heads: Sequence[str], known: Sequence[str], where: str) -> None:
    unknown = [head for head in heads if head not in known]
    if unknown:
        raise Unreadable([f"{where}: {', '.join(unknown)}: there are {', '.join(known)}"])


def _gathered(rows: Iterable[Named], key: str, each: Sequence[str], into: str) -> list[Named]:
    """Things that stand in several rows: what is of the thing, and what there is several of.

    What the thing has stands in its first row, and may be repeated in the others.

    Raises:
        Unreadable: two rows contradict each other, or a row names nothing.
    """
    things: dict[str, tuple[dict[str, Value], list[Value], str]] = {}
    wrong = []
    for row in rows:
        named = row.values.get(key)
        if not isinstance(named, Word):
            wrong.append(f"{row.where}: it names no {key}")
            continue
        own = {name: value for name, value in row.values.items() if name not in each}
        values, several, _ = things.setdefault(named.text, (own, [], row.where))
        for name, value in own.items():
            first = values.setdefault(name, value)
            if _text(first) != _text(value):
                said = f"{name} is {_text(value)!r:.40} here, and {_text(first)!r:.40} above"
                wrong.append(f"{row.where}: {named.text}: {said}")
        one = {name: value for name, value in row.values.items() if name in each}
        if one:
            several.append(Named(one, row.where))
    if wrong:
        raise Unreadable(wrong)
    return [
        Named({**values, into: Many(tuple(several), where)}, where)
        for values, several, where in things.values()
    ]


def _with_packs(item: Named) -> Named:
    """An item whose packs' names have a column of another name, for it has one itself."""
    packs = item.values["packs"]
    renamed = tuple(
        Named({"name" if n == "pack" else n: v for n, v in each.values.items()}, each.where)
        for each in (packs.values if isinstance(packs, Many) else ())
        if isinstance(each, Named)
    )
    return Named({**item.values, "packs": Many(renamed, packs.where)}, item.where)


def _many(things: Sequence[Named], where: str) -> Many:
    return Many(tuple(things), where)


def _text(value: Value) -> str:
    return value.text if isinstance(value, Word) else ""
