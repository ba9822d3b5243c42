"""What the live ETA remembers of open orders beside their rows; arrays like the sheet's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.delivery.sheet import OrderKey, Sheet
from services.delivery.telling_when import Told

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_OF_ITSELF = ("p50_at", "p90_at", "at", "what")
_OF_ITS_RIDE = ("begun_at", "begun_m", "begun_gone_m")


@dataclass(slots=True)
class Memory:
    """See the module.

    Attributes:
        number: of each one's vehicle; -1 where it was never seen.
        begun_at: when each one's ride was first seen, in seconds since 1970; NaN where it was not.
        begun_m: how much of its way was left then.
        begun_gone_m: how far the vehicle had moved by then.
        told: what was told last.
        late: whether each was late when it was reckoned last.
    """

    number: NDArray[np.int32]
    begun_at: Floats
    begun_m: Floats
    begun_gone_m: Floats
    told: Told
    late: Bools

    @classmethod
    def nothing(cls, count: int) -> Memory:
        """Of so many orders nothing."""
        unknown = [np.full(count, np.nan) for _ in range(6)]
        return cls(
            np.full(count, -1, dtype=np.int32),
            unknown[0],
            unknown[1],
            unknown[2],
            Told(unknown[3], unknown[4], unknown[5], np.zeros(count, dtype=np.int64)),
            np.zeros(count, dtype=np.bool_),
        )

    def carry_over(
        self,
        sheet: Sheet,
        places: Mapping[OrderKey, int],
        memory: Memory,
        before: Sheet,
        places_before: Mapping[OrderKey, int],
    ) -> None:
        """Take over what was remembered; of a ride, where the courier is on the same way still.

        Args:
            sheet: the orders as they are now.
            places: where each stands there.
            memory: what was remembered.
            before: the orders as they were.
            places_before: where each stood.
        """
        known = places.keys() & places_before.keys()
        if not known:
            return
        to, of = np.array([(places[key], places_before[key]) for key in known]).T
        for name in _OF_ITSELF:
            getattr(self.told, name)[to] = getattr(memory.told, name)[of]
        self.late[to] = memory.late[of]
        same = _same_way(sheet, to, before, of)
        for name in _OF_ITS_RIDE:
            getattr(self, name)[to[same]] = getattr(memory, name)[of[same]]

    def forget_vehicles(self) -> None:
        """Vehicles have other numbers now, and nobody knows how far they have moved before."""
        self.number[:] = -1
        for name in _OF_ITS_RIDE:
            getattr(self, name)[:] = np.nan


def _same_way(sheet: Sheet, new: NDArray[np.intp], before: Sheet, old: NDArray[np.intp]) -> Bools:
    """Which orders' couriers are still on the same way."""
    there = (sheet.first[new] == before.first[old]).all(axis=1)
    whose = [sheet.vehicles[i] == before.vehicles[j] for i, j in zip(new, old, strict=True)]
    return np.asarray(there & (sheet.in_bag[new] == before.in_bag[old]) & np.array(whose))
