"""From what the rows say to what the planner is told; pure.

One **fleet** is planned together: a house by itself, or all houses that name the same fleet. A
courier who is called the same in several of them is one person: free when they are free of all.

When a courier is free next is reckoned from what they have to bring, with the same paces and legs
as the ETA: what is in the bag first, then the way back for the rest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import UUID

import numpy as np

from schemas.deliveries import IN_THE_BAG, MAX_STOPS, DeliveryStatus
from schemas.delivery_rules import DeliveryRules
from schemas.positions import TravelMode
from services.delivery.legs import LegKind, Legs
from services.delivery.rides import Pace, to_go
from services.dispatch.situation import Courier, Floats, OpenOrder, Place, Situation, Travel
from services.dispatch.weights import Weights
from services.geography.sphere import distance_m

Length = Callable[[str, TravelMode, Place, Place], float | None]
"""A way by a routing engine's word, as metres of a straight line: for whom, by a mode, from, to."""

MOST_PLANNED: Final = 150
"""Orders of one house that are planned at once: no house holds up the others for long."""
_NEVER: Final = math.nan
_SEPARATOR: Final = "/"
_AS_LONG_AGAIN: Final = 0.5
"""Who is late at a door by so much is as likely as not late by so many times as much more."""


@dataclass(frozen=True, slots=True)
class Stop:
    """An open delivery. Times are seconds since 1970, NaN where there is none.

    Attributes:
        tenant: whose it is.
        order_id: which.
        number: what people call it.
        version: of its row.
        status: where it stands.
        courier: who has it to bring; None for nobody.
        stop: which of their stops it is.
        place: the door.
        items: how many dishes.
        placed_s: when it was placed.
        due_s: for when it was ordered.
        promised_s: what the guest was told.
        ready_p50_s: when the food is ready, as likely sooner as later; in the past where it is.
        ready_p90_s: the same, nine times of ten.
        assigned_s: when its courier was asked.
        arrived_s: when they came to the door.
        declined_by: who will not bring it.
        declined_s: when somebody would not last.
        pinned: who alone may be asked.
        by_hand: a person gave it to its courier.
    """

    tenant: str
    order_id: UUID
    number: str
    version: int
    status: DeliveryStatus
    place: Place
    placed_s: float
    ready_p50_s: float
    ready_p90_s: float
    courier: str | None = None
    stop: int = 0
    items: int = 1
    due_s: float = _NEVER
    promised_s: float = _NEVER
    assigned_s: float = _NEVER
    arrived_s: float = _NEVER
    declined_by: tuple[str, ...] = ()
    declined_s: float = _NEVER
    pinned: str | None = None
    by_hand: bool = False

    @property
    def name(self) -> str:
        """What the planner calls it."""
        return f"{self.tenant}{_SEPARATOR}{self.order_id}"


@dataclass(frozen=True, slots=True)
class Employed:
    """A courier in one house.

    Attributes:
        tenant: whose.
        courier: who.
        version: of their row.
        mode: by what they go.
        carries: how many orders at once.
        on_duty: whether they may be asked.
        until_s: when their shift ends; infinite where nobody says.
        place: where they were seen last; None where never.
        seen_s: when.
        had: how many orders they brought today.
        device: what tells where they are.
    """

    tenant: str
    courier: str
    version: int
    mode: TravelMode
    carries: int = 4
    on_duty: bool = True
    until_s: float = math.inf
    place: Place | None = None
    seen_s: float = -math.inf
    had: int = 0
    device: str = ""


@dataclass(frozen=True, slots=True)
class HouseNow:
    """A house, as its rows say.

    Attributes:
        tenant: whose.
        rules: how it delivers; it has a place.
        legs: what was learned of it.
        stops: its open deliveries.
        couriers: who brings its food.
        hourly: how many orders it got in the last hour, where couriers are prepositioned.
    """

    tenant: str
    rules: DeliveryRules
    legs: Legs = field(default_factory=Legs)
    stops: Sequence[Stop] = ()
    couriers: Sequence[Employed] = ()
    hourly: float = 0.0

    @property
    def place(self) -> Place:
        """Where the restaurant is."""
        place = self.rules.place
        if place is None:
            raise ValueError(f"{self.tenant} has no place")
        return place.lat, place.lon


