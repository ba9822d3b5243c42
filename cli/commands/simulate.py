"""`heard simulate`: try a house out before there is one."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import click

from cli import side_by_side, simulating
from cli.application import Application, pass_application
from cli.failures import Failure
from cli.grammar import Command, Group, LazyCommands, Place, json_option
from cli.kitchen_recount import Plates
from cli.order_files import FileOrder, OrderFile, kind_of, make_menu, read_orders
from cli.printing import counted, note, say, show_json
from cli.progress import progress_bar
from cli.replaying import Plan
from cli.simulating import Evening, FastClock
from cli.span import SPEED
from devices.simulated_line import USUALLY_VARIES
from schemas.kitchen_rules import KitchenRules, StationKind, StationRules
from schemas.menu import MenuItem
from services.kitchen.report import KitchenDone
from services.kitchen.report_reading import done_between
from services.menu.handlers import put_menu
from services.people.store import Tenant, add_tenant
from services.runtime import house_rules
from services.runtime.database import Database
from services.runtime.moment import system_clock

TENANT: Final = "simulated"
EXPO: Final = "expo"
LATE_S: Final = 1_500
_PACE: Final = {"bar": 0.2, "cold": 0.3, "fry": 0.5, "rice": 0.7, "tandoor": 1.3, "curry": 1.5}
"""A drink is poured while a curry cooks: how long a station takes against `--prep`. Assumed, as
the stations themselves are."""


@dataclass(frozen=True, slots=True)
class Crew:
    """The kitchen: see the options of the command."""

    hands: int
    prep_s: int
    split: bool
    expo: bool
    together: bool


@dataclass(frozen=True, slots=True)
class Day:
    """What is played: the same for two runs that are held against each other."""

    source: OrderFile
    orders: Sequence[FileOrder]
    kind: str
    currency: str
    speed: float
    varies: float
    seed: int
    now: datetime
    """The real time: the simulated one lies after it."""


class _Run(NamedTuple):
    figures: dict[str, Any]
    plates: dict[tuple[str, int], Plates]


# A kitchen's evening is here; others are imported only when they are called.
_OTHERS: Final[dict[str, Place]] = {
    "stock": Place(
        "cli.commands.simulate_stock", "stock", "Play a file's months, and check its books."
    ),
    "delivery": Place(
        "cli.commands.simulate_delivery", "delivery", "Play an evening's deliveries, to the door."
    ),
    "fleet": Place(
        "cli.commands.simulate_fleet", "fleet", "Play an evening of several houses' couriers."
    ),
}


@click.group(cls=Group, commands=LazyCommands(_OTHERS))
def simulate() -> None:
    """Try a house out before there is one."""


@simulate.command(cls=Command)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--day", metavar="DATE", help="The first day; the busiest without.")
@click.option("--days", type=click.IntRange(1, 5), default=1, show_default=True,
              help="How many in a row.")  # fmt: skip
@click.option("--speed", type=SPEED, default="600x", show_default=True,
              help="How fast the clock runs.")  # fmt: skip
@click.option("--hands", type=click.IntRange(1, 50), default=4, show_default=True,
              help="Cooks at each station.")  # fmt: skip
@click.option("--prep", "prep_s", type=click.IntRange(1, 3600), default=240, show_default=True,
              help="Seconds that a plate takes, in the middle.")  # fmt: skip
@click.option("--split/--no-split", default=True, show_default=True,
              help="Two stations share the busiest one's work.")  # fmt: skip
@click.option("--expo/--no-expo", default=True, show_default=True, help="With an expo.")
@click.option("--together/--at-once", default=False, show_default=True,
              help="Begin an order's tickets so that they end at one time.")  # fmt: skip
@click.option(
    "--compare",
    is_flag=True,
    help="Play it twice, at once and together, and hold the two against each other.",
)
@click.option("--rush", type=click.IntRange(1, 20), default=1, show_default=True,
              help="On each day come the orders of so many busy days.")  # fmt: skip
@click.option("--varies", type=click.FloatRange(0, 1), default=USUALLY_VARIES, show_default=True,
              help="By which share two plates of a kind differ.")  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True, help="Of the cooks.")
@click.option("--prices", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              metavar="FILE", help="Where the prices stand, when not in the file.")  # fmt: skip
@json_option
@pass_application
def kitchen(
    app: Application,
    *,
    file: Path,
    day: str | None,
    days: int,
    speed: float,
    hands: int,
    prep_s: int,
    split: bool,
    expo: bool,
    together: bool,
    compare: bool,
    rush: int,
    varies: float,
    seed: int,
    prices: Path | None,
    as_json: bool,
) -> None:
    """Play a file's day in a kitchen of its own, at many times its speed.

    Real services, broker and database run in this process, with a clock that runs fast;
    simulated cooks work at real displays. Nothing of yours is read or changed. Each simulated
    minute every display is held against the database; in the end the report is worked out a
    second time from the raw messages alone, and the times that were promised are held against
    the real ones. The first day teaches; promises are judged from the second on, where there
    is one.

    With --compare the same orders are placed twice, and each plate takes the same cook as long:
    only when it is begun is different. Choose a --speed at which a real tenth of a second is
    little: at 600x it is a minute of an order's.

    The exit code is 1 where a ticket was not heard, a display was wrong, or the two reports
    disagree.

    Examples:
      heard simulate kitchen pizza_lines.csv
      heard simulate kitchen pizza_lines.csv --days 2 --speed 600x --json
      heard simulate kitchen uk_takeaway.csv --together --hands 2
      heard simulate kitchen uk_takeaway.csv --compare --rush 5 --speed 100x
    """
    del app  # a house of its own
    if speed == float("inf"):
        raise Failure("a clock cannot run infinitely fast: --speed 600x")
    kind, currency = kind_of(file)
    source = read_orders(file, currency=currency, prices=prices)
    first = None if day is None else day_of(day)
    chosen = simulating.days_of(source.orders, first, days)
    orders = simulating.in_a_rush(source.orders, chosen, rush)
    how = Crew(hands, prep_s, split, expo, together)
    one_day = Day(source, orders, kind, currency, speed, varies, seed, system_clock())
    quiet = as_json or not sys.stderr.isatty()
    if compare:
        runs = {
            name: _run(one_day, replace(how, together=apart), quiet=quiet)
            for name, apart in (("at_once", False), ("together", True))
        }
        figures = {name: each.figures for name, each in runs.items()}
        figures["compared"] = side_by_side.compared(runs["at_once"].plates, runs["together"].plates)
    else:
        figures = _run(one_day, how, quiet=quiet).figures
    _show(figures, as_json=as_json, compare=compare)
    told = [figures["at_once"], figures["together"]] if compare else [figures]
    if any(each["unheard"] or each["displays_wrong"] or each["reports_apart"] for each in told):
        raise Failure("the kitchen was not what it said: see the figures above")


def _run(day: Day, how: Crew, *, quiet: bool) -> _Run:
    """Play the day once, in a kitchen of its own."""
    begin, moved = simulating.opening(day.orders, day.now)
    clock = FastClock(begin, day.speed)
    with simulating.served(clock) as (house, system):
        plan, book = house.run(lambda database: set_up(database, day, how))
        expos = frozenset(n for n, each in book.stations.items() if each.kind is StationKind.EXPO)
        twice = frozenset(sorted(book.stations.keys() - expos)[:1])
        with (
            simulating.evening(
                house,
                system,
                TENANT,
                clock,
                book,
                two_at=twice,
                varies=day.varies,
                seed=day.seed,
            ) as one,
            progress_bar(len(day.orders), show=not quiet) as progress,
        ):
            figures = simulating.play(one, plan, moved, progress)
            one.judge.stop()
            figures |= _judged(one, moved, day.orders, expos)
    first = day.orders[0].placed_at.date()
    last = day.orders[-1].placed_at.date()
    about = {"day": str(first), "days": (last - first).days + 1, "speed": day.speed}
    return _Run(about | figures, one.recount.plates(expos))


def _judged(
    one: Evening, moved: timedelta, orders: Sequence[FileOrder], expos: frozenset[str]
) -> dict[str, Any]:
    since, until = one.clock() - timedelta(days=30), one.clock() + timedelta(days=1)

    async def read(database: Database) -> KitchenDone:
        async with database.read() as connection:
            return await done_between(connection, one.tenant, since, until, UTC)

    ours = one.app.run(read)
    theirs = one.recount.report(since, until, UTC)
    held = one.judge.held
    first = orders[0].placed_at.date()
    later = [each for each in orders if each.placed_at.date() > first]
    judged_from = (later or orders)[0].placed_at.replace(tzinfo=UTC) + moved
    return {
        "tickets": ours.tickets,
        "lines": ours.lines,
        "messages": one.recount.messages,
        "unheard": len(one.recount.unheard()) + ours.unheard,
        "looks": held.looks,
        "displays_compared": held.compared,
        "displays_wrong": len(held.wrong),
        "wrong": held.wrong[:5],
        "reports_apart": len(apart := list(_apart(ours, theirs))),
        "apart": apart[:10],
        "promises": one.recount.kept_promises(judged_from),
        **one.recount.spreads(expos),
        "stations": {
            each.station: {
                "tickets": each.tickets, "late_share": each.late_share, "load": each.load,
                "hear_p90_s": each.hear.p90_s, "prep_p50_s": each.prep.p50_s,
                "prep_p90_s": each.prep.p90_s,
            }
            for each in ours.stations
        },
    }  # fmt: skip


def _apart(ours: KitchenDone, theirs: dict[str, Any]) -> Iterator[str]:
    """Where the report and the recount disagree."""
    for name in ("orders", "tickets", "lines"):
        if getattr(ours, name) != theirs[name]:
            yield f"{name}: {getattr(ours, name)}, recounted {theirs[name]}"
    hours = {each.hour: (each.orders, each.tickets, each.lines) for each in ours.hours}
    if hours != theirs["hours"]:
        yield f"hours: {hours}, recounted {theirs['hours']}"
    mine = {each.station: each for each in ours.stations}
    for station in sorted(mine.keys() | theirs["stations"].keys()):
        one, other = mine.get(station), theirs["stations"].get(station)
        if one is None or other is None:
            yield f"{station}: in one of the two alone"
            continue
        for name in ("tickets", "lines", "late", "recalls", "voids"):
            if getattr(one, name) != other[name]:
                yield f"{station} {name}: {getattr(one, name)}, recounted {other[name]}"
        for name in ("hear", "prep"):
            spread = getattr(one, name)
            if not _alike((spread.count, spread.p50_s, spread.p90_s), other[name]):
                yield f"{station} {name}: {spread}, recounted {other[name]}"


def _alike(ours: tuple[int, float | None, float | None], theirs: Sequence[Any]) -> bool:
    """The same to the last digit that is shown: both round, each from its own sum."""
    return ours[0] == theirs[0] and all(
        one == other if one is None or other is None else abs(one - other) <= 0.002
        for one, other in zip(ours[1:], theirs[1:], strict=True)
    )


async def set_up(
    database: Database, day: Day, how: Crew, *, tenant: str = TENANT
) -> tuple[Plan, KitchenRules]:
    """A tenant with the file's menu, and rules for its stations."""
    menu, names = make_menu(day.source, currency=day.currency, standing=())
    counts: dict[str, int] = {}
    made_at = {item.item: item.station for item in menu}
    for order in day.orders:
        for line in order.lines:
            station = made_at[names[line.name, line.unit_minor]]
            counts[station] = counts.get(station, 0) + line.quantity
    busiest = max(counts, key=lambda each: (counts[each], each))
    menu = [_timed(item, how.prep_s, number) for number, item in enumerate(menu)]
    book = _book(sorted(counts), busiest, how)
    async with database.write() as connection:
        await add_tenant(connection, Tenant(tenant, "Simulated", day.currency, system_clock()))
        await put_menu(connection, tenant, menu, system_clock(), replace=True)
        await house_rules.write(connection, tenant, kitchen=book)
    return Plan(tenant, day.kind, day.orders, names, sorted(book.stations)), book


