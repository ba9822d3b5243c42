"""All vehicles at once: what becomes of their fixes, and where they are. Pure, in numpy.

A column of a matrix is one figure of all vehicles, a row all that is known of one. A batch is
put in order by vehicle and time, and then taken rank by rank: the first fix of every vehicle in
one go, then every second one, so that a thousand vehicles cost hardly more than one.

What comes late, but not too late, is put in its place: each vehicle remembers how it stood
after its last few fixes, goes back to before the late one, and takes all since again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.tracking import columns as at
from services.tracking import hygiene
from services.tracking.alone import step_alone
from services.tracking.batches import FixBatch, Floats, Judged, Numbers, Standing, ranks
from services.tracking.filtering import SPREAD, variance_of
from services.tracking.limits import ROWS, Limits
from services.tracking.stepping import step
from services.tracking.verdicts import Verdict, used

Flags = NDArray[np.bool_]

REMEMBERED: Final = 8
"""So many of a vehicle's last fixes can be gone back over."""
FEW: Final = 24
"""So few vehicles are taken one by one: arrays are no gain for them."""
SAME_S: Final = 5e-4
"""Times that are no further apart are the same moment."""


@dataclass(slots=True)
class _Line:
    """Fixes in order, on their way through: by vehicle and time.

    Attributes:
        vehicle: numbers.
        told: time, latitude, longitude, variance, velocity to the east and to the north, and
            when it came: a row each.
        source: where each stands in the batch; below 0 for one that is gone over again.
    """

    vehicle: Numbers
    told: Floats
    source: NDArray[np.intp]

    def sort(self) -> None:
        order = np.lexsort((self.told[0], self.vehicle))
        self.pick(order)

    def pick(self, which: NDArray[np.intp] | Flags) -> None:
        self.vehicle = self.vehicle[which]
        self.told = self.told[:, which]
        self.source = self.source[which]


