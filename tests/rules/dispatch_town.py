"""Situations for the planner: a town on a plane, drawn from a seed or by hypothesis."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from hypothesis import strategies as st

from services.dispatch.situation import Courier, Door, Floats, OpenOrder, Situation, Trip

NOW_S: Final = 1_000_000.0
METERS_PER_SECOND: Final = 5.0


def straight(places: Floats, _mode: str) -> Floats:
    """Seconds along straight lines."""
    apart = places[:, None, :] - places[None, :, :]
    found: Floats = np.sqrt((apart**2).sum(axis=2)) / METERS_PER_SECOND
    return found


def order(name: str, *, ready_min: float = 0.0, **changed: object) -> OpenOrder:
    """An order of restaurant r in the middle, to a door a kilometre away."""
    ready = NOW_S + 60 * ready_min
    given: dict[str, object] = {
        "placed_s": NOW_S - 300,
        "ready_p50_s": ready,
        "ready_p90_s": ready,
        "restaurant": "r",
        "pickup": (0.0, 0.0),
        "door": (1_000.0, 0.0),
    }
    return OpenOrder(name, **(given | changed))  # type: ignore[arg-type]  # fields of many kinds


def courier(name: str, *, away_m: float = 500.0, **changed: object) -> Courier:
    """A courier who is free now, west of the restaurant, for four hours."""
    given: dict[str, object] = {
        "place": (-away_m, 0.0),
        "free_s": NOW_S,
        "shift_end_s": NOW_S + 4 * 3_600,
    }
    return Courier(name, **(given | changed))  # type: ignore[arg-type]  # fields of many kinds


_NUMBERS = st.one_of(
    st.floats(-20_000, 20_000), st.sampled_from([math.nan, math.inf, -math.inf, 0.0, 1e9])
)
_PLACES = st.tuples(_NUMBERS, _NUMBERS) | st.tuples(st.floats(-5e3, 5e3), st.floats(-5e3, 5e3))
_MOMENTS = st.floats(-7_200, 7_200).map(lambda s: NOW_S + s) | st.sampled_from(
    [math.nan, math.inf, -math.inf, 0.0, NOW_S]
)
_COURIER_NAMES = st.sampled_from([f"c{k}" for k in range(5)])
_ORDER_NAMES = st.sampled_from([f"o{i}" for i in range(12)])
_ORDERS = st.builds(
    OpenOrder,
    name=_ORDER_NAMES,
    placed_s=_MOMENTS,
    ready_p50_s=_MOMENTS,
    ready_p90_s=_MOMENTS,
    restaurant=st.sampled_from(["r1", "r2", "r3"]),
    pickup=_PLACES,
    door=_PLACES,
    promised_s=_MOMENTS,
    size=st.sampled_from([1.0, 2.0, 50.0, math.nan, -1.0]),
    pinned=st.none() | _COURIER_NAMES | st.just("nobody"),
    declined_by=st.frozensets(_COURIER_NAMES),
)
_COURIERS = st.builds(
    Courier,
    name=_COURIER_NAMES,
    place=_PLACES,
    free_s=_MOMENTS,
    shift_end_s=_MOMENTS,
    capacity=st.sampled_from([0.0, 1.0, 4.0, math.inf, math.nan]),
    mode=st.sampled_from(["car", "foot"]),
    seen_s=_MOMENTS,
    had=st.sampled_from([0.0, 3.0, 40.0, math.nan, math.inf]),
)


@st.composite
def told_trips(draw: st.DrawFn) -> tuple[Trip, ...]:
    """Trips that couriers were told before, of orders that may still stand among the open ones."""
    orders = draw(st.lists(_ORDER_NAMES, max_size=4, unique=True))
    trips = []
    for number, name in enumerate(orders):
        who = draw(_COURIER_NAMES)
        at = NOW_S + 60.0 * number
        doors = (Door(name, at + 900),)
        trips.append(Trip(who, "r1", at, at + 300, at + 400, doors, at + 960, True, "told before"))
    return tuple(trips)


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    """Anything a planner may be given, odd or not."""
    return Situation(
        now_s=NOW_S,
        orders=tuple(draw(st.lists(_ORDERS, max_size=10))),
        couriers=tuple(draw(st.lists(_COURIERS, max_size=5))),
        told=draw(told_trips()),
        pickup_s=draw(st.sampled_from([0.0, 120.0, 240.0])),
        dropoff_s=draw(st.sampled_from([0.0, 120.0])),
    )