def _timed(item: MenuItem, prep_s: int, number: int) -> MenuItem:
    """Some plates take longer than others: by their station, and from 3/4 to 5/4 of that."""
    usual_s = prep_s * _PACE.get(item.station, 1.0)
    return item.model_copy(update={"prep_s": max(1, round(usual_s * (0.75 + number % 5 / 8)))})


def _book(stations: Sequence[str], busiest: str, how: Crew) -> KitchenRules:
    usual = StationRules(hands=how.hands, prep_s=how.prep_s, warn_s=LATE_S * 2 // 3, late_s=LATE_S)
    split = busiest if how.split else None
    found: dict[str, StationRules] = {}
    for station in stations:
        if station == split:
            group = usual.model_copy(update={"group": f"{station}s"})
            found |= {station: group, f"{station}-2": group}
        else:
            found[station] = usual
    if how.expo:
        found[EXPO] = usual.model_copy(update={"kind": StationKind.EXPO})
    # Nobody is asked in place of another: a display that does not hear is what is looked for.
    return KitchenRules(stations=found, finish_together=how.together, escalation=())


def day_of(text: str) -> date:
    """Read a day."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        raise Failure(f"{text!r} is no day: write it as 2015-02-27") from None


def _show(figures: dict[str, Any], *, as_json: bool, compare: bool) -> None:
    if as_json:
        show_json(figures)
    elif compare:
        for name in ("at_once", "together"):
            say(f"{name.replace('_', ' ')}:")
            _tell(figures[name])
        for line in side_by_side.told(figures["compared"]):
            say(line)
    else:
        _tell(figures)


def _tell(figures: dict[str, Any]) -> None:
    say(
        f"{counted(figures['orders'], 'order')} from {figures['day']} on, "
        f"{counted(figures['tickets'], 'ticket')}, "
        f"{counted(figures['lines'], 'line')}; "
        f"{figures['unheard']} unheard, {figures['refused']} refused"
    )
    say(
        f"displays held against the database {counted(figures['looks'], 'time')}, "
        f"{counted(figures['displays_compared'], 'time')} at one sequence: "
        f"{figures['displays_wrong']} wrong"
    )
    promises = figures["promises"]
    if promises["tickets"]:
        say(
            f"of {counted(promises['tickets'], 'ticket')} {promises['by_p50']:.1%} were ready "
            f"by the time promised as p50, {promises['by_p90']:.1%} by that promised as p90"
        )
    if figures["orders_of_several"]:
        say(
            f"between an order's first and last plate {figures['spread_mean_s']} s on average, "
            f"{figures['whole_mean_s']} s from its placing to its last"
        )
    for name, each in figures["stations"].items():
        say(
            f"{name}: {counted(each['tickets'], 'ticket')}, prep p50 {each['prep_p50_s']} s, "
            f"p90 {each['prep_p90_s']} s, late {each['late_share']:.1%}, load {each['load']:.0%}"
        )
    for line in (*figures["wrong"], *figures["apart"]):
        note(line)
