"""What was learned, as a few kilobytes that can be kept: and what it tells of an order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from services.delivery.learning.correction import UNCORRECTED, Correction
from services.delivery.learning.margin import UNMEASURED, Margin
from services.delivery.learning.orders import Floats, Orders
from services.delivery.learning.rush import rushes
from services.delivery.learning.tuning import USUAL, Tuning
from services.delivery.learning.usual import NOTHING_KNOWN, SHARED, Usual

_VERSION: Final = 2
_DIGITS: Final = 4


class OfAnotherVersion(Exception):
    """What was kept was learned by another version of this model: learn it anew."""


@dataclass(frozen=True, slots=True)
class Told:
    """What is told of orders, an entry each, in minutes from their placing.

    Attributes:
        usual_min: the usual time.
        rush_min: how far from it orders are just now.
        p50_min: half of such orders are there by then.
        p90_min: nine of ten are.
    """

    usual_min: Floats
    rush_min: Floats
    p50_min: Floats
    p90_min: Floats


@dataclass(frozen=True, slots=True)
class Parameters:
    """What was learned of a house's orders. Without any it tells what is assumed of a house.

    Attributes:
        usual: of the usual time.
        correction: from there to the median.
        margin: from there to the p90.
        scale_min: how widely orders scatter about their usual time: of a logistic distribution.
        orders: how many it was learned from; what is old counts less.
        measured: of how many of them is known how far off they were told; without any the
            margin is as it is assumed.
    """

    usual: Usual = NOTHING_KNOWN
    correction: Correction = UNCORRECTED
    margin: Margin = UNMEASURED
    scale_min: float = 5.0
    orders: float = 0.0
    measured: int = 0

    def tell(self, orders: Orders, since: int = 0, tuning: Tuning = USUAL) -> Told:
        """What is told of orders at the moment each is placed.

        Of the others only what had happened before that moment is looked at.

        Args:
            orders: with those of the last hours before them, however they stand.
            since: the first of which it is asked.
            tuning: how the rush is reckoned.
        """
        usual_min = self.usual.minutes(orders)
        rush_min = rushes(orders, since, usual_min, self.scale_min, tuning)
        usual_min = usual_min[since:]
        p50_min = self.correction.p50(usual_min, rush_min)
        return Told(usual_min, rush_min, p50_min, self.margin.p90(p50_min))

    def as_json(self) -> dict[str, Any]:
        """As plain values, for keeping."""
        return {
            "version": _VERSION,
            "usual": {
                "shared": [round(each, _DIGITS) for each in self.usual.shared.tolist()],
                "venues": {name: round(each, 2) for name, each in self.usual.venues.items()},
                "km": round(self.usual.km, _DIGITS),
                "log_items": round(self.usual.log_items, _DIGITS),
            },
            "correction": _rounded(asdict(self.correction)),
            "margin": _rounded(asdict(self.margin)),
            "scale_min": round(self.scale_min, _DIGITS),
            "orders": round(self.orders, 1),
            "measured": self.measured,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Parameters:
        """Read them again.

        Raises:
            OfAnotherVersion: it was kept by another version.
        """
        if kept.get("version") != _VERSION or len(kept["usual"]["shared"]) != SHARED:
            raise OfAnotherVersion(f"kept as version {kept.get('version')}, not {_VERSION}")
        usual = kept["usual"]
        shared = np.array(usual["shared"], dtype=np.float64)
        return cls(
            Usual(shared, dict(usual["venues"]), usual["km"], usual["log_items"]),
            Correction(**kept["correction"]),
            Margin(**kept["margin"]),
            kept["scale_min"],
            kept["orders"],
            kept["measured"],
        )


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(each, _DIGITS) for name, each in values.items()}
