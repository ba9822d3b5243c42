"""Who comes, goes and stays: all vehicles against all fences, once a tick.

A crossing is a row that is kept with the fix that showed it; its id follows from what it says,
so that what is found again is the same one.

Who is within stands in memory. After a start it is read from the crossings that were kept, so
that a vehicle which was within before does not come anew. The last of them says too up to when
the vehicle was looked at: what was kept and not acknowledged comes again, and has been judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from schemas.fences import CrossingKind
from schemas.identifiers import derived_id
from services.runtime.crossings import NEAR, STOP, Crossing
from services.runtime.database import Database
from services.runtime.moment import Clock
from services.runtime.positions import VehicleKey
from services.tracking import crossing_past
from services.tracking.fence_drawing import NOTHING, Drawing
from services.tracking.fence_rules import crossed, dwelt
from services.tracking.ground import Ground

Floats = NDArray[np.float64]
Numbers = NDArray[np.int32]

Within = tuple[int, str]
"""The number of a vehicle, and the name of a fence."""
Leaver = tuple[VehicleKey, str]
"""A vehicle, and the name of the fence that it has left."""


@dataclass(slots=True)
class _Stay:
    """Since when, in seconds since 1970, and whether it was told of as a long one."""

    since: float
    told: bool = False
    gone: bool = False
    """It has ended, at `since`."""


class FenceWatch:
    """Finds who crosses a fence. `crossed` is called with every tick, and touches no database.

    Args:
        database: where crossings are kept.
        ground: the fences.
        clock: tells which fences count at this hour.
    """

    def __init__(self, database: Database, ground: Ground, clock: Clock) -> None:
        self._database: Final = database
        self._ground: Final = ground
        self._drawing: Final = Drawing(ground, clock)
        self._drawn = NOTHING
        self._kept: dict[VehicleKey, dict[str, _Stay]] = {}
        """Who was within when this process began, until the vehicle is heard of."""
        self._kept_until: dict[VehicleKey, float] = {}
        """When the last crossing of each was that was kept by then."""
        self._keys: dict[int, VehicleKey] = {}
        self._plans: dict[int, NDArray[np.intp]] = {}
        """What each vehicle is held against."""
        self._last = np.empty(0)
        """Up to when each vehicle was looked at, in seconds since 1970."""
        self._stays: dict[Within, _Stay] = {}
        self._codes: NDArray[np.int64] | None = None
        """Who is within, as numbers; None where that has changed since."""
        self._short: set[Within] = set()
        """Stays that will be told of once they are long."""
        self._left: dict[Leaver, float] = {}
        """Who has left an area that they have to stay in, and when; heard of since or not."""

    async def start(self) -> None:
        """Begin with who is within by the crossings that were kept."""
        await self._ground.look()
        async with self._database.read() as connection:
            until = await crossing_past.last_times(connection)
            crossings = await crossing_past.last_of_fences(connection, self._doors())
        # From here on nobody else has a turn: until now they saw what was before.
        for known in (self._kept, self._keys, self._plans, self._stays, self._short, self._left):
            known.clear()
        self._codes = None
        self._drawn = self._drawing.draw()
        self._kept_until = until
        for each in crossings:
            stays = self._kept.setdefault((each.tenant, each.vehicle), {})
            match each.what:
                case CrossingKind.ENTER:
                    stays[each.fence] = _Stay(each.at.timestamp())
                case CrossingKind.EXIT:
                    stays[each.fence] = _Stay(each.at.timestamp(), gone=True)
                case CrossingKind.DWELL:
                    if each.fence in stays:
                        stays[each.fence].told = True
        for key, stays in self._kept.items():
            for fence, stay in stays.items():
                self._note_left(key, fence, stay)

    def crossed(
        self, keys: Sequence[VehicleKey], vehicle: Numbers, at: Floats, lat: Floats, lon: Floats
    ) -> list[Crossing]:
        """Find who crossed a fence in one tick, or has been within one for long.

        Fixes that are not after the last one of their vehicle that was looked at are passed over.

        Args:
            keys: tenant and name of every vehicle, by its number; one that is gone may have
                left its number to another.
            vehicle: the number of each fix that moved its vehicle, in any order.
            at: its time, in seconds since 1970.
            lat: filtered, in degrees.
            lon: the same.
        """
        self._draw()
        if not len(self._drawn.shapes):
            return []
        self._meet(keys, np.unique(vehicle))
        order = np.lexsort((at, vehicle))
        order = order[at[order] > self._last[vehicle[order]]]
        if not len(order):
            return []
        vehicle, at, lat, lon = vehicle[order], at[order], lat[order], lon[order]
        ends = np.append(np.flatnonzero(np.diff(vehicle)), len(vehicle) - 1)
        touched = vehicle[ends]
        self._last[touched] = at[ends]
        rows, fences = self._pairs(touched, ends)
        found = self._step(vehicle[rows], fences, at[rows], lat[rows], lon[rows])
        found += self._stayed()
        return [self._told(each) for each in sorted(found)]

    def left(self) -> Mapping[Leaver, float]:
        """Who has left an area that they have to stay in now, and when: seconds since 1970."""
        self._draw()
        return self._left

    def _doors(self) -> list[str]:
        """The fences around all doors that somebody goes to."""
        orders = {each.order_id for stops in self._ground.stops.values() for each in stops}
        return [f"{prefix}{order_id}" for order_id in orders for prefix in (NEAR, STOP)]

    def _forget(self, vehicle: int) -> None:
        """Know nothing of who had this number: it is another's now."""
        key = self._keys.pop(vehicle, None)
        if key is None:
            return
        del self._plans[vehicle]
        for within in [each for each in self._stays if each[0] == vehicle]:
            self._end(within)
        for leaver in [each for each in self._left if each[0] == key]:
            del self._left[leaver]

    # -- judging ------------------------------------------------------------------------------

    def _pairs(
        self, touched: Numbers, ends: NDArray[np.intp]
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Each fix with each fence that its vehicle is held against: rows and fences."""
        plans = [self._plans[number] for number in touched.tolist()]
        fences_of = np.array([len(plan) for plan in plans], dtype=np.intp)
        fixes_of = np.diff(ends, prepend=-1)
        # By vehicle, then by fence, then by time: so the rows of one pair stand together.
        fences = np.concatenate(plans) if plans else np.empty(0, dtype=np.intp)
        fixes = np.repeat(fixes_of, fences_of)
        begins = np.repeat(ends - fixes_of + 1, fences_of)
        rows = np.repeat(begins - np.cumsum(fixes) + fixes, fixes) + np.arange(fixes.sum())
        return rows, np.repeat(fences, fixes)

    def _step(
        self, vehicle: Numbers, fence: NDArray[np.intp], at: Floats, lat: Floats, lon: Floats
    ) -> list[tuple[float, int, int, CrossingKind]]:
        if not len(vehicle):
            return []
        sides = self._drawn.shapes.sides(fence, lat, lon)
        pair = vehicle.astype(np.int64) << 32 | fence
        found = crossed(pair, sides, np.isin(pair, self._within()))
        crossings: list[tuple[float, int, int, CrossingKind]] = []
        for row, entered in zip(found.row.tolist(), found.entered.tolist(), strict=True):
            number, shape, when = int(vehicle[row]), int(fence[row]), float(at[row])
            key = number, self._drawn.names[shape][1]
            leaver = self._keys[number], key[1]
            if entered:
                self._left.pop(leaver, None)
                self._begin(key, _Stay(when))
                crossings.append((when, number, shape, CrossingKind.ENTER))
            else:
                stay = self._end(key)
                # It may have come and gone in one backlog: that it stayed long is known now.
                until = dwelt(stay.since, when, self._drawn.dwell_s[shape])
                if until is not None and not stay.told:
                    crossings.append((until, number, shape, CrossingKind.DWELL))
                if self._drawn.must_stay[shape]:
                    self._left[leaver] = when
                crossings.append((when, number, shape, CrossingKind.EXIT))
        return crossings

    def _stayed(self) -> list[tuple[float, int, int, CrossingKind]]:
        found: list[tuple[float, int, int, CrossingKind]] = []
        for key in list(self._short):
            shape, stay = self._number(key), self._stays[key]
            until = dwelt(stay.since, float(self._last[key[0]]), self._drawn.dwell_s[shape])
            if until is not None:
                stay.told = True
                self._short.discard(key)
                found.append((until, key[0], shape, CrossingKind.DWELL))
        return found

    def _begin(self, key: Within, stay: _Stay) -> None:
        self._stays[key] = stay
        self._codes = None
        if not stay.told and self._drawn.dwell_s[self._number(key)] is not None:
            self._short.add(key)

    def _end(self, key: Within) -> _Stay:
        self._codes = None
        self._short.discard(key)
        return self._stays.pop(key)

    def _number(self, key: Within) -> int:
        return self._drawn.numbers[self._keys[key[0]][0], key[1]]

    def _within(self) -> NDArray[np.int64]:
        if self._codes is None:
            codes = [key[0] << 32 | self._number(key) for key in self._stays]
            self._codes = np.array(codes, dtype=np.int64)
        return self._codes

    def _told(self, each: tuple[float, int, int, CrossingKind]) -> Crossing:
        when, number, shape, what = each
        tenant, vehicle = self._keys[number]
        fence = self._drawn.names[shape][1]
        at = datetime.fromtimestamp(when, UTC)
        id_ = derived_id(at, "crossing", tenant, vehicle, fence, what.value, at.isoformat())
        return Crossing(tenant, id_, fence, vehicle, what, at)

    # -- what there is ------------------------------------------------------------------------

    def _meet(self, keys: Sequence[VehicleKey], vehicles: Numbers) -> None:
        """Take in vehicles that are new, with where they were within before."""
        for number in vehicles.tolist():
            key = keys[number]
            if self._keys.get(number) == key:
                continue
            self._forget(number)
            if number >= len(self._last):
                more = max(64, number)
                self._last = np.pad(self._last, (0, more), constant_values=-np.inf)
            self._last[number] = self._kept_until.pop(key, -np.inf)
            self._keys[number] = key
            self._plans[number] = self._drawn.plan(key)
            for fence, stay in self._kept.pop(key, {}).items():
                self._note_left(key, fence, stay)
                # What closed over night has ended all stays.
                if not stay.gone and self._drawn.is_since(key[0], fence, stay.since):
                    self._begin((number, fence), stay)

    def _note_left(self, key: VehicleKey, fence: str, stay: _Stay) -> None:
        has_to_stay = self._drawn.stays_in(key[0], fence)
        if stay.gone and has_to_stay and self._drawn.is_since(key[0], fence, stay.since):
            self._left[key, fence] = stay.since

    def _draw(self) -> None:
        """Draw the fences that count now, where they are others than before."""
        if not self._drawing.is_due():
            return
        self._drawn = self._drawing.draw()
        self._plans = {number: self._drawn.plan(key) for number, key in self._keys.items()}
        stays, self._stays, self._codes = self._stays, {}, None
        self._short.clear()
        # Nobody is within what is not there any more, or does not count at this hour.
        for key, stay in stays.items():
            if self._is_drawn(key):
                self._begin(key, stay)
        self._left = {
            (key, fence): since
            for (key, fence), since in self._left.items()
            if self._drawn.stays_in(key[0], fence)
        }

    def _is_drawn(self, key: Within) -> bool:
        return (self._keys[key[0]][0], key[1]) in self._drawn.numbers
