"""Files of real orders, read into orders that can be placed again. Pure.

A file's shape is told by its first line. What is odd in the data is counted and named,
and goes in all the same, wherever an order can say it.
"""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cli.failures import Failure
from cli.printing import counted
from schemas.identifiers import slug
from schemas.menu import MenuItem
from schemas.money import to_minor
from schemas.orders import MAX_LINES, MAX_QUANTITY

EXAMPLES: Final = 5


@dataclass(slots=True)
class Odd:
    """What is odd in the data, by kind, with a few examples."""

    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def note(self, kind: str, example: str) -> None:
        """Count one."""
        self.counts[kind] += 1
        known = self.examples.setdefault(kind, [])
        if len(known) < EXAMPLES:
            known.append(example)


@dataclass(frozen=True, slots=True)
class FileLine:
    """One line of an order as the file has it."""

    name: str
    unit_minor: int
    quantity: int


@dataclass(frozen=True, slots=True)
class FileOrder:
    """One order of a file; its `part` is above 1 where the file's order had to be divided."""

    order_id: str
    placed_at: datetime
    lines: tuple[FileLine, ...]
    part: int = 1

    @property
    def reference(self) -> str:
        """The number under which the file knows it."""
        name = self.order_id if self.part == 1 else f"{self.order_id}/{self.part}"
        return name[-64:]

    @property
    def total_minor(self) -> int:
        """What it costs by the file's own prices."""
        return sum(line.unit_minor * line.quantity for line in self.lines)


@dataclass(frozen=True, slots=True)
class OrderFile:
    """A whole file, its orders by time."""

    kind: str
    orders: tuple[FileOrder, ...]
    odd: Odd
    names: Mapping[str, str]
    """What an item is called for people, where the file only has a code."""
    station: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class _Row:
    number: int
    order_id: str
    placed_at: datetime
    line: FileLine
    lines_in_order: int | None


@dataclass(frozen=True, slots=True)
class _Reader:
    """How the rows of one shape are read."""

    kind: str
    heads: frozenset[str]
    currency: str
    item: str
    station: Callable[[str], str]


_TAKEAWAY_STATIONS: Final = (
    ("bar", ("coke", "cobra", "wine", "water", "lemonade")),
    ("tandoor", ("naan", "roti", "chapati", "paratha", "tandoori", "tikka", "kebab", "kehab",
                 "shashlick", "shaslick", "sizzler", "grill")),
    ("fry", ("papadum", "bhaji", "pakora", "samosa", "puree", "roll", "fries", "butterfly")),
    ("rice", ("rice", "biryani")),
    ("cold", ("chutney", "salad", "raitha", "pickle", "mint sauce", "red sauce")),
)  # fmt: skip
"""Where a kitchen of this kind would make it: an assumption, by words in the names."""


def _takeaway_station(name: str) -> str:
    words = name.lower()
    for station, marks in _TAKEAWAY_STATIONS:
        if any(mark in words for mark in marks):
            return station
    return "curry"


def _oven(_name: str) -> str:
    return "oven"


_READERS: Final = (
    _Reader(
        "takeaway",
        frozenset({"order_id", "placed_at", "item", "quantity", "unit_price"}),
        "GBP",
        "item",
        _takeaway_station,
    ),
    _Reader(
        "pizzeria",
        frozenset({"order_id", "placed_at", "pizza_size_id", "quantity"}),
        "USD",
        "pizza_size_id",
        _oven,
    ),
)


def kind_of(path: Path) -> tuple[str, str]:
    """Tell a file's kind and its usual currency.

    Raises:
        Failure: its first line is of no shape that is known.
    """
    reader = _reader_for(_heads(path), path)
    return reader.kind, reader.currency


