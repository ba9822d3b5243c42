"""`heard dispatch simulate`: an evening that never was, policies side by side."""

from __future__ import annotations

import math
import multiprocessing
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console

from cli.dispatch_plot import Drawn, bars, plot
from cli.failures import Failure
from cli.grammar import Command, json_option
from cli.printing import note, say, show_json, show_table
from cli.progress import progress_bar
from cli.whole_file import writing
from services.dispatch.simulation.comparing import Lived, live
from services.dispatch.simulation.metrics import Metrics, mean_of
from services.dispatch.simulation.policies import POLICIES
from services.dispatch.simulation.world import Setting

_USUAL: Final = Setting()
_DIGITS: Final = 4
_WORTH_WORKERS: Final = 400
"""For fewer orders than these in all, workers would take longer to start than to work."""
_SHARE: Final = click.FloatRange(0, 1)


@click.command(cls=Command)
@click.option("--orders", type=click.IntRange(0, 2_000), default=_USUAL.orders, show_default=True,
              help="So many are placed.")  # fmt: skip
@click.option("--couriers", type=click.IntRange(0, 300), default=_USUAL.couriers,
              show_default=True, help="So many have a shift.")  # fmt: skip
@click.option("--restaurants", type=click.IntRange(1, 100), default=_USUAL.restaurants,
              show_default=True, help="So many cook.")  # fmt: skip
@click.option(
    "--prep",
    "prep_min",
    type=click.FloatRange(1, 120),
    default=_USUAL.prep_min,
    show_default=True,
    metavar="MINUTES",
    help="So long cooking takes, as kitchens say.",
)
@click.option("--late", type=click.FloatRange(0, 5), default=_USUAL.late, show_default=True,
              help="By this share cooking takes longer than kitchens say.")  # fmt: skip
@click.option("--decline", type=_SHARE, default=_USUAL.decline, show_default=True,
              help="The share of requests that couriers decline.")  # fmt: skip
@click.option("--silent", type=_SHARE, default=_USUAL.silent, show_default=True,
              help="The share of requests that nobody answers.")  # fmt: skip
@click.option("--lost", type=_SHARE, default=_USUAL.lost, show_default=True,
              help="The share of couriers who are lost in the middle of their shift.")  # fmt: skip
@click.option("--stopped", type=_SHARE, default=_USUAL.stopped, show_default=True,
              help="The share of kitchens that stop for good at some time.")  # fmt: skip
@click.option("--policy", "policies", type=click.Choice(list(POLICIES)), multiple=True,
              help="Compare these alone; all without.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=_USUAL.seed, show_default=True,
              help="Of all that is drawn.")  # fmt: skip
@click.option("--days", type=click.IntRange(1, 1_000), default=1, show_default=True,
              help="Means over so many evenings, of this seed and the next ones.")  # fmt: skip
@click.option("--plot", "picture", type=click.Path(dir_okay=False, path_type=Path),
              metavar="FILE.svg", help="Draw it, too.")  # fmt: skip
