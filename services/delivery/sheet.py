"""All open orders side by side, in arrays, with what does not change from fix to fix; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any, Final, NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from schemas.deliveries import IN_THE_BAG, DeliveryStatus
from schemas.positions import TravelMode
from services.delivery.coming_first import come_first
from services.delivery.legs import LegKind
from services.delivery.open_orders import NEVER, House, OpenOrder, seconds
from services.delivery.rides import Paces
from services.geography.sphere import distance_m
from services.runtime.ready_times import ReadyTime

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
OrderKey = tuple[str, UUID]
Point = tuple[float, float]
Way = Callable[[str, TravelMode, Point, Point], float | None]
"""From one point to another: as many metres of a straight line as a routing engine's seconds are
worth; None where none has said."""

STATUSES: Final = tuple(DeliveryStatus)
_RIDING: Final = frozenset({DeliveryStatus.EN_ROUTE, DeliveryStatus.NEAR, DeliveryStatus.ARRIVED})
_KINDS: Final = tuple(LegKind)
READY: Final = float("-inf")
"""When food is ready that is."""
_SURE: Final = 10.0
"""Learned from so many deliveries, a part is known."""
_STILL_S: Final = 600.0
"""Who waits at the restaurant, or stands, need not tell for longer."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """Open orders, one entry each; times in seconds since 1970, NaN where there is none.

    Attributes:
        keys: tenant and order.
        vehicles: the tracker of each one's courier; None where nobody has it to bring.
        modes: by what the courier goes.
        house: the restaurant: latitude and longitude in two columns.
        first: where the courier goes first: a door, or the restaurant.
        after_m: from there on: to the own door where the food is in the bag, else to the
            restaurant.
        own_m: from the restaurant to the own door, past the doors that come first; nothing where
            the food is in the bag.
        doors_first: how many doors come before the restaurant.
        stops_before: how many come before the own one, after that.
        status: its place in `STATUSES`.
        in_bag: the food is with the courier.
        riding: the courier has set out with it.
        since: when the courier began what they do: an older position says nothing of it.
        ready_p50_at: of all food that the courier takes with it or before it; `READY` where it is.
        ready_p90_at: the same.
        legs: p50 and p90 of each of `LegKind`, in seconds: orders by kinds by two.
        paces: how each one's courier rides.
        sure: what was learned of its house was learned of enough.
        routed: a routing engine has said how long the way is after `first`, where it is to be
            gone at all.
        stale_s: a position that is older is too old, ...
        moving_stale_s: ... of one who moved then, with the food.
        times: the rest of `OpenOrder`'s, as they are named there.
    """

    keys: tuple[OrderKey, ...]
    vehicles: tuple[tuple[str, str] | None, ...]
    modes: tuple[TravelMode, ...]
    house: Floats
    first: Floats
    after_m: Floats
    own_m: Floats
    doors_first: Floats
    stops_before: Floats
    status: NDArray[np.int64]
    in_bag: Bools
    riding: Bools
    since: Floats
    ready_p50_at: Floats
    ready_p90_at: Floats
    legs: Floats
    paces: Paces
    sure: Bools
    routed: Bools
    stale_s: Floats
    moving_stale_s: Floats
    times: Mapping[str, Floats]

    def __len__(self) -> int:
        return len(self.keys)

    def taken(self, which: NDArray[np.intp]) -> Sheet:
        """Some of them, by their places."""
        return Sheet(**{each.name: _some(getattr(self, each.name), which) for each in fields(self)})


_TIMES: Final = (
    "placed_at",
    "begun_at",
    "due_at",
    "quoted_p50_at",
    "promised_at",
    "ready_at",
    "assigned_at",
    "accepted_at",
    "at_restaurant_at",
    "picked_up_at",
    "arrived_at",
)


def no_engine(_tenant: str, _mode: TravelMode, _one: Point, _other: Point) -> None:
    """Nobody says how long a way is: it is the straight line."""


def sheet_of(house: House, ready: Mapping[UUID, ReadyTime], way: Way = no_engine) -> Sheet:
    """Put the open orders of a house side by side.

    What failed at its door has no ETA: nobody knows when the courier tries again.

    Args:
        house: with its open deliveries; one without a place has none.
        ready: what the kitchen says of them.
        way: what routing engines have said of ways.
    """
    place = house.rules.place
    going = [each for each in house.orders if each.status is not DeliveryStatus.FAILED]
    if place is None or not going:
        return EMPTY
    runs: dict[str, list[OpenOrder]] = {}
    for each in sorted(going, key=lambda order: (order.stop, order.order_id)):
        if each.courier is not None:
            runs.setdefault(each.courier, []).append(each)
    at = (place.lat, place.lon)

    def along(mode: TravelMode, points: Sequence[Point]) -> _Along:
        pairs = list(pairwise(points))
        said = [way(house.tenant, mode, *pair) for pair in pairs]
        lines = [
            float(distance_m(*one, *other)) if metres is None else metres
            for metres, (one, other) in zip(said, pairs, strict=True)
        ]
        return _Along(sum(lines), None not in said)

    rows = [_row(house, order, runs.get(order.courier or "", []), ready, along) for order in going]
    legs = np.array(
        [[house.legs.parts[kind].p50_s, house.legs.parts[kind].p90_s] for kind in _KINDS]
    )
    modes = tuple(row.mode for row in rows)
    sure = min(leg.n for leg in house.legs.parts.values()) >= _SURE
    numbers = np.array([row.numbers for row in rows], dtype=np.float64)
    points = np.array([(at, row.first) for row in rows], dtype=np.float64)
    patience = max(120.0, 2.0 * house.rules.slowest_s)
    riding = np.array([order.status in _RIDING for order in going])
    in_bag = np.array([order.status in IN_THE_BAG for order in going])
    return Sheet(
        keys=tuple((house.tenant, order.order_id) for order in going),
        vehicles=tuple(
            None if order.device is None else (house.tenant, order.device) for order in going
        ),
        modes=modes,
        house=points[:, 0],
        first=points[:, 1],
        after_m=numbers[:, 0],
        own_m=numbers[:, 1],
        doors_first=numbers[:, 2],
        stops_before=numbers[:, 3],
        status=np.array([STATUSES.index(order.status) for order in going]),
        in_bag=in_bag,
        riding=riding,
        since=numbers[:, 4],
        ready_p50_at=numbers[:, 5],
        ready_p90_at=numbers[:, 6],
        legs=np.broadcast_to(legs, (len(going), *legs.shape)).copy(),
        paces=Paces.of([house.legs.paces[mode] for mode in modes]),
        sure=np.full(len(going), sure),
        routed=np.array([row.routed for row in rows], dtype=np.bool_),
        stale_s=np.where(riding, patience, max(_STILL_S, patience)),
        moving_stale_s=np.full(len(going), patience),
        times={name: np.array([getattr(order, name) for order in going]) for name in _TIMES},
    )


def leg(sheet: Sheet, kind: LegKind) -> tuple[Floats, Floats]:
    """P50 and p90 of one part, of each order's house."""
    both = sheet.legs[:, _KINDS.index(kind)]
    return both[:, 0], both[:, 1]


