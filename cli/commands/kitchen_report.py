"""`heard kitchen report`: what the kitchen has done."""

from __future__ import annotations

import csv
import sys
from dataclasses import asdict
from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

import click

from cli.application import Application, pass_application
from cli.failures import Failure
from cli.grammar import Command, json_option, tenant_option
from cli.known_houses import must_be_there
from cli.known_stations import check_station
from cli.names import NAME
from cli.printing import counted, note, say, show_json, show_table
from services.kitchen.report import KitchenDone, Spread, StationDone
from services.kitchen.report_reading import day_of, done_between
from services.runtime import house_rules
from services.runtime.database import Database
from services.runtime.moment import system_clock

_HEADINGS: Final = (
    "station", "tickets", "lines", "hear p50", "hear p90", "prep p50", "prep p90",
    "late", "load", "recalls", "voids",
)  # fmt: skip
_COLUMNS: Final = (
    "station", "item", "tickets", "lines", "hear_p50_s", "hear_p90_s", "prep_p50_s", "prep_p90_s",
    "late", "late_share", "load", "recalls", "voids",
)  # fmt: skip


@click.command("report", cls=Command)
@tenant_option
@click.option("--day", metavar="DATE", help="As 2026-03-14, in the house's time; today without.")
@click.option("--station", type=NAME, metavar="NAME", help="That one alone.")
@click.option("--items", is_flag=True, help="Also how long each item took.")
@click.option("--csv", "as_csv", is_flag=True, help="One row a station and item, for spreadsheets.")
@json_option
@pass_application
def report(
    app: Application,
    *,
    tenant: str,
    day: str | None,
    station: str | None,
    items: bool,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Show what the kitchen did on a day: how much, how fast, how much of it late.

    A ticket counts on the day on which it was bumped last. Hear is from when it was sent to
    when a display said so; prep from its start to its bump. Half were quicker than p50, nine
    of ten than p90. Load is the work done against what the station's hands can do in the
    hours in which it worked. Voids are lines cancelled after they were sent.

    Examples:
      heard kitchen report --tenant demo
      heard kitchen report --tenant demo --day 2026-03-14 --items
      heard kitchen report --tenant demo --day 2026-03-14 --csv > saturday.csv
      heard kitchen report --tenant demo --station grill --json
    """
    chosen = None if day is None else _day(day)

    async def read(database: Database) -> tuple[date, KitchenDone]:
        async with database.read() as connection:
            await must_be_there(connection, tenant)
            zone = ZoneInfo((await house_rules.read(connection, tenant)).orders.time_zone)
            on = chosen or system_clock().astimezone(zone).date()
            since, until = day_of(on, zone)
            if station is not None:
                await check_station(connection, tenant, station)
            return on, await done_between(connection, tenant, since, until, zone, station=station)

    on, done = app.run(read)
    if as_json:
        show_json({"tenant": tenant, "day": on.isoformat(), **asdict(done)})
    elif as_csv:
        _write(done)
    else:
        _show(on, done, items=items)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Failure(f"{text!r} is no day: write it as 2026-03-14") from None


def _show(on: date, done: KitchenDone, *, items: bool) -> None:
    if not done.stations:
        note(f"nothing was made on {on}: name another day with --day")
        return
    show_table(_HEADINGS, [_row(each) for each in done.stations], empty="")
    if items:
        show_table(
            ("station", "item", "lines", "prep p50", "prep p90"),
            [
                (each.station, item, str(took.count), _s(took.p50_s), _s(took.p90_s))
                for each in done.stations
                for item, took in each.items.items()
            ],
            empty="",
        )
    show_table(
        ("hour", "orders", "tickets", "lines"),
        [(each.hour, str(each.orders), str(each.tickets), str(each.lines)) for each in done.hours],
        empty="",
    )
    say(
        f"{counted(done.orders, 'order')}, {counted(done.tickets, 'ticket')}, "
        f"{counted(done.lines, 'line')}"
    )
    if done.unheard:
        say(f"{counted(done.unheard, 'ticket')} ended and nobody had heard of it")


def _row(each: StationDone) -> tuple[str, ...]:
    return (
        each.station, str(each.tickets), str(each.lines),
        _s(each.hear.p50_s), _s(each.hear.p90_s), _s(each.prep.p50_s), _s(each.prep.p90_s),
        f"{each.late} ({each.late_share:.0%})", f"{each.load:.0%}",
        str(each.recalls), str(each.voids),
    )  # fmt: skip


def _s(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds / 60:.1f} min"


def _write(done: KitchenDone) -> None:
    writer = csv.DictWriter(sys.stdout, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    for each in done.stations:
        writer.writerow(
            {
                "station": each.station, "item": "", "tickets": each.tickets, "lines": each.lines,
                "late": each.late, "late_share": each.late_share, "load": each.load,
                "recalls": each.recalls, "voids": each.voids,
                **_both("hear", each.hear), **_both("prep", each.prep),
            }
        )  # fmt: skip
        for item, took in each.items.items():
            writer.writerow(
                {"station": each.station, "item": item, "lines": took.count, **_both("prep", took)}
            )


def _both(name: str, took: Spread) -> dict[str, float | None]:
    return {f"{name}_p50_s": took.p50_s, f"{name}_p90_s": took.p90_s}
