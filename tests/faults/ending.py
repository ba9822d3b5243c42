"""The end of an evening: everything is mended, and then everything must be right."""

from __future__ import annotations

import time
from typing import Final

from services.runtime.bus import ConnectionLost
from services.runtime.database import is_away
from tests.faults.evening import Evening
from tests.faults.truth import wrongs
from tests.patience import PATIENCE_S

RIGHT_S: Final = PATIENCE_S
"""How long after the last reply everything may take to be right."""
_PAUSE_S: Final = 0.2


def must_be_right(evening: Evening, *, wire_is_whole: bool = False) -> None:
    """Let the evening end, and wait until nothing is wrong any more.

    Args:
        evening: still open.
        wire_is_whole: nothing has kept the witness from hearing everything.

    Raises:
        AssertionError: something is, and stays.
    """
    evening.end()
    deadline = time.monotonic() + RIGHT_S
    while found := _wrongs(evening, wire_is_whole=wire_is_whole):
        if time.monotonic() > deadline:
            raise AssertionError("\n".join([f"{len(found)} things are wrong:", *found[:12]]))
        evening.go_on(_PAUSE_S)


def _wrongs(evening: Evening, *, wire_is_whole: bool) -> list[str]:
    try:
        return wrongs(evening, wire_is_whole=wire_is_whole)
    except ConnectionLost as error:
        return [f"the inspector could not connect: {error}"]
    except Exception as error:
        if is_away(error):
            return [f"the inspector could not read the database: {error}"]
        raise