def joined(sheets: Sequence[Sheet]) -> Sheet:
    """Several houses as one."""
    full = [each for each in sheets if len(each)]
    if len(full) <= 1:
        return full[0] if full else EMPTY
    return Sheet(
        **{
            each.name: _together([getattr(one, each.name) for one in full])
            for each in fields(Sheet)
        }
    )


# -- inside -----------------------------------------------------------------------------------


class _Along(NamedTuple):
    metres: float
    routed: bool


@dataclass(frozen=True, slots=True)
class _Row:
    mode: TravelMode
    routed: bool
    first: Point
    numbers: tuple[float, float, float, float, float, float, float]


def _row(
    house: House,
    order: OpenOrder,
    run: Sequence[OpenOrder],
    ready: Mapping[UUID, ReadyTime],
    along: Callable[[TravelMode, Sequence[Point]], _Along],
) -> _Row:
    """One order's way. A courier brings what is in the bag first, then comes for the rest."""
    mode = house.modes.get(order.courier or "", TravelMode.BICYCLE)
    bag, before = come_first(order, run)
    door = (order.lat, order.lon)
    if order.status in IN_THE_BAG:
        doors = [*_doors(bag), door]
        since = order.picked_up_at if np.isnan(order.set_out_at) else order.set_out_at
        rest = along(mode, doors)
        numbers = (rest.metres, 0.0, 0.0, float(len(bag)), since, NEVER, NEVER)
        return _Row(mode, rest.routed, doors[0], numbers)
    coming = [*_doors(bag), _place(house)]
    p50, p90 = _ready([*before, order], ready)
    since = order.assigned_at if np.isnan(order.accepted_at) else order.accepted_at
    at = _place(house)
    own = along(mode, [at, *_doors(before), door])
    to_house = along(mode, coming).metres
    numbers = (to_house, own.metres, float(len(bag)), float(len(before)), since, p50, p90)
    return _Row(mode, own.routed, coming[0], numbers)


