"""`heard eta evaluate`: how far off orders would have been told, beside what is simpler."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import click
import numpy as np

from cli.eta_files import DeliveryFile, read_deliveries
from cli.failures import Failure
from cli.grammar import Command, json_option
from cli.printing import counted, note, say, show_json, show_table
from cli.progress import progress_bar
from cli.times import DAY
from services.delivery.learning.errors import Errors
from services.delivery.learning.orders import Orders, day_number, day_of
from services.delivery.learning.walk_forward import (
    Evaluation,
    Judged,
    NothingToJudge,
)
from services.delivery.learning.walk_forward import evaluate as judge

_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
_HISTORY_DAYS: Final = 14
"""So much the baseline that looks back farthest has before the first predicted day."""
_DIGITS: Final = 4
_TITLES: Final = {
    "estimate": "the platform's own estimate",
    "median_7_days": "7-day median",
    "linear_7_days": "7-day linear in km",
    "linear_14_days_and_venue": "14-day linear in km, with venue",
}


@click.command(cls=Command)
@click.argument("file", type=_FILE)
@click.option("--from", "since", type=DAY, metavar="DATE",
              help="The first predicted day; without, the 15th of the file.")  # fmt: skip
@json_option
def evaluate(*, file: Path, since: datetime | None, as_json: bool) -> None:
    """Tell each order of FILE from what was known when it was placed, and say how far off it was.

    Days are taken one after the other: each is told from the days before it, and only then
    learned from. Of its own day an order knows what had been placed and delivered before it; the
    model from the days before alone stands beside it, and so do three simple baselines. The
    platform's own estimate is held against, and never learned from.

    FILE is CSV: placed_at, item_count, user_lat, user_lon, venue_lat, venue_lon, actual_min, and
    estimated_min where there is one. Other columns are not looked at. Errors are in minutes,
    bias is told less taken.

    Examples:
      heard eta evaluate wolt_helsinki_2020.csv
      heard eta evaluate wolt_helsinki_2020.csv --from 2020-09-01 --json
    """
    read = read_deliveries(file)
    first = _first_day(read.orders, since.date() if since else None, file)
    # Nobody watches a bar that goes into a file.
    show = not as_json and sys.stderr.isatty()
    with progress_bar(2 * len(read.orders), show=show) as progress:
        try:
            found = judge(read.orders, read.estimated_min, day_number(first), progress)
        except NothingToJudge:
            raise Failure(
                f"{file}: no actual_min is known before {first}, or none from then on: choose "
                "another day with --from"
            ) from None
    if as_json:
        show_json(_document(found, read, first))
    else:
        _show(found, read, first)


def _first_day(orders: Orders, asked: date | None, file: Path) -> date:
    """The first predicted day.

    Raises:
        Failure: nothing comes before it, or nothing after it.
    """
    days = [day_of(int(each)) for each in np.unique(orders.day)]
    if len(days) < 2:
        raise Failure(f"{file} has one day only: no day can be told from the days before it")
    if asked is None:
        return days[min(_HISTORY_DAYS, len(days) // 2)]
    if asked <= days[0]:
        raise Failure(f"{file} begins on {days[0]}: --from must be {days[1]} or later")
    if asked > days[-1]:
        raise Failure(f"{file} ends on {days[-1]}: --from must not be later")
    return asked


def _document(found: Evaluation, read: DeliveryFile, first: date) -> dict[str, Any]:
    judged = read.orders.taken(read.orders.day >= day_number(first))
    return {
        **_judged(found.model),
        "from": str(first),
        "to": str(day_of(int(judged.day[-1]))),
        "days": len(np.unique(judged.day)),
        "without_today": _judged(found.without_today),
        "baselines": {
            name: None if each is None else _errors(each) for name, each in found.baselines.items()
        },
        "file": {
            "orders": len(read.orders),
            "missing": dict(sorted(read.missing.items())),
            "odd": dict(sorted(read.odd.counts.items())),
            "odd_examples": dict(sorted(read.odd.examples.items())),
        },
    }


def _judged(judged: Judged) -> dict[str, Any]:
    return _errors(judged.errors) | {"p90_coverage": round(judged.p90_coverage, _DIGITS)}


def _errors(errors: Errors) -> dict[str, Any]:
    return {
        "mae": round(errors.mae, _DIGITS),
        "p90_error": round(errors.p90_error, _DIGITS),
        "bias": round(errors.bias, _DIGITS),
        "n": errors.n,
    }


def _show(found: Evaluation, read: DeliveryFile, first: date) -> None:
    rows = [
        ("heard", *_cells(found.model.errors), f"{found.model.p90_coverage:.1%}"),
        (
            "heard, from the days before alone",
            *_cells(found.without_today.errors),
            f"{found.without_today.p90_coverage:.1%}",
        ),
    ]
    rows += [(_TITLES[name], *_cells(each), "") for name, each in found.baselines.items() if each]
    show_table(("minutes", "mean absolute error", "p90 error", "bias", "p90 holds"), rows, empty="")
    say(f"{counted(found.model.errors.n, 'order')} from {first} on")
    for line in _remarks(read):
        note(line)


def _cells(errors: Errors) -> tuple[str, str, str]:
    return f"{errors.mae:.2f}", f"{errors.p90_error:.1f}", f"{errors.bias:+.2f}"


def _remarks(read: DeliveryFile) -> Iterator[str]:
    for column, count in sorted(read.missing.items()):
        yield f"{column}: missing in {counted(count, 'row')}"
    for column, count in sorted(read.odd.counts.items()):
        left_out = "left out" if column == "placed_at" else "taken as not known"
        examples = "; ".join(read.odd.examples[column])
        yield f"{column}: odd in {counted(count, 'row')}, {left_out}: {examples}"
