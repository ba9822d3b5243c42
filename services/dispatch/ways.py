"""How long each of some travellers has to each of some places. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from services.dispatch.situation import Floats, Place, Travel

_LONGEST_S: Final = 12 * 3_600.0


def ways(
    starts: Sequence[Place], modes: Sequence[str], ends: Sequence[Place], travel: Travel
) -> Floats:
    """Seconds from each start, by its mode, to each end; infinite where nobody knows a way.

    Args:
        starts: where they are.
        modes: how each of them travels.
        ends: where to.
        travel: how long ways are.
    """
    found = np.full((len(starts), len(ends)), np.inf)
    places = np.array([*starts, *ends], dtype=np.float64)
    for mode in sorted(set(modes)) if ends else ():
        said = np.asarray(travel(places, mode), dtype=np.float64)
        if said.shape == (len(places), len(places)):
            rows = [i for i, each in enumerate(modes) if each == mode]
            found[rows] = said[rows, len(starts) :]
    return np.where((found >= 0) & (found <= _LONGEST_S), found, np.inf)
