"""How long something takes, as a range, and what ranges make together; pure, in arrays.

A span is read as a logistic distribution with these two quantiles: it has a shape like what
kitchens and rides show, and, unlike the normal one, everything that is needed here in closed form:
how much is left of what already took so long, and both quantiles without a table.

Clark (The greatest of a finite set of random variables, Operations Research 9, 1961) gives the
moments of the later of two; quantiles reckoned from those can fall while one of the two gets
later. So the quantiles of the later of two are found from the product of the distributions, which
is exact for independent ones, and never falls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

P50: Final = 0.5
P90: Final = 0.9
_TO_SCALE: Final = float(np.log(P90 / (1 - P90)))
"""A logistic's p90 lies so many of its scales after its middle: ln 9."""
_LEAST_SPREAD_S: Final = 1.0
"""Nothing is known to the second."""
_HALVINGS: Final = 30


@dataclass(frozen=True, slots=True)
class Span:
    """How long something takes, in seconds; arrays of one shape.

    Attributes:
        p50_s: as likely less as more; below zero is in the past.
        p90_s: nine times of ten it does not take longer.
    """

    p50_s: Floats
    p90_s: Floats

    @classmethod
    def of(cls, p50_s: ArrayLike, p90_s: ArrayLike) -> Self:
        """Take anything that reads as numbers; the p90 is never the lower one."""
        p50 = np.asarray(p50_s, dtype=np.float64)
        p90 = np.asarray(p90_s, dtype=np.float64)
        p50, p90 = np.broadcast_arrays(p50, p90)
        return cls(p50, np.maximum(p50, p90))

    @classmethod
    def nothing(cls, shape: int | tuple[int, ...]) -> Self:
        """What takes no time."""
        return cls(np.zeros(shape), np.zeros(shape))

    @property
    def spread_s(self) -> Floats:
        """From the p50 to the p90."""
        return self.p90_s - self.p50_s

    def where(self, which: ArrayLike, other: Self) -> Self:
        """This one where it is so; elsewhere the other."""
        chosen = np.asarray(which, dtype=np.bool_)
        return type(self)(
            np.where(chosen, self.p50_s, other.p50_s), np.where(chosen, self.p90_s, other.p90_s)
        )

    def times(self, factor: ArrayLike) -> Self:
        """So many times as long; 0 is nothing."""
        by = np.asarray(factor, dtype=np.float64)
        return type(self)(self.p50_s * by, self.p90_s * by)


def left(span: Span, elapsed_s: ArrayLike) -> Span:
    """What is left of what was begun so long ago and has not ended.

    What is overdue is never told for now: of a logistic that is far past its middle there is
    always about one more of its scales left.

    Args:
        span: how long it takes from its beginning.
        elapsed_s: seconds since it began; below zero, it begins later.
    """
    elapsed = np.asarray(elapsed_s, dtype=np.float64)
    scale = _scale(span)
    over = (elapsed - span.p50_s) / scale
    # Of 1/(1 + e^over), who are not done yet, the share `part` is done after so much more.
    p50, p90 = (
        scale * (np.logaddexp(np.log(part), over) - over - np.log(1 - part)) for part in (P50, P90)
    )
    begun = elapsed >= 0
    return Span(
        np.asarray(np.where(begun, p50, span.p50_s - elapsed)),
        np.asarray(np.where(begun, p90, span.p90_s - elapsed)),
    )


def later_of(one: Span, other: Span) -> Span:
    """When both are over that run beside each other, and know nothing of each other."""
    p50 = _later(one, other, P50)
    return Span(p50, np.maximum(p50, _later(one, other, P90)))


def one_after_the_other(spans: Sequence[Span]) -> Span:
    """When all are over, one after the other: middles add up, and spreads as squares do."""
    p50 = sum((each.p50_s for each in spans[1:]), spans[0].p50_s)
    squares = sum((each.spread_s**2 for each in spans[1:]), spans[0].spread_s ** 2)
    return Span(np.asarray(p50), np.asarray(p50 + np.sqrt(squares)))


def _scale(span: Span) -> Floats:
    return np.asarray(np.maximum(span.spread_s, _LEAST_SPREAD_S) / _TO_SCALE)


def _later(one: Span, other: Span, part: float) -> Floats:
    """The quantile of the later of two: where the product of both distributions is `part`."""
    low = np.maximum(_quantile(one, part), _quantile(other, part))
    root = float(np.sqrt(part))
    high = np.maximum(_quantile(one, root), _quantile(other, root))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        enough = _share(one, middle) * _share(other, middle) >= part
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return np.asarray(high)


def _quantile(span: Span, part: float) -> Floats:
    return np.asarray(span.p50_s + _scale(span) * float(np.log(part / (1 - part))))


def _share(span: Span, at: Floats) -> Floats:
    """How many have ended by then."""
    return np.asarray(1.0 / (1.0 + np.exp(np.clip((span.p50_s - at) / _scale(span), -60.0, 60.0))))
