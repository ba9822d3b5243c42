"""`heard dispatch evaluate`: the planner on Grubhub's Meal Delivery Routing Problem."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click

from cli.failures import Failure
from cli.grammar import Command, json_option
from cli.printing import note, show_json, show_table
from cli.progress import progress_bar
from services.dispatch.mdrp.baseline import CalledWhenReady, GreedyNearest
from services.dispatch.mdrp.checker import Metrics, bound_min, measure, violations
from services.dispatch.mdrp.instance import BrokenInstance, Instance, read_instance
from services.dispatch.mdrp.planned import Planned
from services.dispatch.mdrp.runner import Policy, run

_FOLDER: Final = click.Path(exists=True, file_okay=False, path_type=Path)
_POLICIES: Final = ("planned", "nearest", "when-ready")
_DIGITS: Final = 4
_SHOWN_VIOLATIONS: Final = 10


@click.command(cls=Command)
@click.argument("instance", type=_FOLDER)
@click.option(
    "--policy",
    type=click.Choice(_POLICIES),
    default="planned",
    show_default=True,
    help="Who decides: the planner, or greedy nearest courier as orders are placed, or ready.",
)
@json_option
def evaluate(*, instance: Path, policy: str, as_json: bool) -> None:
    """Run the day of INSTANCE online, each order seen only from its placing on, and judge it.

    INSTANCE is a folder of the Meal Delivery Routing Problem (Reyes et al. 2018): couriers.txt,
    orders.txt, restaurants.txt and instance_parameters.txt. A checker that knows the rules of the
    problem alone says whether they were kept. Beside it stand two baselines and the bound that
    nobody could be below. `baseline` is greedy nearest courier as houses without a planner work:
    when food is ready, the free courier who would be there first is called. `baseline_at_placement`
    calls them when the order is placed, and lets them wait at the restaurant: it is harder to beat
    where couriers are plenty. Times are minutes.

    Examples:
      heard dispatch evaluate 0o100t100s1p100
      heard dispatch evaluate 0o100t100s1p100 --policy nearest --json
    """
    try:
        day = read_instance(instance)
    except BrokenInstance as error:
        raise Failure(f"{instance}: {error}") from None
    # Nobody watches a bar that goes into a file.
    show = not as_json and sys.stderr.isatty()
    with progress_bar(len(day.orders), show=show) as progress:
        solution = run(day, _policy(policy, day), progress)
    metrics = measure(day, solution)
    when_ready = measure(day, run(day, CalledWhenReady(day)))
    at_placement = measure(day, run(day, GreedyNearest(day)))
    if as_json:
        show_json(
            {
                "instance": day.name,
                "policy": policy,
                **_document(metrics),
                "baseline": _document(when_ready),
                "baseline_at_placement": _document(at_placement),
                "click_to_door_bound": _rounded(bound_min(day)),
            }
        )
    else:
        rows = [
            (policy, *_cells(metrics)),
            ("greedy nearest when ready (baseline)", *_cells(when_ready)),
            ("greedy nearest at placement", *_cells(at_placement)),
        ]
        show_table(_HEADS, rows, empty="")
        if (bound := bound_min(day)) is not None:
            note(f"no policy can bring the mean click-to-door below {bound:.2f} minutes")
    for each in violations(day, solution)[:_SHOWN_VIOLATIONS]:
        note(f"{each.code}: {each.words}")


_HEADS: Final = (
    "policy", "delivered", "click to door", "p90", "ready to pickup", "courier hours",
    "cost per order", "feasible",
)  # fmt: skip


def _policy(name: str, day: Instance) -> Policy:
    if name == "nearest":
        return GreedyNearest(day)
    return CalledWhenReady(day) if name == "when-ready" else Planned(day)


def _document(metrics: Metrics) -> dict[str, Any]:
    return {name: _rounded(value) for name, value in asdict(metrics).items()}


def _rounded(value: Any) -> Any:
    return round(value, _DIGITS) if isinstance(value, float) else value


def _cells(metrics: Metrics) -> tuple[str, ...]:
    def text(value: float | None) -> str:
        return "" if value is None else f"{value:.2f}"

    return (
        f"{metrics.delivered} of {metrics.orders}",
        text(metrics.click_to_door_mean),
        text(metrics.click_to_door_p90),
        text(metrics.ready_to_pickup_mean),
        text(metrics.courier_hours),
        text(metrics.cost_per_order),
        "yes" if metrics.feasible else "no",
    )