def lost_after_s(rules: DeliveryRules) -> float:
    """Who was not seen for so long is lost: no sooner than a phone may be silent three times."""
    return max(float(rules.lost_after_s), 3 * rules.slowest_s)


def weights_of(houses: Sequence[HouseNow]) -> Weights:
    """What a fleet's plan is good for: the most careful of its houses' rules."""
    houses = [house for house in houses if house.rules.automatic]
    return replace(
        Weights(),
        lead_s=float(max(house.rules.ask_ahead_s for house in houses)),
        most_in_bundle=min(house.rules.together_most for house in houses),
        position_old_s=min(lost_after_s(house.rules) for house in houses),
    )


def travel_of(houses: Sequence[HouseNow], length: Length | None = None) -> Travel:
    """How long ways take: by the houses' learned paces, along the straight line or an engine's way.

    An engine is asked for ways from and to restaurants, which are the most of all that is ridden.
    """
    # Who brings for several houses rides as in the one that knows most of its couriers' rides.
    legs = max(houses, key=lambda house: sum(house.legs.rides.values())).legs
    kitchens = [(house.tenant, house.place) for house in houses]

    def travel(places: Floats, mode: str) -> Floats:
        by = TravelMode(mode)
        lat, lon = places[:, 0], places[:, 1]
        metres = distance_m(lat[:, None], lon[:, None], lat[None, :], lon[None, :])
        known: list[Place] = [(float(a), float(b)) for a, b in places]
        where = {place: i for i, place in enumerate(known)}
        for tenant, kitchen in kitchens:
            if length is None or (k := where.get(kitchen)) is None:
                continue
            for i, place in enumerate(known):
                if i == k:
                    continue
                out, back = length(tenant, by, kitchen, place), length(tenant, by, place, kitchen)
                metres[k, i] = metres[k, i] if out is None else out
                metres[i, k] = metres[i, k] if back is None else back
        there = to_go(metres.ravel(), legs.paces[by]).p50_s.reshape(metres.shape)
        return np.where(metres > 0, there, 0.0)

    return travel


def situation_of(houses: Sequence[HouseNow], now_s: float, travel: Travel) -> Situation:
    """What the planner is told of a fleet.

    Args:
        houses: all that share it, each with a place. Of one whose couriers are asked by hand it is
            told what they have to do, and no orders.
        now_s: the moment, seconds since 1970.
        travel: how long ways take.
    """
    people = _people(houses)
    orders = [
        _order(house, stop, people) for house in houses for stop in waiting(house)[:MOST_PLANNED]
    ]
    couriers = [
        _courier(name, rows, houses, now_s, travel)
        for name, rows in sorted(people.items())
        if any(row.on_duty for row in rows)
    ]
    hand_over = np.mean([house.legs.parts[LegKind.HAND_OVER].p50_s for house in houses])
    door = np.mean([house.legs.parts[LegKind.DOOR].p50_s for house in houses])
    return Situation(
        now_s=now_s,
        orders=tuple(orders),
        couriers=tuple(couriers),
        pickup_s=float(hand_over),
        dropoff_s=float(door),
    )


def waiting(house: HouseNow) -> list[Stop]:
    """What is to be planned of a house, the soonest ready first."""
    if not house.rules.automatic:
        return []
    found = [each for each in house.stops if each.status is DeliveryStatus.WAITING]
    far = math.inf
    return sorted(
        found,
        key=lambda s: (far if math.isnan(s.ready_p50_s) else s.ready_p50_s, s.placed_s, s.name),
    )


# -- inside -----------------------------------------------------------------------------------


