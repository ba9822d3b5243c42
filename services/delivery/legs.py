"""What was learned of a house's parts of the way, each with its error; pure.

Each part is learned from how long it took in closed deliveries, next to what is assumed of it: the
assumption counts as so many deliveries, and what is long ago counts less. So a house without
history has sensible spans, one with ten deliveries leans on them a little, and one with a thousand
hardly at all. Both quantiles are taken from the deliveries themselves: nothing is assumed of their
shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from schemas.positions import TravelMode
from services.delivery.rides import Pace, usual
from services.delivery.spans import P50, P90

Floats = NDArray[np.float64]

HALF_LIFE_DAYS: Final = 45.0
"""A delivery that long ago counts half."""
WORTH: Final = 15.0
"""What is assumed counts as so many deliveries."""
_GRID: Final = (np.arange(20) + 0.5) / 20
"""The assumption as a few deliveries: at these shares of it."""
_VERSION: Final = 1
"""Of the document: what another writes is not read."""
_LEAST_M: Final = 150.0
"""A shorter ride shows nothing of a pace."""


class LegKind(StrEnum):
    """A part of the way of which how long it takes is learned."""

    COOKING = "cooking"
    """From the order to its food: while no ticket says better."""
    ASSIGNING = "assigning"
    """From the order to a courier who has accepted it."""
    COMING = "coming"
    """From there until the courier is at the restaurant, where nobody knows where they are."""
    HAND_OVER = "hand-over"
    """From when food and courier are both there until the food is in the bag."""
    DOOR = "door"
    """From the kerb until the guest has it."""


@dataclass(frozen=True, slots=True)
class Leg:
    """How long a part takes.

    Attributes:
        p50_s: as likely less as more.
        p90_s: nine times of ten not longer.
        n: from how many deliveries it was learned, as they count now; 0 is assumed.
    """

    p50_s: float
    p90_s: float
    n: float = 0.0


ASSUMED: Final[Mapping[LegKind, Leg]] = {
    LegKind.COOKING: Leg(900.0, 1_680.0),
    LegKind.ASSIGNING: Leg(240.0, 720.0),
    LegKind.COMING: Leg(360.0, 840.0),
    LegKind.HAND_OVER: Leg(90.0, 240.0),
    LegKind.DOOR: Leg(120.0, 270.0),
}


@dataclass(frozen=True, slots=True)
class Legs:
    """All that was learned of a house's way from the kitchen to the door.

    Attributes:
        parts: each kind's span.
        paces: how rides go, by what couriers go by.
        rides: from how many rides each pace was learned.
    """

    parts: Mapping[LegKind, Leg] = field(default_factory=lambda: dict(ASSUMED))
    paces: Mapping[TravelMode, Pace] = field(
        default_factory=lambda: {mode: usual(mode) for mode in TravelMode}
    )
    rides: Mapping[TravelMode, float] = field(default_factory=dict)

    def to_document(self) -> dict[str, Any]:
        """As JSON keeps it."""
        return {
            "version": _VERSION,
            "parts": {k.value: [leg.p50_s, leg.p90_s, leg.n] for k, leg in self.parts.items()},
            "paces": {
                m.value: [p.s_per_m, p.slower, p.start_s, p.start_spread_s, p.worth_m]
                for m, p in self.paces.items()
            },
            "rides": {m.value: n for m, n in self.rides.items()},
        }

    @classmethod
    def of_document(cls, document: Mapping[str, Any] | None) -> Self:
        """Read what `to_document` wrote; what it does not say is as assumed.

        So is all that another version wrote: it is learned anew when the trainer begins.
        """
        if not document or document.get("version") != _VERSION:
            return cls()
        assumed = cls()
        parts = {LegKind(name): Leg(*map(float, leg)) for name, leg in document["parts"].items()}
        paces = {TravelMode(name): Pace(*map(float, p)) for name, p in document["paces"].items()}
        rides = {TravelMode(name): float(n) for name, n in document["rides"].items()}
        return cls({**assumed.parts, **parts}, {**assumed.paces, **paces}, rides)


@dataclass(frozen=True, slots=True)
class PastLegs:
    """What closed deliveries took for one part.

    Attributes:
        took_s: seconds, one for each; NaN where it is not known.
        days_ago: since when each is over.
    """

    took_s: Floats
    days_ago: Floats


@dataclass(frozen=True, slots=True)
class PastRides:
    """The rides of closed deliveries, of one mode.

    Attributes:
        took_s: from setting out to the door.
        distance_m: along the straight line, from where they set out.
        days_ago: since when each is over.
    """

    took_s: Floats
    distance_m: Floats
    days_ago: Floats


def learn(parts: Mapping[LegKind, PastLegs], rides: Mapping[TravelMode, PastRides]) -> Legs:
    """Learn a house's parts of the way from its closed deliveries."""
    legs = {
        kind: learn_leg(ASSUMED[kind], parts[kind]) if kind in parts else ASSUMED[kind]
        for kind in LegKind
    }
    assumed = Legs()
    paces, counts = dict(assumed.paces), {}
    for mode, past in rides.items():
        paces[mode], counts[mode] = learn_pace(paces[mode], past)
    return Legs(legs, paces, counts)


def learn_leg(assumed: Leg, past: PastLegs) -> Leg:
    """How long a part takes: as it was, and as it is assumed."""
    good = np.isfinite(past.took_s) & (past.took_s >= 0)
    took, weight = past.took_s[good], _weight(past.days_ago[good])
    p50, p90 = _leaning(took, weight, assumed.p50_s, assumed.p90_s)
    return Leg(p50, max(p50, p90), float(weight.sum()))


def learn_pace(assumed: Pace, past: PastRides) -> tuple[Pace, float]:
    """How rides go: as they went, and as it is assumed; and from how many that is learned."""
    riding = past.took_s - assumed.start_s
    good = np.isfinite(riding) & (past.distance_m >= _LEAST_M) & (past.took_s > 0)
    pace = np.maximum(riding[good], past.took_s[good] * 0.2) / past.distance_m[good]
    weight = _weight(past.days_ago[good])
    p50, p90 = _leaning(pace, weight, assumed.s_per_m, assumed.s_per_m * assumed.slower)
    return (
        replace(assumed, s_per_m=p50, slower=max(1.05, p90 / p50)),
        float(weight.sum()),
    )


def _weight(days_ago: Floats) -> Floats:
    return np.asarray(0.5 ** (np.maximum(0.0, days_ago) / HALF_LIFE_DAYS))


def _leaning(seen: Floats, weight: Floats, p50: float, p90: float) -> tuple[float, float]:
    """Both quantiles of what was seen, together with the assumption's few deliveries.

    A logistic with the assumed quantiles, cut off at a tenth of its middle: nothing takes less
    than no time.
    """
    scale = (p90 - p50) / np.log(P90 / (1 - P90))
    stands = np.maximum(0.1 * p50, p50 + scale * np.log(_GRID / (1 - _GRID)))
    values = np.concatenate([seen, stands])
    weights = np.concatenate([weight, np.full(stands.size, WORTH / stands.size)])
    return _quantile(values, weights, P50), _quantile(values, weights, P90)


def _quantile(values: Floats, weights: ArrayLike, part: float) -> float:
    """The weighted quantile, linear between the middles of the weights (Hazen's rule)."""
    order = np.argsort(values, kind="stable")
    sorted_values = values[order]
    heavy = np.asarray(weights, dtype=np.float64)[order]
    middles = (np.cumsum(heavy) - heavy / 2) / heavy.sum()
    return float(np.interp(part, middles, sorted_values))
