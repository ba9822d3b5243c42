"""`heard simulate fleet`: several houses share couriers for an evening, and all goes wrong."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import click

from cli import dispatch_report, simulating, simulating_fleet
from cli.application import Application, pass_application
from cli.commands.simulate import Crew, Day, day_of, set_up
from cli.failures import Failure
from cli.grammar import Command, json_option
from cli.order_files import FileOrder, kind_of, read_orders
from cli.printing import age, counted, note, say, show_json, show_table
from cli.progress import progress_bar
from cli.simulated_houses import House
from cli.simulating import FastClock
from cli.simulating_fleet import Trouble
from cli.span import SPAN, SPEED
from devices.simulated_line import USUALLY_VARIES
from services.runtime import house_rules
from services.runtime.database import Database
from services.runtime.moment import system_clock

_NEVER: Final = "never"
_FOR_GOOD: Final = "for-good"


@dataclass(frozen=True, slots=True)
class _Evening:
    day: Day
    dealt: Sequence[Sequence[FileOrder]]
    crew: Crew
    couriers: int
    trouble: Trouble


class _Stopped(click.ParamType[timedelta | None]):
    """For how long a kitchen stands still; None is for good."""

    name = "span"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta | None:
        """Read it."""
        if value == _FOR_GOOD:
            return None
        if value == _NEVER:
            return timedelta(0)
        return timedelta(seconds=SPAN.convert(value, param, ctx))


@click.command(cls=Command)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--day", metavar="DATE", help="Which day; the busiest without.")
@click.option("--from-hour", type=click.IntRange(0, 23), default=17, show_default=True,
              help="From when on, by the file's clock.")  # fmt: skip
@click.option("--for", "lasts", type=SPAN, help="Only what is placed so soon after the first.")
@click.option("--orders", "most", type=click.IntRange(1, 2000), help="So many at most.")
@click.option("--rush", type=click.IntRange(1, 20), default=3, show_default=True,
              help="The orders of so many busy days come on one.")  # fmt: skip
@click.option("--kitchens", type=click.IntRange(1, 20), default=5, show_default=True,
              help="Houses that share the couriers.")  # fmt: skip
@click.option("--couriers", type=click.IntRange(1, 100), default=20, show_default=True,
              help="Who bring the orders, of all of them.")  # fmt: skip
@click.option("--decline", type=click.FloatRange(0, 1), default=0.15, show_default=True,
              help="The share of askings that couriers decline.")  # fmt: skip
@click.option("--ignore", type=click.FloatRange(0, 1), default=0.05, show_default=True,
              help="The share that they do not answer.")  # fmt: skip
@click.option("--lost", type=click.IntRange(0, 20), default=1, show_default=True,
              help="Couriers who are lost before they fetched what they accepted.")  # fmt: skip
@click.option("--lost-with-food", type=click.IntRange(0, 20), default=1, show_default=True,
              help="Couriers who are lost with food in the bag.")  # fmt: skip
@click.option("--stop-kitchen", "stopped", type=_Stopped(), default="40m", show_default=True,
              metavar="SPAN|never|for-good",
              help="So long one kitchen stands still in the rush.")  # fmt: skip
@click.option("--speed", type=SPEED, default="60x", show_default=True,
              help="How fast the clock runs.")  # fmt: skip
@click.option("--hands", type=click.IntRange(1, 50), default=4, show_default=True,
              help="Cooks at each station.")  # fmt: skip
@click.option("--prep", "prep_s", type=click.IntRange(1, 3600), default=240, show_default=True,
              help="Seconds that a plate takes, in the middle.")  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True,
              help="Of cooks, couriers, doors, and of what goes wrong.")  # fmt: skip
@click.option("--prices", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              metavar="FILE", help="Where the prices stand, when not in the file.")  # fmt: skip
@json_option
@pass_application
def fleet(
    app: Application,
    *,
    file: Path,
    day: str | None,
    from_hour: int,
    lasts: float | None,
    most: int | None,
    rush: int,
    kitchens: int,
    couriers: int,
    decline: float,
    ignore: float,
    lost: int,
    lost_with_food: int,
    stopped: timedelta | None,
    speed: float,
    hands: int,
    prep_s: int,
    seed: int,
    prices: Path | None,
    as_json: bool,
) -> None:
    """Play an evening of several houses whose couriers the dispatcher asks by itself.

    Real services, broker and database run in this process, with a clock that runs fast; each
    house has a till, displays with simulated cooks, and a manager, and each courier a phone of
    each house, and one body. Nobody says who brings what. Couriers decline, do not answer, and
    are lost for good; a kitchen stands still. Managers give up what is in the bag of who was
    lost, and what nobody can cook or bring. Nothing of yours is read or changed.

    In the end stands what became of every order. The exit code is 1 where one is neither
    delivered nor explained: cancelled or given up with a reason, or left out by the dispatcher,
    which says why.

    Examples:
      heard simulate fleet pizza_lines.csv
      heard simulate fleet uk_takeaway.csv --kitchens 3 --couriers 10 --for 2h --json
      heard simulate fleet pizza_lines.csv --stop-kitchen for-good --decline 0.4
    """
    del app  # houses of its own
    if speed == float("inf"):
        raise Failure("a clock cannot run infinitely fast: --speed 60x")
    if lost + lost_with_food >= couriers:
        raise Failure("somebody has to be left: fewer --lost, or more --couriers")
    kind, currency = kind_of(file)
    source = read_orders(file, currency=currency, prices=prices)
    chosen = simulating.days_of(source.orders, None if day is None else day_of(day), 1)
    crowd = simulating.in_a_rush(source.orders, chosen, rush)
    orders = [each for each in crowd if each.placed_at.hour >= from_hour]
    if not orders:
        raise Failure(f"no order was placed after {from_hour}:00 on that day: --from-hour 12")
    if lasts is not None:
        until = orders[0].placed_at + timedelta(seconds=lasts)
        orders = [each for each in orders if each.placed_at < until]
    orders = orders[:most]
    first, last = orders[0].placed_at, orders[-1].placed_at
    note(
        f"{counted(len(orders), 'order')}, placed from {first:%H:%M} to {last:%H:%M}: at "
        f"{speed:g}x that takes {age((last - first).total_seconds() / speed)}, and longer until "
        "the last are brought"
    )
    evening = _Evening(
        Day(source, orders, kind, currency, speed, USUALLY_VARIES, seed, system_clock()),
        simulating_fleet.dealt(orders, kitchens, seed),
        Crew(hands, prep_s, split=False, expo=False, together=False),
        couriers,
        Trouble(decline, ignore, lost, lost_with_food, stopped),
    )
    try:
        figures = _run(evening, quiet=as_json or not sys.stderr.isatty())
    except KeyboardInterrupt:
        note("ended before the evening was over: there is nothing to report")
        raise
    if as_json:
        show_json(figures)
    else:
        _tell(figures)
    if figures["neither"]:
        raise Failure(f"{counted(figures['neither'], 'order')} neither delivered nor explained")


def _run(evening: _Evening, *, quiet: bool) -> dict[str, Any]:
    day = evening.day
    begin, _ = simulating.opening(day.orders, day.now)
    clock = FastClock(begin, day.speed)
    with simulating.served(clock) as (app, system):
        houses = app.run(lambda database: _open(database, evening))
        with (
            simulating_fleet.on_the_road(
                app,
                system,
                houses,
                couriers=evening.couriers,
                clock=clock,
                trouble=evening.trouble,
                varies=day.varies,
                seed=day.seed,
            ) as fleet,
            progress_bar(len(day.orders), show=not quiet, what="orders over") as progress,
        ):
            placed = simulating_fleet.play(
                fleet,
                day.orders,
                evening.dealt,
                clock,
                evening.trouble,
                seed=day.seed,
                progress=progress,
            )
            figures = dispatch_report.report(app, fleet, placed)
    about = {"day": str(day.orders[0].placed_at.date()), "speed": day.speed}
    return {**about, "kitchens": len(houses), "couriers": evening.couriers, **figures}


async def _open(database: Database, evening: _Evening) -> list[House]:
    found = []
    counters = simulating_fleet.counters(len(evening.dealt))
    for number, (orders, counter) in enumerate(zip(evening.dealt, counters, strict=True), 1):
        tenant = f"kitchen-{number}"
        day = replace(evening.day, orders=orders)
        plan, book = await set_up(database, day, evening.crew, tenant=tenant)
        place = simulating_fleet.place_of(counter)
        rules = simulating_fleet.rules_of(place)
        async with database.write() as connection:
            await house_rules.write(connection, tenant, delivery=rules)
        found.append(House(tenant, plan, book, place, counter))
    return found


def _tell(figures: dict[str, Any]) -> None:
    times = ("placed_at", "ready_at", "picked_up_at", "promised_at", "real_at")
    show_table(
        ("house", "order", "courier", "placed", "ready", "picked up", "promised", "real",
         "late min", "became", "why"),
        [
            (
                each["house"],
                each["number"],
                each["courier"],
                *("" if each[name] is None else f"{each[name]:%H:%M}" for name in times),
                each["late_min"],
                each["became"],
                each["why"],
            )
            for each in figures["deliveries"]
        ],
        empty="nothing was ordered",
    )  # fmt: skip
    kept = figures["promises_kept"]
    say(
        f"{counted(figures['orders'], 'order')} of {counted(figures['kitchens'], 'kitchen')}: "
        f"{figures['delivered']} delivered by {figures['rode']} of "
        f"{counted(figures['couriers'], 'courier')}, {figures['explained']} explained, "
        f"{figures['neither']} neither; promises kept: {'-' if kept is None else f'{kept:.0%}'}"
    )
    back = ", ".join(f"{count} {why}" for why, count in figures["taken_back"].items() if count)
    say(
        f"asked {counted(figures['asked'], 'time')}: {figures['accepted']} accepted, "
        f"{figures['declined']} declined, {figures['unanswered']} not answered; "
        f"taken back: {back or 'nothing'}"
    )
    say(
        f"{counted(figures['trips'], 'trip')}, {figures['bundles']} of them with several orders; "
        f"on average food waited {figures['food_waited_mean_min']} min, couriers "
        f"{figures['courier_waited_mean_min']} min"
    )
    for why, count in figures["explanations"].items():
        say(f"{count}: {why}")
    alerts = ", ".join(f"{count} {kind}" for kind, count in figures["alerts"].items())
    say(f"alerts: {alerts or 'none'}; lost: {', '.join(figures['lost']) or 'nobody'}")
