from __future__ import annotations

from typing import Any

import numpy as np

from services.tracking.batches import Standing
from services.tracking.telling import Told


def standing(count: int) -> Standing:
    names = list(Standing.__dataclass_fields__)
    columns: dict[str, Any] = {name: np.zeros(count) for name in names}
    columns |= {"vehicle": np.arange(count, dtype=np.int32), "moving": np.ones(count, np.bool_)}
    return Standing(**columns)


def test_who_is_silent_is_found_whatever_room_there_is_for_more() -> None:
    told = Told()
    told.note(standing(3), 100.0)
    heard = np.array([5.0, 900.0, np.nan])
    assert told.silent(heard, np.full(64, 300.0)).tolist() == [1]
    assert told.silent(heard[:2], np.full(2, 300.0)).tolist() == [1]
    assert told.silent(np.pad(heard, (0, 200)), np.full(203, 300.0)).tolist() == [1]
