"""Where vehicles were seen last, by the numbers that the position line gives them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.geography.sphere import distance_m
from services.runtime.positions import Positions, VehicleKey

Numbers = NDArray[np.int32]
_ROOM = 256


class CouriersSeen:
    """The last good position of each vehicle; times in seconds since 1970, NaN before any."""

    def __init__(self) -> None:
        self._numbers: dict[VehicleKey, int] = {}
        self._known = np.zeros(0, dtype=np.bool_)
        self.at = np.empty(0)
        self.lat = np.empty(0)
        self.lon = np.empty(0)
        self.moving = np.empty(0, dtype=np.bool_)
        self.gone_m = np.empty(0)
        """How far each has moved since it was seen first: only differences say something."""
        self._make_room(_ROOM)

    def __len__(self) -> int:
        return len(self.at)

    def see(self, positions: Positions) -> bool:
        """Take in where they are; tells whether one of them was never seen before.

        One that is older than what is known changes nothing.
        """
        number = positions.number
        if not number.size:
            return False
        self._make_room(int(number.max()) + 1)
        new = np.flatnonzero(~self._known[number])
        for i in new.tolist():
            self._numbers[positions.keys[i]] = int(number[i])
        self._known[number] = True
        newer = ~(positions.at < self.at[number])
        chosen = number[newer]
        gone = distance_m(
            self.lat[chosen], self.lon[chosen], positions.lat[newer], positions.lon[newer]
        )
        # Who stands trembles; that is no way.
        self.gone_m[chosen] += np.where(positions.moving[newer], np.nan_to_num(gone), 0.0)
        self.at[chosen] = positions.at[newer]
        self.lat[chosen] = positions.lat[newer]
        self.lon[chosen] = positions.lon[newer]
        self.moving[chosen] = positions.moving[newer]
        return bool(new.size)

    def numbers_of(self, vehicles: Sequence[VehicleKey | None]) -> Numbers:
        """The number of each; -1 where it was never seen."""
        known = self._numbers
        return np.fromiter(
            (-1 if key is None else known.get(key, -1) for key in vehicles),
            dtype=np.int32,
            count=len(vehicles),
        )

    def _make_room(self, enough: int) -> None:
        more = enough - len(self.at)
        if more <= 0:
            return
        more = max(more, len(self.at), _ROOM)
        for name in ("at", "lat", "lon"):
            setattr(self, name, np.pad(getattr(self, name), (0, more), constant_values=np.nan))
        self.moving = np.pad(self.moving, (0, more))
        self.gone_m = np.pad(self.gone_m, (0, more))
        self._known = np.pad(self._known, (0, more))
