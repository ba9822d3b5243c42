"""Where vehicles are, as one area tells the others: arrays, once a tick."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from schemas.message import State
from services.runtime.context import Outgoing

VehicleKey = tuple[str, str]
"""Tenant and vehicle."""


@dataclass(frozen=True, slots=True)
class Positions:
    """Where those vehicles are that were heard of in one tick; all of one length.

    Attributes:
        keys: tenant and vehicle.
        number: of the vehicle, from 0 on, the same for as long as the process lives.
        at: of the last good fix, in seconds since 1970.
        lat: degrees, filtered.
        lon: the same.
        spread_m: two times of three it is within so much of this.
        speed_mps: filtered.
        heading_deg: from north; NaN while it stands.
        moving: whether it moves.
    """

    keys: Sequence[VehicleKey]
    number: NDArray[np.int32]
    at: NDArray[np.float64]
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    spread_m: NDArray[np.float64]
    speed_mps: NDArray[np.float64]
    heading_deg: NDArray[np.float64]
    moving: NDArray[np.bool_]


Announce = Callable[[Sequence[Outgoing]], None]
"""Publishes retained states; of one topic the last is what counts. It returns at once."""


class PositionListener(Protocol):
    """Who wants to know where vehicles are, and tells others what follows. It returns at once.

    What it has published is known to the broker at best: after a loss of it, or of the
    connection, what `standing` says is put there again, and all else of its kind is cleared.
    """

    @property
    def kinds(self) -> Sequence[type[State]]:
        """What it publishes, and nobody else does."""
        ...

    def begin(self, announce: Announce) -> None:
        """Take what publishes; called before anything is told, each time the line begins."""
        ...

    async def ready(self) -> None:
        """Return once it knows what should stand: what does not is cleared then."""
        ...

    def moved(self, positions: Positions) -> None:
        """Take in where these vehicles are now; their rows are kept."""
        ...

    def standing(self) -> Sequence[Outgoing]:
        """All that should stand retained now, of its kinds."""
        ...
