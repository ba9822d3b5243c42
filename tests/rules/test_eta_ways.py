"""How far it is for each open order, and of whom a routing engine has said so."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from schemas.deliveries import DeliveryStatus
from schemas.delivery_rules import DeliveryRules
from schemas.positions import Place, TravelMode
from services.delivery.legs import Legs
from services.delivery.open_orders import NEVER, House, OpenOrder
from services.delivery.sheet import Point, Sheet, Way, no_engine, sheet_of

HOUSE = Place(lat=60.17, lon=24.94)
DOOR, OTHER = (60.18, 24.94), (60.19, 24.94)
TIMES = (
    *("placed_at", "begun_at", "due_at", "quoted_p50_at", "promised_at", "ready_at"),
    *("assigned_at", "accepted_at", "at_restaurant_at", "picked_up_at", "set_out_at"),
    "arrived_at",
)


def order(door: Point, stop: int, status: DeliveryStatus = DeliveryStatus.EN_ROUTE) -> OpenOrder:
    times: dict[str, Any] = dict.fromkeys(TIMES, NEVER)
    times |= {"placed_at": 0.0, "picked_up_at": 1.0, "set_out_at": 1.0}
    return OpenOrder(
        order_id=UUID(int=uuid4().int), status=status, device="bike-1", courier="anna", stop=stop,
        lat=door[0], lon=door[1], **times,
    )  # fmt: skip


def sheet(way: Way, *orders: OpenOrder) -> Sheet:
    modes = {"anna": TravelMode.BICYCLE}
    return sheet_of(House("demo", DeliveryRules(place=HOUSE), Legs(), modes, orders), {}, way)


def twice_as_far(_tenant: str, _mode: TravelMode, one: Point, other: Point) -> float | None:
    """An engine that has said so of every way; it is asked nothing of one that is none."""
    return 0.0 if one == other else 2_000.0


def test_ways_are_straight_lines_where_no_engine_has_said() -> None:
    both = sheet(no_engine, order(DOOR, 1), order(OTHER, 2))
    assert both.after_m.tolist() == pytest.approx([0.0, 1_112.0], rel=0.001)
    assert both.routed.tolist() == [True, False]


def test_ways_are_what_an_engine_has_said() -> None:
    both = sheet(twice_as_far, order(DOOR, 1), order(OTHER, 2))
    assert both.after_m.tolist() == [0.0, 2_000.0]
    assert both.routed.all()


def test_two_stops_in_one_house_are_as_routed_as_any() -> None:
    three = sheet(twice_as_far, order(DOOR, 1), order(DOOR, 2), order(OTHER, 3))
    assert three.after_m.tolist() == [0.0, 0.0, 2_000.0]
    assert three.routed.all()


def test_one_leg_that_no_engine_knows_is_said_to_be_a_straight_line() -> None:
    def knows_one(tenant: str, mode: TravelMode, one: Point, other: Point) -> float | None:
        return None if other == OTHER else twice_as_far(tenant, mode, one, other)

    coming = DeliveryStatus.ACCEPTED
    both = sheet(knows_one, order(DOOR, 1, coming), order(OTHER, 2, coming))
    assert both.routed.tolist() == [True, False]
    assert both.own_m.tolist() == pytest.approx([2_000.0, 3_112.0], rel=0.001)
