"""An instance of the Meal Delivery Routing Problem, read from its folder."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

Place = tuple[float, float]
"""x and y, in metres on a plane."""

FILES: Final = ("instance_parameters.txt", "restaurants.txt", "couriers.txt", "orders.txt")
_PARAMETERS: Final = (
    "meters_per_minute",
    "pickup service minutes",
    "dropoff service minutes",
    "target click-to-door",
    "maximum click-to-door",
    "pay per order",
    "guaranteed pay per hour",
)


class BrokenInstance(Exception):
    """A folder that is no instance; the text names file, line and what is wrong there."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """What holds for a whole instance.

    Attributes:
        meters_per_minute: how fast couriers are, on the straight line; above 0.
        pickup_min: the service at a restaurant, half before the pickup and half after it.
        dropoff_min: the service at a door, half before the drop-off and half after it.
        target_min: what a click-to-door should stay within.
        maximum_min: what it should never go beyond; the checker does not refuse it.
        pay_per_order: what a courier gets for each order.
        guaranteed_per_hour: what a courier gets at least for each hour of the shift.
    """

    meters_per_minute: float
    pickup_min: float
    dropoff_min: float
    target_min: float
    maximum_min: float
    pay_per_order: float
    guaranteed_per_hour: float


@dataclass(frozen=True, slots=True)
class ShiftedCourier:
    """A courier with the one shift; `place` is where it begins."""

    name: str
    place: Place
    on_min: float
    off_min: float


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """An order; nobody may know of it before `placed_min`, nor pick it up before `ready_min`."""

    name: str
    door: Place
    placed_min: float
    restaurant: str
    ready_min: float


@dataclass(frozen=True, slots=True)
class Instance:
    """A whole day.

    Attributes:
        name: the folder's name.
        parameters: what holds for all of it.
        restaurants: the place of each, by name.
        couriers: all shifts, by name.
        orders: all orders, by name, in the order of the file.
    """

    name: str
    parameters: Parameters
    restaurants: Mapping[str, Place]
    couriers: Mapping[str, ShiftedCourier]
    orders: Mapping[str, PlacedOrder]

    def ride_min(self, one: Place, other: Place) -> float:
        """Minutes from one place to another: the straight line, rounded up to whole minutes."""
        away_m = math.sqrt((one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2)
        return float(math.ceil(away_m / self.parameters.meters_per_minute))


@dataclass(frozen=True, slots=True)
class _Row:
    file: str
    line: int
    values: Mapping[str, str]

    def refuse(self, what: str) -> BrokenInstance:
        return BrokenInstance(f"{self.file}, line {self.line}: {what}")

    def name(self, column: str) -> str:
        if not self.values[column]:
            raise self.refuse(f"{column} is empty")
        return self.values[column]

    def number(self, column: str, least: float = -math.inf) -> float:
        text = self.values[column]
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.refuse(f"{column} is {text[:40]!r}, which is no number")
        if value < least:
            raise self.refuse(f"{column} is {text[:40]}, below {least:g}")
        return value

    def place(self) -> Place:
        return self.number("x"), self.number("y")


def read_instance(folder: Path) -> Instance:
    """Read the four files of an instance: tab-separated, each with a line of heads.

    Raises:
        BrokenInstance: a file is missing or broken; the text says which, where and how.
    """
    parameters = _parameters(folder)
    restaurants: dict[str, Place] = {}
    for row in _rows(folder, "restaurants.txt", ("restaurant", "x", "y")):
        _once(row, "restaurant", restaurants)
        restaurants[row.name("restaurant")] = row.place()
    couriers: dict[str, ShiftedCourier] = {}
    for row in _rows(folder, "couriers.txt", ("courier", "x", "y", "on_time", "off_time")):
        _once(row, "courier", couriers)
        on, off = row.number("on_time"), row.number("off_time")
        if off < on:
            raise row.refuse(f"off_time {off:g} is before on_time {on:g}")
        name = row.name("courier")
        couriers[name] = ShiftedCourier(name, row.place(), on, off)
    orders: dict[str, PlacedOrder] = {}
    columns = ("order", "x", "y", "placement_time", "restaurant", "ready_time")
    for row in _rows(folder, "orders.txt", columns):
        _once(row, "order", orders)
        at = row.name("restaurant")
        if at not in restaurants:
            raise row.refuse(f"restaurant {at[:40]} is not in restaurants.txt")
        placed, ready = row.number("placement_time"), row.number("ready_time")
        if ready < placed:
            raise row.refuse(f"ready_time {ready:g} is before placement_time {placed:g}")
        name = row.name("order")
        orders[name] = PlacedOrder(name, row.place(), placed, at, ready)
    return Instance(folder.resolve().name, parameters, restaurants, couriers, orders)


def _parameters(folder: Path) -> Parameters:
    rows = _rows(folder, "instance_parameters.txt", _PARAMETERS)
    if len(rows) != 1:
        raise BrokenInstance(
            f"instance_parameters.txt has {len(rows)} lines of values: it must have one"
        )
    values = [rows[0].number(column, least=0.0) for column in _PARAMETERS]
    if values[0] == 0:
        raise rows[0].refuse("meters_per_minute is 0: nobody would get anywhere")
    return Parameters(*values)


def _once(row: _Row, column: str, known: Mapping[str, object]) -> None:
    if row.name(column) in known:
        raise row.refuse(f"{column} {row.values[column][:40]} stands there twice")


def _rows(folder: Path, name: str, columns: Sequence[str]) -> list[_Row]:
    try:
        text = (folder / name).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise BrokenInstance(f"{name} is missing: an instance has {', '.join(FILES)}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BrokenInstance(f"{name} cannot be read: {error}") from None
    table = csv.reader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE)
    try:
        lines = [(table.line_num, [cell.strip() for cell in cells]) for cells in table]
    except csv.Error as error:
        raise BrokenInstance(f"{name}, line {table.line_num}: {error}") from None
    if not lines:
        raise BrokenInstance(f"{name} is empty: its first line must be {', '.join(columns)}")
    heads = lines[0][1]
    lacking = [column for column in columns if column not in heads]
    if lacking:
        raise BrokenInstance(f"{name}, line 1: no column {', '.join(lacking)}")
    rows = []
    for line, cells in lines[1:]:
        if not any(cells):
            continue
        if len(cells) != len(heads):
            raise BrokenInstance(
                f"{name}, line {line}: {len(cells)} values, where the heads are {len(heads)}"
            )
        rows.append(_Row(name, line, dict(zip(heads, cells, strict=True))))
    return rows