def _doors(orders: Iterable[OpenOrder]) -> list[Point]:
    return [(each.lat, each.lon) for each in orders]


def _place(house: House) -> Point:
    place = house.rules.place
    if place is None:
        raise ValueError("who has no place delivers nothing")
    return place.lat, place.lon


def _ready(orders: Sequence[OpenOrder], ready: Mapping[UUID, ReadyTime]) -> Point:
    """When the last of all that the courier takes along is ready, p50 and p90.

    NaN where nobody says; below all times where it all is.
    """
    p50 = p90 = READY
    for each in orders:
        if not np.isnan(each.ready_at):
            continue
        if each.order_id not in ready:
            return NEVER, NEVER
        said = ready[each.order_id]
        if said.p50_at is None:
            return NEVER, NEVER
        p50 = max(p50, seconds(said.p50_at))
        p90 = max(p90, p50, seconds(said.p90_at or said.p50_at))
    return p50, p90


def _some(value: Any, which: NDArray[np.intp]) -> Any:
    match value:
        case tuple():
            return tuple(value[i] for i in which)
        case Paces():
            return Paces(*(getattr(value, each.name)[which] for each in fields(Paces)))
        case dict():
            return {name: array[which] for name, array in value.items()}
        case _:
            return value[which]


def _together(values: Sequence[Any]) -> Any:
    match values[0]:
        case tuple():
            return tuple(one for each in values for one in each)
        case Paces():
            names = [each.name for each in fields(Paces)]
            return Paces(*(np.concatenate([getattr(v, name) for v in values]) for name in names))
        case dict():
            return {n: np.concatenate([each[n] for each in values]) for n in values[0]}
        case _:
            return np.concatenate(values)


_NONE: Final = np.empty(0)
EMPTY: Final = Sheet(
    keys=(),
    vehicles=(),
    modes=(),
    house=np.empty((0, 2)),
    first=np.empty((0, 2)),
    after_m=_NONE,
    own_m=_NONE,
    doors_first=_NONE,
    stops_before=_NONE,
    status=np.empty(0, np.int64),
    in_bag=np.empty(0, np.bool_),
    riding=np.empty(0, np.bool_),
    since=_NONE,
    ready_p50_at=_NONE,
    ready_p90_at=_NONE,
    legs=np.empty((0, len(_KINDS), 2)),
    paces=Paces.of([]),
    sure=np.empty(0, np.bool_),
    routed=np.empty(0, np.bool_),
    stale_s=_NONE,
    moving_stale_s=_NONE,
    times=dict.fromkeys(_TIMES, _NONE),
)
