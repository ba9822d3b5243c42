"""Names under which others than devices ask: no device is ever let in under one of these."""

from __future__ import annotations

from typing import Final

OURSELVES: Final = "heard"
"""The services themselves: a timer, a payment provider whose signature was checked."""
FILE_DROP: Final = "file-drop"
"""What comes in files."""
RESERVED: Final = frozenset({OURSELVES, FILE_DROP})
SCREEN: Final = "screen-"
"""How the names of people's screens begin."""
