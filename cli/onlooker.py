"""A display that looks and says nothing: that is left to the one in the kitchen."""

from __future__ import annotations

from devices.kitchen_display import KitchenDisplay


class Onlooker(KitchenDisplay):
    """Shows a station's tickets; hears none of them, and nothing is sent to it."""

    attends = False

    def _hear(self, now: float) -> float:  # noqa: ARG002 - the hook's shape
        self._unheard.clear()
        return float("inf")
