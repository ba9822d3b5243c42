"""All that is known of all vehicles at one moment, with what their houses say: arrays.

It is taken once a second, for whoever judges trackers or tells them something.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.delivery_rules import DeliveryRules
from services.geography.sphere import distance_m
from services.runtime.open_stops import OpenStop
from services.runtime.positions import VehicleKey
from services.tracking.batches import Numbers, Standing
from services.tracking.ground import Ground
from services.tracking.vehicle_book import STILL_TIMES, VehicleBook

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_NAN: Final = float("nan")


@dataclass(frozen=True, slots=True)
class Sight:
    """Vehicles, all columns of one length.

    Attributes:
        number: in the fleet.
        keys: tenant and name.
        devices: who speaks for each.
        rules: of the house of each.
        standing: where each is held to be.
        unheard_s: seconds since each was heard of at all.
        silent_s: seconds since each said where it is, so that it can be right; NaN where it never
            did.
        patience_s: for so long it may be silent.
        still_s: for how long it has been standing; 0 while it moves.
        battery: what is left of it, of 1; NaN is not known.
        on_duty: it has something to do.
        stops: by place in the columns, the door that it brings food to.
        house_m: how far it is from the restaurant; NaN is not known.
        stop_m: how far from that door; NaN with none.
    """

    number: Numbers
    keys: Sequence[VehicleKey]
    devices: Sequence[str]
    rules: Sequence[DeliveryRules]
    standing: Standing
    unheard_s: Floats
    silent_s: Floats
    patience_s: Floats
    still_s: Floats
    battery: Floats
    on_duty: Flags
    stops: Mapping[int, OpenStop]
    house_m: Floats
    stop_m: Floats

    def __len__(self) -> int:
        return len(self.keys)

    def of_rules(self, name: str) -> Floats:
        """One figure of the rules, by vehicle; NaN where a house says none."""
        figures = {id(each): getattr(each, name) for each in self.rules}
        known = {key: _NAN if value is None else float(value) for key, value in figures.items()}
        return np.array([known[id(each)] for each in self.rules], dtype=np.float64)


def take(book: VehicleBook, ground: Ground, now: float) -> Sight:
    """Look at all vehicles that were heard of.

    Args:
        book: the vehicles.
        ground: what they move among.
        now: seconds since 1970.
    """
    there = [each for each in book.vehicles if each is not None]
    number = np.array([each.number for each in there], dtype=np.int32)
    keys = [each.key for each in there]
    standing = book.fleet.standing(number)
    rules = [ground.house(tenant).rules for tenant, _ in keys]
    places = {id(each): each.place for each in rules}
    middle = [
        (_NAN, _NAN) if (place := places[id(each)]) is None else (place.lat, place.lon)
        for each in rules
    ]
    lat, lon = np.array(middle, dtype=np.float64).reshape(-1, 2).T
    at = {key: row for row, key in enumerate(keys)} if ground.stops else {}
    on_duty = np.zeros(len(there), dtype=np.bool_)
    stops: dict[int, OpenStop] = {}
    stop_m = np.full(len(there), np.nan)
    for key in ground.stops:
        row = at.get(key)
        if row is None:
            continue
        on_duty[row] = True
        stop = ground.next_stop(key)
        if stop is not None:
            stops[row] = stop
            here = standing.lat[row], standing.lon[row]
            stop_m[row] = float(distance_m(*here, stop.lat, stop.lon))
    silent_after = {id(each): each.silent_after_s for each in rules}
    patience = np.array([silent_after[id(each)] for each in rules], dtype=np.float64)
    return Sight(
        number,
        keys,
        [each.device for each in there],
        rules,
        standing,
        now - standing.heard,
        now - standing.placed,
        patience * np.where(standing.moving, 1.0, STILL_TIMES),
        np.where(standing.moving, 0.0, now - standing.since),
        book.battery[number],
        on_duty,
        stops,
        distance_m(lat, lon, standing.lat, standing.lon),
        stop_m,
    )