class Fleet:
    """Vehicles by number, from 0 on."""

    def __init__(self) -> None:
        self._count = 0
        self._state = np.empty((0, len(at.STATE)))
        self._clock = np.empty((0, len(at.CLOCK)))
        self._limits = np.empty((len(ROWS), 0))
        self._past = np.empty((0, REMEMBERED, len(at.STATE)))
        self._past_from = np.empty(0, dtype=np.int64)
        self._past_to = np.empty(0, dtype=np.int64)

    def __len__(self) -> int:
        return self._count

    def add(self, limits: Limits) -> int:
        """Take in a vehicle of which nothing is known yet; gives its number."""
        if self._count == len(self._state):
            self._grow(max(64, 2 * self._count))
        number = self._count
        self._count += 1
        self.limit(number, limits)
        return number

    def limit(self, vehicle: int, limits: Limits) -> None:
        """Believe something else of a vehicle from now on."""
        self._limits[:, vehicle] = astuple(limits)

    def forget(self, vehicle: int) -> None:
        """Know nothing of a vehicle any more; its number stays its own."""
        self._state[vehicle] = np.nan
        self._state[vehicle, [at.DOUBTS, at.TRUST, at.GAPS]] = 0.0
        self._clock[vehicle] = np.nan
        self._clock[vehicle, at.OFFSET] = 0.0
        self._past_from[vehicle] = self._past_to[vehicle] = 0

    def hear(self, vehicles: Numbers, received: float) -> None:
        """These were heard of, whatever they said."""
        heard = self._clock[vehicles, at.HEARD]
        self._clock[vehicles, at.HEARD] = np.fmax(heard, received)

    def take(self, batch: FixBatch) -> Judged:
        """Judge fixes, in whatever order they came, and move the vehicles.

        The clock is not asked: when a fix came is part of the batch. Of a fix that is put in
        order late the verdict is told now; those that follow it keep the ones they had.
        """
        vehicle = batch.vehicle
        verdict = hygiene.look_at(batch)
        clocks = self._read_clocks(batch, verdict != Verdict.INVALID)
        offset = self._clock[vehicle, at.OFFSET]
        t = batch.t + offset
        hygiene.look_at_time(
            verdict, batch.received - t, self._limit("stale_s", vehicle),
            self._limit("future_s", vehicle),
        )  # fmt: skip
        rough = batch.accuracy_m > self._limit("accuracy_m", vehicle)
        verdict[rough & (verdict == Verdict.OK)] = Verdict.INACCURATE

        line = _in_order(batch, t, np.flatnonzero(verdict == Verdict.OK))
        self._thin(line, verdict)
        self._go_back(line, verdict)
        found = np.full((5, len(batch)), np.nan)
        found[4] = 0.0
        together, alone = _by_rank(line.vehicle)
        for which in together:
            self._step(line, which, verdict, found)
        if len(alone):
            self._step_alone(line, alone, verdict, found)
        moved = used(verdict)
        verdict[moved & (offset != 0.0)] = Verdict.CORRECTED_CLOCK
        touched = np.unique(vehicle[moved])
        np.fmax.at(self._clock[:, at.PLACED], vehicle[moved], batch.received[moved])
        lat, lon, east, north, gap = found
        return Judged(
            verdict, t, lat, lon, east, north, gap, touched, self.standing(touched), clocks
        )

    def standing(self, vehicles: Numbers | Sequence[int]) -> Standing:
        """Where these vehicles are held to be."""
        numbers = np.asarray(vehicles, dtype=np.int32)
        state, clock = self._state[numbers].T, self._clock[numbers].T
        (lat, lon), (east, north) = state[at.PLACE], state[at.VELOCITY]
        moving = state[at.MOVING] > 0.0
        heading = np.degrees(np.arctan2(east, north)) % 360.0
        spread = SPREAD * np.sqrt(state[at.SPREAD][0])
        return Standing(
            numbers, state[at.T], lat, lon, spread, np.hypot(east, north),
            np.where(moving, heading, np.nan), moving, state[at.SINCE],
            state[at.DISTANCE], state[at.GAPS], state[at.GAP_FROM], state[at.GAP_UNTIL],
            clock[at.OFFSET], clock[at.HEARD], clock[at.PLACED],
        )  # fmt: skip

    def row(self, vehicle: int) -> list[float | None]:
        """All that is known of a vehicle, in the order of `columns.ROW`; None is not known."""
        row = np.concatenate((self._state[vehicle], self._clock[vehicle]))
        return [None if math.isnan(figure) else figure for figure in row.tolist()]

    def rows(self, vehicles: Numbers | Sequence[int]) -> Floats:
        """The same of many at once, a row each; NaN is not known."""
        numbers = np.asarray(vehicles, dtype=np.int32)
        return np.concatenate((self._state[numbers], self._clock[numbers]), axis=1)

    def restore(self, vehicle: int, row: Sequence[float | None] | Floats) -> None:
        """Go on from what was known of a vehicle once.

        Fixes from before that time are late then, for what was remembered of them is gone.

        Raises:
            ValueError: if it is no such row; of another version, perhaps.
        """
        if len(row) != len(at.ROW):
            raise ValueError(f"a vehicle has {len(at.ROW)} figures, not {len(row)}")
        figures = np.array([np.nan if each is None else each for each in row])
        self.forget(vehicle)
        self._state[vehicle] = figures[: len(at.STATE)]
        self._clock[vehicle] = figures[len(at.STATE) :]
        if np.isfinite(self._state[vehicle, at.SEEN_T]):
            self._past[vehicle, 0] = self._state[vehicle]
            self._past_to[vehicle] = 1

    def _limit(self, name: str, vehicle: Numbers) -> Floats:
        return np.asarray(self._limits[ROWS[name]][vehicle])

    def _grow(self, room: int) -> None:
        before = len(self._state)
        more = room - before
        self._state = np.pad(self._state, ((0, more), (0, 0)))
        self._clock = np.pad(self._clock, ((0, more), (0, 0)))
        self._limits = np.pad(self._limits, ((0, 0), (0, more)))
        self._past = np.pad(self._past, ((0, more), (0, 0), (0, 0)))
        self._past_from = np.pad(self._past_from, (0, more))
        self._past_to = np.pad(self._past_to, (0, more))
        for number in range(before, room):
            self.forget(number)

    def _read_clocks(self, batch: FixBatch, readable: Flags) -> Numbers:
        """Take in what the clocks say, and move what is known of a vehicle with its clock."""
        lag = np.full(self._count, np.inf)
        np.minimum.at(lag, batch.vehicle[readable], (batch.received - batch.t)[readable])
        heard = self._clock[: self._count, at.HEARD]
        np.fmax.at(heard, batch.vehicle, batch.received)
        numbers = np.flatnonzero(lag < np.inf)
        before = hygiene.Clocks(*self._clock[numbers, at.CLOCKS].T)
        future = self._limits[ROWS["future_s"], numbers]
        after = hygiene.read_clocks(before, lag[numbers], heard[numbers], future)
        self._clock[numbers, at.CLOCKS] = np.stack(after.columns(), axis=1)
        moved = np.flatnonzero(after.offset != before.offset)
        for number, by in zip(numbers[moved], (after.offset - before.offset)[moved], strict=True):
            seen = self._state[number]
            # What came while the clock was right already, or put right, stays where it is.
            age = seen[at.SEEN_AT] - seen[at.SEEN_T]
            if abs(age - by) < abs(age):
                seen[at.TIMES] += by
                self._past[number][:, at.TIMES] += by
        return numbers[moved].astype(np.int32)

    def _thin(self, line: _Line, verdict: NDArray[np.uint8]) -> None:
        """Put out at once what is too often within a batch, however much of it there is.

        Only one may be in each small span of time; what is near it in the next is seen later.
        """
        if len(line.vehicle) < 2:
            return
        span = np.floor(line.told[0] / self._limit("often_s", line.vehicle))
        same = (np.diff(span) == 0.0) & (np.diff(line.vehicle) == 0)
        if same.any():
            more = np.flatnonzero(same) + 1
            twin = np.diff(line.told[0])[more - 1] <= SAME_S
            verdict[line.source[more]] = np.where(twin, Verdict.DUPLICATE, Verdict.TOO_OFTEN)
            line.pick(verdict[line.source] == Verdict.OK)

    def _go_back(self, line: _Line, verdict: NDArray[np.uint8]) -> None:
        """Put late fixes in their place, and vehicles back to before them."""
        late = line.told[0] < self._state[line.vehicle, at.SEEN_T]
        if not late.any():
            return
        again: list[tuple[int, Floats]] = []
        for number in np.unique(line.vehicle[late]).tolist():
            its = np.flatnonzero(late & (line.vehicle == number))
            times = line.told[0, its]
            begin, end = int(self._past_from[number]), int(self._past_to[number])
            past = self._past[number, np.arange(begin, end) % REMEMBERED]
            seen = past[:, at.SEEN_T]
            known = (np.abs(times[:, None] - seen) <= SAME_S).any(axis=1)
            reach = self._limits[ROWS["reorder_s"], number]
            ordered = ~known & (times > seen[0]) & (times >= seen[-1] - reach)
            verdict[line.source[its[known]]] = Verdict.DUPLICATE
            verdict[line.source[its[~known & ~ordered]]] = Verdict.LATE
            if ordered.any():
                last = int(np.searchsorted(seen, times[ordered].min())) - 1
                self._state[number] = past[last]
                self._past_to[number] = begin + last + 1
                again.append((number, past[last + 1 :, at.SEEN].T))
        line.pick(verdict[line.source] == Verdict.OK)
        if again:
            numbers = [np.full(told.shape[1], number, np.int32) for number, told in again]
            line.vehicle = np.concatenate((line.vehicle, *numbers))
            line.told = np.concatenate((line.told, *(told for _, told in again)), axis=1)
            more = len(line.vehicle) - len(line.source)
            line.source = np.concatenate((line.source, np.full(more, -1, dtype=np.intp)))
            line.sort()

    def _step(
        self, line: _Line, which: NDArray[np.intp], verdict: NDArray[np.uint8], found: Floats
    ) -> None:
        """Take one fix each of as many vehicles."""
        vehicle, told, source = line.vehicle[which], line.told[:, which], line.source[which]
        apart = told[0] - self._state[vehicle, at.SEEN_T]
        close = apart < self._limit("often_s", vehicle)
        if close.any():
            says = np.where(apart <= SAME_S, Verdict.DUPLICATE, Verdict.TOO_OFTEN)
            new = source >= 0
            verdict[source[close & new]] = says[close & new]
            vehicle, told, source = vehicle[~close], told[:, ~close], source[~close]
        before = np.ascontiguousarray(self._state[vehicle].T)
        taken = step(before, self._limits[:, vehicle], told)
        self._state[vehicle] = rows = np.ascontiguousarray(taken.state.T)
        end = self._past_to[vehicle]
        self._past[vehicle, end % REMEMBERED] = rows
        self._past_to[vehicle] = end + 1
        self._past_from[vehicle] = np.maximum(self._past_from[vehicle], end + 1 - REMEMBERED)
        new = source >= 0
        verdict[source[new]] = taken.verdict[new]
        told_back = new & used(taken.verdict)
        found[:, source[told_back]] = taken.found[:, told_back]

    def _step_alone(
        self, line: _Line, which: NDArray[np.intp], verdict: NDArray[np.uint8], found: Floats
    ) -> None:
        """Take all these fixes of a few vehicles, which are in order, one after the other."""
        vehicle = line.vehicle[which]
        for its in np.split(which, np.flatnonzero(np.diff(vehicle)) + 1):
            number = int(line.vehicle[its[0]])
            state, limits = self._state[number].tolist(), self._limits[:, number].tolist()
            often = limits[ROWS["often_s"]]
            past: list[list[float]] = []
            for told, source in zip(line.told[:, its].T.tolist(), line.source[its].tolist(),
                                    strict=True):  # fmt: skip
                apart = told[0] - state[at.SEEN_T]
                if apart < often:
                    says, took = _too_close(apart), None
                else:
                    says, took = step_alone(state, limits, told)
                    past.append(state.copy())
                if source >= 0:
                    verdict[source] = says
                    if took is not None:
                        found[:, source] = took
            self._state[number] = state
            end = int(self._past_to[number]) + len(past)
            for back, row in enumerate(reversed(past[-REMEMBERED:]), start=1):
                self._past[number, (end - back) % REMEMBERED] = row
            self._past_to[number] = end
            self._past_from[number] = max(int(self._past_from[number]), end - REMEMBERED)


