"""Fixes on their way into a fleet and out of it: a column an array, all of one length. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from services.tracking.verdicts import Verdict, counted

Floats = NDArray[np.float64]
Numbers = NDArray[np.int32]


def _column(given: ArrayLike | None, length: int) -> Floats:
    if given is None:
        return np.full(length, np.nan)
    return np.ascontiguousarray(given, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class FixBatch:
    """Fixes of many vehicles, in any order, many of one vehicle if need be.

    Attributes:
        vehicle: numbers that the fleet gave, int32.
        t: seconds since 1970 by the tracker's clock.
        lat: degrees.
        lon: degrees.
        accuracy_m: the radius within which it is two times of three; NaN, or anything that is
            no such radius, is unknown.
        speed_mps: as told; NaN, or below zero, is unknown.
        heading_deg: as told, from north; NaN, or outside 0 to 360, is unknown.
        received: seconds since 1970 by our own clock.
    """

    vehicle: Numbers
    t: Floats
    lat: Floats
    lon: Floats
    accuracy_m: Floats
    speed_mps: Floats
    heading_deg: Floats
    received: Floats

    @classmethod
    def of(
        cls,
        vehicle: ArrayLike,
        t: ArrayLike,
        lat: ArrayLike,
        lon: ArrayLike,
        *,
        received: ArrayLike,
        accuracy_m: ArrayLike | None = None,
        speed_mps: ArrayLike | None = None,
        heading_deg: ArrayLike | None = None,
    ) -> FixBatch:
        """Make one of columns, or of lists; ``received`` may be one time for all.

        Raises:
            ValueError: if they are not of one length.
        """
        numbers = np.ascontiguousarray(vehicle, dtype=np.int32)
        times = _column(t, len(numbers))
        received = np.broadcast_to(np.asarray(received, dtype=np.float64), times.shape)
        batch = cls(
            numbers,
            times,
            _column(lat, len(numbers)),
            _column(lon, len(numbers)),
            _column(accuracy_m, len(numbers)),
            _column(speed_mps, len(numbers)),
            _column(heading_deg, len(numbers)),
            np.ascontiguousarray(received),
        )
        if any(column.shape != numbers.shape for column in batch.columns()):
            raise ValueError("the columns of a batch are of one length")
        return batch

    def columns(self) -> tuple[Floats, ...]:
        """All but the vehicle."""
        told = (self.accuracy_m, self.speed_mps, self.heading_deg)
        return (self.t, self.lat, self.lon, *told, self.received)

    def __len__(self) -> int:
        return len(self.vehicle)

    def some(self, which: NDArray[np.intp] | NDArray[np.bool_]) -> FixBatch:
        """Those fixes alone."""
        return FixBatch(self.vehicle[which], *(column[which] for column in self.columns()))

    def slices(self, most: int) -> Iterator[NDArray[np.intp]]:
        """Share it out into several, by index, with at most so many fixes of one vehicle each.

        A vehicle's fixes are in the order of their times over all of them. What a fleet does
        with one vehicle it does one fix after another, so a whole tunnel at once takes it long:
        between the slices others may be served. Nearly always there is one slice: all.
        """
        if len(self) <= most:
            yield np.arange(len(self))
            return
        order = np.lexsort((self.t, self.vehicle))
        rank = ranks(self.vehicle[order]) // most
        for number in range(int(rank.max()) + 1):
            yield order[rank == number]


def ranks(vehicle: Numbers) -> NDArray[np.intp]:
    """Of numbers that are sorted: the how manieth of its kind each is, from 0 on."""
    places = np.arange(len(vehicle))
    first = np.ones(len(vehicle), dtype=np.bool_)
    first[1:] = vehicle[1:] != vehicle[:-1]
    return places - np.maximum.accumulate(np.where(first, places, 0))


@dataclass(frozen=True, slots=True)
class Standing:
    """Where vehicles are held to be; all of one length.

    Attributes:
        vehicle: their numbers.
        t: of the last fix that was used, in seconds since 1970; NaN where there was none yet,
            and so is all that follows from one.
        lat: degrees, filtered.
        lon: degrees, filtered.
        spread_m: two times of three it is within so much of this.
        speed_mps: filtered.
        heading_deg: from north; NaN while it stands.
        moving: whether it moves.
        since: since when it moves or stands.
        distance_m: all that it went since it is known; what lies in gaps is not in it.
        gaps: how often nobody knew what was between.
        gap_from: when the last gap began; NaN without one.
        gap_until: when it ended.
        clock_s: so much is added to what its clock says; 0 for a good clock.
        heard: when it was last heard of at all, by our clock, good fix or bad.
        placed: when a fix of it was last used, by our clock; NaN where none ever was.
    """

    vehicle: Numbers
    t: Floats
    lat: Floats
    lon: Floats
    spread_m: Floats
    speed_mps: Floats
    heading_deg: Floats
    moving: NDArray[np.bool_]
    since: Floats
    distance_m: Floats
    gaps: Floats
    gap_from: Floats
    gap_until: Floats
    clock_s: Floats
    heard: Floats
    placed: Floats


@dataclass(frozen=True, slots=True)
class Judged:
    """What a fleet made of a batch. The columns by fix stand in the batch's own order.

    Attributes:
        verdict: of each fix, a `Verdict`.
        t: of each fix, put right where the clock is off.
        lat: of each fix that was used, filtered; else NaN.
        lon: the same.
        east_mps: its velocity, filtered, to the east.
        north_mps: the same, to the north.
        gap_s: with a fix that ended a gap, how long it was; else 0. Between it and the fix
            before no line is to be drawn: a silence, or the vehicle was somewhere else at once.
        touched: the vehicles of which a fix was used, in order.
        standing: where these are now.
        clocks: the vehicles whose clock was found to be off, or good again, just now.
    """

    verdict: NDArray[np.uint8]
    t: Floats
    lat: Floats
    lon: Floats
    east_mps: Floats
    north_mps: Floats
    gap_s: Floats
    touched: Numbers
    standing: Standing
    clocks: Numbers = field(default_factory=lambda: np.empty(0, dtype=np.int32))

    def counted(self) -> dict[Verdict, int]:
        """How many fixes there are by verdict."""
        return counted(self.verdict)
