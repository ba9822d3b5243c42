"""Which fences count now, as shapes with numbers.

They are those that a house has drawn, the restaurant itself (`HOUSE`), and for the vehicle that
brings it, the door of the order that is brought next: `STOP` and the order's id, with a wider
one, `NEAR`, around it. Of several doors the next alone: who passes by another one has not come.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import numpy as np
import structlog
from numpy.typing import NDArray

from schemas.fences import Fence
from services.geography.shapes import Circle, NoShape, Shape, Shapes
from services.runtime.crossings import HOUSE, NEAR, STOP
from services.runtime.moment import Clock
from services.runtime.positions import VehicleKey
from services.runtime.served_hours import is_served, served_since
from services.tracking.fence_files import shape_of
from services.tracking.ground import Ground

log = structlog.get_logger(__name__)

_MARGIN: Final = 0.5
"""One has left a place of ours at half as much again as its radius."""
_LOOK_AT_HOURS_S: Final = 1.0

FenceKey = tuple[str, str]
"""Tenant and name."""
Numbers = NDArray[np.intp]
_NONE: Final = np.empty(0, dtype=np.intp)


@dataclass(frozen=True, slots=True)
class Drawn:
    """All fences that count now.

    Attributes:
        names: of each, by its number.
        shapes: by number.
        dwell_s: how long a stay has to be to be told of, by number.
        must_stay: whether who is within has to stay, by number.
        since: since when each counts without a break, by number; None is always.
        numbers: by tenant and name.
        of_house: the numbers that all vehicles of a tenant are held against.
        of_vehicle: those that one vehicle alone is.
    """

    names: Sequence[FenceKey] = ()
    shapes: Shapes = field(default_factory=lambda: Shapes(()))
    dwell_s: Sequence[float | None] = ()
    must_stay: Sequence[bool] = ()
    since: Sequence[datetime | None] = ()
    numbers: Mapping[FenceKey, int] = field(default_factory=dict)
    of_house: Mapping[str, Numbers] = field(default_factory=dict)
    of_vehicle: Mapping[VehicleKey, Numbers] = field(default_factory=dict)

    def plan(self, key: VehicleKey) -> Numbers:
        """The numbers of all fences that a vehicle is held against."""
        of_house = self.of_house.get(key[0], _NONE)
        own = self.of_vehicle.get(key)
        return of_house if own is None else np.concatenate((of_house, own))

    def is_since(self, tenant: str, fence: str, at: float) -> bool:
        """Whether a fence has counted without a break since then, in seconds since 1970."""
        number = self.numbers.get((tenant, fence))
        if number is None:
            return False
        since = self.since[number]
        return since is None or since.timestamp() <= at

    def stays_in(self, tenant: str, fence: str) -> bool:
        """Whether who is within a fence has to stay there."""
        number = self.numbers.get((tenant, fence))
        return number is not None and self.must_stay[number]


NOTHING: Final = Drawn()


@dataclass(slots=True)
class _Sheet:
    """A drawing that is being made."""

    names: list[FenceKey] = field(default_factory=list)
    shapes: list[Shape] = field(default_factory=list)
    dwell_s: list[float | None] = field(default_factory=list)
    must_stay: list[bool] = field(default_factory=list)
    since: list[datetime | None] = field(default_factory=list)

    def draw(self, tenant: str, name: str, shape: Shape) -> int:
        self.names.append((tenant, name))
        self.shapes.append(shape)
        self.dwell_s.append(None)
        self.must_stay.append(False)
        self.since.append(None)
        return len(self.names) - 1


class Drawing:
    """Draws the fences that count now, again whenever they are others.

    Args:
        ground: the fences that there are.
        clock: tells which of them count at this hour.
    """

    def __init__(self, ground: Ground, clock: Clock) -> None:
        self._ground: Final = ground
        self._clock: Final = clock
        self._revision = -1
        self._looked_at = 0.0
        self._counting: frozenset[FenceKey] = frozenset()
        self._shapes: dict[FenceKey, tuple[Fence, Shape]] = {}

    def is_due(self) -> bool:
        """Whether other fences count than those that were drawn."""
        now = self._clock()
        look = now.timestamp() // _LOOK_AT_HOURS_S
        if (self._revision, self._looked_at) == (self._ground.revision, look):
            return False
        self._looked_at = look
        if self._revision != self._ground.revision:
            return True
        # An hour that begins or ends is no change of any row.
        return self._timed(now) != self._counting

    def draw(self) -> Drawn:
        """Draw them."""
        now = self._clock()
        self._revision = self._ground.revision
        self._counting = self._timed(now)
        sheet = _Sheet()
        of_house = {tenant: self._of_house(sheet, tenant, now) for tenant in self._ground.houses}
        of_vehicle = {key: self._of_vehicle(sheet, key) for key in self._ground.stops}
        return Drawn(
            sheet.names,
            Shapes(sheet.shapes),
            sheet.dwell_s,
            sheet.must_stay,
            sheet.since,
            {name: number for number, name in enumerate(sheet.names)},
            of_house,
            of_vehicle,
        )

    def _of_house(self, sheet: _Sheet, tenant: str, now: datetime) -> Numbers:
        house = self._ground.house(tenant)
        numbers: list[int] = []
        place = house.rules.place
        if place is not None:
            shape = _around(place.lat, place.lon, house.rules.restaurant_m)
            numbers.append(sheet.draw(tenant, HOUSE, shape))
        for fence in house.fences.values():
            drawn = self._shape(tenant, fence)
            if drawn is None or not is_served(fence.hours, now, house.zone):
                continue
            number = sheet.draw(tenant, fence.fence, drawn)
            sheet.dwell_s[number] = fence.dwell_s
            sheet.must_stay[number] = fence.must_stay
            sheet.since[number] = served_since(fence.hours, now, house.zone)
            numbers.append(number)
        return np.array(numbers, dtype=np.intp)

    def _of_vehicle(self, sheet: _Sheet, key: VehicleKey) -> Numbers:
        stop = self._ground.next_stop(key)
        if stop is None:
            return _NONE
        rules = self._ground.house(stop.tenant).rules
        around = ((NEAR, rules.near_m), (STOP, rules.door_m))
        numbers = [
            sheet.draw(stop.tenant, f"{prefix}{stop.order_id}", _around(stop.lat, stop.lon, radius))
            for prefix, radius in around
        ]
        return np.array(numbers, dtype=np.intp)

    def _timed(self, now: datetime) -> frozenset[FenceKey]:
        """Those with hours that count now."""
        return frozenset(
            (tenant, fence.fence)
            for tenant, house in self._ground.houses.items()
            for fence in house.fences.values()
            if fence.hours and is_served(fence.hours, now, house.zone)
        )

    def _shape(self, tenant: str, fence: Fence) -> Shape | None:
        before = self._shapes.get((tenant, fence.fence))
        if before is not None and before[0] is fence:
            return before[1]
        try:
            shape = shape_of(fence)
        except NoShape as error:
            # What was imported was looked at: this is a row that somebody else has written.
            log.warning("a fence is no shape", tenant=tenant, fence=fence.fence, why=str(error))
            return None
        self._shapes[tenant, fence.fence] = fence, shape
        return shape


def _around(lat: float, lon: float, radius_m: float) -> Circle:
    return Circle(lat, lon, radius_m, radius_m * _MARGIN)
