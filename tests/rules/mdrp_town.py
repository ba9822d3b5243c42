"""A small day of the delivery problem, and a solution of it that keeps every rule."""

from __future__ import annotations

from services.dispatch.mdrp.instance import Instance, Parameters, PlacedOrder, ShiftedCourier
from services.dispatch.mdrp.solution import Assignment, Drop, Solution

PARAMETERS = Parameters(
    meters_per_minute=100.0,
    pickup_min=4.0,
    dropoff_min=4.0,
    target_min=40.0,
    maximum_min=90.0,
    pay_per_order=10.0,
    guaranteed_per_hour=15.0,
)


def small_day() -> Instance:
    """Two restaurants on a street, two couriers, three orders."""
    return Instance(
        name="small",
        parameters=PARAMETERS,
        restaurants={"r1": (500.0, 0.0), "r2": (5_000.0, 0.0)},
        couriers={
            "c1": ShiftedCourier("c1", (0.0, 0.0), 0.0, 60.0),
            "c2": ShiftedCourier("c2", (5_000.0, 0.0), 20.0, 120.0),
        },
        orders={
            "o1": PlacedOrder("o1", (1_000.0, 0.0), 2.0, "r1", 12.0),
            "o2": PlacedOrder("o2", (1_250.0, 0.0), 3.0, "r1", 10.0),
            "o3": PlacedOrder("o3", (5_000.0, 300.0), 30.0, "r2", 40.0),
        },
    )


def first_trip() -> Assignment:
    """c1 is told at 4, at r1 at 9, has the food at 12, and drops o1 at 21 and o2 at 28."""
    return Assignment(
        courier="c1",
        restaurant="r1",
        orders=("o1", "o2"),
        instructed_min=4.0,
        start=(0.0, 0.0),
        left_min=4.0,
        arrived_min=9.0,
        picked_min=12.0,
        departed_min=14.0,
        drops=(Drop("o1", 19.0, 21.0, 23.0), Drop("o2", 26.0, 28.0, 30.0)),
    )


def second_trip() -> Assignment:
    """c2 is told at 30 at the restaurant's own door, and drops o3 at 47."""
    return Assignment(
        courier="c2",
        restaurant="r2",
        orders=("o3",),
        instructed_min=30.0,
        start=(5_000.0, 0.0),
        left_min=30.0,
        arrived_min=30.0,
        picked_min=40.0,
        departed_min=42.0,
        drops=(Drop("o3", 45.0, 47.0, 49.0),),
    )


def kept() -> Solution:
    """All three orders, by the rules."""
    return Solution((first_trip(), second_trip()))