@json_option
def simulate(
    *,
    orders: int,
    couriers: int,
    restaurants: int,
    prep_min: float,
    late: float,
    decline: float,
    silent: float,
    lost: float,
    stopped: float,
    policies: Sequence[str],
    seed: int,
    days: int,
    picture: Path | None,
    as_json: bool,
) -> None:
    """Live through an evening that never was, with several policies side by side.

    Kitchens are later than they say, some have a bad hour; it is known only as it shows. Couriers
    take a while to answer; some decline, some say nothing, some are lost on their way. Everything
    is drawn from the seed before anybody decides, so that each policy meets the same evening.

    assign-at-placement sends the nearest free courier as an order is placed, to wait at the
    restaurant. called-when-ready calls them when the food stands there, timed-nearest so that they
    come when it is predicted to be ready. planned is the planner, timed to the same prediction;
    planned-alone is that without bundles, and planned-preposition also sends who has nothing to do
    to where orders are expected.

    Times are minutes. Couriers' waiting at restaurants is counted for each order delivered; spread
    is the standard deviation of what couriers bring in an hour.

    Examples:
      heard dispatch simulate
      heard dispatch simulate --late 0.6 --decline 0.3 --days 10
      heard dispatch simulate --couriers 30 --plot evening.svg
      heard dispatch simulate --policy assign-at-placement --policy planned --json
    """
    if picture is not None and picture.suffix != ".svg":
        raise Failure(f"{picture}: the picture is an SVG, name it FILE.svg")
    setting = Setting(
        seed=seed,
        orders=orders,
        couriers=couriers,
        restaurants=restaurants,
        prep_min=prep_min,
        late=late,
        decline=decline,
        silent=silent,
        lost=lost,
        stopped=stopped,
    )
    chosen = [name for name in POLICIES if name in policies or not policies]
    evenings = [(replace(setting, seed=seed + day), name) for day in range(days) for name in chosen]
    # Nobody watches a bar that goes into a file.
    show = not as_json and sys.stderr.isatty()
    lived: dict[str, list[Lived]] = {name: [] for name in chosen}
    with progress_bar(len(evenings), show=show) as progress:
        for number, each in enumerate(_lived(evenings)):
            lived[each.policy].append(each)
            progress(number + 1)
    means = {name: mean_of([each.metrics for each in lived[name]]) for name in chosen}
    drawn = [_drawn(lived[name], means[name]) for name in chosen]
    if picture is not None:
        with writing(picture) as file:
            file.write(plot(drawn, _subtitle(setting, days)))
    if as_json:
        show_json(
            {
                "setting": asdict(setting),
                "days": days,
                "policies": {
                    name: _document(means[name]) | {"why": _why(lived[name])} for name in chosen
                },
            }
        )
        return
    show_table(_HEADS, [(name, *_cells(means[name])) for name in chosen], empty="")
    if sys.stdout.isatty():
        say("\nMinutes of waiting for each order:")
        for line in bars(drawn, Console().width):
            say(line)
    for name in chosen:
        for why, times in _why(lived[name]).items():
            note(f"{name}: {times} not brought: {why}")


_HEADS: Final = (
    "policy", "delivered", "click to door", "p90", "late", "food waited", "p90",
    "couriers waited", "km", "busy", "declined", "lapsed", "spread",
)  # fmt: skip


def _lived(evenings: list[tuple[Setting, str]]) -> Iterator[Lived]:
    """Each evening by its policy, in this sequence; several at once where it is worth it."""
    workers = min(len(evenings), os.cpu_count() or 1)
    if workers < 2 or sum(setting.orders for setting, _ in evenings) < _WORTH_WORKERS:
        yield from (live(setting, policy) for setting, policy in evenings)
        return
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(live, *zip(*evenings, strict=True))


def _why(lived: Sequence[Lived]) -> dict[str, int]:
    """Why orders were not brought, over all evenings."""
    found: Counter[str] = Counter()
    for each in lived:
        found.update(each.why)
    return dict(sorted(found.items()))


def _drawn(lived: Sequence[Lived], means: Metrics) -> Drawn:
    return Drawn(
        policy=lived[0].policy,
        food_waited=means.food_waited_mean,
        couriers_waited=means.courier_waited_mean,
        click_to_door=sorted(took for each in lived for took in each.click_to_door),
        orders=sum(int(each.metrics.orders) for each in lived),
    )


def _subtitle(setting: Setting, days: int) -> str:
    return (
        f"{'One evening' if days == 1 else f'{days} evenings'} of {setting.orders} orders, "
        f"{setting.couriers} couriers and {setting.restaurants} restaurants; "
        f"cooking takes {setting.late:.0%} longer than said, {setting.decline:.0%} decline"
    )


def _document(metrics: Metrics) -> dict[str, Any]:
    return {
        name: None if math.isnan(value) else round(value, _DIGITS)
        for name, value in asdict(metrics).items()
    }


def _cells(metrics: Metrics) -> tuple[str, ...]:
    def text(value: float, pattern: str = ".1f") -> str:
        return "" if math.isnan(value) else format(value, pattern)

    return (
        f"{metrics.delivered:g} of {metrics.orders:g}",
        text(metrics.click_to_door_mean),
        text(metrics.click_to_door_p90),
        text(metrics.late_share, ".0%"),
        text(metrics.food_waited_mean),
        text(metrics.food_waited_p90),
        text(metrics.courier_waited_mean),
        text(metrics.kilometers, ".0f"),
        text(metrics.busy_share, ".0%"),
        text(metrics.declined, "g"),
        text(metrics.lapsed, "g"),
        text(metrics.orders_spread, ".2f"),
    )
