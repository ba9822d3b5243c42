"""`heard simulate delivery`: an evening's orders, brought to their guests' doors."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from cli import simulating, simulating_delivery
from cli.application import Application, pass_application
from cli.commands.simulate import TENANT, Crew, Day, day_of, set_up
from cli.failures import Failure
from cli.grammar import Command, json_option
from cli.order_files import kind_of, read_orders
from cli.printing import age, counted, note, say, show_json, show_table
from cli.progress import progress_bar
from cli.simulating import FastClock
from cli.span import SPEED
from devices.simulated_line import USUALLY_VARIES
from services.runtime import house_rules
from services.runtime.database import Database
from services.runtime.moment import system_clock


@click.command(cls=Command)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--day", metavar="DATE", help="Which day; the busiest without.")
@click.option("--from-hour", type=click.IntRange(0, 23), default=17, show_default=True,
              help="From when on, by the file's clock.")  # fmt: skip
@click.option("--orders", "most", type=click.IntRange(1, 500), default=60, show_default=True,
              help="So many at most.")  # fmt: skip
@click.option("--couriers", type=click.IntRange(1, 100), default=20, show_default=True,
              help="Who bring them.")  # fmt: skip
@click.option("--speed", type=SPEED, default="60x", show_default=True,
              help="How fast the clock runs.")  # fmt: skip
@click.option("--hands", type=click.IntRange(1, 50), default=4, show_default=True,
              help="Cooks at each station.")  # fmt: skip
@click.option("--prep", "prep_s", type=click.IntRange(1, 3600), default=240, show_default=True,
              help="Seconds that a plate takes, in the middle.")  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True, help="Of cooks, couriers, doors.")
@click.option("--prices", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              metavar="FILE", help="Where the prices stand, when not in the file.")  # fmt: skip
@json_option
@pass_application
def delivery(
    app: Application,
    *,
    file: Path,
    day: str | None,
    from_hour: int,
    most: int,
    couriers: int,
    speed: float,
    hands: int,
    prep_s: int,
    seed: int,
    prices: Path | None,
    as_json: bool,
) -> None:
    """Play a file's evening with a kitchen and couriers of its own, at many times its speed.

    Real services, broker and database run in this process, with a clock that runs fast;
    simulated cooks work at real displays, and simulated couriers ride with real phones through
    a town of blocks, with red lights, bad positions and dead spots. Nothing of yours is read or
    changed. In the end stands every order's promised and real door time, and how far off it was
    told when it was picked up, and half way.

    Every guest looks at their link all the while: it must show its courier to nobody before the
    food is picked up, only roughly while other doors come first, nothing of anybody else, and
    nothing of the courier when it is over.

    The exit code is 1 where an order was refused, did not end as delivered, or a link showed
    what it may not.

    Examples:
      heard simulate delivery pizza_lines.csv
      heard simulate delivery uk_takeaway.csv --couriers 8 --orders 30 --json
      heard simulate delivery pizza_lines.csv --day 2015-02-27 --speed 30x
    """
    del app  # a house of its own
    if speed == float("inf"):
        raise Failure("a clock cannot run infinitely fast: --speed 60x")
    kind, currency = kind_of(file)
    source = read_orders(file, currency=currency, prices=prices)
    chosen = simulating.days_of(source.orders, None if day is None else day_of(day), 1)
    orders = [each for each in chosen if each.placed_at.hour >= from_hour][:most]
    if not orders:
        raise Failure(f"no order was placed after {from_hour}:00 on that day: --from-hour 12")
    first, last = orders[0].placed_at, orders[-1].placed_at
    lasts = age((last - first).total_seconds() / speed)
    note(
        f"{counted(len(orders), 'order')} of {first:%Y-%m-%d}, placed from {first:%H:%M} to "
        f"{last:%H:%M}: at {speed:g}x that takes {lasts}, and longer until the last are brought"
    )
    one_day = Day(source, orders, kind, currency, speed, USUALLY_VARIES, seed, system_clock())
    crew = Crew(hands, prep_s, split=False, expo=False, together=False)
    try:
        figures = _run(one_day, crew, couriers, quiet=not sys.stderr.isatty())
    except KeyboardInterrupt:
        note("ended before all was brought: there is nothing to report")
        raise
    if as_json:
        show_json(figures)
    else:
        _tell(figures)
    if figures["refused"] or figures["status_apart"]:
        raise Failure("not every order was brought: see the figures above")
    if figures["links_wrong"]:
        raise Failure("a guest's link showed what it may not: see the figures above")


def _run(day: Day, crew: Crew, couriers: int, *, quiet: bool) -> dict[str, Any]:
    begin, moved = simulating.opening(day.orders, day.now)
    clock = FastClock(begin, day.speed)
    with simulating.served(clock, gateway=True) as (house, system):
        plan, book = house.run(lambda database: set_up(database, day, crew))
        house.run(_delivers)
        with (
            simulating.evening(
                house, system, TENANT, clock, book, varies=day.varies, seed=day.seed
            ) as one,
            simulating_delivery.on_the_road(
                house, system, TENANT, clock, couriers=couriers, seed=day.seed
            ) as road,
            simulating_delivery.looking(system, road) as guests,
            progress_bar(len(day.orders), show=not quiet, what="orders brought") as progress,
        ):
            places = simulating_delivery.doors(len(day.orders), day.seed)
            figures = simulating_delivery.play(one, plan, moved, places, road, progress=progress)
            figures |= simulating_delivery.report(house, TENANT, road)
            guests.stop()
            figures |= simulating_delivery.seen(guests)
    about = {"day": str(day.orders[0].placed_at.date()), "speed": day.speed, "couriers": couriers}
    return about | figures


async def _delivers(database: Database) -> None:
    rules = simulating_delivery.RULES
    async with database.write() as connection:
        await house_rules.write(connection, TENANT, delivery=rules)


def _tell(figures: dict[str, Any]) -> None:
    show_table(
        ("order", "courier", "placed", "ready", "picked up", "promised", "real", "late min"),
        [
            (
                each["number"],
                each["courier"],
                *(
                    "" if each[name] is None else f"{each[name]:%H:%M}"
                    for name in ("placed_at", "ready_at", "picked_up_at", "promised_at", "real_at")
                ),
                each["late_min"],
            )
            for each in figures["deliveries"]
        ],
        empty="nothing was brought",
    )
    rode = len({each["courier"] for each in figures["deliveries"]})
    say(
        f"{counted(figures['orders'], 'order')}, {figures['refused']} refused, "
        f"{figures['delivered']} delivered by {rode} of {counted(figures['couriers'], 'courier')}; "
        f"promises kept: {figures['promises_kept']:.0%}"
    )
    say(
        f"off by, in minutes on average: as quoted {figures['quoted_mae_min']}, at pick-up "
        f"{figures['picked_up_mae_min']} (its p90 held in {figures['picked_up_p90_holds']:.0%}), "
        f"half way {figures['half_way_mae_min']}"
    )
    say(
        f"guests looked {counted(figures['link_looks'], 'time')} at their links: a courier was "
        f"shown {counted(figures['links_with_courier'], 'time')}, {figures['links_exact']} of them "
        f"exactly; {counted(figures['links_wrong'], 'look')} showed what they may not"
    )
    for line in figures["wrong"]:
        note(line)
