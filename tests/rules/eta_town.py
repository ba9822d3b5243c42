"""A town whose orders take a known time: what there is to learn of it is written here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from services.delivery.learning.orders import Floats, Orders, gather

BEGINS: Final = datetime(2026, 3, 2)  # noqa: DTZ001 - by a clock of no zone, as files have it
START_MIN: Final = 18.0
PER_KM_MIN: Final = 5.0
LUNCH_HOUR: Final = 12.5
LUNCH_MIN: Final = 9.0
VENUES_MIN: Final = {"quick": -6.0, "usual": 0.0, "slow": 7.0}


@dataclass(frozen=True, slots=True)
class Town:
    """So many days of orders.

    Attributes:
        days: how many.
        orders_a_day: on average.
        noise_min: how widely orders scatter: one standard deviation.
        rush_min: how far whole evenings are from usual: one standard deviation.
    """

    days: int = 20
    orders_a_day: int = 40
    noise_min: float = 4.0
    rush_min: float = 0.0

    def orders(self, seed: int) -> Orders:
        """The orders, all of them delivered."""
        draw = np.random.default_rng(seed)
        placed: list[datetime] = []
        evening: list[float] = []
        for day in range(self.days):
            minutes = np.sort(draw.integers(11 * 60, 22 * 60, draw.poisson(self.orders_a_day) + 1))
            placed += [BEGINS + timedelta(days=day, minutes=int(each)) for each in minutes]
            evening += [float(draw.normal(0, self.rush_min))] * len(minutes)
        count = len(placed)
        km = draw.uniform(0.2, 4.0, count)
        venues = draw.choice(list(VENUES_MIN), count)
        usual = usual_min(km, np.array([each.hour + each.minute / 60 for each in placed]), venues)
        took = usual + np.array(evening) + draw.normal(0, self.noise_min, count)
        return gather(
            placed,
            list(km * 1000),
            list(draw.integers(1, 6, count).astype(float)),
            [str(each) for each in venues],
            [float(max(1, round(each))) for each in took],
        )


def usual_min(km: Floats, hour: Floats, venue: Floats) -> Floats:
    """The usual time of an order in this town."""
    at_venue = np.array([VENUES_MIN[str(each)] for each in venue])
    lunch = LUNCH_MIN * np.exp(-0.5 * ((hour - LUNCH_HOUR) / 1.2) ** 2)
    return np.asarray(START_MIN + PER_KM_MIN * km + lunch + at_venue)
