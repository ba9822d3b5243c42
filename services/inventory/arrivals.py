"""On which days a supplier brings things. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import count
from typing import Final

from schemas.kitchen_rules import Weekday
from schemas.suppliers import Supplier

_DAYS: Final = tuple(Weekday)
"""From Monday on, as `date.weekday` counts."""


def arrivals(supplier: Supplier, ordered_on: date) -> Iterator[date]:
    """The days on which what is ordered on a day can come, the first first; it never ends."""
    earliest = ordered_on + timedelta(days=supplier.lead_days)
    for n in count():
        day = earliest + timedelta(days=n)
        if not supplier.delivery_days or _DAYS[day.weekday()] in supplier.delivery_days:
            yield day


def next_two(supplier: Supplier, ordered_on: date) -> tuple[date, date]:
    """When an order of today comes, and when one of a later day comes at the earliest."""
    days = arrivals(supplier, ordered_on)
    return next(days), next(days)