def read_orders(path: Path, *, currency: str, prices: Path | None = None) -> OrderFile:
    """Read a whole file.

    Args:
        path: the file.
        currency: what its prices are in.
        prices: where the prices stand, for files that have none of their own; without it,
            ``pizza_menu.csv`` beside the file.

    Raises:
        Failure: it is of no shape that is known, its prices are missing, or nothing in it
            can be ordered.
    """
    text = file_text(path)
    reader = _reader_for(_heads(path), path)
    odd = Odd()
    names: dict[str, str] = {}
    price_of: Mapping[str, str] | None = None
    if "unit_price" not in reader.heads:
        beside = prices or path.with_name("pizza_menu.csv")
        price_of = _prices(beside)
        names = _pizza_names(beside)
    rows = _rows(text, reader, currency, price_of, odd)
    orders = sorted(_orders(rows, odd), key=lambda order: (order.placed_at, order.order_id))
    divided = tuple(part for order in orders for part in _divide(order, odd))
    if not divided:
        raise Failure(f"{path}: there is no order in it that could be placed")
    return OrderFile(reader.kind, divided, odd, names, reader.station)


def file_text(path: Path) -> str:
    """Read a file that a spreadsheet may have written."""
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:  # what spreadsheets write where nobody told them otherwise
        return data.decode("cp1252", errors="replace")


def _heads(path: Path) -> frozenset[str]:
    first = next(csv.reader(io.StringIO(file_text(path))), [])
    return frozenset(head.strip() for head in first)


def _reader_for(heads: frozenset[str], path: Path) -> _Reader:
    for reader in _READERS:
        if reader.heads <= heads:
            return reader
    known = " or ".join(",".join(sorted(reader.heads)) for reader in _READERS)
    raise Failure(f"{path} is no file of orders: its first line must have {known}")


def _prices(path: Path) -> dict[str, str]:
    if not path.exists():
        raise Failure(f"{path} is not there: name the file with the prices by --prices")
    found = {}
    for row in csv.DictReader(io.StringIO(file_text(path))):
        if row.get("pizza_id") is None or row.get("price") is None:
            raise Failure(f"{path} is no price list: its first line must have pizza_id,price")
        found[row["pizza_id"].strip()] = row["price"].strip()
    return found


def _pizza_names(prices: Path) -> dict[str, str]:
    """Names for people, from the recipes beside the prices, where they are."""
    recipes = prices.with_name("pizza_recipes.csv")
    if not recipes.exists():
        return {}
    names = {
        row.get("pizza_type_id", ""): row.get("name", "")
        for row in csv.DictReader(io.StringIO(file_text(recipes)))
    }
    found = {}
    for row in csv.DictReader(io.StringIO(file_text(prices))):
        name = names.get(row.get("pizza_type_id", ""))
        if name:
            found[row["pizza_id"].strip()] = f"{name} ({row.get('size', '').strip()})"
    return found


def _rows(
    text: str,
    reader: _Reader,
    currency: str,
    price_of: Mapping[str, str] | None,
    odd: Odd,
) -> Iterator[_Row]:
    table = csv.DictReader(io.StringIO(text))
    table.fieldnames = [head.strip() for head in table.fieldnames or []]
    for values in table:
        number = table.line_num
        try:
            yield _row(values, number, reader, currency, price_of)
        except _NothingOrdered as error:
            odd.note("nothing-ordered", f"line {number}: {error}")
        except (ValueError, AttributeError) as error:
            # The only lines that cannot go in: no order can say them.
            odd.note("unreadable", f"line {number}: {error}")


class _NothingOrdered(ValueError):
    """A line with a quantity of nothing: it adds nothing to its order."""


def _row(
    values: Mapping[str, str],
    number: int,
    reader: _Reader,
    currency: str,
    price_of: Mapping[str, str] | None,
) -> _Row:
    name, order_id = values[reader.item].strip(), values["order_id"].strip()
    if not name or not order_id:
        raise ValueError("no item or no order_id")
    quantity = int(values["quantity"].strip())
    if quantity == 0:
        raise _NothingOrdered(f"0 of {name}")
    if quantity < 0:
        raise ValueError(f"{quantity} of {name}")
    placed_at = datetime.fromisoformat(values["placed_at"].strip())
    if placed_at.tzinfo is None:
        placed_at = placed_at.replace(tzinfo=UTC)
    if price_of is None:
        price = values["unit_price"].strip()
    elif name in price_of:
        price = price_of[name]
    else:
        raise ValueError(f"{name} has no price")
    said = (values.get("lines_in_order") or "").strip()
    return _Row(
        number,
        order_id,
        placed_at,
        FileLine(name, to_minor(price, currency), quantity),
        int(said) if said.isdigit() else None,
    )


