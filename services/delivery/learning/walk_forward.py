"""Measuring walk-forward: each order from what was known when it was placed, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from services.delivery.learning.baselines import BASELINES, predicted
from services.delivery.learning.errors import Errors, errors
from services.delivery.learning.learner import Learner, days_of
from services.delivery.learning.orders import Floats, Orders
from services.delivery.learning.parameters import Told
from services.delivery.learning.tuning import USUAL, Tuning

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Judged:
    """How a model did.

    Attributes:
        errors: of its p50.
        p90_coverage: the share of orders that were there by their p90.
    """

    errors: Errors
    p90_coverage: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How a model did, beside what is simpler.

    Attributes:
        model: with all it may know.
        without_today: the same model from the days before alone.
        baselines: by name; None where a baseline says nothing of any order.
    """

    model: Judged
    without_today: Judged
    baselines: Mapping[str, Errors | None]


class NothingToJudge(Exception):
    """No order from that day on has arrived, or none before it."""


def walk(
    orders: Orders, first_day: int, tuning: Tuning = USUAL, progress: Progress | None = None
) -> Told:
    """Tell every order from a day on, day after day, each day before learning from it.

    Args:
        orders: all, with those of the days before.
        first_day: the first day of which it is asked; learned from are all.
        tuning: what the learning assumes.
        progress: is told how many orders are done.

    Returns:
        What was told of the orders from the first day on.
    """
    learner = Learner(tuning)
    found: list[Told] = []
    done = 0
    for day in days_of(orders):
        told = learner.tell(day)
        if day.day[0] >= first_day:
            found.append(told)
        learner.absorb(day, told)
        done += len(day)
        if progress is not None:
            progress(done)
    return _joined(found)


def evaluate(
    orders: Orders,
    estimated_min: Floats,
    first_day: int,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure the model and the baselines on every order from a day on.

    Args:
        orders: all, with those of the days before.
        estimated_min: somebody else's estimates, to be held against: no model sees them. An
            entry for each order; nan where there was none.
        first_day: the first day that is predicted.
        progress: is told how many orders are done, each of which is walked past twice.

    Raises:
        NothingToJudge: nothing has arrived before that day, or from it on.
    """
    arrived = ~np.isnan(orders.took_min)
    judged = orders.day >= first_day
    if not (arrived & ~judged).any() or not (arrived & judged).any():
        raise NothingToJudge
    took_min = orders.took_min[judged]

    def twice(done: int) -> None:
        if progress is not None:
            progress(len(orders) + done)

    model = walk(orders, first_day, progress=progress)
    without_today = walk(orders, first_day, replace(USUAL, rush=False), twice)
    baselines = {"estimate": errors(estimated_min[judged], took_min)} | {
        name: errors(predicted(orders, first_day, name), took_min) for name in BASELINES
    }
    return Evaluation(_judged(model, took_min), _judged(without_today, took_min), baselines)


def _judged(told: Told, took_min: Floats) -> Judged:
    found = errors(told.p50_min, took_min)
    if found is None:
        raise NothingToJudge
    arrived = ~np.isnan(took_min)
    in_time = took_min[arrived] <= told.p90_min[arrived]
    return Judged(found, float(in_time.mean()))


def _joined(told: list[Told]) -> Told:
    if not told:
        none = np.zeros(0)
        return Told(none, none, none, none)
    return Told(
        np.concatenate([each.usual_min for each in told]),
        np.concatenate([each.rush_min for each in told]),
        np.concatenate([each.p50_min for each in told]),
        np.concatenate([each.p90_min for each in told]),
    )
