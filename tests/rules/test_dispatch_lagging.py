"""A kitchen that is late with one order is late with those after it."""

from __future__ import annotations

import math
from uuid import UUID

from schemas.deliveries import DeliveryStatus
from services.delivery.dispatching.lagging import behind
from services.delivery.dispatching.situating import Stop

NOW = 10_000.0
FIRST, SECOND, THIRD = (UUID(int=number) for number in (3, 1, 2))


def stop(order_id: UUID, placed_s: float, ready_s: float = NOW + 60) -> Stop:
    return Stop(
        tenant="kitchen",
        order_id=order_id,
        number="",
        version=1,
        status=DeliveryStatus.WAITING,
        place=(60.0, 25.0),
        placed_s=placed_s,
        ready_p50_s=ready_s,
        ready_p90_s=ready_s + 300,
    )


def ready(stops: list[Stop]) -> dict[UUID, float]:
    return {each.order_id: each.ready_p50_s - NOW for each in stops}


def test_the_first_that_is_late_is_due_and_those_after_it_are_late_with_it() -> None:
    stops = [stop(THIRD, 300, NOW + 500), stop(FIRST, 100), stop(SECOND, 200)]
    found = behind(stops, {FIRST: 1200, SECOND: 60, THIRD: -500})
    assert ready(found) == {FIRST: 60, SECOND: 60 + 600, THIRD: 500 + 600}
    assert all(each.ready_p90_s == each.ready_p50_s + 300 for each in found)


def test_where_nothing_is_late_all_stays_as_the_kitchen_says() -> None:
    stops = [stop(FIRST, 100, NOW + 60), stop(SECOND, 200, NOW + 600)]
    assert behind(stops, {FIRST: -60, SECOND: -600}) == stops


def test_what_is_ready_or_held_or_never_said_is_left_alone() -> None:
    held = stop(THIRD, 300, math.nan)
    stops = [stop(FIRST, 100), stop(SECOND, 200, NOW - 300), held]
    first, second, third = behind(stops, {FIRST: 1200})
    assert (first, second) == (stops[0], stops[1])
    assert third is held