def _people(houses: Sequence[HouseNow]) -> dict[str, list[Employed]]:
    people: dict[str, list[Employed]] = {}
    for house in houses:
        for row in house.couriers:
            people.setdefault(row.courier, []).append(row)
    return people


def _order(house: HouseNow, stop: Stop, people: Mapping[str, Sequence[Employed]]) -> OpenOrder:
    may = {
        name
        for name, rows in people.items()
        if any(row.tenant == house.tenant and row.on_duty for row in rows)
    }
    ready_p50 = stop.ready_p50_s
    if math.isfinite(stop.due_s):  # nobody wants it before it was ordered for
        ride = float(to_go([_away(house.place, stop.place)], _usual(house)).p50_s[0])
        ready_p50 = max(ready_p50, stop.due_s - ride)
    return OpenOrder(
        name=stop.name,
        placed_s=stop.placed_s,
        ready_p50_s=ready_p50,
        ready_p90_s=max(ready_p50, stop.ready_p90_s),
        restaurant=house.tenant,
        pickup=house.place,
        door=stop.place,
        promised_s=stop.promised_s,
        pinned=stop.pinned,
        declined_by=frozenset(stop.declined_by) & may,
        only=frozenset(may),
    )


def _usual(house: HouseNow) -> Pace:
    return house.legs.paces[TravelMode.BICYCLE]


def _away(one: Place, other: Place) -> float:
    return float(distance_m(*one, *other))


def _courier(
    name: str,
    rows: Sequence[Employed],
    houses: Sequence[HouseNow],
    now_s: float,
    travel: Travel,
) -> Courier:
    duty = [row for row in rows if row.on_duty]
    seen = max(rows, key=lambda row: row.seen_s)
    place, free = _free(name, seen, houses, now_s, travel)
    room = MAX_STOPS - sum(stop.courier == name for house in houses for stop in house.stops)
    return Courier(
        name=name,
        place=place,
        free_s=free,
        shift_end_s=min(row.until_s for row in duty),  # whichever house was told so
        capacity=float(min(*(row.carries for row in duty), room)),
        mode=seen.mode.value,
        seen_s=seen.seen_s,
        had=float(sum(row.had for row in rows)),
    )


def _free(
    name: str, seen: Employed, houses: Sequence[HouseNow], now_s: float, travel: Travel
) -> tuple[Place, float]:
    """Where a courier is free next, and when: after all that they have to bring."""
    mine = [
        (house, stop)
        for house in houses
        for stop in sorted(house.stops, key=lambda each: (each.stop, each.order_id))
        if stop.courier == name and stop.status is not DeliveryStatus.WAITING
    ]
    here = seen.place
    if here is None:
        return (math.nan, math.nan), math.nan
    at, when = here, now_s
    mode = seen.mode.value
    bag = [each for each in mine if each[1].status in IN_THE_BAG]
    for house, stop in bag:
        back = stop.status is DeliveryStatus.FAILED
        to = house.place if back else stop.place
        when = when + _ride(travel, at, to, mode)
        if not back:
            since = 0.0 if math.isnan(stop.arrived_s) else max(0.0, now_s - stop.arrived_s)
            left = house.legs.parts[LegKind.DOOR].p50_s - since
            # Who stands there longer than usual looks for the guest, or has lost their phone.
            when += max(left, -_AS_LONG_AGAIN * left)
        at = to
    for house in houses:
        coming = [stop for other, stop in mine if other is house and stop.status not in IN_THE_BAG]
        if not coming:
            continue
        there = when + _ride(travel, at, house.place, mode)
        when = max([there, *(s.ready_p50_s for s in coming if math.isfinite(s.ready_p50_s))])
        when += house.legs.parts[LegKind.HAND_OVER].p50_s
        at = house.place
        for stop in coming:
            when += _ride(travel, at, stop.place, mode) + house.legs.parts[LegKind.DOOR].p50_s
            at = stop.place
    return at, when


def _ride(travel: Travel, one: Place, other: Place, mode: str) -> float:
    return float(travel(np.array([one, other], dtype=np.float64), mode)[0, 1])
