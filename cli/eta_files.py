"""Files of past deliveries, read into arrays that a model learns from.

A row without a moment says nothing and is left out. Any other value that is missing or makes no
sense is taken as not known, counted and named; the row stays.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np

from cli.failures import Failure
from cli.order_files import Odd, file_text
from services.delivery.learning.orders import Floats, Orders, gather
from services.geography.sphere import distance_m
from services.runtime.moment import system_clock

NEEDED: Final = (
    "placed_at",
    "item_count",
    "user_lat",
    "user_lon",
    "venue_lat",
    "venue_lon",
    "actual_min",
)
ESTIMATE: Final = "estimated_min"
"""The platform's own estimate; where it is there, it is held against, and never learned from."""
_DAY_MIN: Final = 24 * 60.0
_MOST_ITEMS: Final = 1000.0
_FARTHEST_M: Final = 200_000.0
_FIRST_YEAR: Final = 1971
_ZONES: Final = timedelta(days=1)
"""What says no zone may be ahead of UTC, by less than this."""


@dataclass(frozen=True, slots=True)
class DeliveryFile:
    """A whole file, its orders by time.

    Attributes:
        orders: all that say when they were placed.
        estimated_min: the platform's estimate of each; nan where there is none.
        missing: how many of them lack a value, by column.
        odd: what made no sense, by column, with examples.
    """

    orders: Orders
    estimated_min: Floats
    missing: Mapping[str, int]
    odd: Odd


@dataclass(frozen=True, slots=True)
class _Row:
    placed: datetime
    distance_m: float
    items: float
    venue: str
    took_min: float
    estimated_min: float


class _Reader:
    """Reads values, and counts what is missing and what is odd."""

    def __init__(self) -> None:
        self.missing: dict[str, int] = {}
        self.odd = Odd()
        self._latest = system_clock() + _ZONES

    def row(self, values: Mapping[str, str | None], line: int) -> _Row | None:
        placed = self._moment(values, line)
        if placed is None:
            return None
        user, venue = self._place(values, line, "user"), self._place(values, line, "venue")
        away = float(distance_m(*user, *venue))
        if away > _FARTHEST_M:
            self.odd.note("distance", f"line {line}: {away / 1000:.0f} km")
            away = math.nan
        return _Row(
            placed,
            away,
            self._number(values, line, "item_count", 1.0, _MOST_ITEMS),
            "" if math.isnan(venue[0]) else f"{venue[0]:.4f},{venue[1]:.4f}",
            # An order cannot be at the door before it was placed, nor a day later: no minutes
            # are what some systems write for an order that was never delivered.
            self._number(values, line, "actual_min", 0.01, _DAY_MIN),
            self._number(values, line, ESTIMATE, 0.01, _DAY_MIN)
            if ESTIMATE in values
            else math.nan,
        )

    def _moment(self, values: Mapping[str, str | None], line: int) -> datetime | None:
        text = (values.get("placed_at") or "").strip()
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            self.odd.note("placed_at", f"line {line}: {text[:40]!r} is no moment")
            return None
        if moment.year < _FIRST_YEAR:
            self.odd.note("placed_at", f"line {line}: {text[:40]!r} is of a clock that was not set")
            return None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if moment > self._latest:  # it would move the file's days, and be learned from for ever
            self.odd.note("placed_at", f"line {line}: {text[:40]!r} is still to come")
            return None
        return moment

    def _place(
        self, values: Mapping[str, str | None], line: int, whose: str
    ) -> tuple[float, float]:
        lat = self._number(values, line, f"{whose}_lat", -90.0, 90.0)
        lon = self._number(values, line, f"{whose}_lon", -180.0, 180.0)
        if lat == 0 and lon == 0:
            self.odd.note(f"{whose}_lat", f"line {line}: 0, 0 lies in the sea")
            return math.nan, math.nan
        return (math.nan, math.nan) if math.isnan(lat + lon) else (lat, lon)

    def _number(
        self, values: Mapping[str, str | None], line: int, column: str, least: float, most: float
    ) -> float:
        """A number in a range; nan where it is missing or is none."""
        text = (values.get(column) or "").strip()
        if not text:
            self.missing[column] = self.missing.get(column, 0) + 1
            return math.nan
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            self.odd.note(column, f"line {line}: {text[:40]!r}")
            return math.nan
        return value


def read_deliveries(path: Path) -> DeliveryFile:
    """Read a file of past deliveries: columns as in NEEDED, and ESTIMATE where there is one.

    Raises:
        Failure: a column is missing, or no row says when it was placed.
    """
    table = csv.DictReader(io.StringIO(file_text(path)))
    rows: list[_Row] = []
    reader = _Reader()
    try:
        table.fieldnames = [head.strip() for head in table.fieldnames or []]
        lacking = [each for each in NEEDED if each not in table.fieldnames]
        if lacking:
            raise Failure(
                f"{path} has no column {', '.join(lacking)}: its first line must have "
                f"{','.join(NEEDED)}"
            )
        for values in table:
            row = reader.row(values, table.line_num)
            if row is not None:
                rows.append(row)
    except csv.Error as error:
        raise Failure(f"{path}, line {table.line_num}: {error}") from error
    if not rows:
        raise Failure(f"{path} has no row that says when an order was placed")
    rows.sort(key=lambda row: row.placed)
    orders = gather(
        [row.placed for row in rows],
        [row.distance_m for row in rows],
        [row.items for row in rows],
        [row.venue for row in rows],
        [row.took_min for row in rows],
    )
    estimated_min = np.array([row.estimated_min for row in rows], dtype=np.float64)
    return DeliveryFile(orders, estimated_min, reader.missing, reader.odd)
