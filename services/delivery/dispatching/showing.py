"""A plan as people see it; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from schemas.dispatch import (
    MAX_SHOWN,
    DispatchState,
    PlannedDoor,
    PlannedTrip,
    PlannedWait,
    Unplanned,
)
from services.delivery.dispatching.situating import HouseNow, Stop
from services.delivery.dispatching.watching import ask_at
from services.dispatch.prepositioning import Sent
from services.dispatch.situation import Plan, Situation, Trip

LONGEST_WHY: Final = 120


def state_of(
    house: HouseNow,
    plan: Plan,
    situation: Situation,
    stops: Mapping[str, Stop],
    waits: Sequence[Sent] = (),
) -> DispatchState:
    """What of a fleet's plan concerns one house.

    Args:
        house: which.
        plan: the fleet's.
        situation: what it was made for.
        stops: open deliveries by the names that the plan calls them.
        waits: who of the fleet should go and wait where.
    """
    tenant = house.tenant
    theirs = {each.courier for each in house.couriers if each.on_duty}
    trips = [t for route in plan.routes for t in route.trips if t.restaurant == tenant]
    trips.sort(key=lambda trip: (trip.leave_s, trip.courier))
    left = [each for each in plan.left_out if stops[each.order].tenant == tenant]
    left.sort(key=lambda each: (stops[each.order].placed_s, each.order))
    return DispatchState(
        planned_at=_at(situation.now_s),
        couriers=sum(each.name in theirs for each in situation.couriers),
        trips=tuple(
            _trip(
                each,
                stops,
                asked=each.told and ask_at(each, house, stops) <= situation.now_s,
            )
            for each in trips[:MAX_SHOWN]
        ),
        left_out=tuple(
            Unplanned(
                order_id=stops[each.order].order_id,
                number=stops[each.order].number,
                why=each.why[:LONGEST_WHY],
            )
            for each in left[:MAX_SHOWN]
        ),
        waiting=tuple(
            PlannedWait(courier=each.courier, why=each.why[:LONGEST_WHY])
            for each in [each for each in waits if each.restaurant == tenant][:MAX_SHOWN]
        ),
        more=max(0, len(trips) - MAX_SHOWN) + max(0, len(left) - MAX_SHOWN),
    )


def _trip(trip: Trip, stops: Mapping[str, Stop], *, asked: bool) -> PlannedTrip:
    return PlannedTrip(
        courier=trip.courier,
        leave_at=_at(trip.leave_s),
        arrive_at=_at(trip.arrive_s),
        pickup_at=_at(trip.pickup_s),
        doors=tuple(
            PlannedDoor(
                order_id=stops[door.order].order_id,
                number=stops[door.order].number,
                at=_at(door.at_s),
            )
            for door in trip.doors
        ),
        asked=asked,
        why=trip.reason[:LONGEST_WHY],
    )


def _at(seconds: float) -> datetime:
    # To the second: what differs by less is the same plan.
    return datetime.fromtimestamp(round(seconds), UTC)
