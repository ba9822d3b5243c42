"""`heard stock forecast`: what will be used, and how far off such forecasts were."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import click
from sqlalchemy.ext.asyncio import AsyncConnection

from cli.amounts import on_table
from cli.application import Application, pass_application
from cli.assumed_book import read_assumptions, read_book, used_by
from cli.failures import Failure
from cli.grammar import Command, json_option
from cli.known_houses import the_house
from cli.names import NAME
from cli.order_files import kind_of, read_orders
from cli.printing import counted, note, say, show_json, show_table
from services.inventory.forecast import HISTORY, Used, expected_use, lasts_until
from services.inventory.forecast_error import Evaluation, evaluate
from services.inventory.foreseeing_watch import LEAST_HISTORY
from services.inventory.profiles import first_used, read_profiles, read_used
from services.inventory.reading import levels
from services.runtime.database import Database
from services.runtime.moment import system_clock

_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
_MOST: Final = 300
_LATELY: Final = 8
_SOME: Final = 5
_ENOUGH: Final = timedelta(weeks=8)


@click.command("forecast", cls=Command)
@click.option("--tenant", type=NAME, metavar="NAME", help="The restaurant.")
@click.option("--days", type=click.IntRange(1, 28), default=7, show_default=True, metavar="N",
              help="So many days from now.")  # fmt: skip
@click.option("--item", "items", type=NAME, multiple=True, metavar="NAME", help="That one; may be "
              "given several times.")  # fmt: skip
@click.option("--evaluate", "evaluated", is_flag=True, help="Say how far off it would have been.")
@click.option("--orders", type=_FILE, metavar="FILE", help="Evaluate on a file of orders instead.")
@click.option("--recipes", type=_FILE, metavar="FILE", help="What its dishes are made of; without, "
              "pizza_recipes.csv beside it.")  # fmt: skip
@click.option("--menu", type=_FILE, metavar="FILE", help="Its dishes and their sizes; without, "
              "pizza_menu.csv beside it.")  # fmt: skip
@click.option("--assume", type=_FILE, metavar="FILE", help="How much goes in; without, what comes "
              "with the program.")  # fmt: skip
@json_option
@pass_application
def forecast(
    app: Application,
    *,
    tenant: str | None,
    days: int,
    items: Sequence[str],
    evaluated: bool,
    orders: Path | None,
    recipes: Path | None,
    menu: Path | None,
    assume: Path | None,
    as_json: bool,
) -> None:
    """Say what will be used in the next days, and until when there is enough.

    Reckoned by weekday and hour from what the dishes of the last 26 weeks took; what was 8 weeks
    ago counts half. Off is by how much the last weeks were missed, as a share of what was used;
    --json with --item has each hour of a week, from Monday midnight.

    With --evaluate, every week from the eighth on is forecast from the weeks before it and
    compared with what was used (MAPE), beside the last week and the mean of the last four.

    Examples:
      heard stock forecast --tenant demo
      heard stock forecast --tenant demo --item beef --days 14 --json
      heard stock forecast --tenant demo --evaluate
      heard stock forecast --evaluate --json --orders pizza_lines.csv
    """
    if orders is not None:
        if not evaluated:
            raise Failure("--orders is for --evaluate: add it")
        _show_errors(_of_file(orders, recipes, menu, assume), as_json=as_json)
        return
    if recipes or menu or assume:
        raise Failure("--recipes, --menu and --assume belong to --orders: name its file too")
    if tenant is None:
        raise Failure("name the restaurant with --tenant, or a file with --evaluate --orders")
    if evaluated:
        _show_errors(_of_house(app, tenant), as_json=as_json)
    else:
        _show_coming(app, tenant, items, days, as_json=as_json)


# -- what will be used -------------------------------------------------------------------------


def _show_coming(
    app: Application, tenant: str, items: Sequence[str], days: int, *, as_json: bool
) -> None:
    now = system_clock()

    async def read(database: Database) -> list[dict[str, Any]]:
        async with database.read() as connection:
            zone = await the_house(connection, tenant)
            profiles = await read_profiles(connection, tenant, now, items=items or None)
            kept = await levels(connection, tenant, now, items=items or None)
            errors = await _lately(connection, tenant, now, zone, profiles)
        unknown = set(items) - {each.item.item for each in kept}
        if unknown:
            raise Failure(f"the book of {tenant} has no item {', '.join(sorted(unknown))}")
        until = now + timedelta(days=days)
        found = []
        for item, level in kept:
            profile = profiles.get(item.item)
            if profile is None:
                continue
            spans = [now + timedelta(days=n) for n in range(days + 1)]
            ends = lasts_until(profile, now, level.on_hand - level.damaged, until)
            found.append(
                {
                    "item": item.item,
                    "name": item.name,
                    "unit": item.unit,
                    "weeks_known": round(profile.weeks, 1),
                    "foretold": profile.weeks * timedelta(weeks=1) >= LEAST_HISTORY,
                    "off": errors.get(item.item),
                    "usable": level.on_hand - level.damaged if level.counted else None,
                    "days": [
                        {"from": since, "expected": expected_use(profile, since, to)}
                        for since, to in pairwise(spans)
                    ],
                    "expected": expected_use(profile, now, until),
                    "lasts_until": ends if level.counted else None,
                    "by_hour": [round(each, 1) for each in profile.slots] if items else None,
                }
            )
        return found

    found = app.run(read)
    if as_json:
        show_json({"tenant": tenant, "at": now, "days": days, "items": found})
        return
    show_table(
        ("item", "there is", "next 24 h", f"next {counted(days, 'day')}", "off", "lasts until"),
        [
            (
                each["item"],
                "not counted" if each["usable"] is None else on_table(each["usable"], each["unit"]),
                _foretold(each, each["days"][0]["expected"]),
                _foretold(each, each["expected"]),
                _share(each["off"]),
                _ends(each["lasts_until"], counted_=_known(each) and each["usable"] is not None),
            )
            for each in found
        ],
        empty="no dish has taken anything yet: there is nothing to tell by",
    )
    weeks = max((each["weeks_known"] for each in found), default=0.0)
    if found and not any(map(_known, found)):
        note("less than three days are known of this house: nothing can be foretold yet")
    elif found and weeks * timedelta(weeks=1) < _ENOUGH:
        note(f"only {weeks} weeks are known: this gets better until there are 8")


async def _lately(
    connection: AsyncConnection,
    tenant: str,
    now: datetime,
    zone: ZoneInfo,
    items: Collection[str],
) -> dict[str, float | None]:
    """How far off the last whole weeks would have been; of few items, for it takes its time."""
    first = await first_used(connection, tenant)
    if first is None or len(items) > _MOST:
        return {}
    begins = max(first, now - HISTORY).astimezone(zone).date()
    today = now.astimezone(zone).date()
    # Whole weeks that end today: the first days of the history may be left out.
    begins += timedelta(days=(today - begins).days % 7)
    weeks = (today - begins).days // 7
    used = await read_used(connection, tenant, now - HISTORY, now, items=items)
    found = evaluate(used, begins, today, zone, first_week=max(_SOME, weeks - _LATELY + 1))
    return {each.item: each.errors.forecast for each in found.items}


def _known(each: dict[str, Any]) -> bool:
    """Whether the house is old enough: what nobody can know is not shown as none."""
    return bool(each["foretold"])


def _foretold(each: dict[str, Any], amount: int) -> str:
    return on_table(_rounded(amount), each["unit"]) if _known(each) else "-"


def _rounded(amount: int) -> int:
    """Without fractions of a gram that nobody can foretell."""
    return amount if abs(amount) < 10_000 else round(amount, -3)


def _ends(at: datetime | None, *, counted_: bool) -> str:
    if at is None:
        return "longer" if counted_ else "-"
    return at.astimezone().strftime("%a %d %b %H:00")


# -- how far off -------------------------------------------------------------------------------


def _of_house(app: Application, tenant: str) -> Evaluation:
    now = system_clock()

    async def read(database: Database) -> Evaluation | None:
        async with database.read() as connection:
            zone = await the_house(connection, tenant)
            first = await first_used(connection, tenant)
            if first is None:
                return None
            used = await read_used(connection, tenant, first, now)
        return evaluate(used, first.astimezone(zone).date(), now.astimezone(zone).date(), zone)

    found = app.run(read)
    if found is None or not found.weeks:
        raise Failure(f"{tenant} has used its stock for less than 8 weeks: that is too short")
    return found


def _of_file(
    orders: Path, recipes: Path | None, menu: Path | None, assume: Path | None
) -> Evaluation:
    menu = menu or orders.with_name("pizza_menu.csv")
    recipes = recipes or orders.with_name("pizza_recipes.csv")
    for path, option in ((menu, "--menu"), (recipes, "--recipes")):
        if not path.exists():
            raise Failure(f"{path} is not there: name it with {option}")
    _, currency = kind_of(orders)
    book = read_book(recipes, menu, read_assumptions(assume))
    placed = read_orders(orders, currency=currency, prices=menu).orders
    used: dict[str, Used] = dict(used_by(book, placed))
    first, last = placed[0].placed_at.date(), placed[-1].placed_at.date()
    found = evaluate(used, first, last + timedelta(days=1), ZoneInfo(UTC.tzname(None)))
    if not found.weeks:
        raise Failure(f"{orders} has less than 8 weeks: that is too short")
    return found


def _show_errors(found: Evaluation, *, as_json: bool) -> None:
    if as_json:
        whole = asdict(found)
        whole["items"] = [
            {**asdict(each), "weeks": [_week(asdict(week)) for week in each.weeks]}
            for each in found.items
        ]
        show_json({"better": found.better, **whole})
        return
    show_table(
        ("item", "forecast", "last week", "4-week mean"),
        [
            (
                each.item,
                _share(each.errors.forecast),
                _share(each.errors.last_week),
                _share(each.errors.four_weeks),
            )
            for each in found.items
        ],
        empty="",
    )
    errors = found.errors
    say(
        f"mean of {counted(len(found.items), 'item')}, {counted(found.weeks, 'week')} from week "
        f"{found.first_week} on: {_share(errors.forecast)} off, {_share(errors.last_week)} by the "
        f"last week, {_share(errors.four_weeks)} by the mean of the last four"
    )
    say(
        f"nearer than the last week for {counted(found.better_than_last_week, 'item')}, than the "
        f"mean of four for {found.better_than_four_weeks}"
    )


def _week(week: dict[str, Any]) -> dict[str, Any]:
    """One week, with how far off each was as a share of what was used."""
    used = week["used"]
    off = {
        f"{name}_off": abs(week[name] - used) / used if used else None
        for name in ("forecast", "last_week", "four_weeks")
    }
    return week | {"begins": week["begins"].isoformat()} | off


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
