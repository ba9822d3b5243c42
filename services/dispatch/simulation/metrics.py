"""How good an evening was. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np

from services.dispatch.simulation.day import Evening
from services.dispatch.simulation.world import HOUR_S

_MINUTE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Metrics:
    """Figures of one evening, or means over several; NaN where nothing was delivered.

    Attributes:
        orders: so many were placed.
        delivered: so many came to their doors.
        explained: so many did not, each with why.
        click_to_door_mean: minutes between the placing and the door.
        click_to_door_p90: nine of ten had it sooner.
        late_share: of what was delivered, the share that came after its promise.
        food_waited_mean: minutes that food stood ready until a courier had it.
        food_waited_p90: nine of ten stood for less.
        courier_waited_mean: minutes that couriers waited at restaurants, for each order delivered.
        kilometers: along straight lines, of all couriers.
        shift_hours: of all couriers, until the end of the shift or of the last trip.
        busy_share: of those hours, the share on trips.
        declined: requests that couriers declined.
        lapsed: requests that nobody answered.
        orders_spread: the standard deviation of what couriers brought in an hour of their shift.
    """

    orders: float
    delivered: float
    explained: float
    click_to_door_mean: float
    click_to_door_p90: float
    late_share: float
    food_waited_mean: float
    food_waited_p90: float
    courier_waited_mean: float
    kilometers: float
    shift_hours: float
    busy_share: float
    declined: float
    lapsed: float
    orders_spread: float


def measure(evening: Evening) -> Metrics:
    """The figures of an evening."""
    done = [each for each in evening.ended if not math.isnan(each.door_s)]
    click = np.array([each.door_s - each.order.placed_s for each in done]) / _MINUTE_S
    stood = np.array([each.picked_s - each.order.ready_s for each in done]) / _MINUTE_S
    late = np.array([each.door_s > each.promised_s for each in done])
    hours = [
        max(0.0, max(min(each.rider.off_s, each.rider.lost_s), each.until_s) - each.rider.on_s)
        / HOUR_S
        for each in evening.riders
    ]
    worked = [(each.brought, spent) for each, spent in zip(evening.riders, hours, strict=True)]
    rates = np.array([brought / spent for brought, spent in worked if spent >= 1.0])
    on_shift = math.fsum(hours)
    busy = math.fsum(each.busy_s for each in evening.riders) / HOUR_S
    return Metrics(
        orders=len(evening.ended),
        delivered=len(done),
        explained=sum(1 for each in evening.ended if each.why),
        click_to_door_mean=float(click.mean()) if done else math.nan,
        click_to_door_p90=float(np.quantile(click, 0.9)) if done else math.nan,
        late_share=float(late.mean()) if done else math.nan,
        food_waited_mean=float(stood.mean()) if done else math.nan,
        food_waited_p90=float(np.quantile(stood, 0.9)) if done else math.nan,
        courier_waited_mean=(
            math.fsum(evening.waited_s) / _MINUTE_S / len(done) if done else math.nan
        ),
        kilometers=math.fsum(each.ridden_m for each in evening.riders) / 1_000,
        shift_hours=on_shift,
        busy_share=busy / on_shift if on_shift else 0.0,
        declined=sum(each.declined for each in evening.riders),
        lapsed=sum(each.lapsed for each in evening.riders),
        orders_spread=float(rates.std()) if rates.size else 0.0,
    )


def mean_of(days: Sequence[Metrics]) -> Metrics:
    """The means over several evenings; what an evening has no figure for is left out of them."""
    found = {}
    for each in fields(Metrics):
        values = [float(getattr(day, each.name)) for day in days]
        known = [value for value in values if not math.isnan(value)]
        found[each.name] = math.fsum(known) / len(known) if known else math.nan
    return Metrics(**found)
