"""The small port behind which routing engines are."""

from __future__ import annotations

from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from schemas.delivery_rules import DeliveryRules
from schemas.positions import TravelMode
from services.delivery.legs import Legs
from services.delivery.sheet import Point, Sheet

Floats = NDArray[np.float64]


class Ways(Protocol):
    """How long ways are, beside their straight lines; it answers at once, from what it knows.

    What it does not know it asks for beside.
    """

    async def run(self) -> None:
        """Ask the engines what is not known, for ever."""

    def serve(self, tenant: str, rules: DeliveryRules, legs: Legs) -> None:
        """Take what a house says of its engine, and how quickly its couriers ride."""

    def learned(self) -> set[str]:
        """The houses of which ways were learned since this was asked last."""
        ...

    def length(self, tenant: str, mode: TravelMode, one: Point, other: Point) -> float | None:
        """From point to point, as metres of a straight line; None where no engine has said."""
        ...

    def longer(self, sheet: Sheet, lat: Floats, lon: Floats) -> Floats:
        """By what each order's way from here to where its courier goes first is longer.

        Than its straight line, by an engine's word of this place, or of one that the courier came
        by on this way; NaN where there is none.
        """
        ...

    async def settle(self) -> None:
        """Return once nothing is to be asked; `run` has to run meanwhile."""


class StraightLine:
    """No engine at all."""

    async def run(self) -> None:
        """There is nobody to ask."""

    def serve(self, tenant: str, rules: DeliveryRules, legs: Legs) -> None:
        """Nothing is needed."""

    def learned(self) -> set[str]:
        """Nothing is ever learned."""
        return set()

    def length(self, tenant: str, mode: TravelMode, one: Point, other: Point) -> None:
        """Nobody has said."""

    def longer(self, sheet: Sheet, lat: Floats, lon: Floats) -> Floats:  # noqa: ARG002 - the port's
        """Nobody has said."""
        return np.full(len(sheet), np.nan)

    async def settle(self) -> None:
        """There is nothing to ask."""


NO_ENGINE: Final = StraightLine()