def _orders(rows: Iterable[_Row], odd: Odd) -> Iterator[FileOrder]:
    by_order: dict[str, list[_Row]] = defaultdict(list)
    prices: dict[str, set[int]] = defaultdict(set)
    for row in rows:
        by_order[row.order_id].append(row)
        prices[row.line.name].add(row.line.unit_minor)
    for name, seen in prices.items():
        if len(seen) > 1:
            odd.note("several-prices", f"{name}: {', '.join(map(str, sorted(seen)))}")
    for order_id, mine in by_order.items():
        said = {row.lines_in_order for row in mine} - {None, len(mine)}
        if said:
            told = ", ".join(str(each) for each in said)
            odd.note(
                "line-count-differs", f"order {order_id}: {counted(len(mine), 'line')}, said {told}"
            )
        if len({(row.line.name, row.line.unit_minor) for row in mine}) < len(mine):
            odd.note("repeated-item", f"order {order_id}")
        if len({row.placed_at for row in mine}) > 1:
            odd.note("several-times", f"order {order_id}")
        first = min(row.placed_at for row in mine)
        yield FileOrder(order_id, first, tuple(row.line for row in mine))


def _divide(order: FileOrder, odd: Odd) -> Iterator[FileOrder]:
    """Divide what is more than one order may hold; nothing of it is dropped."""
    lines: list[FileLine] = []
    for line in order.lines:
        left = line.quantity
        if left > MAX_QUANTITY:
            odd.note("quantity-divided", f"order {order.order_id}: {left} of {line.name}")
        while left > 0:
            lines.append(FileLine(line.name, line.unit_minor, min(left, MAX_QUANTITY)))
            left -= MAX_QUANTITY
    if len(lines) > MAX_LINES:
        odd.note("order-divided", f"order {order.order_id}: {len(lines)} lines")
    for part, start in enumerate(range(0, len(lines), MAX_LINES), start=1):
        chosen = tuple(lines[start : start + MAX_LINES])
        yield FileOrder(order.order_id, order.placed_at, chosen, part)


ItemKey = tuple[str, int]
"""A name and a price: what a menu item is made for."""


def make_menu(
    file: OrderFile, *, currency: str, standing: Iterable[MenuItem] = ()
) -> tuple[list[MenuItem], dict[ItemKey, str]]:
    """Make the menu that a file's orders need.

    An item that was sold at several prices becomes several: the lowest price has the
    plain name. What stands on the tenant's menu is used where it agrees and never
    changed.

    Returns:
        The items, and which of them stands for a name and a price.
    """
    taken = {item.item: item for item in standing}
    keys = sorted({(line.name, line.unit_minor) for order in file.orders for line in order.lines})
    items: list[MenuItem] = []
    found: dict[ItemKey, str] = {}
    seen: set[str] = set()
    for name, price in keys:
        title = file.names.get(name, name)
        if name in seen:
            title = f"{title} {price}"
        item = MenuItem(
            item="any",
            name=title[:120],
            station=slug(file.station(name)),
            price_minor=price,
            currency=currency,
        )
        chosen = _name_for(slug(name), item, taken, plain=name not in seen)
        item = taken.get(chosen) or item.model_copy(update={"item": chosen})
        taken[chosen] = item
        seen.add(name)
        items.append(item)
        found[name, price] = chosen
    return items, found


def _name_for(base: str, item: MenuItem, taken: Mapping[str, MenuItem], *, plain: bool) -> str:
    def free(name: str) -> bool:
        other = taken.get(name)
        return other is None or (other.name, other.price_minor, other.currency) == (
            item.name,
            item.price_minor,
            item.currency,
        )

    if plain and free(base):
        return base
    number = 1
    while True:
        tail = f"-{item.price_minor}" + ("" if number == 1 else f"-{number}")
        name = base[: 64 - len(tail)].strip("-") + tail
        if free(name):
            return name
        number += 1