def _too_close(apart: float) -> int:
    return int(Verdict.DUPLICATE if apart <= SAME_S else Verdict.TOO_OFTEN)


def _in_order(batch: FixBatch, t: Floats, source: NDArray[np.intp]) -> _Line:
    """Those fixes, by vehicle and time."""
    source = source[np.lexsort((t[source], batch.vehicle[source]))]
    told = np.empty((7, len(source)))
    told[0], told[1], told[2] = t[source], batch.lat[source], batch.lon[source]
    told[3] = variance_of(batch.accuracy_m[source])
    told[4:6] = hygiene.told_velocity(batch)[:, source]
    told[6] = batch.received[source]
    return _Line(batch.vehicle[source], told, source)


def _by_rank(vehicle: Numbers) -> tuple[list[NDArray[np.intp]], NDArray[np.intp]]:
    """The first of each vehicle, then the second of each, and so on; they are in order.

    Once no more than a few vehicles are left, all that is left of them stands apart, in order.
    """
    rank = ranks(vehicle)
    widths = np.bincount(rank)
    wide = int(np.count_nonzero(widths > FEW))
    if wide == len(widths) == 1:
        return [np.arange(len(vehicle))], np.empty(0, dtype=np.intp)
    order = np.argsort(rank, kind="stable")
    *together, alone = np.split(order, np.cumsum(widths)[:wide])
    return together, np.sort(alone)
