"""An evening as it really is, drawn from a seed: what nobody who decides may look into. Pure.

Seconds count from the opening. Places are metres on a plane. Everything is drawn before anybody
decides anything, so that every policy meets the same evening.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.dispatch.situation import Floats, Place

HOUR_S: Final = 3_600.0
_MINUTE_S: Final = 60.0
_SPEEDS_MPS: Final = {"bicycle": 3.4, "car": 5.5}
"""Along the straight line: corners and lights are in it."""
_CARS: Final = 0.3
_TOWN_M: Final = 1_300.0
_DOORS_M: Final = 1_300.0
_STEPS: Final = 4
_RUSH_SHARE: Final = 0.6
_RUSH_AT: Final = 0.45
_RUSH_WIDE: Final = 0.13
_OFTEN: Final = 0.3
"""How much a kitchen's steps vary, the sigma of a lognormal distribution."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What kind of evening.

    Attributes:
        seed: of everything that is drawn.
        orders: how many are placed.
        couriers: how many have a shift.
        restaurants: how many cook.
        prep_min: minutes that cooking takes by what kitchens say, in the mean over kitchens.
        late: by what share cooking takes longer than kitchens say, in the mean over kitchens.
        bad_hours: the share of kitchens that have an hour in which all takes twice as long.
        stopped: the share of kitchens that from some moment on finish nothing.
        decline: the share of requests that couriers decline.
        silent: the share of requests that nobody answers.
        lost: the share of couriers who are lost in the middle of their shift.
        hours: for how long orders are placed.
        patience_s: so long a request stands.
    """

    seed: int = 1
    orders: int = 200
    couriers: int = 24
    restaurants: int = 8
    prep_min: float = 13.0
    late: float = 0.3
    bad_hours: float = 0.25
    stopped: float = 0.0
    decline: float = 0.15
    silent: float = 0.05
    lost: float = 0.05
    hours: float = 5.0
    patience_s: float = 90.0

    @property
    def last_s(self) -> float:
        """When the last order may be placed."""
        return self.hours * HOUR_S

    @property
    def end_s(self) -> float:
        """When the evening is over, whatever is open."""
        return self.last_s + 3 * HOUR_S


@dataclass(frozen=True, slots=True)
class Restaurant:
    """Where food is cooked."""

    name: str
    place: Place


@dataclass(frozen=True, slots=True)
class Placed:
    """An order as it really goes in its kitchen.

    Attributes:
        name: what it is called.
        restaurant: where it is cooked, an index of the world's.
        placed_s: when the guest placed it.
        door: where the guest is.
        said_s: how long each step takes by what the kitchen usually does.
        took_s: how long it really takes; infinite for what is never done.
    """

    name: str
    restaurant: int
    placed_s: float
    door: Place
    said_s: tuple[float, ...]
    took_s: tuple[float, ...]

    @property
    def ready_s(self) -> float:
        """When the food is ready; infinite where it never is."""
        return self.placed_s + sum(self.took_s)


@dataclass(frozen=True, slots=True)
class Rider:
    """A courier as they really are.

    Attributes:
        name: what they are called.
        home: where their shift begins.
        on_s: when it begins.
        off_s: when it ends: they pick up nothing later.
        mode: how they travel.
        answers_s: how long they take to answer a request, in the middle.
        lost_s: when nobody hears of them any more; infinite for most.
    """

    name: str
    home: Place
    on_s: float
    off_s: float
    mode: str
    answers_s: float
    lost_s: float


@dataclass(frozen=True, slots=True)
class World:
    """One evening; see the module."""

    setting: Setting
    restaurants: tuple[Restaurant, ...]
    orders: tuple[Placed, ...]
    riders: tuple[Rider, ...]


def draw_world(setting: Setting) -> World:
    """An evening of a setting; the same setting gives the same one.

    Kitchens, orders and couriers have chances of their own: one courier more changes no order.
    """
    if not setting.restaurants:
        return World(setting, (), (), _riders(setting))
    restaurants, orders = _kitchens(setting)
    return World(setting, restaurants, orders, _riders(setting))


def rides(places: Floats, mode: str) -> Floats:
    """Seconds between places on the plane, as everybody reckons them; NaN for unknown modes."""
    apart = places[:, None, :] - places[None, :, :]
    found: Floats = np.sqrt((apart**2).sum(axis=2)) / _SPEEDS_MPS.get(mode, math.nan)
    return found


def ride_s(start: Place, end: Place, mode: str) -> float:
    """Seconds from place to place, as everybody reckons them."""
    return math.dist(start, end) / _SPEEDS_MPS[mode]


def _kitchens(setting: Setting) -> tuple[tuple[Restaurant, ...], tuple[Placed, ...]]:
    draw = np.random.default_rng([setting.seed, 1])
    count = setting.restaurants
    restaurants = tuple(
        Restaurant(f"r{number + 1}", _near(draw, (0.0, 0.0), _TOWN_M)) for number in range(count)
    )
    popular = draw.gamma(2.0, size=count)
    usual_s = draw.uniform(0.6, 1.4, count) * setting.prep_min * _MINUTE_S
    slow = 1.0 + setting.late * draw.uniform(0.3, 1.7, count)
    bad_from = np.where(
        draw.uniform(size=count) < setting.bad_hours,
        draw.uniform(0.2, 0.7, count) * setting.last_s,
        math.inf,
    )
    stops_s = np.where(
        draw.uniform(size=count) < setting.stopped,
        draw.uniform(0.0, 1.0, count) * setting.last_s,
        math.inf,
    )
    orders = []
    for number, placed in enumerate(_moments(setting, draw)):
        at = int(draw.choice(count, p=popular / popular.sum()))
        whole = usual_s[at] * draw.lognormal(0.0, 0.25)
        shares = draw.dirichlet(np.full(_STEPS, 6.0))
        luck = draw.lognormal(0.0, _OFTEN, _STEPS)
        said = tuple(float(whole * share) for share in shares)
        took, now = [], placed
        for step, chance in zip(said, luck.tolist(), strict=True):
            bad = 2.0 if bad_from[at] <= now < bad_from[at] + HOUR_S else 1.0
            taken = step * chance * float(slow[at]) * bad
            now += taken
            took.append(taken if now < stops_s[at] else math.inf)
        door = _near(draw, restaurants[at].place, _DOORS_M)
        orders.append(Placed(f"o{number + 1}", at, placed, door, said, tuple(took)))
    return restaurants, tuple(orders)


def _moments(setting: Setting, draw: np.random.Generator) -> list[float]:
    """When orders are placed: all evening, most of them in a rush."""
    rush = draw.uniform(size=setting.orders) < _RUSH_SHARE
    even = draw.uniform(0.0, 1.0, setting.orders)
    crowd = np.clip(draw.normal(_RUSH_AT, _RUSH_WIDE, setting.orders), 0.0, 1.0)
    moments: list[float] = np.sort(np.where(rush, crowd, even) * setting.last_s).tolist()
    return moments


def _riders(setting: Setting) -> tuple[Rider, ...]:
    draw = np.random.default_rng([setting.seed, 2])
    found = []
    for number in range(setting.couriers):
        # Half are there from the opening on, half come for the rush; some go when it is over.
        early = number % 2 == 0
        on = 0.0 if early else float(draw.uniform(0.1, 0.25)) * setting.last_s
        off = setting.last_s + HOUR_S - (float(draw.uniform(0, 1.0)) * HOUR_S if early else 0.0)
        lost = float(draw.uniform(on, off)) if draw.uniform() < setting.lost else math.inf
        mode = "car" if draw.uniform() < _CARS else "bicycle"
        home = _near(draw, (0.0, 0.0), _TOWN_M)
        answers = float(draw.uniform(8.0, 40.0))
        found.append(Rider(f"c{number + 1:02}", home, on, off, mode, answers, lost))
    return tuple(found)


def _near(draw: np.random.Generator, place: Place, away_m: float) -> Place:
    x, y = draw.normal(0.0, away_m, 2)
    return place[0] + float(x), place[1] + float(y)
