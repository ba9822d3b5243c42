"""Counting orders, so that no two of one second ever get the same number."""

from __future__ import annotations

import os
import secrets
from typing import Final

SPAN: Final = 2**20
"""So many ordinals there are; an order's number has room for no more."""


class Ordinals:
    """Gives each ordinal once before any comes again.

    One process serves at a time, so that its own count tells the orders of a second apart. Two
    lives of it in one second begin anywhere and take steps of their own: where they meet by
    chance, they part with the next step, and whoever decides again gets a number that is free.
    A process that was forked is a life of its own.
    """

    def __init__(self) -> None:
        self._life = -1
        self._last = self._step = 0

    def next(self) -> int:
        """The next one, 0 or more and below `SPAN`."""
        if self._life != os.getpid():
            self._life = os.getpid()
            self._last = secrets.randbelow(SPAN)
            self._step = 2 * secrets.randbelow(SPAN // 2) + 1  # odd: it comes by all of them
        self._last = (self._last + self._step) % SPAN
        return self._last
